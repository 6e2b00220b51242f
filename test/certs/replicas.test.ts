import { readFileSync } from "node:fs";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createLogger } from "../../src/base/log.ts";
import {
  gatewaySubject,
  replicaSubject,
  replicaUri,
  type Subject,
  serverName,
  serverSubject,
} from "../../src/certs/identity.ts";
import { issueAuthority, issueLeaf, type KeyPair } from "../../src/certs/issue.ts";
import { resourceToJson } from "../../src/envoy/json.ts";
import { type Acknowledgement, resourceTypes } from "../../src/envoy/resource.ts";
import { createPipeline, type Pipeline } from "../../src/pipeline/pipeline.ts";
import { followPeer, type PeerClient } from "../../src/xds/peers/peer-client.ts";
import { createPeers, type Peers } from "../../src/xds/peers/peers.ts";
import { readCase } from "../golden/run-case.ts";
import { ordinarySettings } from "../golden/scenario.ts";
import { freePorts } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";

/** Replicas of one control plane over real TLS: what they tell each other, and whom they tell nothing. */

const NAMESPACE = "gatehouse-system";
const GATEWAY = "default/web";
const service = { namespace: NAMESPACE, name: "gatehouse" };
const HOUR_MS = 3_600_000;
const log = createLogger({ level: "error" });

let authority: KeyPair;
let port: number;
const open: { close(): void }[] = [];

const leaf = (subject: Subject, by = authority) =>
  issueLeaf(by, subject, { notBefore: Date.now() - HOUR_MS, notAfter: Date.now() + HOUR_MS });
const newAuthority = () =>
  issueAuthority("test", { notBefore: Date.now() - 2 * HOUR_MS, notAfter: Date.now() + 2 * HOUR_MS });

interface Replica {
  readonly pipeline: Pipeline;
  readonly peers: Peers;
  /** Version of the route table that it serves. */
  readonly table: () => string | undefined;
}

async function startReplica(host: string): Promise<Replica> {
  let table: string | undefined;
  const pipeline = createPipeline(ordinarySettings, {
    xds(changes) {
      for (const { type, name, resource } of changes) {
        if (type !== resourceTypes.route || resource === undefined) continue;
        table = resource.version;
        // An Envoy of this replica, if it has one, takes what holds nothing bad.
        const bad = JSON.stringify(resourceToJson(resource)).includes("/bad");
        const verdict = bad ? { accepted: false, error: "no bad paths" } : { accepted: true };
        const { version } = resource;
        if (pipeline.sources.connections.get(GATEWAY) === undefined || host !== "127.0.0.1") continue;
        setImmediate(() => pipeline.own.answered({ gateway: GATEWAY, node: "a", type, name, version, ...verdict }));
      }
    },
    statuses() {},
    infrastructure() {},
  });
  pipeline.markSynced();
  const peers = createPeers({
    replicas: pipeline.replicas,
    identity: replicaUri(NAMESPACE),
    serverName: serverName(service),
    port,
    log,
  });
  open.push({ close: () => pipeline.stop() }, peers);
  const server = await leaf(serverSubject(service, "cluster.local"));
  const client = await leaf(replicaSubject(NAMESPACE));
  peers.setCertificates({ ...server, authorities: authority.certificate, client });
  await peers.listen(host);
  return { pipeline, peers, table: () => table };
}

const countOf = ({ pipeline }: Replica) => pipeline.sources.connections.get(GATEWAY)?.connected ?? 0;
const answersOf = ({ pipeline }: Replica, name: string) =>
  pipeline.sources.acknowledgements.get(`${GATEWAY}|${resourceTypes.listener}|${name}`) ?? [];
const accepted = (node: string, version: string): Acknowledgement => {
  return { gateway: GATEWAY, node, type: resourceTypes.listener, name: "http", version, accepted: true };
};

beforeEach(async () => {
  authority = await newAuthority();
  [port] = (await freePorts(1)) as [number];
});

afterEach(() => {
  for (const each of open.splice(0).reverse()) each.close();
});

test("each knows the Envoys of the other, from the start, as they change, and no longer when the other ends", async () => {
  const [here, there] = [await startReplica("127.0.0.1"), await startReplica("127.0.0.2")];
  there.pipeline.own.connected(GATEWAY, "a");
  there.pipeline.own.answered(accepted("a", "1"));
  here.peers.setOthers(new Map([["there", "127.0.0.2"]]));
  there.peers.setOthers(new Map([["here", "127.0.0.1"]]));
  await waitFor("the first news", () => countOf(here) === 1 && answersOf(here, "http")[0]?.accepted === "1");
  expect(here.peers.figures()).toEqual({ others: 1, heard: 1 });
  there.pipeline.own.answered(accepted("a", "2"));
  await waitFor("an answer", () => answersOf(here, "http")[0]?.accepted === "2");
  for (let envoy = 0; envoy < 500; envoy++) {
    there.pipeline.own.connected(GATEWAY, `b-${envoy}`);
    there.pipeline.own.answered(accepted(`b-${envoy}`, "2"));
  }
  await waitFor("many", () => countOf(here) === 501 && answersOf(here, "http").length === 501);
  there.pipeline.own.left(GATEWAY, "a");
  await waitFor("a departure", () => countOf(here) === 500);
  here.pipeline.own.connected(GATEWAY, "c");
  await waitFor("the other direction", () => countOf(there) === 501);
  there.peers.close();
  await waitFor("the end of the other", () => countOf(here) === 1 && answersOf(here, "http").length === 0);
  // It is started anew and heard again.
  const again = await startReplica("127.0.0.2");
  again.pipeline.own.connected(GATEWAY, "d");
  await waitFor("the successor", () => countOf(here) === 2);
});

test("what an Envoy refused is served by no replica, and each says so on the route", async () => {
  const [here, there] = [await startReplica("127.0.0.1"), await startReplica("127.0.0.2")];
  const objects = readFileSync(new URL("../golden/cases/quickstart.in.yaml", import.meta.url), "utf8");
  here.pipeline.own.connected(GATEWAY, "a");
  const edit = (text: string) => {
    for (const { pipeline } of [here, there]) {
      pipeline.stage(readCase(text).batch);
      pipeline.notify();
    }
  };
  here.peers.setOthers(new Map([["there", "127.0.0.2"]]));
  there.peers.setOthers(new Map([["here", "127.0.0.1"]]));
  const agreed = () => here.table() !== undefined && here.table() === there.table() && here.table();
  edit(objects);
  const before = await waitFor("a table", agreed);
  await waitFor("its acceptance", () => here.pipeline.replicas.listen(() => {}).all.accepted.length > 0);
  edit(objects.replace("value: /}", "value: /bad}"));
  const reject = ({ pipeline }: Replica) => [...pipeline.sources.rejections.entries()].map(([, { error }]) => error);
  await waitFor("the search", () => reject(here).length > 0);
  await waitFor("the other replica", () => reject(there).length > 0);
  expect(reject(there)).toEqual(["no bad paths"]);
  expect(await waitFor("the same table", agreed)).toBe(before);
});

async function attempt(identity: KeyPair | undefined, authorities = authority.certificate) {
  await startReplica("127.0.0.1");
  const messages: unknown[] = [];
  const ends: string[] = [];
  const client: PeerClient = followPeer({
    address: `127.0.0.1:${port}`,
    serverName: serverName(service),
    material: () => identity && { client: identity, authorities },
    onMessage: (message) => messages.push(message),
    onEnd: ({ why }) => ends.push(why),
  });
  open.push(client);
  await waitFor("an end or a message", () => messages.length + ends.length > 0);
  return { messages, why: ends[0] ?? "" };
}

test("a Gateway's Envoy is told nothing", async () => {
  const { messages, why } = await attempt(await leaf(gatewaySubject(NAMESPACE, GATEWAY)));
  expect(messages).toEqual([]);
  expect(why).toMatch(new RegExp(`^${status.PERMISSION_DENIED}.*not of a replica`));
});

test("nor is a replica of another installation, though the authority is the same", async () => {
  const { messages, why } = await attempt(await leaf(replicaSubject("elsewhere")));
  expect(messages).toEqual([]);
  expect(why).toMatch(/not of a replica/);
});

test("nor is one with another authority's certificate, or a server's", async () => {
  const foreign = await attempt(await leaf(replicaSubject(NAMESPACE), await newAuthority()));
  expect(foreign.messages).toEqual([]);
  expect(foreign.why).not.toBe("");
});

test("nothing is believed that another than our control plane says", async () => {
  const { messages, why } = await attempt(await leaf(replicaSubject(NAMESPACE)), (await newAuthority()).certificate);
  expect(messages).toEqual([]);
  expect(why).toMatch(/self.signed|unable|verify|signature/i);
});

test("a replica is told", async () => {
  const { messages } = await attempt(await leaf(replicaSubject(NAMESPACE)));
  expect(messages).toEqual([{ complete: true, envoys: [], gone: [], verdicts: [], accepted: [] }]);
});
