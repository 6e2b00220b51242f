import type { EnvoyProcess } from "../test/harness/envoy.ts";
import { median } from "../test/harness/percentile.ts";
import { freePort } from "../test/harness/ports.ts";
import type { ProcessCpu } from "../test/harness/process.ts";
import { type Applier, type EditRun, planEdits, recordLatencies, runEdits } from "./edits.ts";
import { startFloor } from "./floor.ts";
import { batchOf, createInProcessTable } from "./in-process-table.ts";
import { progress, type Recorder } from "./results.ts";
import { awaitRest, awaitRoute, recordLoad, type Stage, startSteadyLoad } from "./stage.ts";
import { FIRST_REVISION, gatewayObjects, routeObjects, type TableOptions } from "./table.ts";

/** Of every Envoy of the edit scenarios. */
export const ENVOY_WORKERS = 2;
const MILLISECONDS_PER_SECOND = 1_000;

/** The same edits with nothing but Envoy: the pipeline runs here, ahead of time, and its responses are replayed. */
export async function measureFloor(stage: Stage): Promise<EditRun> {
  progress(`${stage.title}: the floor`);
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
    const applier: Applier = {
      async prepare({ index, state }) {
        const deleted = state === undefined ? routeObjects(table, index, { revision: FIRST_REVISION }) : [];
        inProcess.stage(batchOf(state === undefined ? [] : routeObjects(table, index, state), deleted));
        await floor.arm(inProcess.commit().changes);
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

/** `ratio` (of updates) and `ratio_KIND`: medians end to end over medians of the floor. */
export function recordRatios(recorder: Recorder, endToEnd: EditRun, floor: EditRun): void {
  for (const [kind, values] of endToEnd.latencies) {
    const least = median(floor.latencies.get(kind) ?? []);
    if (kind === "update") recorder.add("floor_p50", "ms", least);
    recorder.add(kind === "update" ? "ratio" : `ratio_${kind}`, "ratio", median(values) / least);
  }
}
