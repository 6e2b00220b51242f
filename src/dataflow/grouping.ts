import type { CollectionNode } from "./collection-node.ts";
import type { GroupFunction, Index } from "./contract.ts";
import type { Context } from "./node.ts";
import { Node } from "./node.ts";
import { type CompactMap, withEntry, withoutEntry } from "./single-entry.ts";

const noMembers: ReadonlyMap<string, never> = new Map<string, never>();

/** The values of a collection by group. A change of a value is a change of every group that it is or was in. */
export class IndexNode<V> extends Node implements Index<V> {
  private readonly input: CollectionNode<V>;
  private readonly fn: GroupFunction<V>;
  /** Only groups with members. */
  private readonly members = new Map<string, CompactMap<V>>();
  /** The groups that each key is in: a bare string where it is one, which is nearly always. */
  private readonly memberships = new Map<string, string | ReadonlySet<string>>();

  constructor(context: Context, name: string, rank: number, input: CollectionNode<V>, fn: GroupFunction<V>) {
    super(context, name, rank);
    this.input = input;
    this.fn = fn;
    input.feed(this);
  }

  group(group: string): ReadonlyMap<string, V> {
    return this.members.get(group) ?? noMembers;
  }

  override keys(): Iterable<string> {
    return this.members.keys();
  }

  protected override refresh(key: string): void {
    const value = this.input.values.get(key);
    if (value === undefined) {
      this.heal(key);
      this.move(key, undefined, noGroups);
      return;
    }
    let groups: ReadonlySet<string>;
    this.runCount += 1;
    try {
      const result = this.fn(value, key);
      groups = new Set(typeof result === "string" ? [result] : result);
    } catch (error) {
      // The value stays where it was, and as it was: the two belong together.
      this.fail(key, error);
      return;
    }
    this.heal(key);
    this.move(key, value, groups);
  }

  /** Groups change as a whole and once, however many of their members do. */
  protected override settle(group: string): void {
    this.announce(group);
  }

  private move(key: string, value: V | undefined, groups: ReadonlySet<string>): void {
    const before = this.memberships.get(key);
    if (typeof before === "string") this.leave(key, before, groups);
    else if (before !== undefined) for (const group of before) this.leave(key, group, groups);
    for (const group of groups) this.enter(key, value as V, group);
    if (groups.size === 0) this.memberships.delete(key);
    else if (groups.size > 1) this.memberships.set(key, groups);
    else for (const group of groups) this.memberships.set(key, group);
  }

  private enter(key: string, value: V, group: string): void {
    const members = this.members.get(group);
    const more = withEntry(members, key, value);
    if (more !== members) this.members.set(group, more);
    this.touched.add(group);
  }

  private leave(key: string, group: string, next: ReadonlySet<string>): void {
    if (next.has(group)) return;
    const members = this.members.get(group);
    if (members !== undefined && withoutEntry(members, key) === undefined) this.members.delete(group);
    this.touched.add(group);
  }
}

const noGroups: ReadonlySet<string> = new Set();
