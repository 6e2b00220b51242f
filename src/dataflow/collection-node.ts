import type { Collection, Subscriber } from "./contract.ts";
import type { Context } from "./node.ts";
import { Node } from "./node.ts";

/** A node with values: everything but an index. */
export abstract class CollectionNode<V> extends Node implements Collection<V> {
  readonly values = new Map<string, V>();
  readonly equals: (a: V, b: V) => boolean;
  private readonly subscribers = new Set<Subscriber<V>>();
  /** What changed in this commit, kept only while somebody is subscribed. Net, because a key is published once per commit. */
  private changes = new Map<string, V | undefined>();

  constructor(context: Context, name: string, rank: number, equals: (a: V, b: V) => boolean) {
    super(context, name, rank);
    this.equals = equals;
  }

  get(key: string): V | undefined {
    return this.values.get(key);
  }

  get size(): number {
    return this.values.size;
  }

  entries(): IterableIterator<[string, V]> {
    return this.values.entries();
  }

  override keys(): Iterable<string> {
    return this.values.keys();
  }

  /** Stores the settled value of a key for this commit; undefined deletes. An equal value changes nothing, the old object stays. */
  protected publish(key: string, next: V | undefined, equals = this.equals): void {
    const previous = this.values.get(key);
    if (previous === next) return;
    if (next === undefined) this.values.delete(key);
    else if (previous !== undefined && this.isSame(key, previous, next, equals)) return;
    else this.values.set(key, next);
    if (this.subscribers.size > 0) this.changes.set(key, next);
    this.announce(key);
  }

  /** An equality that throws is a bug like a transform that throws; "different" is the answer that loses nothing. */
  private isSame(key: string, previous: V, next: V, equals: (a: V, b: V) => boolean): boolean {
    try {
      return equals(previous, next);
    } catch (error) {
      this.fail(key, error);
      return false;
    }
  }

  subscribe(subscriber: Subscriber<V>): () => void {
    // A function of its own for each subscription: the same subscriber may be there twice.
    const own: Subscriber<V> = (changes) => subscriber(changes);
    this.subscribers.add(own);
    return () => {
      this.subscribers.delete(own);
    };
  }

  /**
   * Hands the commit's changes over; each commit has its own map, which the subscriber may keep. A subscriber that throws
   * does not stop the others and is listed in `failures` until it runs well again; its changes are not repeated.
   */
  tell(): void {
    if (this.changes.size === 0) return;
    const changes = this.changes;
    this.changes = new Map();
    this.heal(subscriberFailure);
    for (const subscriber of [...this.subscribers]) {
      try {
        subscriber(changes);
      } catch (error) {
        this.fail(subscriberFailure, error);
      }
    }
  }
}

const subscriberFailure = "(subscriber)";
