import { pause } from "../test/harness/waiting.ts";
import type { ProberMethods, Sighting, Watch } from "./prober-process.ts";
import type { Recorder } from "./results.ts";
import { FIRST_REVISION, REVISION_HEADER, type RouteState, routeAddress, type TableOptions } from "./table.ts";
import type { Worker } from "./worker.ts";

export const editKinds = ["add", "update", "endpoint", "delete"] as const;
export type EditKind = (typeof editKinds)[number];

/** One edit of one route, and the answer that shows that Envoy follows it. */
export interface Edit {
  readonly kind: EditKind;
  readonly index: number;
  /** Undefined: the route and its Backend are deleted. */
  readonly state: RouteState | undefined;
  readonly watch: Watch;
}

/** How an edit reaches Envoy: through Gatehouse, or replayed by the floor's server. */
export interface Applier {
  /** Does all that need not be measured. */
  prepare(edit: Edit): Promise<void>;
  /** Makes the edit; returns when, by the monotonic clock of all processes. */
  apply(edit: Edit): Promise<bigint>;
  /** Called when the answer was seen; resolves when nothing of the edit is left to do. */
  settle?(): Promise<void>;
}

const EDIT_LIMIT_MS = 30_000;
/** Rest between two edits, so that one's tail is not the next one's start: at least this, and twice what the edit took. */
const REST_MIN_MS = 150;
const NANOSECONDS_PER_MILLISECOND = 1e6;
/** Header by which the two backends differ, and its value of the second. */
const secondServer = { name: "x-server", value: "b" } as const;

/**
 * The edits of a run in order: routes beyond the table are added, routes all over the table are updated and their endpoints
 * moved, and the added ones are deleted.
 */
export function planEdits(table: TableOptions, routes: number, count: number, secondBackendPort: number): Edit[] {
  const edits: Edit[] = [];
  const put = (kind: EditKind, index: number, state: RouteState | undefined, header?: Watch["header"]) => {
    const { host, path } = routeAddress(table.shape, index);
    const watch = { port: table.port, host, path, status: state === undefined ? 404 : 200, limitMs: EDIT_LIMIT_MS };
    edits.push({ kind, index, state, watch: { ...watch, ...(header === undefined ? {} : { header }) } });
  };
  const spread = (i: number) => Math.floor(((i + 0.5) * routes) / count) % routes;
  for (let i = 0; i < count; i++) put("add", routes + i, { revision: FIRST_REVISION });
  for (let i = 0; i < count; i++) {
    const revision = `updated-${i}`;
    put("update", spread(i), { revision }, { name: REVISION_HEADER, value: revision });
  }
  for (let i = 0; i < count; i++) {
    const state = { revision: `updated-${i}`, backendPort: secondBackendPort };
    put("endpoint", spread(i), state, secondServer);
  }
  for (let i = 0; i < count; i++) put("delete", routes + i, undefined);
  return edits;
}

/** Routes that no edit of {@link planEdits} touches: the steady load goes there. */
export function untouchedRoutes(routes: number, count: number, wanted: number): number[] {
  const touched = new Set(Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * routes) / count) % routes));
  const all = Array.from({ length: routes }, (_, i) => i).filter((i) => !touched.has(i));
  const step = Math.max(1, Math.floor(all.length / wanted));
  return all.filter((_, i) => i % step === 0).slice(0, wanted);
}

export interface EditRun {
  /** Milliseconds from the edit to the first new answer, by kind. */
  readonly latencies: ReadonlyMap<EditKind, readonly number[]>;
  /** Answers during an edit that were neither old nor new. */
  readonly odd: readonly string[];
  /** Seconds that the run of each kind took, rests included. */
  readonly seconds: ReadonlyMap<EditKind, number>;
}

/** Makes the edits one after another. `between` is called before the first and after the last edit of each kind. */
export async function runEdits(
  edits: readonly Edit[],
  applier: Applier,
  prober: Worker<ProberMethods>,
  between: (kind: EditKind, moment: "before" | "after") => Promise<void>,
): Promise<EditRun> {
  const latencies = new Map<EditKind, number[]>();
  const seconds = new Map<EditKind, number>();
  const odd: string[] = [];
  for (const kind of editKinds) {
    const own = edits.filter((edit) => edit.kind === kind);
    if (own.length === 0) continue;
    await between(kind, "before");
    const startMs = performance.now();
    const measured: number[] = [];
    for (const edit of own) {
      const { ms, sighting } = await measureEdit(edit, applier, prober);
      measured.push(ms);
      odd.push(...sighting.odd);
    }
    latencies.set(kind, measured);
    seconds.set(kind, (performance.now() - startMs) / 1000);
    await between(kind, "after");
  }
  return { latencies, odd, seconds };
}

export async function measureEdit(
  edit: Edit,
  applier: Applier,
  prober: Worker<ProberMethods>,
): Promise<{ ms: number; sighting: Sighting }> {
  await applier.prepare(edit);
  await prober.call("start", edit.watch);
  const applied = applier.apply(edit);
  const sighting = await prober.call("finish", undefined);
  const ms = Number(sighting.atNs - (await applied)) / NANOSECONDS_PER_MILLISECOND;
  await applier.settle?.();
  await pause(Math.max(REST_MIN_MS, 2 * ms));
  return { ms, sighting };
}

export function recordLatencies(recorder: Recorder, prefix: string, run: EditRun): void {
  for (const [kind, values] of run.latencies) recorder.addDistribution(`${prefix}${kind}`, "ms", values);
}
