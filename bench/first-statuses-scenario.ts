import type { EnvoyProcess } from "../test/harness/envoy.ts";
import { pause, waitFor } from "../test/harness/waiting.ts";
import { type ApiTable, type StoredObject, startApiTable, tableObjects } from "./api-table.ts";
import { awaitStatuses, createTableOptions, statusProgress } from "./cluster-world.ts";
import { type OperatorProcess, startGatewayEnvoy, startOperatorProcess } from "./operator-process.ts";
import { progress, type Recorder } from "./results.ts";
import { onStage, type Stage, whileRunning } from "./stage.ts";
import { routeObjects, type TableOptions } from "./table.ts";

const START_LIMIT_MS = 60_000;
/** From one edit's status to the next edit. */
const EDIT_PAUSE_MS = 500;
const EDIT_LIMIT_MS = 60_000;
/** Routes that are edited in turn: the first, so that they are there while others are still being created. */
const EDITED_ROUTES = 100;
const BYTES_PER_MEGABYTE = 1e6;

/** When the routes come to be, seen from the operator. */
const orders = ["before", "while"] as const;

/**
 * Many routes brought to their first status, twice: they were there before the operator starts, and they are created while it runs,
 * so that a user has just created each. What a fresh edit's status takes meanwhile.
 */
export function runFirstStatusesScenario(routes: number, recorder: Recorder): Promise<void> {
  return onStage("first-statuses", { shape: "hosts", routes, edits: 0 }, recorder, async (stage) => {
    for (const order of orders) await bringStatuses(stage, order);
  });
}

async function bringStatuses(stage: Stage, order: (typeof orders)[number]): Promise<void> {
  const { recorder, title, routes } = stage;
  const table = await createTableOptions(stage);
  progress(`${title}: an API server`);
  const api = await startApiTable();
  let operator: OperatorProcess | undefined;
  let envoy: EnvoyProcess | undefined;
  try {
    const [gatewayClass, gateway, ...rest] = tableObjects(table, routes);
    await api.create([gatewayClass!, gateway!]);
    if (order === "before") await api.create(rest);
    progress(`${title}: statuses of routes created ${order} ${order === "before" ? "the operator starts" : "it runs"}`);
    const startedMs = performance.now();
    operator = startOperatorProcess(api.server);
    envoy = await whileRunning(operator, startGatewayEnvoy(api.server));
    const sinceMs = order === "while" ? performance.now() : startedMs;
    const since = () => performance.now() - sinceMs;
    const created = (order === "while" ? api.create(rest) : Promise.resolve()).then(since);
    await whileRunning(operator, begun(operator));
    const written = awaitStatuses(operator, routes);
    const latencies = await whileRunning(operator, editUntil(Promise.all([written, created]), api, table, routes));
    if (order === "while") recorder.add("while_created", "ms", await created);
    recorder.add(`${order}_statuses_of_routes`, "ms", (await written) - sinceMs);
    recorder.add(`${order}_all_statuses`, "ms", since());
    recorder.addDistribution(`${order}_edit_to_status`, "ms", latencies);
    progress(
      `${title}: written after ${(since() / 1_000).toFixed(0)} s, an edit's at most ${Math.max(...latencies) | 0} ms`,
    );
    recorder.add(`${order}_control_plane_rss`, "MB", operator.rssBytes() / BYTES_PER_MEGABYTE);
    recorder.add(`${order}_control_plane_cpu`, "ms", operator.cpuSeconds() * 1_000);
  } finally {
    await operator?.stop();
    await envoy?.stop();
    await api.stop();
  }
}

async function begun(operator: OperatorProcess): Promise<void> {
  await waitFor("the first status of a route", async () => (await statusProgress(operator)).routes > 0, START_LIMIT_MS);
}

/** Edits one route after another until `done`. Milliseconds from an edit to its status. */
async function editUntil(
  done: Promise<unknown>,
  api: ApiTable,
  table: TableOptions,
  routes: number,
): Promise<number[]> {
  const latencies: number[] = [];
  let isDone = false;
  void done.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    const index = latencies.length % Math.min(routes, EDITED_ROUTES);
    const route = routeObjects(table, index, { revision: `edited-${latencies.length}` })[1]!;
    const startMs = performance.now();
    const { generation } = (await api.apply(route)).metadata;
    const isTold = async () => observedGeneration(await api.get(route)) === generation;
    await waitFor(`the status of ${route.metadata.name}`, isTold, EDIT_LIMIT_MS);
    latencies.push(performance.now() - startMs);
    await pause(EDIT_PAUSE_MS);
  }
  await done;
  return latencies;
}

function observedGeneration({ status }: StoredObject): number | undefined {
  const { parents } = (status ?? {}) as { parents?: { conditions: { observedGeneration?: number }[] }[] };
  return parents?.[0]?.conditions[0]?.observedGeneration;
}
