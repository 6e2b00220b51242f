import { issueAuthority, issueLeaf } from "../src/certs/issue.ts";
import type { EnvoyProcess } from "../test/harness/envoy.ts";
import { median } from "../test/harness/percentile.ts";
import { processCpu, processRssBytes } from "../test/harness/process.ts";
import { pause } from "../test/harness/waiting.ts";
import { startApiTable } from "./api-table.ts";
import { awaitStatuses } from "./cluster-world.ts";
import type { EchoMethods } from "./echo-process.ts";
import { type OperatorProcess, startGatewayEnvoy, startOperatorProcess } from "./operator-process.ts";
import { ownAddress } from "./own-address.ts";
import { progress, type Recorder } from "./results.ts";
import { awaitRest, whileRunning } from "./stage.ts";
import {
  type Change,
  changeLabels,
  changeOf,
  createWorkloads,
  firstState,
  nameWatch,
  type TenantWorld,
  validity,
  zones,
} from "./tenant-changes.ts";
import {
  type Bringer,
  fleetOf,
  HTTP_ROUTES,
  PASSTHROUGH_NAME,
  PORT,
  type Protocol,
  protocols,
  servingObjects,
  sharedObjects,
  type TenantState,
} from "./tenant-objects.ts";
import type { TenantTrafficMethods, TrafficReport } from "./tenant-traffic-process.ts";
import { startWorker, type Worker } from "./worker.ts";

const REQUESTS_PER_SECOND = 300;
const BASELINE_MS = 5_000;
/** After each change, so that whatever Envoy drops because of it is counted to it. */
const AFTERMATH_MS = 1_500;
const SERVED_LIMIT_MS = 300_000;
const BYTES_PER_MEGABYTE = 1e6;
const NANOSECONDS_PER_MILLISECOND = 1e6;
const STATUS_WRITES = "gatehouse_status_writes_total";
const BYTES_SENT = "gatehouse_xds_bytes_sent_total";

interface World extends TenantWorld {
  readonly title: string;
  readonly bringer: Bringer;
  readonly tenants: number;
  readonly recorder: Recorder;
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
export async function runTenantsScenario(
  bringer: Bringer,
  tenants: number,
  changes: number,
  recorder: Recorder,
): Promise<void> {
  const title = `${tenants} tenants with a ${bringer} each`;
  const echo = startWorker<EchoMethods>("./echo-process.ts");
  const traffic = startWorker<TenantTrafficMethods>("./tenant-traffic-process.ts");
  const probers = new Map(
    protocols.map((protocol) => [protocol, startWorker<TenantTrafficMethods>("./tenant-traffic-process.ts")]),
  );
  const authority = await issueAuthority("bench", validity());
  const address = await ownAddress();
  const subject = { commonName: PASSTHROUGH_NAME, dnsNames: ["*.example.com"], uris: [], usage: "server" } as const;
  const tlsPort = await echo.call("startTls", await issueLeaf(authority, subject, validity()));
  const backends = { address, plainPort: (await echo.call("start", undefined)).a, tlsPort };
  progress(`${title}: an API server and its objects`);
  const api = await startApiTable();
  let operator: OperatorProcess | undefined;
  let envoy: EnvoyProcess | undefined;
  try {
    await api.create(sharedObjects(bringer));
    for (let i = 0; i < tenants; i++) {
      await createWorkloads(api, i, backends);
      await api.create(servingObjects(i, await firstState(authority, i, bringer)));
    }
    progress(`${title}: the operator starts`);
    const startedMs = performance.now();
    operator = startOperatorProcess(api.server);
    envoy = await whileRunning(operator, startGatewayEnvoy(api.server, fleetOf(bringer)));
    const world = { title, bringer, tenants, recorder, api, backends, authority, operator, envoy, traffic, probers };
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
  for (const index of newcomers) states.set(index, await firstState(world.authority, index, world.bringer));
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

async function measureChange(world: World, change: Change): Promise<MeasuredChange> {
  const { apply, watches } = change;
  const { operator, envoy, probers } = world;
  await change.prepare?.();
  if (change.prepare !== undefined) await pause(AFTERMATH_MS);
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
  const after = { control: operator.cpuSeconds(), envoy: processCpu(envoy.pid).main };
  const measured = {
    writtenMs,
    seenMs,
    controlCpuMs: (after.control - before.control) * 1_000,
    envoyCpuMs: (after.envoy - before.envoy) * 1_000,
    statusWrites: (await writes()) - told.writes,
    bytes: (await bytes()) - told.bytes,
  };
  await change.tidy?.();
  return measured;
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
