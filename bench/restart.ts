import type { AdminAccess } from "../test/harness/envoy.ts";
import { pause, waitFor } from "../test/harness/waiting.ts";
import type { Recorder } from "./results.ts";

/** The control plane is away for so long. */
const AWAY_MS = 1_000;
/** Whatever a new control plane would send, it has sent by then. */
const SETTLE_MS = 5_000;
const RECONNECT_LIMIT_MS = 60_000;
/** Envoy counts an update for each response that it accepted, of each type. */
const UPDATE_STATS = "(cds|lds|rds\\..*|cluster\\..*)\\.(update_success|update_rejected|config_reload)$";

interface ControlPlane {
  metric(name: string): Promise<number>;
}

export interface Restart<Successor extends ControlPlane> {
  /** Of the Envoy that runs on. */
  readonly envoy: AdminAccess;
  kill(): Promise<void>;
  start(): Promise<Successor>;
  /** Resolves when the successor does everything that a control plane does. */
  settled?(successor: Successor): Promise<void>;
}

/** Kills the control plane, starts its successor beside the running Envoy, and counts what that sends. */
export async function measureRestart<Successor extends ControlPlane>(
  { envoy, kill, start, settled }: Restart<Successor>,
  recorder: Recorder,
): Promise<Successor> {
  const before = await envoy.stats(UPDATE_STATS);
  await kill();
  await pause(AWAY_MS);
  const startedMs = performance.now();
  const successor = await start();
  await waitFor(
    "Envoy to be connected to the new control plane",
    async () =>
      (await successor.metric("gatehouse_xds_streams")) > 0 &&
      (await envoy.stats("^control_plane.connected_state$")).get("control_plane.connected_state") === 1,
    RECONNECT_LIMIT_MS,
  );
  recorder.add("restart_to_connected", "ms", performance.now() - startedMs);
  await settled?.(successor);
  await pause(SETTLE_MS);
  const after = await envoy.stats(UPDATE_STATS);
  let updates = 0;
  for (const [name, value] of after) updates += value - (before.get(name) ?? 0);
  recorder.add("resources_resent", "count", await successor.metric("gatehouse_xds_resources_sent_total"));
  recorder.add("envoy_updates_at_restart", "count", updates);
  return successor;
}
