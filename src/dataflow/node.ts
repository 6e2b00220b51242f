import { KeyQueue } from "./key-queue.ts";
import type { Run, TrackingReader } from "./tracking.ts";

/** What all nodes of one graph share. */
export interface Context {
  readonly failures: Map<string, Error>;
  readonly reader: TrackingReader;
  /** Milliseconds; only differences count. */
  readonly now: () => number;
}

/**
 * The runs that read one slot: nearly always a single one, often two or three. A Set of two takes 230 bytes, an array 64, a
 * bare reference nothing.
 */
type Readers = Run | Run[] | Set<Run>;

/** A list is searched from its start, so it ends where a Set is faster. */
const LISTED_READERS_MAX = 4;

/**
 * A place in the graph. A commit visits the nodes in the order of their ranks and asks each to refresh its dirty keys; a node
 * marks only nodes of higher rank, so each key is refreshed at most once per commit and always sees settled inputs.
 */
export abstract class Node {
  readonly name: string;
  readonly rank: number;
  readonly context: Context;
  /** See `MapOptions`. */
  isPatient = false;
  /** Calls of the node's function and changed keys since the last report. */
  runCount = 0;
  changeCount = 0;
  /** Keys of the input (of a reduce: groups) to refresh. */
  protected readonly dirty = new KeyQueue();
  /** Output keys to settle when all dirty keys are refreshed: for nodes where several inputs feed one output. */
  protected readonly touched = new KeyQueue();
  private readonly leftOver = new Set<string>();
  /** Nodes that this one feeds key by key. Their dependency is static and costs nothing per key. */
  private readonly children: Node[] = [];
  /** Readers by key (of an index: by group), of absent keys too. */
  private readonly readers = new Map<string, Readers>();
  private wholeReaders: Readers | undefined;
  private wholeChanged = false;

  constructor(context: Context, name: string, rank: number) {
    this.context = context;
    this.name = name;
    this.rank = rank;
  }

  /** The keys that consumers know: of the values, or the groups of an index. */
  abstract keys(): Iterable<string>;

  /** Brings what depends on one key of the input up to date. */
  protected abstract refresh(key: string): void;

  /** Brings one output key up to date after all refreshes of this commit. */
  protected settle(_key: string): void {}

  /** A child that is created when there is content already starts with all of it. */
  feed(child: Node): void {
    this.children.push(child);
    for (const key of this.keys()) child.dirty.add(key);
  }

  /** A key's last run read something of `source` that has changed. */
  markedBy(_source: Node, key: string): void {
    this.dirty.add(key);
  }

  get waiting(): boolean {
    return this.dirty.waiting || this.touched.waiting;
  }

  /** A commit begins: of a patient node, what earlier ones left waits on, apart from what this one brings. */
  postpone(): void {
    for (let key = this.dirty.take(); key !== undefined; key = this.dirty.take()) this.leftOver.add(key);
  }

  /** Nothing lags any longer: what was postponed is this commit's work. */
  resume(): void {
    for (const key of this.leftOver) this.dirty.add(key);
    this.leftOver.clear();
  }

  /** Does this node's share of the commit; false when the deadline (by `context.now`) came first: call again. */
  work(deadline: number): boolean {
    for (let key = this.dirty.take(); key !== undefined; key = this.dirty.take()) {
      this.refresh(key);
      if (this.isPast(deadline)) return false;
    }
    for (let key = this.touched.take(); key !== undefined; key = this.touched.take()) {
      this.settle(key);
      if (this.isPast(deadline)) return false;
    }
    if (this.wholeChanged) {
      this.wholeChanged = false;
      if (this.wholeReaders !== undefined) this.mark(this.wholeReaders);
    }
    return true;
  }

  private isPast(deadline: number): boolean {
    return deadline < Infinity && this.context.now() >= deadline;
  }

  /** Tells everything that depends on the key that it changed. O(dependents). */
  protected announce(key: string): void {
    this.changeCount += 1;
    this.wholeChanged = true;
    for (const child of this.children) child.dirty.add(key);
    const readers = this.readers.get(key);
    if (readers !== undefined) this.mark(readers);
  }

  private mark(readers: Readers): void {
    if ("node" in readers) readers.node.markedBy(this, readers.key);
    else for (const run of readers) run.node.markedBy(this, run.key);
  }

  /** Without a key: a reader of the whole collection. Adding twice is the same as once. */
  addReader(run: Run, key: string | undefined): void {
    if (key === undefined) this.wholeReaders = withReader(this.wholeReaders, run);
    else {
      const readers = this.readers.get(key);
      const more = withReader(readers, run);
      if (more !== readers) this.readers.set(key, more);
    }
  }

  removeReader(run: Run, key: string | undefined): void {
    if (key === undefined) this.wholeReaders = withoutReader(this.wholeReaders, run);
    else {
      const readers = this.readers.get(key);
      if (readers !== undefined && withoutReader(readers, run) === undefined) this.readers.delete(key);
    }
  }

  fail(key: string, thrown: unknown): void {
    this.context.failures.set(`${this.name}/${key}`, thrown instanceof Error ? thrown : new Error(String(thrown)));
  }

  heal(key: string): void {
    // The usual case is that nothing fails, and then not even the name is built.
    if (this.context.failures.size > 0) this.context.failures.delete(`${this.name}/${key}`);
  }
}

function withReader(readers: Readers | undefined, run: Run): Readers {
  if (readers === undefined || readers === run) return run;
  if (readers instanceof Set) return readers.add(run);
  if (!Array.isArray(readers)) return [readers, run];
  if (readers.includes(run)) return readers;
  const more = [...readers, run];
  return more.length > LISTED_READERS_MAX ? new Set(more) : more;
}

/** The form stays while there are readers: what was read by two is likely to be so again. */
function withoutReader(readers: Readers | undefined, run: Run): Readers | undefined {
  if (readers instanceof Set) {
    readers.delete(run);
    return readers.size > 0 ? readers : undefined;
  }
  if (!Array.isArray(readers)) return readers === run ? undefined : readers;
  const position = readers.indexOf(run);
  if (position >= 0) readers.splice(position, 1);
  return readers.length > 0 ? readers : undefined;
}
