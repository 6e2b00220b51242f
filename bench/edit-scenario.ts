import { fileURLToPath } from "node:url";
import { type TemporaryDirectory, temporaryDirectory } from "../test/harness/directory.ts";
import { type GatehouseOptions, type GatehouseProcess, startGatehouse } from "../test/harness/gatehouse.ts";
import { freePort } from "../test/harness/ports.ts";
import { processRssBytes } from "../test/harness/process.ts";
import { measureEdits } from "./edit-run.ts";
import type { Applier, EditRun } from "./edits.ts";
import { ENVOY_WORKERS, measureFloor, recordRatios } from "./floor-run.ts";
import { measureRestart } from "./restart.ts";
import { progress, type Recorder } from "./results.ts";
import {
  awaitRest,
  awaitTable,
  type EditScenario,
  onStage,
  recordLoad,
  type Stage,
  startSteadyLoad,
  whileRunning,
} from "./stage.ts";
import { FIRST_REVISION, fileText, gatewayObjects, routeFileWriter, type TableOptions } from "./table.ts";

/** As a user starts it: what was built, with the flags of its launcher. */
export const launcher = [fileURLToPath(new URL("../bin/gatehouse", import.meta.url))];
export const gatehouseArguments = ["--concurrency", String(ENVOY_WORKERS), "--log-level", "warn"];
const BYTES_PER_MEGABYTE = 1e6;

/** Edits of files under traffic with the real Envoy, end to end and on the floor, and a restart of the control plane between. */
export function runEditScenario(scenario: EditScenario, recorder: Recorder): Promise<void> {
  return onStage(`edit-${scenario.shape}`, scenario, recorder, async (stage) => {
    const endToEnd = await runEndToEnd(stage);
    recordRatios(recorder, endToEnd, await measureFloor(stage));
  });
}

async function runEndToEnd(stage: Stage): Promise<EditRun> {
  const { recorder, title } = stage;
  const table: TableOptions = { shape: stage.shape, port: await freePort(), backendPort: stage.backends.a };
  const files = temporaryDirectory("gatehouse-bench");
  let gatehouse: GatehouseProcess | undefined;
  try {
    writeTable(files, table, stage.routes);
    progress(`${title}: cold start`);
    const startedMs = performance.now();
    gatehouse = await startGatehouse({
      directory: files.path,
      startOnly: true,
      launcher,
      args: gatehouseArguments,
    });
    await whileRunning(gatehouse, awaitTable(stage, table));
    recorder.add("cold_start", "ms", performance.now() - startedMs);
    const envoyPid = (await gatehouse.envoyPids())[0]!;
    await awaitRest([gatehouse.pid, envoyPid]);
    recorder.add("control_plane_rss_after_start", "MB", gatehouse.rssBytes() / BYTES_PER_MEGABYTE);

    progress(`${title}: edits through Gatehouse`);
    const { cpuSeconds, metric } = gatehouse;
    const applier = createFileApplier(files, table);
    const run = await measureEdits(stage, table, { applier, cpuSeconds, metric, envoyPid });
    recorder.add("control_plane_rss", "MB", gatehouse.rssBytes() / BYTES_PER_MEGABYTE);
    recorder.add("envoy_rss", "MB", processRssBytes(envoyPid) / BYTES_PER_MEGABYTE);

    progress(`${title}: control plane killed and started again`);
    const restartLoad = await startSteadyLoad(stage, table);
    gatehouse = await restart(gatehouse, { directory: files.path, launcher, args: gatehouseArguments }, recorder);
    recordLoad(recorder, "_at_restart", await restartLoad.stop());
    return run;
  } finally {
    await gatehouse?.stop();
    files.discard();
  }
}

async function restart(
  gatehouse: GatehouseProcess,
  options: GatehouseOptions,
  recorder: Recorder,
): Promise<GatehouseProcess> {
  const [pid] = await gatehouse.envoyPids();
  const envoy = await gatehouse.envoyAdmin();
  const start = () => startGatehouse({ ...options, env: gatehouse.env });
  const successor = await measureRestart({ envoy, kill: gatehouse.kill9, start }, recorder);
  const [pidNow] = await successor.envoyPids();
  if (pidNow !== pid) progress(`  FAILED: Envoy itself was restarted, process ${pid} became ${pidNow}`);
  return successor;
}

export function createFileApplier(files: TemporaryDirectory, table: TableOptions): Applier {
  const writeRoute = routeFileWriter(table);
  let rename = () => {};
  return {
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
}

export function writeTable(files: TemporaryDirectory, table: TableOptions, routes: number): void {
  const writeRoute = routeFileWriter(table);
  files.write("gateway.yaml", fileText(gatewayObjects(table)));
  for (let i = 0; i < routes; i++) files.write(`route-${i}.yaml`, writeRoute(i, { revision: FIRST_REVISION }));
}
