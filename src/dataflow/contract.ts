/**
 * What the engine offers to those who build graphs and to those who consume them. The classes behind these interfaces are
 * the engine's own business.
 */

/**
 * A keyed collection of plain immutable data. The methods here are untracked: they are for consumers between commits, never
 * for transforms, which read through their `Reader`. In the middle of a sliced commit they show a mixture of old and new.
 */
export interface Collection<V> {
  readonly name: string;
  get(key: string): V | undefined;
  readonly size: number;
  entries(): IterableIterator<[string, V]>;
}

/**
 * A collection that is fed from outside. Changes are staged, one value per key, and take effect with the next commit; until
 * then `get` and `entries` show the committed state.
 */
export interface Source<V> extends Collection<V> {
  set(key: string, value: V): void;
  delete(key: string): void;
  /** Makes the entries the whole content: keys that are not among them are deleted. O(old + new). */
  replaceAll(entries: Iterable<readonly [string, V]>): void;
  /** Says that the initial content has been staged. Nothing runs before every source has synced: not ready is never absent. */
  markSynced(): void;
  readonly synced: boolean;
}

/** The values of a collection by group. A value may be in any number of groups. */
export interface Index<V> {
  readonly name: string;
  /** Untracked, like the methods of `Collection`. A live map; empty when nothing is in the group. */
  group(group: string): ReadonlyMap<string, V>;
}

/**
 * How a transform reads what is not its own input. Each read is a dependency of that run: when what was read changes, its
 * absence included, the transform runs again. Valid only during the call it was handed to. It reads only collections and
 * indexes that were created before the transform. Maps that it returns are live: do not keep them and do not depend on
 * their order.
 */
export interface Reader {
  get<V>(collection: Collection<V>, key: string): V | undefined;
  lookup<V>(index: Index<V>, group: string): ReadonlyMap<string, V>;
  /** The whole collection; for small ones, because each change in it runs the transform again. */
  all<V>(collection: Collection<V>): ReadonlyMap<string, V>;
}

export interface TransformOptions<O> {
  /** True ends the propagation and keeps the old value. Default: `sameData`. */
  readonly equals?: (a: O, b: O) => boolean;
}

export interface MapOptions<O> extends TransformOptions<O> {
  /**
   * While keys of paced transforms lag, it runs for what commits change that bring edits, and for all else when nothing lags any longer: for what is
   * large and made anew at each change.
   */
  readonly isPatient?: boolean;
}

export interface SourceOptions<V> extends TransformOptions<V> {
  /** What comes in is nobody's edit: a commit that takes nothing else leaves the thread to the keys that wait (see `Pace`). */
  readonly isBackground?: boolean;
}

/**
 * How a transform catches up when something that many of its keys read has changed: so many keys with each sliced commit, and none with
 * the first one that brings an edit, which so waits for one share at most. Every key that reads a collection in `behind` is some
 * commits behind it while they last, and what is made of the transform's values is consistent for each key by itself. Changes of its
 * input, and of other collections, take effect at once.
 */
export interface Pace {
  readonly behind: readonly Collection<unknown>[];
  /** Keys of a share; fewer that wait are a commit's own work. */
  readonly keys: number;
}

export type MapFunction<I, O> = (value: I, key: string, read: Reader) => O | undefined;
export type FlatMapFunction<I, O> = (value: I, key: string, read: Reader) => Iterable<readonly [string, O]>;
/** A bare string is one group (and not, as an iterable, one per character). */
export type GroupFunction<V> = (value: V, key: string) => string | Iterable<string>;
/**
 * `before` is the group's last good value: for taking over parts that would come out equal. The outcome must be the same
 * without it.
 */
export type ReduceFunction<V, O> = (
  group: string,
  members: ReadonlyMap<string, V>,
  read: Reader,
  before: O | undefined,
) => O | undefined;
/** A key without a value was deleted. */
export type Subscriber<V> = (changes: ReadonlyMap<string, V | undefined>) => void;

/** What a commit cost. Nodes without any are left out. */
export interface CommitReport {
  /** Calls of the node's function, by node name. */
  readonly runs: ReadonlyMap<string, number>;
  /** Keys (of an index: groups) that changed, by node name. */
  readonly changed: ReadonlyMap<string, number>;
  /** Time spent inside the engine, functions and subscribers included, pauses between slices excluded. */
  readonly milliseconds: number;
  /** It took edits: changes of a source that is not in the background. */
  readonly isFresh: boolean;
  /** Keys wait for the next commits (see `Pace`). */
  readonly isLagging: boolean;
}
