import { fileURLToPath } from "node:url";
import { type TemporaryDirectory, temporaryDirectory } from "../test/harness/directory.ts";
import type { EnvoyProcess } from "../test/harness/envoy.ts";
import { type GatehouseProcess, startGatehouse } from "../test/harness/gatehouse.ts";
import { type Load, type LoadReport, startLoad } from "../test/harness/load.ts";
import { median } from "../test/harness/percentile.ts";
import { freePort } from "../test/harness/ports.ts";
import { type ProcessCpu, processCpu, processRssBytes } from "../test/harness/process.ts";
import { pause, waitFor } from "../test/harness/waiting.ts";
import type { EchoMethods } from "./echo-process.ts";
import {
  type Applier,
  type EditKind,
  type EditRun,
  planEdits,
  recordLatencies,
  runEdits,
  untouchedRoutes,
} from "./edits.ts";
import { startFloor } from "./floor.ts";
import { batchOf, createInProcessTable } from "./in-process-table.ts";
import type { ProberMethods } from "./prober-process.ts";
import { measureRestart } from "./restart.ts";
import { progress, type Recorder } from "./results.ts";
import {
  FIRST_REVISION,
  fileText,
  gatewayObjects,
  REVISION_HEADER,
  routeAddress,
  routeFileWriter,
  routeObjects,
  type Shape,
  type TableOptions,
} from "./table.ts";
import { startWorker, type Worker } from "./worker.ts";

const LOAD_REQUESTS_PER_SECOND = 200;
const LOAD_TARGETS = 100;
const COLD_START_LIMIT_MS = 300_000;
/** A process that used less of a core than this in a second is at rest. */
const REST_CORE_SHARE = 0.03;
const REST_LIMIT_MS = 60_000;
/** The load runs for so long before the first edit, to know what it costs by itself. */
const BASELINE_MS = 3_000;
const ENVOY_WORKERS = 2;
/** As a user starts it: what was built, with the flags of its launcher. */
const launcher = [fileURLToPath(new URL("../bin/gatehouse", import.meta.url))];
const gatehouseArguments = ["--concurrency", String(ENVOY_WORKERS), "--log-level", "warn"];
const BYTES_PER_MEGABYTE = 1e6;
const MILLISECONDS_PER_SECOND = 1_000;

export interface EditScenario {
  readonly shape: Shape;
  readonly routes: number;
  /** Edits of each kind. */
  readonly edits: number;
}

/** Everything that both runs, through Gatehouse and on the floor, share. */
interface Stage extends EditScenario {
  readonly prober: Worker<ProberMethods>;
  readonly backends: { readonly a: number; readonly b: number };
  readonly recorder: Recorder;
}

/** Edits under traffic with the real Envoy, end to end and on the floor, and a restart of the control plane between. */
export async function runEditScenario(scenario: EditScenario, recorder: Recorder): Promise<void> {
  const echo = startWorker<EchoMethods>("./echo-process.ts");
  const prober = startWorker<ProberMethods>("./prober-process.ts");
  try {
    const backends = await echo.call("start", undefined);
    const stage: Stage = { ...scenario, prober, backends, recorder };
    const endToEnd = await runEndToEnd(stage);
    const floor = await runFloor(stage);
    recordRatios(recorder, endToEnd, floor);
  } finally {
    prober.stop();
    echo.stop();
  }
}

async function runEndToEnd(stage: Stage): Promise<EditRun> {
  const table: TableOptions = { shape: stage.shape, port: await freePort(), backendPort: stage.backends.a };
  const files = temporaryDirectory("gatehouse-bench");
  let gatehouse: GatehouseProcess | undefined;
  try {
    writeTable(files, table, stage.routes);
    progress(`edit-${stage.shape}, ${stage.routes} routes: cold start`);
    const startedMs = performance.now();
    gatehouse = await startGatehouse({
      directory: files.path,
      startOnly: true,
      launcher,
      args: gatehouseArguments,
    });
    await awaitWholeTable(stage, table, gatehouse);
    stage.recorder.add("cold_start", "ms", performance.now() - startedMs);
    const envoyPid = (await gatehouse.envoyPids())[0]!;
    await awaitRest([gatehouse.pid, envoyPid]);
    stage.recorder.add("control_plane_rss_after_start", "MB", gatehouse.rssBytes() / BYTES_PER_MEGABYTE);

    progress(`edit-${stage.shape}, ${stage.routes} routes: edits through Gatehouse`);
    const load = await startSteadyLoad(stage, table);
    const run = await measureEndToEnd(stage, table, files, gatehouse, envoyPid);
    recordLoad(stage.recorder, "", await load.stop(), run.odd);
    stage.recorder.add("control_plane_rss", "MB", gatehouse.rssBytes() / BYTES_PER_MEGABYTE);
    stage.recorder.add("envoy_rss", "MB", processRssBytes(envoyPid) / BYTES_PER_MEGABYTE);

    progress(`edit-${stage.shape}, ${stage.routes} routes: control plane killed and started again`);
    const restartLoad = await startSteadyLoad(stage, table);
    gatehouse = await measureRestart(
      gatehouse,
      { directory: files.path, launcher, args: gatehouseArguments },
      stage.recorder,
    );
    recordLoad(stage.recorder, "_at_restart", await restartLoad.stop(), []);
    return run;
  } finally {
    await gatehouse?.stop();
    files.discard();
  }
}

/** The edits, with what they cost the two processes and the wire. Costs of the load and of idling are taken off. */
async function measureEndToEnd(
  stage: Stage,
  table: TableOptions,
  files: TemporaryDirectory,
  gatehouse: GatehouseProcess,
  envoyPid: number,
): Promise<EditRun> {
  const writeRoute = routeFileWriter(table);
  const edits = planEdits(table, stage.routes, stage.edits, stage.backends.b);
  let rename = () => {};
  const applier: Applier = {
    async prepare({ index, state }) {
      const name = `route-${index}.yaml`;
      rename = state === undefined ? () => files.remove(name) : files.prepare(name, writeRoute(index, state));
    },
    async apply() {
      const at = process.hrtime.bigint();
      rename();
      return at;
    },
  };
  const snapshot = async () => ({
    control: gatehouse.cpuSeconds(),
    envoy: processCpu(envoyPid),
    bytes: await gatehouse.metric("gatehouse_xds_bytes_sent_total"),
    resources: await gatehouse.metric("gatehouse_xds_resources_sent_total"),
  });
  const idleBefore = await snapshot();
  await pause(BASELINE_MS);
  const idle = await snapshot();
  const perSecond = (after: number, before: number) => (after - before) / (BASELINE_MS / MILLISECONDS_PER_SECOND);
  const baseline = {
    control: perSecond(idle.control, idleBefore.control),
    envoy: perSecond(idle.envoy.main, idleBefore.envoy.main),
  };
  const before = new Map<EditKind, Awaited<ReturnType<typeof snapshot>>>();
  const after = new Map<EditKind, Awaited<ReturnType<typeof snapshot>>>();
  const run = await runEdits(edits, applier, stage.prober, async (kind, moment) => {
    (moment === "before" ? before : after).set(kind, await snapshot());
  });
  recordLatencies(stage.recorder, "", run);
  const cost = (kinds: readonly EditKind[]) => {
    let [control, envoy, bytes, resources] = [0, 0, 0, 0];
    for (const kind of kinds) {
      const [from, to, seconds] = [before.get(kind)!, after.get(kind)!, run.seconds.get(kind)!];
      control += to.control - from.control - baseline.control * seconds;
      envoy += to.envoy.main - from.envoy.main - baseline.envoy * seconds;
      bytes += to.bytes - from.bytes;
      resources += to.resources - from.resources;
    }
    const count = kinds.length * stage.edits;
    const ms = (seconds: number) => (Math.max(0, seconds) * MILLISECONDS_PER_SECOND) / count;
    return { control: ms(control), envoy: ms(envoy), bytes: bytes / count, resources: resources / count };
  };
  recordCosts(stage.recorder, cost(["add", "update", "delete"]), cost(["endpoint"]));
  return run;
}

interface EditCost {
  readonly control: number;
  readonly envoy: number;
  readonly bytes: number;
  readonly resources: number;
}

function recordCosts(recorder: Recorder, route: EditCost, endpoint: EditCost): void {
  recorder.add("control_plane_cpu_per_edit", "ms", route.control);
  recorder.add("control_plane_cpu_per_endpoint_edit", "ms", endpoint.control);
  recorder.add("envoy_cpu_per_edit", "ms", route.envoy);
  recorder.add("envoy_cpu_per_endpoint_edit", "ms", endpoint.envoy);
  recorder.add("bytes_per_edit", "bytes", route.bytes);
  recorder.add("bytes_per_endpoint_edit", "bytes", endpoint.bytes);
  recorder.add("resources_per_edit", "count", route.resources);
}

/** The same edits with nothing but Envoy: the pipeline runs here, ahead of time, and its responses are replayed. */
async function runFloor(stage: Stage): Promise<EditRun> {
  progress(`edit-${stage.shape}, ${stage.routes} routes: the floor`);
  const table: TableOptions = { shape: stage.shape, port: await freePort(), backendPort: stage.backends.a };
  const initial = [...gatewayObjects(table)];
  for (let i = 0; i < stage.routes; i++) initial.push(...routeObjects(table, i, { revision: FIRST_REVISION }));
  const inProcess = createInProcessTable(batchOf(initial));
  const floor = await startFloor(inProcess.commit().changes, ENVOY_WORKERS);
  try {
    await awaitRoute(stage, table, stage.routes - 1);
    await awaitRest([floor.envoy.pid]);
    const load = await startSteadyLoad(stage, table);
    const edits = planEdits(table, stage.routes, stage.edits, stage.backends.b);
    const bytes: number[] = [];
    const applier: Applier = {
      async prepare({ index, state }) {
        const deleted = state === undefined ? routeObjects(table, index, { revision: FIRST_REVISION }) : [];
        inProcess.stage(batchOf(state === undefined ? [] : routeObjects(table, index, state), deleted));
        bytes.push((await floor.arm(inProcess.commit().changes)).bytes);
      },
      apply: () => floor.fire(),
    };
    const cpuBefore = floor.envoy.cpu();
    const startMs = performance.now();
    const run = await runEdits(edits, applier, stage.prober, async () => {});
    recordFloorCpu(stage, cpuBefore, floor.envoy, performance.now() - startMs);
    recordLoad(stage.recorder, "_on_floor", await load.stop(), run.odd);
    recordLatencies(stage.recorder, "floor_", run);
    return run;
  } finally {
    inProcess.stop();
    await floor.stop();
  }
}

function recordFloorCpu(stage: Stage, before: ProcessCpu, envoy: EnvoyProcess, ms: number): void {
  const seconds = envoy.cpu().main - before.main;
  progress(
    `  Envoy's main thread was busy for ${((100 * MILLISECONDS_PER_SECOND * seconds) / ms) | 0} % of the floor's run`,
  );
  stage.recorder.add("floor_envoy_main_cpu", "ms", seconds * MILLISECONDS_PER_SECOND);
}

function recordRatios(recorder: Recorder, endToEnd: EditRun, floor: EditRun): void {
  for (const [kind, values] of endToEnd.latencies) {
    const least = median(floor.latencies.get(kind) ?? []);
    if (kind === "update") recorder.add("floor_p50", "ms", least);
    recorder.add(kind === "update" ? "ratio" : `ratio_${kind}`, "ratio", median(values) / least);
  }
}

function recordLoad(recorder: Recorder, suffix: string, report: LoadReport, odd: readonly string[]): void {
  recorder.add(`failed_requests${suffix}`, "count", report.failed + odd.length);
  recorder.add(`requests${suffix}`, "count", report.requests);
  recorder.add(`traffic_p99${suffix}`, "ms", report.latencyMs.p99);
  for (const { atMs, target, what } of report.failures.slice(0, 5)) {
    progress(`  FAILED at ${atMs.toFixed(0)} ms: ${target.host}${target.path}: ${what}`);
  }
  for (const what of odd.slice(0, 5)) progress(`  FAILED while an edit was watched: ${what}`);
}

function writeTable(files: TemporaryDirectory, table: TableOptions, routes: number): void {
  const writeRoute = routeFileWriter(table);
  files.write("gateway.yaml", fileText(gatewayObjects(table)));
  for (let i = 0; i < routes; i++) files.write(`route-${i}.yaml`, writeRoute(i, { revision: FIRST_REVISION }));
}

/** Served are the last route and a hundred all over the table, each by its own backend with its own header. */
async function awaitWholeTable(stage: Stage, table: TableOptions, gatehouse: GatehouseProcess): Promise<void> {
  const ended = gatehouse.exited.then((how) => {
    throw new Error(`Gatehouse ended with ${how}:\n${gatehouse.log().slice(-2000)}`);
  });
  const served = (async () => {
    await awaitRoute(stage, table, stage.routes - 1);
    for (const i of untouchedRoutes(stage.routes, 0, LOAD_TARGETS)) await awaitRoute(stage, table, i);
  })();
  await Promise.race([served, ended]);
}

async function awaitRoute(stage: Stage, table: TableOptions, index: number): Promise<void> {
  const { host, path } = routeAddress(table.shape, index);
  const header = { name: REVISION_HEADER, value: FIRST_REVISION };
  const watch = { port: table.port, host, path, status: 200, header, limitMs: COLD_START_LIMIT_MS };
  await stage.prober.call("wait", watch, COLD_START_LIMIT_MS);
}

/** Statuses, removals and garbage collection after a start are over. */
async function awaitRest(pids: readonly number[]): Promise<void> {
  await waitFor(
    "the processes to come to rest",
    async () => {
      const before = pids.map((pid) => processCpu(pid).total);
      await pause(MILLISECONDS_PER_SECOND);
      return pids.every((pid, i) => processCpu(pid).total - before[i]! < REST_CORE_SHARE);
    },
    REST_LIMIT_MS,
  );
}

function startSteadyLoad(stage: Stage, table: TableOptions): Promise<Load> {
  const targets = untouchedRoutes(stage.routes, stage.edits, LOAD_TARGETS).map((index) => {
    const { host, path } = routeAddress(table.shape, index);
    return { host, path };
  });
  return startLoad({ port: table.port, targets, requestsPerSecond: LOAD_REQUESTS_PER_SECOND });
}
