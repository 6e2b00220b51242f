import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logVerbosity, setLogVerbosity, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { DeltaDiscoveryResponse } from "../envoy/generated/envoy/service/discovery/v3/discovery.ts";
import type { Acknowledgement } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { ConnectedEnvoy } from "./grpc-client.test-support.ts";
import { connectEnvoy, openDeltaStream, openUnreadStream, until } from "./grpc-client.test-support.ts";
import type { ModelEnvoy } from "./model-envoy.test-support.ts";
import { createModelEnvoy } from "./model-envoy.test-support.ts";
import type { ResourceStore } from "./resource-store.ts";
import { createResourceStore } from "./resource-store.ts";
import type { Connection, ConnectionLimits, XdsServer, XdsServerOptions } from "./server.ts";
import { createXdsServer } from "./server.ts";
import type { Admission } from "./stream.ts";
import type { World } from "./world.test-support.ts";
import { cluster, difference, endpoints, listener, secret, table, world } from "./world.test-support.ts";

const base = world(
  cluster("a"),
  endpoints("a"),
  secret("cert"),
  listener("web", { routes: ["main"], secrets: ["cert"] }),
  table("main", ["a"]),
);

let store: ResourceStore;
let server: XdsServer;
let address: string;
let envoys: ConnectedEnvoy[] = [];
const acknowledgements: Acknowledgement[] = [];
const connections: Connection[] = [];

const byName: XdsServerOptions["authorize"] = (_call, { id, cluster }) =>
  cluster?.startsWith("default/") ? { gateway: cluster } : { refused: `no Gateway for node id "${id}"` };

interface ServerChoices extends Partial<Pick<XdsServerOptions, "authorize" | "onFailure">> {
  readonly limits?: ConnectionLimits;
}

async function startServer(
  at: string,
  { authorize = byName, onFailure = raise, limits }: ServerChoices = {},
): Promise<void> {
  store = createResourceStore();
  server = createXdsServer({
    store,
    ...(limits && { connections: limits }),
    authorize,
    onAcknowledgement: (acknowledgement) => acknowledgements.push(acknowledgement),
    onConnection: (connection) => connections.push(connection),
    onFailure,
  });
  address = await server.listen(at);
}

function raise(error: unknown): void {
  throw error;
}

function connect(envoy: ModelEnvoy): ConnectedEnvoy {
  const connected = connectEnvoy(address, envoy);
  envoys.push(connected);
  return connected;
}

function isComplete(envoy: ModelEnvoy, of: World): boolean {
  const have = Object.values(resourceTypes).flatMap((type) => [...envoy.versions(type).values()]);
  const want = [...of.values()].map(({ version }) => version);
  return envoy.warming().length === 0 && have.sort().join() === want.sort().join();
}

beforeEach(() => startServer("127.0.0.1:0"));

afterEach(async () => {
  for (const envoy of envoys) envoy.disconnect();
  envoys = [];
  await server.close({ graceMilliseconds: 100 });
  acknowledgements.length = 0;
  connections.length = 0;
});

test("Envoys receive what is published for their gateway, and follow it", async () => {
  store.publish([...difference(world(), base), ...difference(world(), world(cluster("foreign")), "default/other")]);
  const [first, second] = [createModelEnvoy(), createModelEnvoy()];
  connect(first);
  connect(second);
  await until(() => isComplete(first, base) && isComplete(second, base));
  const next = new Map([...base, ...world(cluster("b"), endpoints("b"), table("main", ["a", "b"]))]);
  store.publish(difference(base, next));
  await until(() => isComplete(first, next) && isComplete(second, next));
  store.publish(difference(next, base));
  await until(() => isComplete(first, base) && isComplete(second, base));
  expect(server.counters).toMatchObject({ streams: 2, refusals: 0 });
  expect(acknowledgements.filter(({ name }) => name === "b")).toHaveLength(2);
});

test("a reconnect and a restart of the server move no resource", async () => {
  store.publish(difference(world(), base));
  const envoy = createModelEnvoy();
  const first = connect(envoy);
  await until(() => isComplete(envoy, base));
  const before = server.counters.resources;
  first.disconnect();
  await until(() => server.counters.streams === 0);
  acknowledgements.length = 0;
  const second = connect(envoy);
  await until(() => acknowledgements.length === 4);
  expect(server.counters.resources).toBe(before);
  second.disconnect();
  await server.close({ graceMilliseconds: 100 });
  await startServer("127.0.0.1:0");
  store.publish(difference(world(), base));
  acknowledgements.length = 0;
  connect(envoy);
  await until(() => acknowledgements.length === 4);
  expect(server.counters).toMatchObject({ resources: 0, streams: 1 });
});

test("a connection that is too old ends, and the next one moves no resource", async () => {
  await server.close({ graceMilliseconds: 100 });
  await startServer("127.0.0.1:0", {
    limits: { maxConnectionAgeMilliseconds: 200, maxConnectionAgeGraceMilliseconds: 100 },
  });
  store.publish(difference(world(), base));
  const envoy = createModelEnvoy();
  const first = connect(envoy);
  await until(() => isComplete(envoy, base));
  const { resources } = server.counters;
  await until(() => first.error() !== undefined);
  acknowledgements.length = 0;
  connect(envoy);
  await until(() => acknowledgements.length === 4);
  expect(server.counters.resources).toBe(resources);
});

test("a request that is larger than allowed ends its stream", async () => {
  await server.close({ graceMilliseconds: 100 });
  await startServer("127.0.0.1:0", { limits: { receiveLimitBytes: 20 } });
  store.publish([]);
  const { error } = connect(createModelEnvoy());
  await until(() => error() !== undefined);
  expect(error()?.code).toBe(status.RESOURCE_EXHAUSTED);
});

test("streams are refused until the first commit, which may be empty", async () => {
  const early = connect(createModelEnvoy());
  await until(() => early.error() !== undefined);
  expect(early.error()?.code).toBe(status.UNAVAILABLE);
  expect(server.counters.streams).toBe(0);
  store.publish([]);
  const later = connect(createModelEnvoy());
  await until(() => later.responses() === 2);
});

test("a node without a gateway is refused, and the message says what to look at", async () => {
  store.publish([]);
  const { call, close } = openDeltaStream(address);
  const refused = new Promise<{ code: status; details: string }>((resolve) => call.on("error", resolve));
  call.on("data", () => {});
  call.write({ typeUrl: resourceTypes.cluster, node: { id: "stray", cluster: "elsewhere" } });
  const error = await refused;
  expect(error.code).toBe(status.PERMISSION_DENIED);
  expect(error.details).toContain('node id "stray"');
  expect(connections).toEqual([]);
  close();
});

test("a client is asked for while it is decided who it is, and its stream ends with its credentials", async () => {
  await server.close({ graceMilliseconds: 0 });
  const { promise, resolve } = Promise.withResolvers<Admission>();
  await startServer("127.0.0.1:0", { authorize: () => promise });
  store.publish(difference(world(), base));
  const envoy = createModelEnvoy();
  const connected = connect(envoy);
  await new Promise((done) => setTimeout(done, 50));
  expect([connected.responses(), connected.error()]).toEqual([0, undefined]);
  resolve({ gateway: "default/gateway", until: Date.now() + 300 });
  await until(() => isComplete(envoy, base));
  await until(() => connected.error() !== undefined);
  expect(connected.error()).toMatchObject({ code: status.UNAVAILABLE, details: expect.stringMatching(/expire/) });
});

test("a decision that fails by a bug refuses", async () => {
  await server.close({ graceMilliseconds: 0 });
  const failures: unknown[] = [];
  await startServer("127.0.0.1:0", {
    authorize: () => Promise.reject(new Error("bug")),
    onFailure: (error) => failures.push(error),
  });
  store.publish([]);
  const connected = connect(createModelEnvoy());
  await until(() => connected.error() !== undefined);
  expect(connected.error()?.code).toBe(status.INTERNAL);
  expect(failures.map(String)).toEqual(["Error: bug"]);
  expect(server.counters.streams).toBe(0);
});

test("a node is connected from its first stream to its last", async () => {
  store.publish([]);
  const first = connect(createModelEnvoy());
  const second = connect(createModelEnvoy());
  await until(() => server.counters.streams === 2);
  first.disconnect();
  await until(() => server.counters.streams === 1);
  second.disconnect();
  await until(() => server.counters.streams === 0);
  const node = { gateway: "default/gateway", nodeId: "envoy-1" };
  expect(connections).toEqual([
    { ...node, connected: true },
    { ...node, connected: false },
  ]);
});

test("a client that reads nothing costs one response at a time and delays nobody", async () => {
  const large = (revision: number) => {
    const bytes = Buffer.alloc(1 << 20, revision);
    return { ...endpoints("a", revision), chunks: [bytes], byteLength: bytes.length };
  };
  const subscription = {
    typeUrl: resourceTypes.endpoints,
    resourceNamesSubscribe: ["a"],
    node: { id: "x", cluster: "default/gateway" },
  };
  store.publish(difference(world(), world(large(0))));
  const slow = openUnreadStream(address, subscription);
  await until(() => server.counters.responses === 1);
  const { call, close } = openDeltaStream(address);
  const received: string[] = [];
  call.on("error", () => {});
  call.on("data", ({ resources }: DeltaDiscoveryResponse) => received.push(resources![0]!.version!));
  call.write(subscription);
  for (let revision = 0; revision < 50; revision++) {
    const now = large(revision);
    store.publish(difference(world(), world(now)));
    await until(() => received.at(-1) === now.version);
  }
  expect(received).toHaveLength(50);
  // The first is stuck in the transport; what the 49 others would have been is one name in a set.
  expect(server.counters.responses).toBe(51);
  slow.read();
  await until(() => server.counters.responses === 52);
  slow.close();
  call.cancel();
  close();
});

test("closing tells the Envoys to come back", async () => {
  store.publish(difference(world(), base));
  const envoy = createModelEnvoy();
  const connected = connect(envoy);
  await until(() => isComplete(envoy, base));
  await server.close({ graceMilliseconds: 5_000 });
  await until(() => connected.error() !== undefined);
  expect(connected.error()?.code).toBe(status.UNAVAILABLE);
});

test("a socket file left behind by a killed process is replaced, one in use is not", async () => {
  const folder = mkdtempSync(join(tmpdir(), "xds-"));
  const path = join(folder, "socket");
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`;
  spawnSync(process.execPath, ["-e", script]);
  expect(existsSync(path)).toBe(true);
  await server.close({ graceMilliseconds: 0 });
  await startServer(`unix:${path}`);
  store.publish(difference(world(), base));
  const envoy = createModelEnvoy();
  connect(envoy);
  await until(() => isComplete(envoy, base));
  const other = createXdsServer({
    store,
    authorize: () => ({ gateway: "x" }),
    onAcknowledgement() {},
    onConnection() {},
  });
  setLogVerbosity(logVerbosity.NONE);
  await expect(other.listen(`unix:${path}`)).rejects.toThrow(/cannot listen on unix:.*EADDRINUSE/);
  setLogVerbosity(logVerbosity.ERROR);
  rmSync(folder, { recursive: true });
});
