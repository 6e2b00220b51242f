import { CollectionNode } from "./collection-node.ts";
import type { Source } from "./contract.ts";
import type { Context } from "./node.ts";

/** Fed from outside; see `Source`. */
export class SourceNode<V> extends CollectionNode<V> implements Source<V> {
  synced = false;
  readonly isBackground: boolean;
  /** What the next commit takes; undefined deletes. */
  private staged = new Map<string, V | undefined>();
  /** What the commit that is under way has taken. */
  private taken: ReadonlyMap<string, V | undefined> = new Map();

  constructor(context: Context, name: string, rank: number, equals: (a: V, b: V) => boolean, isBackground: boolean) {
    super(context, name, rank, equals);
    this.isBackground = isBackground;
  }

  get pending(): boolean {
    return this.staged.size > 0;
  }

  set(key: string, value: V): void {
    this.stage(key, value);
  }

  delete(key: string): void {
    this.stage(key, undefined);
  }

  replaceAll(entries: Iterable<readonly [string, V]>): void {
    const next = new Map(entries);
    // A commit under way may still bring keys that `values` does not have yet.
    for (const key of this.taken.keys()) this.stage(key, undefined);
    for (const key of this.values.keys()) this.stage(key, undefined);
    for (const key of this.staged.keys()) this.stage(key, undefined);
    for (const [key, value] of next) this.stage(key, value);
  }

  private stage(key: string, value: V | undefined): void {
    if (this.context.reader.active) throw new Error(`a transform changes the source ${this.name}`);
    this.staged.set(key, value);
  }

  markSynced(): void {
    this.synced = true;
  }

  /** Starts a commit: what is staged from now on goes to the next one. */
  take(): void {
    if (this.staged.size === 0) return;
    this.taken = this.staged;
    this.staged = new Map();
    for (const key of this.taken.keys()) this.dirty.add(key);
  }

  protected override refresh(key: string): void {
    this.heal(key);
    this.publish(key, this.taken.get(key));
  }

  override work(deadline: number): boolean {
    if (!super.work(deadline)) return false;
    this.taken = new Map();
    return true;
  }
}
