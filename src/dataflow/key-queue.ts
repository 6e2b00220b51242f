/**
 * Keys that wait for their turn, each once, in the order of arrival. Taking walks one iterator and clears at the end instead
 * of deleting key by key: a Set with a long deleted front is slow to iterate from its start.
 */
export class KeyQueue {
  private readonly keys = new Set<string>();
  private cursor: Iterator<string> | undefined;

  add(key: string): void {
    this.keys.add(key);
  }

  /** True until a `take` has returned undefined. */
  get waiting(): boolean {
    return this.keys.size > 0;
  }

  /** The next key; undefined when all have been taken, and the queue is empty again from then on. */
  take(): string | undefined {
    if (this.keys.size === 0) return undefined;
    this.cursor ??= this.keys.values();
    const step = this.cursor.next();
    if (!step.done) return step.value;
    this.cursor = undefined;
    this.keys.clear();
    return undefined;
  }
}
