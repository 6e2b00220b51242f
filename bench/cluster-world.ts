import type { EnvoyProcess } from "../test/harness/envoy.ts";
import { freePort } from "../test/harness/ports.ts";
import { waitFor } from "../test/harness/waiting.ts";
import { type ApiTable, startApiTable, tableObjects } from "./api-table.ts";
import { type OperatorProcess, startGatewayEnvoy, startOperatorProcess } from "./operator-process.ts";
import { ownAddress } from "./own-address.ts";
import { progress } from "./results.ts";
import { awaitRest, awaitTable, type Stage, whileRunning } from "./stage.ts";
import type { TableOptions } from "./table.ts";

/** An API server with the table in it, the operator that follows it and the Envoy that the operator programs. */
export interface ClusterWorld {
  readonly table: TableOptions;
  readonly api: ApiTable;
  operator: OperatorProcess;
  readonly envoy: EnvoyProcess;
}

const STATUSES_LIMIT_MS = 300_000;
const BYTES_PER_MEGABYTE = 1e6;

/** Runs with a world in which everything is served and every status written; ends it in any case. */
export async function inClusterWorld(stage: Stage, run: (world: ClusterWorld) => Promise<void>): Promise<void> {
  const { recorder, title } = stage;
  const api = await loadTable(stage);
  let world: ClusterWorld | undefined;
  let operator: OperatorProcess | undefined;
  let envoy: EnvoyProcess | undefined;
  try {
    progress(`${title}: the operator starts`);
    const startedMs = performance.now();
    operator = startOperatorProcess(api.server);
    envoy = await whileRunning(operator, startGatewayEnvoy(api.server));
    await whileRunning(operator, awaitTable(stage, api.table));
    recorder.add("cold_start", "ms", performance.now() - startedMs);
    const written = () => areStatusesWritten(operator!, stage.routes);
    await whileRunning(operator, waitFor("the statuses", written, STATUSES_LIMIT_MS));
    await awaitRest([operator.pid, envoy.pid]);
    recorder.add("control_plane_rss_after_start", "MB", operator.rssBytes() / BYTES_PER_MEGABYTE);
    world = { table: api.table, api, operator, envoy };
    await run(world);
  } finally {
    await (world?.operator ?? operator)?.stop();
    await envoy?.stop();
    await api.stop();
  }
}

/** An API server that has the table; nothing follows it yet. */
async function loadTable(stage: Stage): Promise<ApiTable & { table: TableOptions }> {
  progress(`${stage.title}: an API server and its objects`);
  const table = await createTableOptions(stage);
  const api = await startApiTable();
  try {
    await api.create(tableObjects(table, stage.routes));
    return { ...api, table };
  } catch (error) {
    await api.stop();
    throw error;
  }
}

export async function createTableOptions({ shape, backends }: Stage): Promise<TableOptions> {
  return { shape, port: await freePort(), backendPort: backends.a, backendAddress: await ownAddress() };
}

/** Every route has its first status, and nothing waits to be written. */
export async function areStatusesWritten({ metric }: OperatorProcess, routes: number): Promise<boolean> {
  const written = await metric("gatehouse_status_writes_total", 'kind="HTTPRoute"');
  const waiting = await metric("gatehouse_status_queue_depth");
  return written >= routes && waiting + (await metric("gatehouse_status_in_flight")) === 0;
}
