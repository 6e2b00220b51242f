import type { EngineMethods } from "./engine-process.ts";
import { progress, type Recorder } from "./results.ts";
import { startWorker } from "./worker.ts";

const ENGINE_LIMIT_MS = 300_000;
/** Room for 20,000 routes with their objects; the default depends on the machine's memory. */
const HEAP_LIMIT_MB = 4_096;

/** Engine and translation without sockets, in a process of its own so that its heap is its own. */
export async function runEngineScenario(routes: number, edits: number, recorder: Recorder): Promise<void> {
  progress(`engine, ${routes} routes`);
  const worker = startWorker<EngineMethods>("./engine-process.ts", [
    "--expose-gc",
    `--max-old-space-size=${HEAP_LIMIT_MB}`,
  ]);
  try {
    const figures = await worker.call("measure", { routes, edits }, ENGINE_LIMIT_MS);
    recorder.add("cold_start", "ms", figures.coldMs);
    recorder.add("cold_start_cpu", "ms", figures.coldCpuMs);
    recorder.add("heap_objects", "MB", figures.objectsMegabytes);
    recorder.add("heap_derived", "MB", figures.derivedMegabytes);
    for (const { label, milliseconds, cpuMs, transforms } of figures.edits) {
      recorder.add(`${label}_edit_cpu`, "ms", cpuMs);
      recorder.addDistribution(`${label}_edit`, "ms", milliseconds);
      recorder.add(`${label}_edit_transforms`, "count", transforms);
    }
  } finally {
    worker.stop();
  }
}
