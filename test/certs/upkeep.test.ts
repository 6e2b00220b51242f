import { X509Certificate } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { infrastructureName } from "../../src/attach/infrastructure-name.ts";
import { defaultLifetimes } from "../../src/certs/lifetimes.ts";
import { REPLICA_SECRET, SERVER_SECRET, type SecretObject, secretType } from "../../src/certs/objects.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import {
  createNamespace,
  demandFor,
  type Replica,
  type ReplicaOptions,
  readSecrets,
  readTrust,
  startReplica,
  textOf,
} from "./installation.ts";

const [WEB, SHOP] = [infrastructureName("default/web"), infrastructureName("shop/shop")];

let api: ApiServer;
let namespace: string;
let namespaces = 0;
const replicas: Replica[] = [];

beforeAll(async () => {
  api = await startApiServer();
}, 120_000);
afterAll(() => api?.stop());

beforeEach(async () => {
  namespace = `gatehouse-${++namespaces}`;
  await createNamespace(api, namespace);
});
afterEach(async () => {
  for (const replica of replicas.splice(0)) await replica.close();
});

function start(options?: ReplicaOptions): Replica {
  const replica = startReplica(api, namespace, options);
  replicas.push(replica);
  return replica;
}

function lead(gateways: readonly string[], options?: ReplicaOptions): Replica {
  const replica = start(options);
  replica.certificates.demand(demandFor(namespace, gateways));
  replica.certificates.lead(true);
  return replica;
}

const names = async ({ client }: Replica) => [...(await readSecrets(client, namespace)).keys()].sort();
const present = (replica: Replica, ...wanted: string[]) =>
  waitFor(
    `Secrets ${wanted}`,
    async () => (await names(replica)).join() === [...wanted, REPLICA_SECRET].sort().join(),
    5000,
  );

async function certificateOf({ client }: Replica, name: string): Promise<X509Certificate> {
  return new X509Certificate(textOf((await readSecrets(client, namespace)).get(name), "tls.crt"));
}

test("what is asked for is made, by an authority that Envoys are told to trust", async () => {
  const replica = lead(["default/web", "shop/shop"]);
  await present(replica, "gatehouse-xds-ca-1", SERVER_SECRET, WEB, SHOP);
  const trust = await readTrust(replica.client, namespace);
  const authority = await certificateOf(replica, "gatehouse-xds-ca-1");
  expect(trust).toBe(authority.toString());
  const [server, client] = [await certificateOf(replica, SERVER_SECRET), await certificateOf(replica, WEB)];
  for (const leaf of [server, client]) {
    expect(leaf.verify(authority.publicKey)).toBe(true);
    const hours = (leaf.validToDate.getTime() - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(23.9);
    expect(hours).toBeLessThanOrEqual(24);
  }
  expect(client.subjectAltName).toBe(`URI:spiffe://${namespace}.gatehouse/gateway/default/web`);
  expect(server.checkHost(`gatehouse.${namespace}.svc`)).toBeDefined();
  await waitFor("the server's certificate", () => replica.materials.length > 0);
  expect(replica.materials.at(-1)).toMatchObject({ certificate: server.toString(), authorities: trust });
  const figure = { name: SHOP, expiresAtMilliseconds: (await certificateOf(replica, SHOP)).validToDate.getTime() };
  expect(replica.certificates.figures()).toContainEqual(figure);
});

test("only the leader writes; the others serve with what it wrote, and one of them goes on after it", async () => {
  const follower = start();
  follower.certificates.demand(demandFor(namespace, ["default/web"]));
  await pause(500);
  expect(await names(follower)).toEqual([]);
  const leader = lead(["default/web"]);
  await waitFor("the certificate", () => follower.materials.length > 0 && leader.materials.length > 0);
  expect(follower.materials.at(-1)).toEqual(leader.materials.at(-1));
  await present(follower, "gatehouse-xds-ca-1", SERVER_SECRET, WEB);
  const before = await readSecrets(follower.client, namespace);
  leader.certificates.lead(false);
  follower.certificates.lead(true);
  await follower.client.delete(secretType, { namespace, name: SERVER_SECRET });
  await waitFor("a new certificate on both", () => leader.materials.length === 2 && follower.materials.length === 2);
  const after = await readSecrets(follower.client, namespace);
  expect(after.get("gatehouse-xds-ca-1")).toEqual(before.get("gatehouse-xds-ca-1"));
  expect(after.get(infrastructureName("default/web"))).toEqual(before.get(infrastructureName("default/web")));
});

test("two that both think they lead make one authority and no certificate twice", async () => {
  const gateways = Array.from({ length: 20 }, (_, index) => `ns/gw-${index}`);
  const [one, other] = [lead(gateways), lead(gateways)];
  await present(one, "gatehouse-xds-ca-1", SERVER_SECRET, ...gateways.map(infrastructureName));
  await waitFor("agreement", () => one.materials.length > 0 && other.materials.length > 0);
  const settled = await readSecrets(one.client, namespace);
  await pause(1500);
  expect(await readSecrets(one.client, namespace)).toEqual(settled);
  expect(one.materials.at(-1)).toEqual(other.materials.at(-1));
});

test("a restart writes nothing, and what is not asked for any more goes", async () => {
  const first = lead(["default/web", "shop/shop"]);
  await present(first, "gatehouse-xds-ca-1", SERVER_SECRET, WEB, SHOP);
  await waitFor("the server's certificate", () => first.materials.length > 0);
  await first.close();
  const before = await readSecrets(start().client, namespace);
  const second = lead(["default/web", "shop/shop"]);
  await waitFor("the server's certificate", () => second.materials.length > 0);
  await pause(500);
  expect(await readSecrets(second.client, namespace)).toEqual(before);
  second.certificates.demand(demandFor(namespace, ["shop/shop"]));
  await present(second, "gatehouse-xds-ca-1", SERVER_SECRET, SHOP);
});

test("the authorities follow Envoys into their namespaces, and leave with them", async () => {
  const tenant = `${namespace}-tenant`;
  await createNamespace(api, tenant);
  const replica = start({ trustScope: { type: "All" } });
  replica.certificates.demand(demandFor(namespace, [`${tenant}/web`], true));
  replica.certificates.lead(true);
  const trust = await waitFor("the tenant's ConfigMap", () => readTrust(replica.client, tenant));
  expect(trust).toBe((await certificateOf(replica, "gatehouse-xds-ca-1")).toString());
  await present(replica, "gatehouse-xds-ca-1", SERVER_SECRET);
  expect(await readTrust(replica.client, namespace)).toBeUndefined();
  replica.certificates.demand(demandFor(namespace, [], true));
  await waitFor("the ConfigMap to go", async () => (await readTrust(replica.client, tenant)) === undefined);
});

test("what somebody breaks is made anew; what is not ours is left alone", async () => {
  const foreign = { name: SHOP, namespace };
  const theirs = { metadata: foreign, stringData: { note: "mine" } };
  await api.rest.json(`/api/v1/namespaces/${namespace}/secrets`, { method: "POST", body: theirs });
  const replica = lead(["default/web", "shop/shop"]);
  await present(replica, "gatehouse-xds-ca-1", SERVER_SECRET, WEB, SHOP);
  await waitFor("a complaint", () => replica.lines.some((line) => line.includes("was not made by Gatehouse")));
  expect(textOf((await readSecrets(replica.client, namespace)).get(SHOP), "note")).toBe("mine");

  const secrets = await readSecrets(replica.client, namespace);
  const [web, server] = [secrets.get(WEB)!, secrets.get(SERVER_SECRET)!];
  const mixed: SecretObject = { ...web, data: { ...web.data, "tls.key": server.data!["tls.key"]! } };
  await replica.client.replace(secretType, mixed);
  await waitFor("the key pair to be whole", async () => {
    const now = (await readSecrets(replica.client, namespace)).get(WEB);
    const { "tls.crt": certificate, "tls.key": key } = now?.data ?? {};
    return key !== mixed.data!["tls.key"] && certificate !== mixed.data!["tls.crt"];
  });
  const all = [...secrets.values()].map((secret) => secret.data?.["tls.key"] ?? "none").concat("PRIVATE KEY");
  for (const line of replica.lines) for (const key of all) expect(line).not.toContain(key);
});

test("deleting the authority is the way out when its key is known to others", async () => {
  const replica = lead(["default/web"]);
  await present(replica, "gatehouse-xds-ca-1", SERVER_SECRET, WEB);
  const old = await certificateOf(replica, "gatehouse-xds-ca-1");
  await replica.client.delete(secretType, { namespace, name: "gatehouse-xds-ca-1" });
  await waitFor("all to be of a new one", async () => {
    const leaves = [await certificateOf(replica, SERVER_SECRET), await certificateOf(replica, WEB)];
    return leaves.every((leaf) => !leaf.verify(old.publicKey));
  });
  expect(await readTrust(replica.client, namespace)).not.toContain(old.toString());
  expect(replica.materials.at(-1)?.authorities).not.toContain(old.toString());
});

test("an API server that is away is waited for", async () => {
  const replica = lead(["default/web"]);
  await present(replica, "gatehouse-xds-ca-1", SERVER_SECRET, WEB);
  await api.down();
  replica.certificates.demand(demandFor(namespace, ["default/web", "late/late"]));
  await waitFor("a complaint", () => replica.lines.some((line) => line.includes("trying again")));
  await api.up();
  await present(replica, "gatehouse-xds-ca-1", SERVER_SECRET, WEB, infrastructureName("late/late"));
}, 60_000);

test("the next authority is trusted before it signs, the old one until what it signed has expired", async () => {
  const lifetimes = { ...defaultLifetimes, authority: 12_000, leaf: 3000, trustLead: 2000, backdate: 1000 };
  const replica = lead(["default/web"], { lifetimes });
  const seen: { believed: number; by: string }[] = [];
  const generation = (pem: string) => /Gatehouse xDS (\d+)/.exec(new X509Certificate(pem).issuer)?.[1] ?? "";
  await waitFor(
    "two successions",
    () => {
      const { materials } = replica;
      for (const { certificate, authorities } of materials.slice(seen.length)) {
        seen.push({ believed: authorities.split("BEGIN").length - 1, by: generation(certificate) });
      }
      return seen.at(-1)?.by === "3" && seen.at(-1)?.believed === 1;
    },
    45_000,
  );
  const steps = seen
    .map(({ believed, by }) => `${by}${"*".repeat(believed)}`)
    .filter((each, at, all) => each !== all[at - 1]);
  expect(steps).toEqual(["1*", "1**", "2**", "2*", "2**", "3**", "3*"]);
}, 60_000);
