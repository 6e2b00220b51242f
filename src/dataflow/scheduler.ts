import type { CommitReport, Graph } from "./graph.ts";

/**
 * One slice of a long commit. Between slices the event loop goes on with I/O, so this is about the longest that a long commit
 * delays anything else.
 */
export const sliceMilliseconds = 10;

/** Rest after a commit that took t: clamp(t, minimum, maximum). A storm is coalesced, and half the thread stays free. */
export const minimumRestMilliseconds = 1;
export const maximumRestMilliseconds = 100;

/** How long keys that lag wait for whoever takes the outcome, and how often that is asked. */
export const maximumPauseMilliseconds = 300;
export const pauseStepMilliseconds = 3;

export interface SchedulerOptions {
  readonly graph: Pick<Graph, "ready" | "pending" | "isStaged" | "isLagging" | "commitSlice">;
  /** Called after each commit, an empty one included; not called before every source has synced. It may stage changes. */
  readonly onCommit: (report: CommitReport) => void;
  /** Whoever takes the outcome of commits has enough to do for now. Default: never. */
  readonly isBehind?: () => boolean;
  /** Milliseconds from any start. Default: `performance.now`. */
  readonly now?: () => number;
  /** Runs the callback when pending I/O has been handled; returns how to cancel it. Default: `setImmediate`. */
  readonly setImmediate?: (callback: () => void) => () => void;
  /** Default: `setTimeout`. */
  readonly setTimer?: (callback: () => void, milliseconds: number) => () => void;
}

export interface Scheduler {
  /** Something has been staged, or a source has synced: commit as soon as the rest after the last commit is over. */
  notify(): void;
  /** No commit starts or goes on from now on. One that is under way stays unsettled. */
  stop(): void;
  /** Resolves when no commit is due or under way; at once if so already, or when stopped. */
  idle(): Promise<void>;
}

/**
 * Decides when a graph commits: at once for a lone edit (all that is staged in the same turn of the event loop is one commit),
 * else after the rest. There is no fixed debounce.
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const { graph, onCommit } = options;
  const isBehind = options.isBehind ?? (() => false);
  const now = options.now ?? (() => performance.now());
  const defer = options.setImmediate ?? deferToImmediate;
  const setTimer = options.setTimer ?? deferToTimer;

  /** Cancels what is due next; undefined: nothing is. */
  let cancel: (() => void) | undefined;
  /** Inside `step`, which arranges what comes next at its end. */
  let stepping = false;
  let stopped = false;
  /** Notified since the commit that is under way began. */
  let notified = false;
  let sliced = false;
  /** What the commit that is under way has taken so far. */
  let spent = 0;
  let restUntil = -Infinity;
  /** Keys that lag go on then at the latest. */
  let pauseUntil = -Infinity;
  let waiters: (() => void)[] = [];

  function schedule(): void {
    const rest = restUntil - now();
    cancel = rest > 0 ? setTimer(step, rest) : defer(step);
  }

  function mustPause(): boolean {
    return !sliced && graph.isLagging && !graph.isStaged && now() < pauseUntil && isBehind();
  }

  function step(): void {
    if (mustPause()) {
      cancel = setTimer(step, pauseStepMilliseconds);
      return;
    }
    cancel = undefined;
    stepping = true;
    if (!sliced) notified = false;
    const start = now();
    try {
      const report = graph.commitSlice(sliceMilliseconds);
      sliced = report === undefined;
      if (report !== undefined && graph.ready) onCommit(report);
    } finally {
      stepping = false;
      spent += now() - start;
      arrangeNext();
    }
  }

  function arrangeNext(): void {
    if (sliced && !stopped) {
      cancel = defer(step);
      return;
    }
    // Keys that lag are one piece of work, between whose shares edits come in: it ends the sooner without rests.
    const rest = Math.min(Math.max(spent, minimumRestMilliseconds), maximumRestMilliseconds);
    restUntil = graph.isLagging ? now() : now() + rest;
    pauseUntil = now() + maximumPauseMilliseconds;
    spent = 0;
    // What a subscriber staged need not be notified again. Before all sources have synced, only a notification helps.
    if (!stopped && (notified || (graph.pending && graph.ready))) schedule();
    else release();
  }

  function release(): void {
    const released = waiters;
    waiters = [];
    for (const resolve of released) resolve();
  }

  return {
    notify() {
      notified = true;
      if (!stopped && !stepping && cancel === undefined) schedule();
    },
    stop() {
      stopped = true;
      cancel?.();
      cancel = undefined;
      if (!stepping) release();
    },
    idle() {
      if (stopped || (!stepping && cancel === undefined)) return Promise.resolve();
      return new Promise((resolve) => {
        waiters.push(resolve);
      });
    },
  };
}

function deferToImmediate(callback: () => void): () => void {
  const handle = setImmediate(callback);
  return () => clearImmediate(handle);
}

function deferToTimer(callback: () => void, milliseconds: number): () => void {
  const handle = setTimeout(callback, milliseconds);
  return () => clearTimeout(handle);
}
