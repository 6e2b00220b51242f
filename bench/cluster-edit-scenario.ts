import { median } from "../test/harness/percentile.ts";
import { processRssBytes } from "../test/harness/process.ts";
import { type ApiTable, collectionPath } from "./api-table.ts";
import { inClusterWorld } from "./cluster-world.ts";
import { measureEdits } from "./edit-run.ts";
import type { Applier, EditRun } from "./edits.ts";
import { measureFloor, recordRatios } from "./floor-run.ts";
import { progress, type Recorder } from "./results.ts";
import { type EditScenario, onStage } from "./stage.ts";
import { FIRST_REVISION, type PlainObject, routeObjects, type TableOptions } from "./table.ts";

const BYTES_PER_MEGABYTE = 1e6;
/** What the API server itself may add to 1.3 times the floor is a promise of its own. */
const FLOOR_FACTOR = 1.3;
const EVENT_LIMIT_MS = 10_000;

/** Edits through the API server under traffic, with the operator and the real Envoy, end to end and on the floor. */
export function runClusterEditScenario(scenario: EditScenario, recorder: Recorder): Promise<void> {
  return onStage(`cluster-edit-${scenario.shape}`, scenario, recorder, async (stage) => {
    let endToEnd: EditRun | undefined;
    await inClusterWorld(stage, async ({ api, table, operator, envoy }) => {
      progress(`${stage.title}: edits through the API server`);
      const { cpuSeconds, metric } = operator;
      const applier = createApiApplier(api, table);
      endToEnd = await measureEdits(stage, table, { applier, cpuSeconds, metric, envoyPid: envoy.pid });
      recorder.add("control_plane_rss", "MB", operator.rssBytes() / BYTES_PER_MEGABYTE);
      recorder.add("envoy_rss", "MB", processRssBytes(envoy.pid) / BYTES_PER_MEGABYTE);
      await operator.stop();
      progress(`${stage.title}: the API server alone`);
      await measureApiServer(api, table, stage.edits, recorder);
    });
    const floor = await measureFloor(stage);
    if (endToEnd === undefined) return;
    recordRatios(recorder, endToEnd, floor);
    for (const [kind, values] of endToEnd.latencies) {
      const allowed = FLOOR_FACTOR * median(floor.latencies.get(kind) ?? []);
      recorder.add(`beyond_floor_${kind}`, "ms", median(values) - allowed);
    }
  });
}

/**
 * Edits as `kubectl apply --server-side` and `kubectl delete` make them. A Backend is created before its route and deleted after it,
 * outside of what is measured: nothing of it reaches Envoy while no route refers to it.
 */
export function createApiApplier(api: ApiTable, table: TableOptions): Applier {
  let write = (): Promise<unknown> => Promise.resolve();
  let tidy = write;
  let written: Promise<unknown> = Promise.resolve();
  return {
    async prepare({ kind, index, state }) {
      const [backend, route] = routeObjects(table, index, state ?? { revision: FIRST_REVISION }) as [
        PlainObject,
        PlainObject,
      ];
      if (kind === "add") await api.apply(backend);
      write = kind === "delete" ? () => api.remove(route) : () => api.apply(kind === "endpoint" ? backend : route);
      tidy = async () => kind === "delete" && api.remove(backend);
    },
    async apply() {
      const at = process.hrtime.bigint();
      written = write();
      // Told by `settle`, where it is awaited.
      written.catch(() => {});
      return at;
    },
    async settle() {
      await written;
      await tidy();
    },
  };
}

/** What a write takes until it is answered and until its event arrives at a watch, with nobody else around: the floor of every operator. */
async function measureApiServer(api: ApiTable, table: TableOptions, edits: number, recorder: Recorder): Promise<void> {
  const answers: number[] = [];
  const events: number[] = [];
  const routeAt = (edit: number) => routeObjects(table, 0, { revision: `alone-${edit}` })[1]!;
  const { metadata } = await api.get(routeAt(0));
  let onEvent = () => {};
  const watching = new AbortController();
  const query = `?watch=1&resourceVersion=${metadata.resourceVersion}&fieldSelector=metadata.name=${metadata.name}`;
  const watch = api.server.rest.lines(collectionPath(routeAt(0)) + query, () => onEvent(), watching.signal);
  watch.catch(() => {});
  for (let edit = 0; edit < edits; edit++) {
    const seen = new Promise<number>((resolve) => {
      onEvent = () => resolve(performance.now());
    });
    const startMs = performance.now();
    await api.apply(routeAt(edit));
    answers.push(performance.now() - startMs);
    events.push((await within(seen, EVENT_LIMIT_MS)) - startMs);
  }
  watching.abort();
  recorder.addDistribution("api_server_answer", "ms", answers);
  recorder.addDistribution("api_server_event", "ms", events);
}

function within<T>(what: Promise<T>, limitMs: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no event of a watch in ${limitMs} ms`)), limitMs);
  return Promise.race([what, promise]).finally(() => clearTimeout(timer));
}
