import { resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { compareStrings } from "../../base/keys.ts";
import { createFileReader } from "./file-reading.ts";
import { createFolderState, type FolderState, type ObjectBatch } from "./folder-state.ts";
import { type Cause, type FolderWatcher, watchFolder } from "./folder-watcher.ts";
import type { InputProblem } from "./problem.ts";

/** Objects disappear only when they have been gone for so long: a file that is saved may be gone or empty for a moment. */
const REMOVAL_GRACE_MS = 10;
/** A file that is written in place is read when nothing has come for so long … */
const WRITE_SETTLE_MS = 5;
/** … or when it has been written for so long without a pause. */
const WRITE_SETTLE_MAX_MS = 100;
/** After more changes than this at once the whole folder is looked through again: the system drops news that come too fast. */
const BURST_FILES = 1_000;
const RESCAN_DELAY_MS = 500;
/** While loading, other work of the process gets its turn this often. */
const LOAD_SLICE_MS = 50;

export interface FileInputOptions {
  readonly directory: string;
  /** Called with all objects once at the start, then with each change, a few milliseconds after it. */
  onBatch(batch: ObjectBatch): void;
  /** Files whose problems changed, each with all its problems now: none when the last is solved. `""`: the folder itself. */
  onProblems(changed: ReadonlyMap<string, readonly InputProblem[]>): void;
}

export interface LoadSummary {
  readonly files: number;
  readonly objects: number;
}

/** The provider of objects for standalone mode: a folder of YAML and JSON files, in any layout, that may change at any time. */
export interface FileInput {
  /** Resolves when everything has been read and handed on; changes follow until {@link stop}. Call once. */
  start(): Promise<LoadSummary>;
  stop(): void;
}

export function createFileInput(options: FileInputOptions): FileInput {
  const directory = resolve(options.directory);
  const state = createFolderState();
  const reader = createFileReader(directory);
  /** When to read a file, and when at the latest. */
  const due = new Map<string, { readonly at: number; readonly latest: number }>();
  /** Files read within the grace period: looked at once more before anything is removed. */
  const suspects = new Set<string>();
  let watcher: FolderWatcher | undefined;
  let timer: { readonly cancel: () => void; readonly at: number } | undefined;
  let rescanTimer: NodeJS.Timeout | undefined;
  let loading = true;
  let stopped = false;

  const publish = () => {
    const problems = state.takeProblems();
    if (problems.size > 0) options.onProblems(problems);
    const batch = state.takeBatch();
    if (batch) options.onBatch(batch);
  };

  const read = (file: string) => {
    const changed = reader.readChanged(file);
    if (changed) state.update(file, changed.content, performance.now());
  };

  /** Runs {@link flush} at that time or before. */
  const arm = (at: number) => {
    if (loading || stopped || at === Number.POSITIVE_INFINITY || (timer && timer.at <= at)) return;
    timer?.cancel();
    timer = { at, cancel: runAt(at, flush) };
  };

  const armNext = () => {
    const removal = state.oldestRemoval();
    let at = removal === undefined ? Number.POSITIVE_INFINITY : removal + REMOVAL_GRACE_MS;
    for (const entry of due.values()) at = Math.min(at, entry.at);
    arm(at);
  };

  const flush = () => {
    timer = undefined;
    const now = performance.now();
    if (due.size > BURST_FILES) planRescan();
    for (const [file, { at }] of due) {
      if (at > now) continue;
      due.delete(file);
      suspects.add(file);
      read(file);
    }
    const removal = state.oldestRemoval();
    if (removal === undefined) suspects.clear();
    else if (removal + REMOVAL_GRACE_MS <= now) {
      // The news of a file's return may lie behind this timer in the queue, so ask the file system itself.
      for (const file of suspects) read(file);
      state.settleRemovals(now - REMOVAL_GRACE_MS);
    }
    publish();
    armNext();
  };

  const touched = (file: string, cause: Cause) => {
    const now = performance.now();
    const latest = due.get(file)?.latest ?? now + WRITE_SETTLE_MAX_MS;
    const at = cause === "written" ? Math.min(now + WRITE_SETTLE_MS, latest) : now;
    due.set(file, { at, latest });
    arm(at);
  };

  const planRescan = () => {
    clearTimeout(rescanTimer);
    rescanTimer = setTimeout(() => {
      for (const file of new Set([...(watcher?.scan() ?? []), ...state.files()])) touched(file, "replaced");
    }, RESCAN_DELAY_MS);
  };

  return {
    async start() {
      watcher = watchFolder(directory, {
        touched,
        folderGone(prefix) {
          for (const file of state.files()) if (file.startsWith(prefix)) touched(file, "replaced");
        },
        failed: (message) => options.onProblems(new Map([["", [folderProblem(message)]]])),
        restored: () => options.onProblems(new Map([["", []]])),
      });
      const files = watcher.scan();
      await load(files, read, () => stopped);
      publish();
      loading = false;
      armNext();
      return { files: files.length, objects: state.objectCount() };
    },
    stop() {
      stopped = true;
      timer?.cancel();
      clearTimeout(rescanTimer);
      watcher?.close();
    },
  };
}

/** Reads files in the order of their paths, so that the first of two that define the same object is found first. */
async function load(files: string[], read: (file: string) => void, stopped: () => boolean): Promise<void> {
  let sliceEnd = performance.now() + LOAD_SLICE_MS;
  for (const file of files.sort(compareStrings)) {
    if (stopped()) return;
    read(file);
    if (performance.now() < sliceEnd) continue;
    await nextTurn();
    sliceEnd = performance.now() + LOAD_SLICE_MS;
  }
}

/** In the same turn of the event loop if it is due, so that a change costs no wait; else by a timer. */
function runAt(at: number, run: () => void): () => void {
  const wait = at - performance.now();
  if (wait <= 0) {
    const handle = setImmediate(run);
    return () => clearImmediate(handle);
  }
  const handle = setTimeout(run, Math.ceil(wait));
  return () => clearTimeout(handle);
}

function folderProblem(message: string): InputProblem {
  return { severity: "error", file: "", line: 0, column: 0, message, keepsPrevious: true };
}

export interface LoadResult extends LoadSummary {
  readonly batch: ObjectBatch;
  readonly problems: readonly InputProblem[];
}

/** Reads a folder once, for commands that do not watch it. */
export async function loadDirectory(directory: string): Promise<LoadResult> {
  const root = resolve(directory);
  const state: FolderState = createFolderState();
  const reader = createFileReader(root);
  const problems: InputProblem[] = [];
  const watcher = watchFolder(root, {
    touched() {},
    folderGone() {},
    restored() {},
    failed: (message) => problems.push(folderProblem(message)),
  });
  const files = watcher.scan();
  watcher.close();
  const read = (file: string) => state.update(file, reader.readChanged(file)?.content, 0);
  await load(files, read, () => false);
  for (const found of state.takeProblems().values()) problems.push(...found);
  return { files: files.length, objects: state.objectCount(), batch: state.takeBatch() ?? {}, problems };
}
