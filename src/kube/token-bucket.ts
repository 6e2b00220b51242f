/** How often something may happen. */
export interface Rate {
  readonly queriesPerSecond: number;
  /** How many may follow one another at once after a rest. */
  readonly burst: number;
}

export interface TokenBucket {
  /**
   * Resolves when it is the caller's turn, in order of arrival: true to go on, false when the signal fired or so many wait that
   * the caller had better come again.
   */
  take(signal?: AbortSignal): Promise<boolean>;
  readonly waiting: number;
}

/** So many callers may wait; each is a pending call of ours, so reaching it means that something repeats calls without bound. */
const WAITING_MAX = 20_000;

/** A token bucket whose callers wait in order. */
export function createTokenBucket(
  { queriesPerSecond, burst }: Rate,
  now: () => number = () => performance.now(),
): TokenBucket {
  const millisecondsEach = 1000 / queriesPerSecond;
  let tokens = burst;
  let filledAt = now();
  let scheduled = false;
  const queue = new Set<() => void>();

  function refill(): void {
    const time = now();
    tokens = Math.min(burst, tokens + (time - filledAt) / millisecondsEach);
    filledAt = time;
  }

  function serve(): void {
    scheduled = false;
    refill();
    for (const admit of queue) {
      if (tokens < 1) break;
      tokens--;
      queue.delete(admit);
      admit();
    }
    if (queue.size > 0) schedule();
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setTimeout(serve, Math.ceil(Math.max(0, 1 - tokens) * millisecondsEach));
  }

  return {
    take(signal) {
      if (signal?.aborted || queue.size >= WAITING_MAX) return Promise.resolve(false);
      refill();
      if (queue.size === 0 && tokens >= 1) {
        tokens--;
        return Promise.resolve(true);
      }
      return new Promise((resolve) => {
        const admit = () => {
          signal?.removeEventListener("abort", leave);
          resolve(true);
        };
        const leave = () => {
          queue.delete(admit);
          resolve(false);
        };
        queue.add(admit);
        signal?.addEventListener("abort", leave, { once: true });
        schedule();
      });
    },
    get waiting() {
      return queue.size;
    },
  };
}
