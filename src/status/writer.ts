import { createTokenBucket } from "../kube/token-bucket.ts";
import { renew } from "./writer-attempt.ts";
import { NO_PRINT } from "./writer-entries.ts";
import { know, parseTarget, type StandingObject } from "./writer-objects.ts";
import {
  defaultStatusLimits,
  type StatusFigures,
  type StatusWriter,
  type StatusWriterOptions,
} from "./writer-options.ts";
import { createPostponed } from "./writer-postponed.ts";
import { createStatusQueue, moreUrgent } from "./writer-queue.ts";
import { createTroubles } from "./writer-troubles.ts";
import { checkLater, type Entry, takeTurns, type WriterState } from "./writer-turns.ts";

export type {
  StatusFigures,
  StatusLimits,
  StatusWriter,
  StatusWriterOptions,
  WrittenStatus,
} from "./writer-options.ts";

/** From `start` to `stop`. */
interface Term {
  /** No call begins any more. */
  readonly ending: AbortController;
  /** Calls under way are given up. */
  readonly over: AbortController;
  readonly workers: readonly Promise<void>[];
}

/**
 * Brings rendered statuses to the API server. It keeps no status: of what stands it remembers a print, and what should be is
 * rendered when an object's turn comes. So a restart with nothing changed writes nothing, and the newest status wins.
 */
export function createStatusWriter(given: StatusWriterOptions): StatusWriter {
  const options = { ...given, log: given.log.with({ component: "status" }) };
  const limits = { ...defaultStatusLimits, ...options.limits };
  const state: WriterState = {
    options,
    limits,
    entries: new Map(),
    queue: createStatusQueue(),
    postponed: createPostponed((key, since) => enqueue(state, key, since)),
    troubles: createTroubles(limits, options.log),
    bucket: createTokenBucket(limits.rate),
    totals: { writes: 0, reads: 0, skipped: 0, conflicts: 0, inFlight: 0 },
  };
  let term: Term | undefined;
  return {
    observe(key, object) {
      if (object === undefined) forget(state, key);
      else observe(state, key, object as StandingObject, term !== undefined);
    },
    changed(keys) {
      if (term === undefined) return;
      const now = performance.now();
      for (const key of keys) enqueue(state, key, state.postponed.remove(key) ?? now);
    },
    start() {
      if (term !== undefined) return;
      const now = performance.now();
      for (const key of state.entries.keys()) enqueue(state, key, now);
      const ending = new AbortController();
      const over = new AbortController();
      const workers = Array.from({ length: limits.concurrency }, () => takeTurns(state, ending.signal, over.signal));
      term = { ending, over, workers };
    },
    async stop() {
      if (term === undefined) return;
      const { ending, over, workers } = term;
      term = undefined;
      ending.abort();
      state.queue.clear();
      const timer = setTimeout(() => over.abort(), limits.stopGraceMilliseconds);
      await Promise.all(workers);
      clearTimeout(timer);
      state.postponed.clear();
    },
    figures: () => figuresOf(state),
  };
}

function observe(state: WriterState, key: string, object: StandingObject, leading: boolean): void {
  const before = state.entries.get(key);
  if (before !== undefined && before.known.resourceVersion === object.metadata.resourceVersion) return;
  const target = before?.target ?? parseTarget(key);
  if (target === undefined) return;
  const known = know(target, object, state.options.controllerNames);
  const same = before !== undefined && before.known.uid === known.uid;
  const edited = same && before.known.generation !== known.generation;
  const fresh =
    leading && (edited || !same)
      ? { lane: edited ? ("edited" as const) : ("created" as const), at: performance.now() }
      : same
        ? before.fresh
        : undefined;
  state.entries.set(key, { target, known: same ? renew(before.known, known) : known, ...(fresh && { fresh }) });
  const altered = known.print !== (same ? before.known.print : NO_PRINT);
  if (leading && altered && !state.queue.has(key)) checkLater(state, key);
}

function forget({ entries, queue, postponed, troubles }: WriterState, key: string): void {
  entries.delete(key);
  queue.remove(key);
  postponed.remove(key);
  troubles.forget(key);
}

function enqueue({ entries, queue, limits }: WriterState, key: string, since: number): void {
  const entry: Entry | undefined = entries.get(key);
  if (entry === undefined) return;
  const { fresh, target } = entry;
  const isFresh = fresh !== undefined && performance.now() - fresh.at < limits.freshMilliseconds;
  queue.add(key, isFresh ? moreUrgent(fresh.lane, target.lane) : target.lane, since);
}

function figuresOf({ totals, troubles, queue, postponed }: WriterState): StatusFigures {
  return { ...totals, failures: { ...troubles.failures }, waiting: queue.depths(), postponed: postponed.size };
}
