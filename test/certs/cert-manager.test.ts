import { X509Certificate } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { infrastructureName } from "../../src/attach/infrastructure-name.ts";
import { authorizeByCertificate } from "../../src/certs/client-certificate.ts";
import { serverName } from "../../src/certs/identity.ts";
import { defaultLifetimes } from "../../src/certs/lifetimes.ts";
import { SERVER_SECRET, type SecretObject, secretType } from "../../src/certs/objects.ts";
import { createResourceStore } from "../../src/xds/resource-store.ts";
import { createXdsServer, type XdsServer } from "../../src/xds/server.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import type { MeasuredProcess } from "../harness/process.ts";
import { waitFor } from "../harness/waiting.ts";
import { installCrds } from "../kube/gateway-api.ts";
import { installCertManagerCrds, renew, runCertManager, startCertManager } from "./cert-manager.ts";
import {
  createNamespace,
  demandFor,
  type Replica,
  type ReplicaOptions,
  readSecrets,
  readTrust,
  service,
  startReplica,
  textOf,
} from "./installation.ts";
import { attemptStream } from "./xds-client.ts";

const WEB = infrastructureName("default/web");
const lifetimes = { ...defaultLifetimes, trustLead: 2000 };

let api: ApiServer;
let certManager: MeasuredProcess;
let server: XdsServer;
let address: string;
let namespace: string;
let namespaces = 0;
const replicas: Replica[] = [];

beforeAll(async () => {
  api = await startApiServer();
  await installCrds(api);
  certManager = await startCertManager(api);
}, 180_000);
afterAll(async () => {
  await certManager?.stop();
  await api?.stop();
});

beforeEach(async () => {
  namespace = `issued-${++namespaces}`;
  await createNamespace(api, namespace);
  const store = createResourceStore();
  store.publish([]);
  server = createXdsServer({
    store,
    tls: { clientCertificates: true },
    authorize: authorizeByCertificate(namespace),
    onAcknowledgement() {},
    onConnection() {},
  });
  address = await server.listen("127.0.0.1:0");
});
afterEach(async () => {
  for (const replica of replicas.splice(0)) await replica.close();
  await server.close({ graceMilliseconds: 100 });
});

function lead(gateways: readonly string[], options: ReplicaOptions = {}): Replica {
  const onMaterial = server.setCertificates;
  const replica = startReplica(api, namespace, { issuer: "cert-manager", lifetimes, onMaterial, ...options });
  replicas.push(replica);
  replica.certificates.demand(demandFor(namespace, gateways));
  replica.certificates.lead(true);
  return replica;
}

const leaves = ({ client }: Replica) => readSecrets(client, namespace);

/** Whether an Envoy with what is in the cluster now gets its stream. */
async function isServed(replica: Replica): Promise<boolean> {
  const secret = (await leaves(replica)).get(WEB);
  const authorities = await readTrust(replica.client, namespace);
  if (secret === undefined || authorities === undefined) return false;
  const attempt = attemptStream({
    address,
    authorities,
    serverName: serverName(service(namespace)),
    identity: { certificate: textOf(secret, "tls.crt"), key: textOf(secret, "tls.key") },
    node: { id: "pod", cluster: "default/web" },
  });
  try {
    return (await waitFor("an answer", () => attempt.responses() > 0 || (attempt.error() && "refused"))) === true;
  } finally {
    attempt.close();
  }
}

const issuerOf = (secret: SecretObject | undefined) =>
  secret === undefined ? "" : new X509Certificate(textOf(secret, "tls.crt")).issuer;

async function untilIssuedBy(replica: Replica, generation: number): Promise<void> {
  await waitFor(`leaves of generation ${generation}`, async () => {
    const secrets = await leaves(replica);
    return [SERVER_SECRET, WEB].every((name) => issuerOf(secrets.get(name)).includes(`Gatehouse xDS ${generation} of`));
  });
}

test("cert-manager makes what is asked for: the server and the Envoys believe each other", async () => {
  const replica = lead(["default/web"]);
  await untilIssuedBy(replica, 1);
  await waitFor("a stream", () => isServed(replica));
  const leaf = new X509Certificate(textOf((await leaves(replica)).get(WEB), "tls.crt"));
  expect(leaf.subjectAltName).toBe(`URI:spiffe://${namespace}.gatehouse/gateway/default/web`);
  expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
  expect(leaf.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
  const secrets = await leaves(replica);
  await replica.close();
  const second = lead(["default/web"]);
  await waitFor("the server's certificate", () => second.materials.length > 0);
  expect(await leaves(second)).toEqual(secrets);
  second.certificates.demand(demandFor(namespace, []));
  await waitFor("the gateway's to go", async () => !(await leaves(second)).has(WEB));
  const left = await api.kubectl(["get", "certificates", "-n", namespace, "-o", "name"]);
  expect(left.trim().split("\n").sort()).toEqual([
    "certificate.cert-manager.io/gatehouse-replica",
    "certificate.cert-manager.io/gatehouse-xds",
    "certificate.cert-manager.io/gatehouse-xds-ca-1",
  ]);
}, 60_000);

test("an authority is succeeded with overlap, and renewed leaves are of the successor; they are believed all the time", async () => {
  const replica = lead(["default/web"]);
  await untilIssuedBy(replica, 1);
  await waitFor("a stream", () => isServed(replica));
  const first = (await readTrust(replica.client, namespace)) ?? "";
  await api.kubectl(["annotate", "secret", "-n", namespace, "gatehouse-xds-ca-1", "gatehouse.dev/rotate=now"]);
  let failed = 0;
  const trusted = async () => ((await readTrust(replica.client, namespace)) ?? "").split("BEGIN").length - 1;
  await waitFor("both to be trusted", async () => (await trusted()) === 2);
  await waitFor("the next to sign", async () => {
    if (!(await isServed(replica))) failed++;
    const issuer = await api.kubectl([
      "get",
      "issuer",
      "-n",
      namespace,
      "gatehouse-xds",
      "-o",
      "jsonpath={.spec.ca.secretName}",
    ]);
    return issuer === "gatehouse-xds-ca-2";
  });
  for (const name of [SERVER_SECRET, WEB]) {
    await renew(api, namespace, name);
    await waitFor(`${name} of the next`, async () => {
      if (!(await isServed(replica))) failed++;
      return issuerOf((await leaves(replica)).get(name)).includes("Gatehouse xDS 2 of");
    });
  }
  await waitFor("the server to show it", () =>
    issuerOfText(replica.materials.at(-1)?.certificate).includes("xDS 2 of"),
  );
  expect(await isServed(replica)).toBe(true);
  expect(failed).toBe(0);
  expect(await readTrust(replica.client, namespace)).toContain(first);
}, 90_000);

function issuerOfText(pem: string | undefined): string {
  return pem === undefined ? "" : new X509Certificate(pem).issuer;
}

test("deleting the authority and its Certificate makes everything anew", async () => {
  const replica = lead(["default/web"]);
  await untilIssuedBy(replica, 1);
  const old = new X509Certificate(textOf((await leaves(replica)).get("gatehouse-xds-ca-1"), "tls.crt"));
  await api.kubectl(["delete", "-n", namespace, "certificate/gatehouse-xds-ca-1", "secret/gatehouse-xds-ca-1"]);
  await waitFor("all to be of a new one", async () => {
    const secrets = await leaves(replica);
    return [SERVER_SECRET, WEB].every((name) => {
      const text = textOf(secrets.get(name), "tls.crt");
      return text !== "" && !new X509Certificate(text).verify(old.publicKey);
    });
  });
  await waitFor("a stream", () => isServed(replica));
}, 60_000);

test("an installation that had its own authority goes on with it, and cert-manager makes the next", async () => {
  const own = lead(["default/web"], { issuer: "own" });
  await waitFor("our own", async () => (await leaves(own)).has(WEB) && (await isServed(own)));
  const before = await leaves(own);
  await own.close();
  const replica = lead(["default/web"]);
  await waitFor("cert-manager to take over", async () => {
    const ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
    return (await api.kubectl(["get", "certificate", "-n", namespace, WEB, "-o", ready])) === "True";
  });
  const secrets = await leaves(replica);
  for (const name of ["gatehouse-xds-ca-1", SERVER_SECRET, WEB])
    expect(secrets.get(name)?.data).toEqual(before.get(name)?.data);
  await waitFor("a stream", () => isServed(replica));
  await replica.client.delete(secretType, { namespace, name: "gatehouse-xds-ca-1" });
  await untilIssuedBy(replica, 2);
  await waitFor("a stream", () => isServed(replica));
}, 60_000);

test("a Secret that somebody else made is not given to cert-manager to write over", async () => {
  const SHOP = infrastructureName("default/shop");
  await api.kubectl(["create", "secret", "generic", "-n", namespace, WEB, "--from-literal=theirs=yes"]);
  const replica = lead(["default/web", "default/shop"]);
  await waitFor("the others", async () => textOf((await leaves(replica)).get(SHOP), "tls.crt") !== "");
  await waitFor("a line that says so", () =>
    replica.lines.some((line) => line.includes(`Secret ${namespace}/${WEB} exists and was not made by Gatehouse`)),
  );
  expect(Object.keys((await leaves(replica)).get(WEB)?.data ?? {})).toEqual(["theirs"]);
  expect(await api.kubectl(["get", "certificates", "-n", namespace, "-o", "name"])).not.toContain(WEB);
}, 60_000);

test("what is missing of cert-manager is said, and taken up by itself when it comes", async () => {
  const bare = await startApiServer();
  let late: MeasuredProcess | undefined;
  try {
    await createNamespace(bare, namespace);
    await installCrds(bare);
    const replica = startReplica(bare, namespace, { issuer: "cert-manager", onMaterial: server.setCertificates });
    replicas.push(replica);
    replica.certificates.demand(demandFor(namespace, ["default/web"]));
    replica.certificates.lead(true);
    const said = (text: string) => replica.certificates.hindrance()?.includes(text);
    await waitFor("the way out", () => said("install cert-manager, or set GATEHOUSE_CERTIFICATES=own"));
    expect(replica.lines.filter((line) => line.includes("install cert-manager"))).toHaveLength(1);
    await installCertManagerCrds(bare);
    await waitFor("cert-manager to be asked", () =>
      said(
        `cert-manager has not issued Certificate ${namespace}/gatehouse-xds-ca-1: cert-manager has not looked at it`,
      ),
    );
    await waitFor("a line", () => replica.lines.some((line) => line.includes("do its controllers run?")));
    late = runCertManager(bare);
    await waitFor("a stream", () => isServed(replica));
    expect(replica.certificates.hindrance()).toBeUndefined();
    const warned = replica.lines.filter((line) => line.includes('"level":"warn"'));
    expect(warned.every((line) => line.includes("certificates wait"))).toBe(true);
  } finally {
    for (const replica of replicas.splice(0)) await replica.close();
    await late?.stop();
    await bare.stop();
  }
}, 120_000);
