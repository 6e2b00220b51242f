import { type ObjectKey, objectKey } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import { type ApiError, errorOfFailure, errorOfStatus } from "./api-error.ts";
import { countFailure, type Failures, noFailures, type SharedWaits, totalOf } from "./back-off.ts";
import type { KubeClient } from "./client.ts";
import type { ListQuery, Page } from "./client-calls.ts";
import { describeTarget, type KubeObject, type ResourceType } from "./resource-type.ts";
import { readWatch, type WatchEnd, type WatchEvent } from "./watch-events.ts";

/** Objects that came or changed, by key; undefined = deleted. */
export type ObjectChanges = ReadonlyMap<ObjectKey, KubeObject | undefined>;

/** What a list-watch knows about its collection: the resourceVersion of each object handed on. Shared with its successor. */
export type KnownVersions = Map<ObjectKey, string>;

export interface ListWatchTiming {
  /**
   * A connection counts as dead when nothing came for so long. Of a quiet kind servers send a bookmark about every two minutes, so
   * its watch is reopened now and then for nothing, at the cost of one small request.
   */
  readonly idleMilliseconds: number;
  /** The server ends each watch after between one and two times this, so that connections spread over replicas. */
  readonly watchSeconds: number;
}

export const DEFAULT_TIMING: ListWatchTiming = { idleMilliseconds: 90_000, watchSeconds: 300 };

export interface ListWatchOptions {
  readonly client: Pick<KubeClient, "listPage" | "openWatch">;
  readonly type: ResourceType;
  readonly query: ListQuery;
  readonly known: KnownVersions;
  readonly waits: SharedWaits;
  readonly log: Logger;
  readonly timing: ListWatchTiming;
  /** Takes what changed, at once or in parts: a page of a list, or the events that arrived together. Must not throw. */
  readonly onChanges: (changes: ObjectChanges) => void;
  /** A complete list has been handed on; from now on `known` is what the server has, but for what is on its way. */
  readonly onSynced: () => void;
  /** Asked when the server says 404: true ends the list-watch, which leaves `known` to the caller. */
  readonly isGone: () => Promise<boolean>;
}

/** What a list-watch does now; `failing` with what it last failed by. */
export interface ListWatchState {
  readonly doing: "listing" | "watching" | "failing" | "ended";
  readonly error?: ApiError;
}

export interface ListWatchFigures {
  readonly lists: number;
  readonly watches: number;
  readonly events: number;
  readonly failures: number;
}

export interface ListWatch {
  readonly state: ListWatchState;
  readonly figures: ListWatchFigures;
  /** Resolves once nothing will be handed on any more. */
  stop(): Promise<void>;
  /** Resolves to true when the type is gone, to false after `stop`. */
  readonly ended: Promise<boolean>;
}

/**
 * Follows one collection for ever: lists it, watches from there, and begins again where it left off, or with a new list where
 * the server no longer knows. No deletion is lost: one that fell into a gap shows by its absence from the next list, which is
 * compared with `known`. Ends by `stop` or when the type is gone, by nothing else.
 *
 * client-node's own ListWatch is not used: it does not read Retry-After, holds every object whole a second time, lists without
 * pages, and hides exceptions and unreadable lines.
 */
export function startListWatch(options: ListWatchOptions): ListWatch {
  const stopping = new AbortController();
  const run: Run = {
    options,
    signal: stopping.signal,
    state: { doing: "listing" },
    figures: { lists: 0, watches: 0, events: 0, failures: 0 },
    failures: noFailures(),
    pageItems: FIRST_PAGE_ITEMS,
  };
  const ended = follow(run).then((gone) => {
    run.state = { doing: "ended" };
    return gone;
  });
  return {
    get state() {
      return run.state;
    },
    figures: run.figures,
    ended,
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

interface Run {
  readonly options: ListWatchOptions;
  readonly signal: AbortSignal;
  state: ListWatchState;
  readonly figures: { -readonly [K in keyof ListWatchFigures]: number };
  /** Since a watch last delivered something. */
  failures: Failures;
  pageItems: number;
}

/** How to go on: from a resourceVersion, or with a new list. */
type Next = { readonly from?: string; readonly error?: ApiError };

async function follow(run: Run): Promise<boolean> {
  let from: string | undefined;
  while (!run.signal.aborted) {
    const next: Next = await (from === undefined ? list(run) : watch(run, from)).catch((error) =>
      describeBug(run, error),
    );
    if (run.signal.aborted) break;
    from = next.from;
    if (next.error === undefined) continue;
    if (next.error.reason === "NotFound" && (await run.options.isGone())) return true;
    await pause(run, next.error);
  }
  return false;
}

/** Nothing here throws by design; if it does, a new list is the safe way on. */
function describeBug({ options: { log, type, query } }: Run, error: Error): Next {
  const subject = `follow ${describeTarget(type, query)}`;
  log.error("following a kind failed; this is a bug in Gatehouse", { kind: type.kind, error, stack: error.stack });
  return { error: errorOfFailure(subject, "Unavailable", error.message) };
}

async function pause(run: Run, error: ApiError): Promise<void> {
  const { log, type, query, waits } = run.options;
  run.figures.failures++;
  run.state = { doing: "failing", error };
  waits.failed();
  const milliseconds = countFailure(run.failures, error);
  const failures = totalOf(run.failures);
  const level = failures === TOLD_AFTER_FAILURES ? "warn" : "debug";
  log[level]("the API server does not let us follow a kind; trying again", {
    kind: describeTarget(type, query),
    error: error.message,
    failures,
    waitMilliseconds: Math.round(milliseconds),
  });
  const firm = milliseconds >= (error.retryAfterMilliseconds ?? Number.POSITIVE_INFINITY);
  await waits.wait(milliseconds, { firm, signal: run.signal });
}

/** A hiccup is nobody's business; this many failures in a row, about 2 s, are. */
const TOLD_AFTER_FAILURES = 5;

/**
 * A watch delivers: whatever failed before is over. A list alone does not show that, or a server whose every watch expires at
 * once would be asked for its lists without pause.
 */
function recovered(run: Run): void {
  if (totalOf(run.failures) >= TOLD_AFTER_FAILURES) {
    run.options.log.info("the API server answers again", { kind: describeTarget(run.options.type, run.options.query) });
  }
  run.failures = noFailures();
}

function handOn({ options }: Run, changes: ObjectChanges): void {
  if (changes.size > 0) options.onChanges(changes);
}

const FIRST_PAGE_ITEMS = 100;
const PAGE_ITEMS_MAX = 500;
const PAGE_ITEMS_MIN = 10;
/** Keeps memory and the time of one parse (about 10 ms) small, whatever the size of the objects. */
const PAGE_TARGET_BYTES = 1024 * 1024;

/** Lists all pages, handing on what differs from what is known, and at the end deletes what no page had. */
async function list(run: Run): Promise<Next> {
  const { client, type, query, known, onSynced } = run.options;
  if (totalOf(run.failures) === 0) run.state = { doing: "listing" };
  run.figures.lists++;
  const missing = new Set(known.keys());
  let next: string | undefined;
  do {
    const page = await client.listPage(
      type,
      { ...query, limit: run.pageItems, continue: next },
      { signal: run.signal },
    );
    if (!page.ok) return { error: page.error };
    if (run.signal.aborted) return {};
    handOn(run, compare(page.value, known, missing));
    run.pageItems = nextPageItems(page.value, run.pageItems);
    next = page.value.continue;
    if (next === undefined) {
      for (const key of missing) known.delete(key);
      handOn(run, new Map([...missing].map((key) => [key, undefined])));
      run.options.waits.succeeded();
      onSynced();
      return { from: page.value.resourceVersion };
    }
  } while (!run.signal.aborted);
  return {};
}

function compare(page: Page<KubeObject>, known: KnownVersions, missing: Set<ObjectKey>): ObjectChanges {
  const changes = new Map<ObjectKey, KubeObject>();
  for (const object of page.items) {
    const { namespace, name, resourceVersion = "" } = object.metadata;
    const key = objectKey(namespace, name);
    missing.delete(key);
    if (known.get(key) === resourceVersion) continue;
    known.set(key, resourceVersion);
    changes.set(key, object);
  }
  return changes;
}

function nextPageItems({ items, bytes }: Page<KubeObject>, before: number): number {
  if (items.length === 0) return before;
  const fitting = Math.floor(PAGE_TARGET_BYTES / (bytes / items.length));
  return Math.max(PAGE_ITEMS_MIN, Math.min(PAGE_ITEMS_MAX, fitting));
}

async function watch(run: Run, from: string): Promise<Next> {
  const { client, type, query, timing, log } = run.options;
  run.figures.watches++;
  const timeoutSeconds = Math.ceil(timing.watchSeconds * (1 + Math.random()));
  const opened = await client.openWatch(
    type,
    { ...query, resourceVersion: from, timeoutSeconds },
    { signal: run.signal },
  );
  if (!opened.ok) return { from: resumable(opened.error) ? from : undefined, error: opened.error };
  const began = performance.now();
  let reached = from;
  let refusal: ApiError | undefined;
  run.state = { doing: "watching" };
  run.options.waits.succeeded();
  const reading = { idleMilliseconds: timing.idleMilliseconds, signal: run.signal };
  const end = await readWatch(opened.value, reading, (events) => {
    refusal = take(run, events, (version) => {
      reached = version;
    });
    return refusal === undefined;
  });
  if (refusal !== undefined)
    return { from: refusal.reason === "TooManyRequests" ? reached : undefined, error: refusal };
  log.debug("a watch ended", { kind: describeTarget(type, query), by: end.by, ...("why" in end && { why: end.why }) });
  return goOn(run, end, reached, performance.now() - began);
}

/** A watch that lived so long may be followed by the next at once. */
const SOUND_WATCH_MS = 1000;

function goOn(run: Run, end: WatchEnd, reached: string, livedMilliseconds: number): Next {
  const subject = `watch ${describeTarget(run.options.type, run.options.query)}`;
  if (end.by === "garbage") return { error: errorOfFailure(subject, "Unavailable", end.why) };
  if (livedMilliseconds >= SOUND_WATCH_MS) {
    recovered(run);
    return { from: reached };
  }
  const why = end.by === "failure" ? end.why : "the watch ended at once";
  return { from: reached, error: errorOfFailure(subject, "Unavailable", why) };
}

/** Whether a watch may be asked for again from the same place: the failure says nothing about the place. */
function resumable({ reason, causes }: ApiError): boolean {
  if (causes.some((cause) => cause.reason === "ResourceVersionTooLarge")) return false;
  return !["Expired", "NotFound", "BadRequest", "Invalid", "Conflict"].includes(reason);
}

/** Hands events on as one change; returns the error that ends the watch, if one is among them. */
function take(run: Run, events: readonly WatchEvent[], onReached: (version: string) => void): ApiError | undefined {
  const { known, type, query } = run.options;
  const changes = new Map<ObjectKey, KubeObject | undefined>();
  let refusal: ApiError | undefined;
  let reached: string | undefined;
  for (const { type: eventType, object } of events) {
    if (eventType === "ERROR") {
      refusal = errorOfStatus(`watch ${describeTarget(type, query)}`, 0, object);
      break;
    }
    const { namespace, name, resourceVersion = "" } = object.metadata;
    reached = resourceVersion;
    if (eventType === "BOOKMARK") continue;
    run.figures.events++;
    const key = objectKey(namespace, name);
    if (eventType === "DELETED") {
      if (known.delete(key)) changes.set(key, undefined);
    } else {
      known.set(key, resourceVersion);
      changes.set(key, object);
    }
  }
  if (reached !== undefined) {
    recovered(run);
    onReached(reached);
  }
  handOn(run, changes);
  return refusal;
}
