import { type Load, type LoadReport, startLoad } from "../test/harness/load.ts";
import { logTail, type MeasuredProcess, processCpu } from "../test/harness/process.ts";
import { pause, waitFor } from "../test/harness/waiting.ts";
import type { EchoMethods } from "./echo-process.ts";
import { untouchedRoutes } from "./edits.ts";
import type { ProberMethods } from "./prober-process.ts";
import { progress, type Recorder } from "./results.ts";
import { FIRST_REVISION, REVISION_HEADER, routeAddress, type Shape, type TableOptions } from "./table.ts";
import { startWorker, type Worker } from "./worker.ts";

const LOAD_REQUESTS_PER_SECOND = 200;
const LOAD_TARGETS = 100;
const TABLE_LIMIT_MS = 300_000;
/** A process that used less of a core than this in a second is at rest. */
const REST_CORE_SHARE = 0.03;
const REST_LIMIT_MS = 60_000;
const MILLISECONDS_PER_SECOND = 1_000;

export interface EditScenario {
  readonly shape: Shape;
  readonly routes: number;
  /** Edits of each kind. */
  readonly edits: number;
}

/** What stands around a table while it is measured: backends, a prober, and where the figures go. */
export interface Stage extends EditScenario {
  /** Scenario and size, for people. */
  readonly title: string;
  readonly prober: Worker<ProberMethods>;
  /** Ports of two backends that tell themselves apart. */
  readonly backends: { readonly a: number; readonly b: number };
  readonly recorder: Recorder;
}

export async function onStage(
  name: string,
  scenario: EditScenario,
  recorder: Recorder,
  run: (stage: Stage) => Promise<void>,
): Promise<void> {
  const echo = startWorker<EchoMethods>("./echo-process.ts");
  const prober = startWorker<ProberMethods>("./prober-process.ts");
  try {
    const backends = await echo.call("start", undefined);
    await run({ ...scenario, title: `${name}, ${scenario.routes} routes`, prober, backends, recorder });
  } finally {
    prober.stop();
    echo.stop();
  }
}

/** Served are the last route and a hundred all over the table, each by its own backend with its own header. */
export async function awaitTable(stage: Stage, table: TableOptions): Promise<void> {
  await awaitRoute(stage, table, stage.routes - 1);
  for (const i of untouchedRoutes(stage.routes, 0, LOAD_TARGETS)) await awaitRoute(stage, table, i);
}

export async function awaitRoute(stage: Stage, table: TableOptions, index: number): Promise<void> {
  const { host, path } = routeAddress(table.shape, index);
  const header = { name: REVISION_HEADER, value: FIRST_REVISION };
  const watch = { port: table.port, host, path, status: 200, header, limitMs: TABLE_LIMIT_MS };
  await stage.prober.call("wait", watch, TABLE_LIMIT_MS);
}

/** What follows a start, such as statuses, removals and garbage collection, is over. */
export function awaitRest(pids: readonly number[], limitMs = REST_LIMIT_MS): Promise<void> {
  return awaitLittleCpu(pids, "total", limitMs);
}

/** The same under traffic, which Envoy's main thread has no part in. */
export function awaitRestUnderLoad(pids: readonly number[]): Promise<void> {
  return awaitLittleCpu(pids, "main", REST_LIMIT_MS);
}

async function awaitLittleCpu(pids: readonly number[], part: "main" | "total", limitMs: number): Promise<void> {
  await waitFor(
    "the processes to come to rest",
    async () => {
      const before = pids.map((pid) => processCpu(pid)[part]);
      await pause(MILLISECONDS_PER_SECOND);
      return pids.every((pid, i) => processCpu(pid)[part] - before[i]! < REST_CORE_SHARE);
    },
    limitMs,
  );
}

/** Traffic to routes that no edit touches. */
export function startSteadyLoad(stage: Stage, table: TableOptions): Promise<Load> {
  const targets = untouchedRoutes(stage.routes, stage.edits, LOAD_TARGETS).map((index) => {
    const { host, path } = routeAddress(table.shape, index);
    return { host, path };
  });
  return startLoad({ port: table.port, targets, requestsPerSecond: LOAD_REQUESTS_PER_SECOND });
}

/** @param odd answers to the prober that a configuration change must not cause */
export function recordLoad(recorder: Recorder, suffix: string, report: LoadReport, odd: readonly string[] = []): void {
  recorder.add(`failed_requests${suffix}`, "count", report.failed + odd.length);
  recorder.add(`requests${suffix}`, "count", report.requests);
  recorder.add(`traffic_p99${suffix}`, "ms", report.latencyMs.p99);
  for (const { atMs, target, what } of report.failures.slice(0, 5)) {
    progress(`  FAILED at ${atMs.toFixed(0)} ms: ${target.host}${target.path}: ${what}`);
  }
  for (const what of odd.slice(0, 5)) progress(`  FAILED while an edit was watched: ${what}`);
}

/** Resolves with the work; rejects, with the end of the log, when the process ends before. */
export function whileRunning<T>({ exited, logPath }: MeasuredProcess, work: Promise<T>): Promise<T> {
  const ended = exited.then((how): never => {
    throw new Error(`the process ended with ${how}:\n${logTail(logPath)}`);
  });
  return Promise.race([work, ended]);
}
