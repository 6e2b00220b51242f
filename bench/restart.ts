import { type GatehouseOptions, type GatehouseProcess, startGatehouse } from "../test/harness/gatehouse.ts";
import { pause, waitFor } from "../test/harness/waiting.ts";
import { progress, type Recorder } from "./results.ts";

/** The control plane is away for so long. */
const AWAY_MS = 1_000;
/** Whatever a new control plane would send, it has sent by then. */
const SETTLE_MS = 5_000;
const RECONNECT_LIMIT_MS = 60_000;
/** Envoy counts an update for each response that it accepted, of each type. */
const UPDATE_STATS = "(cds|lds|rds\\..*|cluster\\..*)\\.(update_success|update_rejected|config_reload)$";

/** Kills the control plane, starts its successor beside the running Envoy, and counts what that sends. `options` as at the first start. */
export async function measureRestart(
  gatehouse: GatehouseProcess,
  options: GatehouseOptions,
  recorder: Recorder,
): Promise<GatehouseProcess> {
  const [envoyPid] = await gatehouse.envoyPids();
  const envoy = await gatehouse.envoyAdmin();
  const before = await envoy.stats(UPDATE_STATS);
  await gatehouse.kill9();
  await pause(AWAY_MS);
  const startedMs = performance.now();
  const successor = await startGatehouse({ ...options, env: gatehouse.env });
  await waitFor(
    "Envoy to be connected to the new control plane",
    async () =>
      (await successor.metric("gatehouse_xds_streams")) > 0 &&
      (await envoy.stats("^control_plane.connected_state$")).get("control_plane.connected_state") === 1,
    RECONNECT_LIMIT_MS,
  );
  recorder.add("restart_to_connected", "ms", performance.now() - startedMs);
  await pause(SETTLE_MS);
  const [envoyPidNow] = await successor.envoyPids();
  if (envoyPidNow !== envoyPid) progress(`  Envoy itself was restarted: process ${envoyPid} became ${envoyPidNow}`);
  const after = await envoy.stats(UPDATE_STATS);
  let updates = 0;
  for (const [name, value] of after) updates += value - (before.get(name) ?? 0);
  recorder.add("resources_resent", "count", await successor.metric("gatehouse_xds_resources_sent_total"));
  recorder.add("envoy_updates_at_restart", "count", updates);
  return successor;
}
