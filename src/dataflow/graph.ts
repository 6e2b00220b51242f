import { CollectionNode } from "./collection-node.ts";
import type {
  Collection,
  CommitReport,
  FlatMapFunction,
  GroupFunction,
  Index,
  MapFunction,
  MapOptions,
  Pace,
  ReduceFunction,
  Source,
  SourceOptions,
  Subscriber,
  TransformOptions,
} from "./contract.ts";
import { sameData } from "./equality.ts";
import { FlatMapNode } from "./flattening.ts";
import { IndexNode } from "./grouping.ts";
import { MapNode, ReduceNode } from "./mapping.ts";
import type { Context, Node } from "./node.ts";
import { PacedMapNode } from "./pacing.ts";
import { SourceNode } from "./source.ts";
import { TrackingReader } from "./tracking.ts";
import { UnionNode } from "./union.ts";

export type * from "./contract.ts";
export { sameData } from "./equality.ts";

export interface GraphOptions {
  /** Milliseconds from any start; for slices and reports. Default: `performance.now`. */
  readonly now?: () => number;
}

/**
 * An incremental computation over keyed collections: after a change only those functions run again that read what changed.
 * Functions are pure; they see their input, their key and what their `Reader` gives them, and return plain immutable data.
 * The order of creation is the order of evaluation. One thread, no clock but for slicing, no I/O.
 *
 * A function that throws has a bug: its key keeps its last good output, is listed in `failures`, and is tried again when
 * something it read changes.
 */
export class Graph {
  /** Bugs, by `node/key`. Keys claimed by several owners are here too. */
  readonly failures: ReadonlyMap<string, Error>;
  private readonly context: Context;
  private readonly nodes: Node[] = [];
  private readonly sources: SourceNode<unknown>[] = [];
  private readonly paced: PacedMapNode<unknown, unknown>[] = [];
  private readonly patient: Node[] = [];
  /** A sliced commit has begun and has not settled. */
  private unsettled = false;
  /** Inside `advance`: neither functions nor subscribers may commit. */
  private working = false;
  /** Nodes before this one have done their share of the commit that is under way. */
  private position = 0;
  private milliseconds = 0;
  private isFresh = false;

  constructor(options: GraphOptions = {}) {
    const failures = new Map<string, Error>();
    this.failures = failures;
    this.context = { failures, reader: new TrackingReader(), now: options.now ?? (() => performance.now()) };
  }

  source<V>(name: string, options?: SourceOptions<V>): Source<V> {
    const equals = options?.equals ?? sameData;
    const node = new SourceNode<V>(this.context, name, this.rank(name), equals, options?.isBackground ?? false);
    this.sources.push(node as SourceNode<unknown>);
    return this.added(node);
  }

  /** One value per input key, or none. */
  map<I, O>(name: string, input: Collection<I>, fn: MapFunction<I, O>, options?: MapOptions<O>): Collection<O> {
    const equals = options?.equals ?? sameData;
    const node = this.added(new MapNode(this.context, name, this.rank(name), equals, this.own(input), fn));
    node.isPatient = options?.isPatient ?? false;
    if (node.isPatient) this.patient.push(node);
    return node;
  }

  /** As `map`, but many keys that something concerns which they all read follow one share after the other. */
  pacedMap<I, O>(name: string, input: Collection<I>, fn: MapFunction<I, O>, pace: Pace): Collection<O> {
    const behind = new Set<Node>(pace.behind.map((collection) => this.own(collection)));
    const { context } = this;
    const node = new PacedMapNode(context, name, this.rank(name), sameData, this.own(input), fn, behind, pace.keys);
    this.paced.push(node as PacedMapNode<unknown, unknown>);
    return this.added(node);
  }

  /** Any number of values per input key. Their keys must be unique over all inputs. */
  flatMap<I, O>(
    name: string,
    input: Collection<I>,
    fn: FlatMapFunction<I, O>,
    options?: TransformOptions<O>,
  ): Collection<O> {
    const equals = options?.equals ?? sameData;
    return this.added(new FlatMapNode(this.context, name, this.rank(name), equals, this.own(input), fn));
  }

  index<V>(name: string, input: Collection<V>, groups: GroupFunction<V>): Index<V> {
    return this.added(new IndexNode(this.context, name, this.rank(name), this.own(input), groups));
  }

  /** One value per group that has members, or none. `members` is the live map: no copy, no order to rely on. */
  reduce<V, O>(name: string, index: Index<V>, fn: ReduceFunction<V, O>, options?: TransformOptions<O>): Collection<O> {
    if (!(index instanceof IndexNode) || index.context !== this.context) throw foreign(name, index.name);
    const equals = options?.equals ?? sameData;
    return this.added(new ReduceNode(this.context, name, this.rank(name), equals, index as IndexNode<V>, fn));
  }

  /** Several collections as one; no key may be in two of them. */
  union<V>(name: string, ...inputs: Collection<V>[]): Collection<V> {
    const nodes = inputs.map((input) => this.own(input));
    return this.added(new UnionNode(this.context, name, this.rank(name), nodes));
  }

  /**
   * Calls back once per commit that changed the collection, after everything has settled, with the net changes. It may stage
   * changes for the next commit. Returns how to end it.
   */
  subscribe<V>(collection: Collection<V>, subscriber: Subscriber<V>): () => void {
    return this.own(collection).subscribe(subscriber);
  }

  /** Every source has synced: commits run. */
  get ready(): boolean {
    return this.sources.every((source) => source.synced);
  }

  /** Staged changes wait, or a sliced commit has not settled, or keys wait for their share. */
  get pending(): boolean {
    return this.unsettled || this.isLagging || this.isStaged;
  }

  /** Staged changes wait. */
  get isStaged(): boolean {
    return this.sources.some((source) => source.pending);
  }

  /** Keys of paced transforms wait for the next commits. */
  get isLagging(): boolean {
    return this.paced.some((node) => node.isLagging);
  }

  /**
   * Takes all staged changes and runs until everything has settled, a sliced commit that is under way and all that lags included. Before every
   * source has synced it does nothing and the changes stay staged.
   */
  commit(): CommitReport {
    const finishing = this.unsettled;
    if (finishing || this.ready) this.advance(Infinity, true);
    if (finishing && this.pending && this.ready) this.advance(Infinity, true);
    return this.report();
  }

  /**
   * As `commit`, for about so many milliseconds (at least one function runs). Undefined: not settled, call again. Changes
   * staged until then go to the next commit; subscribers are told when it has settled. Paced transforms take their share.
   */
  commitSlice(budgetMilliseconds: number): CommitReport | undefined {
    if ((this.unsettled || this.ready) && !this.advance(this.context.now() + budgetMilliseconds, false))
      return undefined;
    return this.report();
  }

  /** False when the deadline came before everything had settled. */
  private advance(deadline: number, isWhole: boolean): boolean {
    if (this.working) throw new Error("a transform or a subscriber commits its own graph");
    this.working = true;
    const start = this.context.now();
    try {
      if (!this.unsettled) this.begin(isWhole);
      for (let node = this.nextWaiting(); node !== undefined; node = this.nextWaiting()) {
        if (!node.work(deadline)) return false;
      }
      this.unsettled = false;
      for (const node of this.nodes) if (node instanceof CollectionNode) node.tell();
      return true;
    } finally {
      this.working = false;
      this.milliseconds += this.context.now() - start;
    }
  }

  private begin(isWhole: boolean): void {
    this.unsettled = true;
    this.position = 0;
    this.isFresh = this.sources.some((source) => source.pending && !source.isBackground);
    for (const node of this.paced) node.begin(this.isFresh, isWhole);
    for (const node of this.patient) node.postpone();
    for (const source of this.sources) source.take();
  }

  /** The lowest-ranked node with work. Nodes mark only later ones, so the search never turns back. */
  private nextWaiting(): Node | undefined {
    while (this.position < this.nodes.length) {
      const node = this.nodes[this.position] as Node;
      // Nodes whose keys lag have taken their share: they are never created later than a patient one that they concern.
      const isLagging = node.isPatient && this.isLagging;
      if (node.isPatient && !isLagging) node.resume();
      if (node.waiting && !(isLagging && !this.isFresh)) return node;
      this.position += 1;
    }
    return undefined;
  }

  /** Counts since the last report. O(nodes). */
  private report(): CommitReport {
    const runs = new Map<string, number>();
    const changed = new Map<string, number>();
    for (const node of this.nodes) {
      if (node.runCount > 0) runs.set(node.name, node.runCount);
      if (node.changeCount > 0) changed.set(node.name, node.changeCount);
      node.runCount = 0;
      node.changeCount = 0;
    }
    const { milliseconds, isFresh, isLagging } = this;
    this.milliseconds = 0;
    return { runs, changed, milliseconds, isFresh, isLagging };
  }

  private rank(name: string): number {
    if (this.working) throw new Error(`${name} is created by a transform or a subscriber`);
    if (this.nodes.some((node) => node.name === name)) throw new Error(`there are two nodes named ${name}`);
    return this.nodes.length;
  }

  private added<N extends Node>(node: N): N {
    this.nodes.push(node);
    return node;
  }

  private own<V>(collection: Collection<V>): CollectionNode<V> {
    if (collection instanceof CollectionNode && collection.context === this.context)
      return collection as CollectionNode<V>;
    throw foreign("this graph", collection.name);
  }
}

function foreign(user: string, name: string): Error {
  return new Error(`${user} uses ${name}, which is not part of the same graph`);
}
