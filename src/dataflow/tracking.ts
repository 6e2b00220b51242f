import { CollectionNode } from "./collection-node.ts";
import type { Collection, Index, Reader } from "./contract.ts";
import { IndexNode } from "./grouping.ts";
import type { Node } from "./node.ts";

/** What a run read: node, key, node, key, … in one flat array; the key is undefined where the whole collection was read. */
type ReadList = readonly (Node | string | undefined)[];

/** The last run of a transform for one key. Exists only while that run has read something beyond its own input. */
export interface Run {
  readonly node: Node;
  readonly key: string;
  reads: ReadList;
}

/** A repeated read is looked for this far back: a bound, so that a run with many reads stays linear. */
const repeatWindow = 8;

/** The one reader of a graph: transforms never run inside each other, so one scratch list serves all of them. */
export class TrackingReader implements Reader {
  private node: Node | undefined;
  private readonly reads: (Node | string | undefined)[] = [];

  /** A transform is running. */
  get active(): boolean {
    return this.node !== undefined;
  }

  begin(node: Node): void {
    this.node = node;
    this.reads.length = 0;
  }

  end(): void {
    this.node = undefined;
  }

  get<V>(collection: Collection<V>, key: string): V | undefined {
    const node = this.collectionNode(collection);
    this.note(node, key);
    return node.values.get(key);
  }

  all<V>(collection: Collection<V>): ReadonlyMap<string, V> {
    const node = this.collectionNode(collection);
    this.note(node, undefined);
    return node.values;
  }

  lookup<V>(index: Index<V>, group: string): ReadonlyMap<string, V> {
    if (!(index instanceof IndexNode)) throw new Error(`${index.name} is not an index of this engine`);
    this.check(index);
    this.note(index, group);
    return (index as IndexNode<V>).group(group);
  }

  private collectionNode<V>(collection: Collection<V>): CollectionNode<V> {
    if (!(collection instanceof CollectionNode))
      throw new Error(`${collection.name} is not a collection of this engine`);
    this.check(collection);
    return collection as CollectionNode<V>;
  }

  private check(target: Node): void {
    const node = this.node;
    if (node === undefined) throw new Error(`${target.name} was read after the transform had returned`);
    if (target.context !== node.context)
      throw new Error(`${node.name} reads ${target.name}, which is in another graph`);
    if (target.rank >= node.rank) throw new Error(`${node.name} reads ${target.name}, which was not created before it`);
  }

  private note(node: Node, key: string | undefined): void {
    const { reads } = this;
    const oldest = Math.max(0, reads.length - 2 * repeatWindow);
    for (let i = reads.length - 2; i >= oldest; i -= 2) {
      if (reads[i + 1] === key && reads[i] === node) return;
    }
    reads.push(node, key);
  }

  /** Makes the reads noted since `begin` the dependencies of the run, in place of those of the run before. O(reads). */
  link(runs: Map<string, Run>, node: Node, key: string): void {
    const { reads } = this;
    let run = runs.get(key);
    if (run !== undefined) {
      if (sameReads(run.reads, reads)) return;
      this.unlink(run);
      if (reads.length === 0) {
        runs.delete(key);
        return;
      }
      run.reads = reads.slice();
    } else {
      if (reads.length === 0) return;
      run = { node, key, reads: reads.slice() };
      runs.set(key, run);
    }
    for (let i = 0; i < reads.length; i += 2) (reads[i] as Node).addReader(run, reads[i + 1] as string | undefined);
  }

  unlink(run: Run): void {
    const { reads } = run;
    for (let i = 0; i < reads.length; i += 2) (reads[i] as Node).removeReader(run, reads[i + 1] as string | undefined);
  }
}

function sameReads(a: ReadList, b: ReadList): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
