import { CollectionNode } from "./collection-node.ts";
import type { Reader } from "./contract.ts";
import type { Run } from "./tracking.ts";

/** A node that runs a function per key of its input, with tracked reads. `R` is what one run returns. */
export abstract class TransformNode<O, R> extends CollectionNode<O> {
  private readonly runs = new Map<string, Run>();

  protected abstract hasInput(key: string): boolean;

  /** Calls the function. All reads happen in here, those of a lazy result too. */
  protected abstract evaluate(key: string, read: Reader): R;

  /** Takes the result of a good run. */
  protected abstract accept(key: string, result: R): void;

  /** Takes back what the key's last good run gave. */
  protected abstract withdraw(key: string): void;

  protected override refresh(key: string): void {
    if (!this.hasInput(key)) {
      this.forget(key);
      return;
    }
    const { reader } = this.context;
    let result: R;
    this.runCount += 1;
    reader.begin(this);
    try {
      result = this.evaluate(key, reader);
    } catch (error) {
      // A bug in the function: the last good output stays, and what this run read may heal it.
      this.fail(key, error);
      return;
    } finally {
      reader.end();
      reader.link(this.runs, this, key);
    }
    this.heal(key);
    this.accept(key, result);
  }

  private forget(key: string): void {
    const run = this.runs.get(key);
    if (run !== undefined) {
      this.context.reader.unlink(run);
      this.runs.delete(key);
    }
    this.heal(key);
    this.withdraw(key);
  }
}
