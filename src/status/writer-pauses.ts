/** How long to wait: `first` milliseconds, twice as long each time that it happens again soon, at most `max`. */
export interface PauseLimits {
  readonly first: number;
  readonly max: number;
}

/** Pauses that grow, by what pauses: an object, all objects of a kind, the whole server. */
export interface Pauses {
  /** When the pause ends; of the clock given to `extend`. Undefined: nothing pauses. */
  until(what: string, now: number): number | undefined;
  /**
   * Begins a pause, unless there is one that lasts. It is twice as long as the last one if that ended less than `max` ago.
   *
   * @param atLeast milliseconds, whatever the limits say
   */
  extend(what: string, limits: PauseLimits, now: number, atLeast?: number): void;
  /** Ends the pause and forgets how long it was. */
  clear(what: string): void;
}

interface Pause {
  readonly until: number;
  readonly length: number;
  readonly rememberedUntil: number;
}

/** Forgotten pauses are swept out when so many are known, and then again at twice the number that is left. */
const SWEEP_MIN = 1_000;

export function createPauses(): Pauses {
  const pauses = new Map<string, Pause>();
  let sweepAt = SWEEP_MIN;

  /** O(1) amortised: a sweep leaves room for as many as it kept. */
  function sweep(now: number): void {
    if (pauses.size < sweepAt) return;
    for (const [what, { rememberedUntil }] of pauses) if (rememberedUntil < now) pauses.delete(what);
    sweepAt = Math.max(SWEEP_MIN, pauses.size * 2);
  }

  return {
    until(what, now) {
      const pause = pauses.get(what);
      return pause !== undefined && pause.until > now ? pause.until : undefined;
    },
    extend(what, { first, max }, now, atLeast = 0) {
      const before = pauses.get(what);
      if (before !== undefined && before.until > now) return;
      const grown = before !== undefined && before.rememberedUntil >= now ? before.length * 2 : first;
      const length = Math.max(Math.min(grown, max), atLeast);
      pauses.delete(what);
      const until = now + length;
      pauses.set(what, { until, length: Math.min(length, max), rememberedUntil: until + max });
      sweep(now);
    },
    clear: (what) => void pauses.delete(what),
  };
}
