import type { CollectionNode } from "./collection-node.ts";
import type { MapFunction, Reader, ReduceFunction } from "./contract.ts";
import type { IndexNode } from "./grouping.ts";
import type { Context } from "./node.ts";
import { TransformNode } from "./transform.ts";

/** A transform that gives at most one value per key, under that key. */
abstract class SingleNode<O> extends TransformNode<O, O | undefined> {
  protected override accept(key: string, result: O | undefined): void {
    this.publish(key, result);
  }

  protected override withdraw(key: string): void {
    this.publish(key, undefined);
  }
}

export class MapNode<I, O> extends SingleNode<O> {
  private readonly input: CollectionNode<I>;
  private readonly fn: MapFunction<I, O>;

  constructor(
    context: Context,
    name: string,
    rank: number,
    equals: (a: O, b: O) => boolean,
    input: CollectionNode<I>,
    fn: MapFunction<I, O>,
  ) {
    super(context, name, rank, equals);
    this.input = input;
    this.fn = fn;
    input.feed(this);
  }

  protected override hasInput(key: string): boolean {
    return this.input.values.has(key);
  }

  protected override evaluate(key: string, read: Reader): O | undefined {
    return this.fn(this.input.values.get(key) as I, key, read);
  }
}

export class ReduceNode<V, O> extends SingleNode<O> {
  private readonly index: IndexNode<V>;
  private readonly fn: ReduceFunction<V, O>;

  constructor(
    context: Context,
    name: string,
    rank: number,
    equals: (a: O, b: O) => boolean,
    index: IndexNode<V>,
    fn: ReduceFunction<V, O>,
  ) {
    super(context, name, rank, equals);
    this.index = index;
    this.fn = fn;
    index.feed(this);
  }

  protected override hasInput(group: string): boolean {
    return this.index.group(group).size > 0;
  }

  protected override evaluate(group: string, read: Reader): O | undefined {
    return this.fn(group, this.index.group(group), read, this.values.get(group));
  }
}
