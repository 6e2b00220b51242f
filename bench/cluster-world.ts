import type { EnvoyProcess } from "../test/harness/envoy.ts";
import { readMetric } from "../test/harness/gatehouse.ts";
import { freePort } from "../test/harness/ports.ts";
import { pause } from "../test/harness/waiting.ts";
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
const STATUSES_POLL_MS = 500;
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
    await whileRunning(operator, awaitStatuses(operator, stage.routes));
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

/** The statuses of routes written so far, and whether nothing waits to be written. */
export async function statusProgress(operator: OperatorProcess): Promise<{ routes: number; isDone: boolean }> {
  const text = await operator.metrics();
  const ofRoutes = text.split("\n").filter((line) => line.includes('kind="HTTPRoute"'));
  const waiting = readMetric(text, "gatehouse_status_queue_depth") + readMetric(text, "gatehouse_status_in_flight");
  return { routes: readMetric(ofRoutes.join("\n"), "gatehouse_status_writes_total"), isDone: waiting === 0 };
}

/**
 * Resolves when every route has its first status and nothing waits to be written, those of Backends neither; says when the last
 * route had its own, by `performance.now`.
 */
export async function awaitStatuses(operator: OperatorProcess, routes: number): Promise<number> {
  let routesAtMs: number | undefined;
  const deadline = performance.now() + STATUSES_LIMIT_MS;
  for (;;) {
    const progress = await statusProgress(operator).catch(() => undefined);
    if (progress !== undefined && progress.routes >= routes) routesAtMs ??= performance.now();
    if (progress?.isDone && routesAtMs !== undefined) return routesAtMs;
    if (performance.now() > deadline) throw new Error(`not all statuses were written in ${STATUSES_LIMIT_MS} ms`);
    // Seldom: telling its metrics costs the operator 5 ms.
    await pause(STATUSES_POLL_MS);
  }
}
