import { pause } from "../test/harness/waiting.ts";
import { inClusterWorld } from "./cluster-world.ts";
import { progress, type Recorder } from "./results.ts";
import { onStage, recordLoad, startSteadyLoad } from "./stage.ts";
import { REVISION_HEADER, routeAddress, routeObjects } from "./table.ts";

const AWAY_MS = 60_000;
const EFFECTIVE_LIMIT_MS = 60_000;
const REVISION = "after-the-return";

/** The API server breaks off under traffic and comes back: how soon a change made right after its return is in effect. */
export function runApiServerAwayScenario(routes: number, recorder: Recorder): Promise<void> {
  return onStage("api-server-away", { shape: "hosts", routes, edits: 1 }, recorder, (stage) =>
    inClusterWorld(stage, async ({ api, table, operator }) => {
      progress(`${stage.title}: the API server is away for ${AWAY_MS / 1_000} seconds`);
      const load = await startSteadyLoad(stage, table);
      await api.server.down("SIGKILL");
      await pause(AWAY_MS);
      await api.server.up();
      const [, route] = routeObjects(table, 0, { revision: REVISION });
      await api.apply(route!);
      const changedMs = performance.now();
      const header = { name: REVISION_HEADER, value: REVISION };
      const { host, path } = routeAddress(table.shape, 0);
      const watch = { port: table.port, host, path, status: 200, header, limitMs: EFFECTIVE_LIMIT_MS };
      await stage.prober.call("wait", watch, EFFECTIVE_LIMIT_MS);
      recorder.add("effective_after_return", "ms", performance.now() - changedMs);
      recordLoad(recorder, "", await load.stop());
      recorder.add("resources_sent", "count", await operator.metric("gatehouse_xds_resources_sent_total"));
    }),
  );
}
