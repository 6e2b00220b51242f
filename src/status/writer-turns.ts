import { setTimeout as delay, setImmediate } from "node:timers/promises";
import type { TokenBucket } from "../kube/token-bucket.ts";
import { type AttemptContext, attempt, type Outcome, type Rendered, says } from "./writer-attempt.ts";
import { type KnownObject, printDesired, type StatusTarget } from "./writer-objects.ts";
import type { StatusLimits, StatusWriterOptions } from "./writer-options.ts";
import type { Postponed } from "./writer-postponed.ts";
import type { StatusQueue, Turn } from "./writer-queue.ts";
import type { Troubles } from "./writer-troubles.ts";

/** An object as it is remembered. */
export interface Entry {
  readonly target: StatusTarget;
  known: KnownObject;
  /** What a user last did to it since the start, and when (of `performance.now`). */
  readonly fresh?: { readonly lane: "created" | "edited"; readonly at: number };
}

/** What the parts of the writer share. */
export interface WriterState {
  readonly options: StatusWriterOptions;
  readonly limits: StatusLimits;
  /** Replaced, not changed, when an object is observed: so a turn can tell whether it was. */
  readonly entries: Map<string, Entry>;
  readonly queue: StatusQueue;
  readonly postponed: Postponed;
  readonly troubles: Troubles;
  readonly bucket: TokenBucket;
  readonly totals: { writes: number; reads: number; skipped: number; conflicts: number; inFlight: number };
}

/** An object whose turn it is. */
interface Due {
  readonly turn: Turn;
  readonly entry: Entry;
}

/** Like no print: what stands has to be read again. */
const UNSURE = "?";

/**
 * Takes turns until `ending` fires; several of these run side by side.
 *
 * @param over gives up the call that is under way
 */
export async function takeTurns(state: WriterState, ending: AbortSignal, over: AbortSignal): Promise<void> {
  const { queue, troubles, totals, options } = state;
  const pace = () => state.bucket.take(ending);
  const context: AttemptContext = {
    ...options,
    render: (key) => renderSafely(state, key),
    pace,
    signal: over,
    wallClock: options.wallClock ?? Date.now,
    onRead: () => totals.reads++,
    onConflict: () => totals.conflicts++,
  };
  while (await queue.filled(ending)) {
    await waitForServer(troubles, ending);
    // The turn is chosen after the wait, so that it is the most urgent one of then.
    const due = (await pace()) ? await nextDue(state, ending) : undefined;
    if (due === undefined) continue;
    totals.inFlight++;
    finish(state, due, await attempt(due.entry.target, due.entry.known, context));
    totals.inFlight--;
    queue.done(due.turn.key);
  }
}

/** The next object whose status differs and may be written now. */
async function nextDue(state: WriterState, ending: AbortSignal): Promise<Due | undefined> {
  const { queue, postponed, troubles, totals, limits } = state;
  let sliceEnd = performance.now() + limits.sliceMilliseconds;
  while (!ending.aborted) {
    const turn = queue.take();
    if (turn === undefined) return undefined;
    const entry = state.entries.get(turn.key);
    if (entry !== undefined && !readsAsItShould(state, entry)) {
      const until = troubles.pauseOf(entry.target, turn.lane === "edited");
      if (until === undefined) return { turn, entry };
      postponed.add(turn.key, { since: turn.since, until });
    } else if (entry !== undefined) totals.skipped++;
    queue.done(turn.key);
    if (performance.now() > sliceEnd) {
      await setImmediate();
      sliceEnd = performance.now() + limits.sliceMilliseconds;
    }
  }
  return undefined;
}

function readsAsItShould(state: WriterState, { target, known }: Entry): boolean {
  const desired = renderSafely(state, target.key);
  return desired === undefined || says(known, printDesired(target, desired.status, known.foreign));
}

/** A status that cannot be rendered, by a bug, stays as it is. */
function renderSafely({ options }: WriterState, key: string): Rendered | undefined {
  try {
    return { status: options.render(key) };
  } catch (error) {
    options.log.error("a status cannot be rendered and stays as it is; this is a bug in Gatehouse", { key, error });
    return undefined;
  }
}

function finish(state: WriterState, { turn: { key, lane, since }, entry: before }: Due, outcome: Outcome): void {
  const { entries, postponed, troubles, totals, options } = state;
  const entry = entries.get(key);
  if (entry === undefined || outcome.end === "stopped") return;
  const { target } = entry;
  if (outcome.end === "missing" || outcome.end === "failed") {
    const until = outcome.end === "failed" ? troubles.failed(target, outcome.error) : troubles.missing(target);
    postponed.add(key, { since, until });
    return;
  }
  // What was observed meanwhile may be older or newer than the answer; then only another look can tell.
  const certain = entry === before || entry.known.resourceVersion === outcome.known.resourceVersion;
  entry.known = certain ? outcome.known : { ...outcome.known, print: UNSURE, blank: false };
  if (!certain) checkLater(state, key);
  troubles.succeeded(target, outcome.end === "written");
  if (outcome.end === "equal") {
    totals.skipped++;
  } else {
    totals.writes++;
    options.onWritten?.({ kind: target.kind, lane, milliseconds: performance.now() - since });
  }
}

/** Something else than a commit may have made a status differ. The commit that answers to the same event goes first. */
export function checkLater({ postponed, troubles }: WriterState, key: string): void {
  postponed.add(key, { since: performance.now(), until: troubles.altered(key) });
}

/** A timer may fire a little early, and a call that is made early makes the server's pause no longer. */
async function waitForServer(troubles: Troubles, ending: AbortSignal): Promise<void> {
  for (let until = troubles.serverPause(); until !== undefined && !ending.aborted; until = troubles.serverPause()) {
    await delay(Math.ceil(until - performance.now()), undefined, { signal: ending }).catch(() => {});
  }
}
