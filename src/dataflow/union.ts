import { CollectionNode } from "./collection-node.ts";
import { sameData } from "./equality.ts";
import type { Context } from "./node.ts";

/** Several collections as one. Two that have the same key are a bug: the one that is named first gives the value. */
export class UnionNode<V> extends CollectionNode<V> {
  private readonly inputs: readonly CollectionNode<V>[];

  constructor(context: Context, name: string, rank: number, inputs: readonly CollectionNode<V>[]) {
    super(context, name, rank, sameData);
    this.inputs = inputs;
    for (const input of inputs) input.feed(this);
  }

  protected override refresh(key: string): void {
    const owners = this.inputs.filter((input) => input.values.has(key));
    const owner = owners[0];
    if (owners.length > 1) {
      const list = owners.map((input) => input.name).join(", ");
      this.fail(key, new Error(`${this.name}: ${list} all have the key ${key}; ${owner?.name} gives the value`));
    } else this.heal(key);
    this.publish(key, owner?.values.get(key), owner?.equals);
  }
}
