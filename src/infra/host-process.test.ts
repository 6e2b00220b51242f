import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { silentLogger } from "../base/log.ts";
import { askEnvoy, readServerInfo } from "./envoy-admin.ts";
import { locateEnvoy } from "./envoy-binary.ts";
import {
  createHostInfrastructure,
  type HostedGateway,
  type HostInfrastructure,
  type RunningEnvoy,
} from "./host-process.ts";
import { claimInstance, createStateFolder, readEnvoyRecords, readInstance, type StateFolder } from "./state-folder.ts";

const gateway = "default/eg";
const hosted: HostedGateway = { gateway, ports: [1], settings: {}, held: false };
const wanted = new Map([[gateway, hosted]]);
const unwanted = new Map([[gateway, undefined]]);
const PATIENCE_MS = 20_000;

let folder: string;
let state: StateFolder;
let hosts: HostInfrastructure[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-host-"));
  state = { path: folder, xdsSocket: join(folder, "xds.sock") };
  hosts = [];
  await createStateFolder(state);
});

afterEach(async () => {
  await Promise.all(hosts.map((host) => host.stop(AbortSignal.abort())));
  await rm(folder, { recursive: true });
});

async function createHost(concurrency = 1): Promise<HostInfrastructure> {
  const host = createHostInfrastructure({
    envoyBinary: await locateEnvoy(),
    state,
    xds: { unixPath: state.xdsSocket },
    concurrency,
    envoyLogLevel: "warning",
    log: silentLogger,
  });
  hosts.push(host);
  return host;
}

/** The gateway's Envoy, once its admin interface answers. */
async function waitForEnvoy(
  host: HostInfrastructure,
  accept: (envoy: RunningEnvoy) => boolean = () => true,
): Promise<RunningEnvoy> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const envoy = (await host.running())[0];
    if (envoy?.adminAddress !== undefined && accept(envoy) && (await readServerInfo(envoy.adminAddress))) return envoy;
    await delay(20);
  }
  throw new Error("no Envoy answers");
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("runs one Envoy while the gateway is wanted, again after kill -9, and none afterwards", async () => {
  const host = await createHost();
  host.apply(wanted);
  const first = await waitForEnvoy(host);
  process.kill(first.pid, "SIGKILL");
  const second = await waitForEnvoy(host, ({ pid }) => pid !== first.pid);
  expect(second).toMatchObject({ gateway, adopted: false, restarts: 1 });
  host.apply(unwanted);
  while ((await host.running()).length > 0) await delay(20);
  expect(exists(second.pid)).toBe(false);
  expect(await readEnvoyRecords(state)).toEqual([]);
  host.apply(wanted);
  expect((await waitForEnvoy(host)).pid).not.toBe(second.pid);
}, 60_000);

test("a gateway that goes and comes back at once keeps its Envoy or gets another, never none", async () => {
  const host = await createHost();
  host.apply(wanted);
  const first = await waitForEnvoy(host);
  host.apply(unwanted);
  host.apply(wanted);
  expect((await waitForEnvoy(host)).pid).toBe(first.pid);
  host.apply(unwanted);
  await delay(5);
  host.apply(wanted);
  await waitForEnvoy(host, ({ pid }) => pid !== first.pid);
}, 60_000);

test("a successor takes over the Envoy that is still serving", async () => {
  const before = await createHost();
  before.apply(wanted);
  const left = await waitForEnvoy(before);
  before.release();
  hosts = [];

  const successor = await createHost();
  successor.apply(wanted);
  expect(await waitForEnvoy(successor)).toMatchObject({ pid: left.pid, adopted: true });
  expect(await successor.stopLeftovers()).toEqual([]);
  await successor.stop();
  expect(exists(left.pid)).toBe(false);
}, 60_000);

test("a successor replaces an Envoy that was started differently", async () => {
  const before = await createHost(1);
  before.apply(wanted);
  const left = await waitForEnvoy(before);
  before.release();
  hosts = [];

  const successor = await createHost(2);
  successor.apply(wanted);
  expect(await waitForEnvoy(successor)).toMatchObject({ adopted: false });
  expect(exists(left.pid)).toBe(false);
}, 60_000);

test("a successor stops the Envoys of gateways that are gone", async () => {
  const before = await createHost();
  before.apply(wanted);
  const left = await waitForEnvoy(before);
  before.release();
  hosts = [];

  const successor = await createHost();
  expect(await successor.stopLeftovers()).toEqual([gateway]);
  expect(exists(left.pid)).toBe(false);
}, 60_000);

test("one Gatehouse a folder", async () => {
  expect(await readInstance(state)).toBeUndefined();
  await claimInstance(state, "some/dir", 19_000);
  expect(await readInstance(state)).toMatchObject({ pid: process.pid, adminPort: 19_000 });
});

test("an Envoy that cannot be started is tried again, and the loop ends on stop", async () => {
  const host = createHostInfrastructure({
    envoyBinary: join(folder, "missing"),
    state,
    xds: { unixPath: state.xdsSocket },
    concurrency: 1,
    envoyLogLevel: "warning",
    log: silentLogger,
  });
  hosts.push(host);
  host.apply(wanted);
  await delay(300);
  await host.stop();
  expect(await host.running()).toEqual([]);
});

test("an EnvoyProxy that changes the process gets another Envoy; one that cannot be used leaves what runs", async () => {
  const host = await createHost();
  host.apply(new Map([[gateway, { ...hosted, held: true }]]));
  await delay(100);
  expect(await host.running()).toEqual([]);
  host.apply(wanted);
  const first = await waitForEnvoy(host);
  host.apply(new Map([[gateway, { ...hosted, settings: { concurrency: 2 }, held: true }]]));
  await delay(100);
  expect((await waitForEnvoy(host)).pid).toBe(first.pid);
  const settings = { concurrency: 2, logging: { level: { default: "error", http: "warn" } } } as const;
  host.apply(
    new Map([[gateway, { ...hosted, settings: { ...settings, extraArgs: ["--parent-shutdown-time-s", "7"] } }]]),
  );
  const second = await waitForEnvoy(host, ({ pid }) => pid !== first.pid);
  const info = await askEnvoy(second.adminAddress ?? "", "GET", "/server_info");
  expect(JSON.parse(info)).toMatchObject({
    command_line_options: {
      concurrency: 2,
      log_level: "error",
      component_log_level: "http:warning",
      parent_shutdown_time: "7s",
    },
  });
}, 60_000);

test("an Envoy that an earlier Gatehouse left stays while its gateway is held", async () => {
  const before = await createHost();
  before.apply(wanted);
  const left = await waitForEnvoy(before);
  before.release();
  hosts = [];
  const successor = await createHost();
  successor.apply(new Map([[gateway, { ...hosted, held: true }]]));
  expect(await successor.stopLeftovers()).toEqual([]);
  expect(exists(left.pid)).toBe(true);
  successor.apply(wanted);
  expect(await waitForEnvoy(successor)).toMatchObject({ pid: left.pid, adopted: true });
}, 60_000);
