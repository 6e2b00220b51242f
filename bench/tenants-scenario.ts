import { issueAuthority, issueLeaf, type KeyPair } from "../src/certs/issue.ts";
import type { EnvoyProcess } from "../test/harness/envoy.ts";
import { median } from "../test/harness/percentile.ts";
import { processCpu, processRssBytes } from "../test/harness/process.ts";
import { pause } from "../test/harness/waiting.ts";
import { type ApiTable, startApiTable } from "./api-table.ts";
import { awaitStatuses } from "./cluster-world.ts";
import type { EchoMethods } from "./echo-process.ts";
import { type OperatorProcess, startGatewayEnvoy, startOperatorProcess } from "./operator-process.ts";
import { ownAddress } from "./own-address.ts";
import { progress, type Recorder } from "./results.ts";
import { awaitRest, whileRunning } from "./stage.ts";
import {
  certificateNames,
  HTTP_ROUTES,
  httpRoute,
  PORT,
  type Protocol,
  protocols,
  SHARED_CLASS,
  serverName,
  sharedObjects,
  type TenantBackends,
  type TenantState,
  tenantGateway,
  tenantNamespace,
  tenantObjects,
  tenantSecret,
} from "./tenant-objects.ts";
import type { NameWatch, TenantTrafficMethods, TrafficReport } from "./tenant-traffic-process.ts";
import { startWorker, type Worker } from "./worker.ts";

const REQUESTS_PER_SECOND = 300;
const BASELINE_MS = 5_000;
/** After each change, so that whatever Envoy drops because of it is counted to it. */
const AFTERMATH_MS = 1_500;
const SERVED_LIMIT_MS = 300_000;
const CHANGE_LIMIT_MS = 30_000;
const DAY_MS = 86_400_000;
const BYTES_PER_MEGABYTE = 1e6;
const NANOSECONDS_PER_MILLISECOND = 1e6;
const STATUS_WRITES = "gatehouse_status_writes_total";
const BYTES_SENT = "gatehouse_xds_bytes_sent_total";
const zones = ["a", "b"] as const;

interface World {
  readonly title: string;
  readonly tenants: number;
  readonly recorder: Recorder;
  readonly api: ApiTable;
  readonly backends: TenantBackends;
  readonly authority: KeyPair;
  readonly operator: OperatorProcess;
  readonly envoy: EnvoyProcess;
  readonly traffic: Worker<TenantTrafficMethods>;
  /** One for each protocol, so that none waits for another. */
  readonly probers: ReadonlyMap<Protocol, Worker<TenantTrafficMethods>>;
}

/**
 * Tenants on one port 443 of shared Envoys, through the API server: what each costs, how long a new one waits for its first
 * answers, and what the long-lived connections of all others notice when one is added, changed and removed.
 */
export async function runTenantsScenario(tenants: number, changes: number, recorder: Recorder): Promise<void> {
  const title = `tenants, ${tenants}`;
  const echo = startWorker<EchoMethods>("./echo-process.ts");
  const traffic = startWorker<TenantTrafficMethods>("./tenant-traffic-process.ts");
  const probers = new Map(
    protocols.map((protocol) => [protocol, startWorker<TenantTrafficMethods>("./tenant-traffic-process.ts")]),
  );
  const authority = await issueAuthority("bench", validity());
  const address = await ownAddress();
  const backends = { address, plainPort: (await echo.call("start", undefined)).a };
  progress(`${title}: an API server and its objects`);
  const api = await startApiTable();
  let operator: OperatorProcess | undefined;
  let envoy: EnvoyProcess | undefined;
  try {
    await api.create(sharedObjects());
    for (let i = 0; i < tenants; i++) await createTenant(api, i, await firstState(authority, i), backends);
    progress(`${title}: the operator starts`);
    const startedMs = performance.now();
    operator = startOperatorProcess(api.server);
    envoy = await whileRunning(operator, startGatewayEnvoy(api.server, SHARED_CLASS));
    const world = { title, tenants, recorder, api, backends, authority, operator, envoy, traffic, probers };
    await whileRunning(operator, awaitTenants(world));
    recorder.add("cold_start", "ms", performance.now() - startedMs);
    await whileRunning(operator, awaitStatuses(operator, tenants * HTTP_ROUTES));
    await awaitRest([operator.pid, envoy.pid]);
    recordMemory(world, "");
    await whileRunning(operator, measureChanges(world, changes));
    recordMemory(world, "_after_changes");
  } finally {
    await operator?.stop();
    await envoy?.stop();
    await api.stop();
    for (const worker of [echo, traffic, ...probers.values()]) worker.stop();
  }
}

async function firstState(authority: KeyPair, index: number): Promise<TenantState> {
  return { certificate: await issue(authority, index, tenantNamespace(index)), revision: "first", zone: zones[0] };
}

/** In this process: the command `openssl` would take a minute for two hundred. */
function issue(authority: KeyPair, index: number, commonName: string): Promise<KeyPair> {
  const dnsNames = certificateNames(index, zones);
  return issueLeaf(authority, { commonName, dnsNames, uris: [], usage: "server" }, validity());
}

function validity(): { notBefore: number; notAfter: number } {
  return { notBefore: Date.now() - DAY_MS, notAfter: Date.now() + DAY_MS };
}

/** The namespace first, without which nothing else is taken. */
async function createTenant(api: ApiTable, index: number, state: TenantState, backends: TenantBackends): Promise<void> {
  const [namespace, ...rest] = tenantObjects(index, state, backends);
  await api.create([namespace!]);
  await api.create(rest);
}

function nameWatch(index: number, protocol: Protocol, zone: string, wanted: NameWatch["wanted"], limitMs: number) {
  const name = serverName(index, protocol, { zone });
  return { port: PORT, serverName: name, certificateName: tenantNamespace(index), wanted, limitMs };
}

async function awaitTenants({ tenants, probers }: World): Promise<void> {
  for (const [protocol, prober] of probers) {
    for (let i = 0; i < tenants; i++) {
      await prober.call("watch", nameWatch(i, protocol, zones[0], "served", SERVED_LIMIT_MS), SERVED_LIMIT_MS);
    }
  }
}

function recordMemory({ recorder, operator, envoy, tenants }: World, suffix: string): void {
  const control = operator.rssBytes() / BYTES_PER_MEGABYTE;
  const proxy = processRssBytes(envoy.pid) / BYTES_PER_MEGABYTE;
  recorder.add(`control_plane_rss${suffix}`, "MB", control);
  recorder.add(`envoy_rss${suffix}`, "MB", proxy);
  recorder.add(`control_plane_rss_per_tenant${suffix}`, "MB", control / tenants);
  recorder.add(`envoy_rss_per_tenant${suffix}`, "MB", proxy / tenants);
}

/** A change of one tenant, and the names by which it is seen. */
interface Change {
  readonly label: string;
  apply(): Promise<unknown>;
  readonly watches: ReadonlyMap<Protocol, NameWatch>;
}

async function measureChanges(world: World, count: number): Promise<void> {
  const { tenants, traffic, recorder, title } = world;
  const targets = Array.from({ length: tenants }, (_, i) =>
    protocols.map((protocol) => nameWatch(i, protocol, zones[0], "served", 0)),
  ).flat();
  await traffic.call("start", { port: PORT, targets, requestsPerSecond: REQUESTS_PER_SECOND });
  await traffic.call("report", undefined);
  await pause(BASELINE_MS);
  recordTraffic(recorder, "quiet", [await traffic.call("report", undefined)]);
  // Neighbours by number, whom nothing told the traffic of.
  const newcomers = Array.from({ length: count }, (_, i) => tenants + i);
  const states = new Map<number, TenantState>();
  for (const index of newcomers) states.set(index, await firstState(world.authority, index));
  for (const label of changeLabels) {
    progress(`${title}: ${label}`);
    const reports: TrafficReport[] = [];
    const run: MeasuredChange[] = [];
    for (const index of newcomers) {
      run.push(await measureChange(world, await changeOf(world, label, index, states.get(index)!)));
      await pause(AFTERMATH_MS);
      reports.push(await traffic.call("report", undefined));
    }
    recordChanges(recorder, label, run);
    recordTraffic(recorder, label, reports);
  }
  await traffic.call("stop", undefined);
}

const changeLabels = ["added", "renamed", "certificate", "route", "removed"] as const;
type ChangeLabel = (typeof changeLabels)[number];

async function changeOf(world: World, label: ChangeLabel, index: number, state: TenantState): Promise<Change> {
  const { api, backends } = world;
  const moved = { ...state, zone: zones[1] };
  const watches = (zone: string, wanted: NameWatch["wanted"]) =>
    new Map(protocols.map((protocol) => [protocol, nameWatch(index, protocol, zone, wanted, CHANGE_LIMIT_MS)]));
  switch (label) {
    case "added":
      return { label, watches: watches(zones[0], "served"), apply: () => createTenant(api, index, state, backends) };
    case "renamed": {
      const routes = Array.from({ length: HTTP_ROUTES }, (_, route) => httpRoute(index, route, moved));
      const apply = () => Promise.all([tenantGateway(index, moved), ...routes].map((object) => api.apply(object)));
      return { label, apply, watches: watches(zones[1], "served") };
    }
    case "certificate": {
      const certificate = await issue(world.authority, index, `renewed-${index}`);
      const renewed = [...watches(zones[1], "served")].map(([protocol, watch]): [Protocol, NameWatch] => [
        protocol,
        { ...watch, certificateName: `renewed-${index}` },
      ]);
      const apply = () => api.apply(tenantSecret(index, { ...moved, certificate }));
      return { label, apply, watches: new Map(renewed) };
    }
    case "route":
      return {
        label,
        watches: new Map(),
        apply: () => api.apply(httpRoute(index, 0, { ...moved, revision: "second" })),
      };
    case "removed": {
      const [namespace, ...rest] = tenantObjects(index, moved, backends);
      const objects = [...rest].reverse();
      const apply = async () => {
        await Promise.all(objects.map((object) => api.remove(object)));
        await api.remove(namespace!);
      };
      return { label, apply, watches: watches(zones[1], "refused") };
    }
  }
}

interface MeasuredChange {
  /** Milliseconds until the API server had answered every write. */
  readonly writtenMs: number;
  /** Milliseconds from the first write to the answer. */
  readonly seenMs: ReadonlyMap<Protocol, number>;
  readonly controlCpuMs: number;
  readonly envoyCpuMs: number;
  /** Statuses written, and bytes sent to Envoy. */
  readonly statusWrites: number;
  readonly bytes: number;
}

async function measureChange(world: World, { apply, watches }: Change): Promise<MeasuredChange> {
  const { operator, envoy, probers } = world;
  const [writes, bytes] = [() => operator.metric(STATUS_WRITES), () => operator.metric(BYTES_SENT)];
  const told = { writes: await writes(), bytes: await bytes() };
  const before = { control: operator.cpuSeconds(), envoy: processCpu(envoy.pid).main };
  const fromNs = process.hrtime.bigint();
  const since = (ns: bigint) => Number(ns - fromNs) / NANOSECONDS_PER_MILLISECOND;
  const seen = [...watches].map(
    async ([protocol, watch]): Promise<[Protocol, number]> => [
      protocol,
      since(await probers.get(protocol)!.call("watch", watch)),
    ],
  );
  await apply();
  const writtenMs = since(process.hrtime.bigint());
  const seenMs = new Map(await Promise.all(seen));
  await pause(AFTERMATH_MS);
  return {
    writtenMs,
    seenMs,
    controlCpuMs: (operator.cpuSeconds() - before.control) * 1_000,
    envoyCpuMs: (processCpu(envoy.pid).main - before.envoy) * 1_000,
    statusWrites: (await writes()) - told.writes,
    bytes: (await bytes()) - told.bytes,
  };
}

function recordChanges(recorder: Recorder, label: string, run: readonly MeasuredChange[]): void {
  const record = (metric: string, values: readonly number[]) => {
    recorder.add(`${label}_${metric}_p50`, "ms", median(values));
    recorder.add(`${label}_${metric}_max`, "ms", Math.max(...values));
  };
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const each = (value: (change: MeasuredChange) => number) => run.map(value);
  record(
    "written",
    each(({ writtenMs }) => writtenMs),
  );
  for (const protocol of run[0]!.seenMs.keys()) {
    record(
      `to_${protocol}`,
      each(({ seenMs }) => seenMs.get(protocol)!),
    );
  }
  recorder.add(`${label}_control_plane_cpu`, "ms", mean(each(({ controlCpuMs }) => controlCpuMs)));
  recorder.add(`${label}_envoy_cpu`, "ms", mean(each(({ envoyCpuMs }) => envoyCpuMs)));
  recorder.add(`${label}_status_writes`, "count", mean(each(({ statusWrites }) => statusWrites)));
  recorder.add(`${label}_bytes`, "bytes", mean(each(({ bytes }) => bytes)));
}

function recordTraffic(recorder: Recorder, label: string, reports: readonly TrafficReport[]): void {
  for (const count of ["dropped", "failed", "requests"] as const) {
    recorder.add(
      `${label}_foreign_${count}`,
      "count",
      reports.reduce((sum, report) => sum + report[count], 0),
    );
  }
  for (const share of ["p99", "max"] as const) {
    recorder.add(`${label}_foreign_${share}`, "ms", Math.max(...reports.map(({ latencyMs }) => latencyMs[share])));
  }
  for (const example of reports.flatMap(({ examples }) => examples).slice(0, 5)) progress(`  FOREIGN: ${example}`);
}
