import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { send } from "../harness/client.ts";
import { gatewayYaml } from "../harness/kubernetes-yaml.ts";
import { type Load, startLoad } from "../harness/load.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";
import { backendYaml, createWorld, routeYaml, toBackend, type World } from "./world.ts";

/** Which process listens where: ports that are taken and freed, Gateways that come and go, and what must not be reached. */
let world: World;
let blockers: Server[];
let load: Load | undefined;
const host = "web.example.com";

beforeEach(async () => {
  blockers = [];
  load = undefined;
  world = await createWorld();
  world.files.writeAtomically("one.yaml", backendYaml("one", (await world.backend("one")).port));
  const route = routeYaml("web", host, `[{backendRefs: [${toBackend("one")}]}]`).replace(
    "{name: web}]",
    "{name: web}, {name: two}]",
  );
  world.files.writeAtomically("route.yaml", route);
  await world.until({ host }, (answer) => answer.status === 200);
}, 60_000);

afterEach(async () => {
  for (const blocker of blockers) blocker.close();
  await load?.stop().catch(() => {});
  await world.stop();
}, 30_000);

async function block(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "0.0.0.0", resolve));
  blockers.push(server);
  return server;
}

const http = (name: string, port: number) => `{name: ${name}, protocol: HTTP, port: ${port}}`;
const gateway = (name: string, ...listeners: string[]) => gatewayYaml({ name, listeners: `[${listeners.join()}]` });
/** Waits until Gatehouse has printed it. */
const told = (pattern: RegExp) => waitFor(String(pattern), () => pattern.test(world.gatehouse().log()));
const serves = (port: number, address = "127.0.0.1") =>
  send({ port, address, host }).then(
    ({ status }) => status === 200,
    () => false,
  );

test("a port that is taken is told, costs only its own listener, and is opened once it is free", async () => {
  const port = await freePort();
  const blocker = await block(port);
  world.files.writeAtomically("gateway.yaml", gateway("web", http("http", world.port), http("taken", port)));
  await told(
    /listener taken: Programmed=False \(Invalid\): .*cannot bind '0\.0\.0\.0:\d+': Address already in use; it is tried again/,
  );
  expect(await serves(world.port)).toBe(true);
  blocker.close();
  await waitFor("an answer on the freed port", () => serves(port));
  await told(/ok +Gateway default\/web: .*listener taken has 1 route/);
}, 60_000);

test("listeners are renamed, move to another port and exchange their ports", async () => {
  const [one, other] = [await freePort(), await freePort()];
  world.files.writeAtomically("gateway.yaml", gateway("web", http("renamed", world.port)));
  await told(/ok +Gateway default\/web: .*listener renamed has 1 route/);
  await waitFor("an answer", () => serves(world.port));
  world.files.writeAtomically("gateway.yaml", gateway("web", http("renamed", one), http("second", other)));
  await waitFor("answers on the other ports", async () => (await serves(one)) && (await serves(other)));
  await waitFor("the old port to be closed", async () => !(await serves(world.port)));
  const exchanged = gateway("web", http("renamed", other), http("second", one));
  world.files.writeAtomically("gateway.yaml", exchanged);
  await waitFor("Envoy's own names of the ports to be exchanged", async () => {
    const listeners = await (await world.gatehouse().envoyAdmin()).admin("/listeners");
    return listeners.includes(`default/web/renamed::0.0.0.0:${other}`) && listeners.includes(`second::0.0.0.0:${one}`);
  });
  expect([await serves(one), await serves(other)]).toEqual([true, true]);
}, 60_000);

test("each Gateway has an Envoy of its own, which drains and ends with it", async () => {
  const port = await freePort();
  const slow = await world.backend("slow");
  world.files.writeAtomically("two.yaml", gateway("two", http("http", port)).replace(/^[\s\S]*?---\n/, ""));
  await waitFor("an answer of the second Gateway", () => serves(port));
  expect(await world.gatehouse().envoyPids()).toHaveLength(2);

  world.files.writeAtomically("one.yaml", backendYaml("one", slow.port));
  const leadsToSlow = async () => (await world.send({ port, host })).received?.backend === "slow";
  // Each Gateway's Envoy takes the new backend in its own time.
  await world.until({ host }, ({ received }) => received?.backend === "slow");
  await waitFor("the second Gateway to lead to the new backend", leadsToSlow);
  slow.forget();
  slow.behave({ delayMs: 1_500, times: 1 });
  const underWay = send({ port, host });
  await waitFor("the request to arrive", () => slow.received.length > 0);
  load = await startLoad({ port: world.port, host, requestsPerSecond: 100 });
  world.files.remove("two.yaml");
  expect((await underWay).status).toBe(200);
  await told(/Envoy of default\/two has drained and ended/);
  expect(await world.gatehouse().envoyPids()).toHaveLength(1);
  expect(await serves(port)).toBe(false);
  expect((await load.stop()).failures).toEqual([]);
}, 60_000);

test("a Gateway under another name takes over the ports of the one that it replaces", async () => {
  world.files.writeAtomically("gateway.yaml", gateway("two", http("http", world.port)));
  await told(/ok +Gateway default\/two: Programmed/);
  expect(await serves(world.port)).toBe(true);
}, 60_000);

test("an Envoy listens on its listeners' ports and nowhere else, so no request reaches its admin interface", async () => {
  const [pid] = await world.gatehouse().envoyPids();
  expect(listeningPorts(pid as number)).toEqual([world.port]);
  const { envoys } = JSON.parse(await world.gatehouse().admin("/status")) as { envoys: { adminAddress: string }[] };
  const backend = `apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: one}
spec: {endpoints: [{unix: {path: ${envoys[0]?.adminAddress}}}]}
`;
  world.files.writeAtomically("one.yaml", backend);
  await told(/Backend default\/one\n +Accepted=False .*a socket of Gatehouse/);
  await world.until({ host, path: "/server_info" }, ({ status }) => status === 500);
}, 60_000);

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));
const testWithIpv6 = hasIpv6 ? test : test.skip;

testWithIpv6(
  "a Gateway with an IPv6 address is served there, and one with :: everywhere",
  async () => {
    const addressed = (address: string) =>
      `${gateway("web", http("http", world.port))}\n  addresses: [{value: "${address}"}]\n`;
    world.files.writeAtomically("gateway.yaml", addressed("::1"));
    await waitFor("an answer on ::1", () => serves(world.port, "::1"));
    await waitFor("IPv4 to be closed", async () => !(await serves(world.port)));
    world.files.writeAtomically("gateway.yaml", addressed("::"));
    await waitFor("an answer on both", async () => (await serves(world.port, "::1")) && (await serves(world.port)));
    await told(/Gateway default\/web: Programmed at ::1/);
  },
  60_000,
);

/** TCP ports on which a process listens, from `/proc` (see proc(5)): state 0A is LISTEN. */
function listeningPorts(pid: number): number[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap(
      (fd) => /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [],
    ),
  );
  const ports = ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => state === "0A" && own.has(inode ?? ""))
      .map(([, local]) => Number.parseInt(local?.split(":")[1] ?? "", 16)),
  );
  return [...new Set(ports)].sort((a, b) => a - b);
}
