/** An ordered set of keys with two ends. All operations are O(1) amortised. */
export interface Lane {
  /** Makes the key the newest. */
  add(key: string): void;
  delete(key: string): void;
  /**
   * Takes a key out: by turns the newest and the oldest. Behind a backlog of 10,000 a fresh change waits for a few turns, and the
   * backlog still ends in order.
   */
  take(): string | undefined;
  clear(): void;
  readonly size: number;
}

/** Places of keys that have left are cleared away when there are so many more of them than of keys. */
const ABANDONED_MAX = 1024;

export function createLane(): Lane {
  /** The valid place of each key; others in `places` were left behind. */
  const valid = new Map<string, number>();
  let places: { readonly key: string; readonly place: number }[] = [];
  /** Places before it are taken. */
  let head = 0;
  let counter = 0;
  let newest = true;

  function compact(): void {
    if (places.length <= ABANDONED_MAX + 2 * valid.size) return;
    places = places.filter(({ key, place }, index) => index >= head && valid.get(key) === place);
    head = 0;
  }

  return {
    add(key) {
      const place = counter++;
      valid.set(key, place);
      places.push({ key, place });
      compact();
    },
    delete: (key) => void valid.delete(key),
    take() {
      const fromEnd = newest;
      newest = !newest;
      while (valid.size > 0) {
        const { key, place } = (fromEnd ? places.pop() : places[head++]) as (typeof places)[number];
        if (valid.get(key) !== place) continue;
        valid.delete(key);
        return key;
      }
      return undefined;
    },
    clear() {
      valid.clear();
      places = [];
      head = 0;
    },
    get size() {
      return valid.size;
    },
  };
}
