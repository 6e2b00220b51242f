/** Keys that wait for a time rather than for a turn. */
export interface Postponed {
  /** The later of two times counts; `since` is kept from the first. */
  add(key: string, times: { readonly since: number; readonly until: number }): void;
  /** Takes the key out; its `since`, or undefined when it did not wait. */
  remove(key: string): number | undefined;
  clear(): void;
  readonly size: number;
}

/**
 * One timer for all, at the earliest time. When it fires all keys are looked at: that is linear, and rare enough, since many keys
 * wait only when they wait for the same thing.
 *
 * @param due is called when a key's time has come; times are those of `performance.now`
 */
export function createPostponed(due: (key: string, since: number) => void): Postponed {
  const waiting = new Map<string, { readonly since: number; readonly until: number }>();
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Infinity;

  function arm(at: number): void {
    if (at >= timerAt) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(fire, Math.ceil(Math.max(0, at - performance.now())));
  }

  function disarm(): void {
    clearTimeout(timer);
    timer = undefined;
    timerAt = Infinity;
  }

  function fire(): void {
    disarm();
    // A timer may fire a fraction too early: then it is set again.
    const now = performance.now();
    let next = Infinity;
    for (const [key, { since, until }] of waiting) {
      if (until > now) next = Math.min(next, until);
      else if (waiting.delete(key)) due(key, since);
    }
    if (next < Infinity) arm(next);
  }

  return {
    add(key, { since, until }) {
      const before = waiting.get(key);
      const later = Math.max(until, before?.until ?? until);
      waiting.set(key, { since: before?.since ?? since, until: later });
      arm(later);
    },
    remove(key) {
      const since = waiting.get(key)?.since;
      waiting.delete(key);
      if (waiting.size === 0) disarm();
      return since;
    },
    clear() {
      waiting.clear();
      disarm();
    },
    get size() {
      return waiting.size;
    },
  };
}
