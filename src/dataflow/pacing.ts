import type { CollectionNode } from "./collection-node.ts";
import type { MapFunction } from "./contract.ts";
import { MapNode } from "./mapping.ts";
import type { Context, Node } from "./node.ts";

/** A map that catches up in shares; see `Pace`. */
export class PacedMapNode<I, O> extends MapNode<I, O> {
  private readonly behind: ReadonlySet<Node>;
  private readonly share: number;
  /** Keys that wait for their share, in the order of arrival. */
  private readonly later = new Set<string>();
  /** Keys that this commit may still take of them. */
  private allowance = 0;
  private isFresh = false;
  /** The last commit took none although there were some. */
  private postponed = false;

  constructor(
    context: Context,
    name: string,
    rank: number,
    equals: (a: O, b: O) => boolean,
    input: CollectionNode<I>,
    fn: MapFunction<I, O>,
    behind: ReadonlySet<Node>,
    share: number,
  ) {
    super(context, name, rank, equals, input, fn);
    this.behind = behind;
    this.share = share;
  }

  /**
   * A commit begins. Every second one takes a share at least, so that a storm of edits cannot keep the others waiting.
   *
   * @param isFresh it takes edits
   * @param isWhole all that waits is its work
   */
  begin(isFresh: boolean, isWhole: boolean): void {
    this.isFresh = isFresh;
    this.allowance = isWhole ? Infinity : this.share;
  }

  get isLagging(): boolean {
    return this.later.size > 0;
  }

  override markedBy(source: Node, key: string): void {
    if (this.behind.has(source)) this.later.add(key);
    else super.markedBy(source, key);
  }

  override get waiting(): boolean {
    return super.waiting || (this.allowance > 0 && this.later.size > 0);
  }

  /** All marks of this commit are made before its first call. */
  override work(deadline: number): boolean {
    this.takeShare();
    return super.work(deadline);
  }

  private takeShare(): void {
    this.postponed = this.isFresh && !this.postponed && this.later.size > this.allowance;
    const count = this.postponed ? 0 : this.allowance;
    this.allowance = 0;
    let taken = 0;
    for (const key of this.later) {
      if (taken++ >= count) break;
      this.dirty.add(key);
    }
  }

  protected override refresh(key: string): void {
    this.later.delete(key);
    super.refresh(key);
  }
}
