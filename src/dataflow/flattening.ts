import type { CollectionNode } from "./collection-node.ts";
import type { FlatMapFunction, Reader } from "./contract.ts";
import type { Context } from "./node.ts";
import { type CompactMap, withEntry } from "./single-entry.ts";
import { TransformNode } from "./transform.ts";

/**
 * A transform that gives any number of values per input, under keys of its own. Two inputs that claim one key are a bug: the
 * smallest input key owns it, whatever came first, so that the outcome is the one a fresh graph would have.
 */
export class FlatMapNode<I, O> extends TransformNode<O, CompactMap<O> | undefined> {
  private readonly input: CollectionNode<I>;
  private readonly fn: FlatMapFunction<I, O>;
  /** The last good result of each input that gave anything. */
  private readonly claims = new Map<string, CompactMap<O>>();
  /** Which inputs claim an output key; a list only while there are several. */
  private readonly claimants = new Map<string, string | readonly string[]>();

  constructor(
    context: Context,
    name: string,
    rank: number,
    equals: (a: O, b: O) => boolean,
    input: CollectionNode<I>,
    fn: FlatMapFunction<I, O>,
  ) {
    super(context, name, rank, equals);
    this.input = input;
    this.fn = fn;
    input.feed(this);
  }

  protected override hasInput(key: string): boolean {
    return this.input.values.has(key);
  }

  protected override evaluate(input: string, read: Reader): CompactMap<O> | undefined {
    let result: CompactMap<O> | undefined;
    for (const [key, value] of this.fn(this.input.values.get(input) as I, input, read)) {
      if (result?.has(key)) throw new Error(`${this.name} gives the key ${key} twice for the input ${input}`);
      result = withEntry(result, key, value);
    }
    return result;
  }

  protected override accept(input: string, result: CompactMap<O> | undefined): void {
    const before = this.claims.get(input);
    if (result === undefined) this.claims.delete(input);
    else {
      this.claims.set(input, result);
      for (const key of result.keys()) {
        if (!before?.has(key)) this.addClaimant(key, input);
        this.touched.add(key);
      }
    }
    if (before !== undefined) this.releaseLeftovers(input, before, result);
  }

  private releaseLeftovers(input: string, before: CompactMap<O>, result: CompactMap<O> | undefined): void {
    for (const key of before.keys()) {
      if (result?.has(key)) continue;
      this.removeClaimant(key, input);
      this.touched.add(key);
    }
  }

  protected override withdraw(input: string): void {
    this.accept(input, undefined);
  }

  protected override settle(key: string): void {
    const claimants = this.claimants.get(key);
    const conflict = `${key} (several owners)`;
    let owner = claimants;
    if (typeof owner === "object") {
      const sorted = owner.toSorted();
      owner = sorted[0] as string;
      const list = sorted.join(", ");
      this.fail(conflict, new Error(`${this.name}: the inputs ${list} all give the key ${key}; ${owner} has it`));
    } else this.heal(conflict);
    if (owner === undefined) {
      this.publish(key, undefined);
      return;
    }
    const claim = this.claims.get(owner) as CompactMap<O>;
    this.publish(key, claim.get(key));
    // An equal value keeps the old object: then the new one need not stay in memory beside it.
    const kept = this.values.get(key);
    if (kept !== undefined) withEntry(claim, key, kept);
  }

  private addClaimant(key: string, input: string): void {
    const claimants = this.claimants.get(key);
    if (claimants === undefined) this.claimants.set(key, input);
    else this.claimants.set(key, typeof claimants === "string" ? [claimants, input] : [...claimants, input]);
  }

  private removeClaimant(key: string, input: string): void {
    const claimants = this.claimants.get(key);
    if (typeof claimants !== "object") {
      this.claimants.delete(key);
      return;
    }
    const rest = claimants.filter((other) => other !== input);
    this.claimants.set(key, rest.length === 1 ? (rest[0] as string) : rest);
  }
}
