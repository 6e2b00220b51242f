import { waitFor } from "../test/harness/waiting.ts";
import { inClusterWorld } from "./cluster-world.ts";
import { startOperatorProcess } from "./operator-process.ts";
import { measureRestart } from "./restart.ts";
import { progress, type Recorder } from "./results.ts";
import { onStage, recordLoad, startSteadyLoad } from "./stage.ts";

/** The lease of the killed operator has to end first. */
const LEAD_LIMIT_MS = 60_000;
const BYTES_PER_MEGABYTE = 1e6;

/** The operator killed under traffic and started again: what its clients, its Envoy and the API server notice of it. */
export function runOperatorRestartScenario(routes: number, recorder: Recorder): Promise<void> {
  return onStage("operator-restart", { shape: "hosts", routes, edits: 0 }, recorder, (stage) =>
    inClusterWorld(stage, async (world) => {
      progress(`${stage.title}: the operator is killed and started again`);
      const load = await startSteadyLoad(stage, world.table);
      const successor = await measureRestart(
        {
          envoy: world.envoy,
          async kill() {
            world.operator.kill("SIGKILL");
            await world.operator.exited;
          },
          async start() {
            world.operator = startOperatorProcess(world.api.server);
            return world.operator;
          },
          async settled({ metric }) {
            await waitFor("the lease", async () => (await metric("gatehouse_leader")) === 1, LEAD_LIMIT_MS);
          },
        },
        recorder,
      );
      recordLoad(recorder, "", await load.stop());
      recorder.add("status_writes", "count", await successor.metric("gatehouse_status_writes_total"));
      recorder.add("status_reads", "count", await successor.metric("gatehouse_status_reads_total"));
      recorder.add("control_plane_rss", "MB", successor.rssBytes() / BYTES_PER_MEGABYTE);
    }),
  );
}
