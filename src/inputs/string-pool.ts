/** Distinct strings that the pool remembers; beyond it starts anew, and the common ones are soon back. */
const POOLED_STRINGS_MAX = 4_096;
/** Longer texts are seldom said twice, and the pool would keep what its object no longer does. */
const POOLED_LENGTH_MAX = 256;
/** V8 makes a substring of at least so many characters a view that keeps the whole text in memory. */
const SLICED_LENGTH_MIN = 13;

export interface StringPool {
  /**
   * Replaces, in place, every string of plain data by one of equal content that is shared with earlier ones and refers to no
   * text that it was cut out of. Objects of one kind repeat most of what they say (`PathPrefix`, `default`, a group), and a
   * parsed value keeps the file it stood in: 2 KB of a route and its Backend. O(size).
   */
  compact<T extends object>(data: T): T;
}

export function createStringPool(): StringPool {
  const pool = new Map<string, string>();

  function share(text: string): string {
    const known = pool.get(text);
    if (known !== undefined) return known;
    const own = text.length < SLICED_LENGTH_MIN ? text : copy(text);
    if (text.length > POOLED_LENGTH_MAX) return own;
    if (pool.size >= POOLED_STRINGS_MAX) pool.clear();
    pool.set(own, own);
    return own;
  }

  function compact<T extends object>(data: T): T {
    const record = data as Record<string, unknown>;
    for (const key of Object.keys(record)) {
      const value = record[key];
      if (typeof value === "string") record[key] = share(value);
      else if (typeof value === "object" && value !== null) compact(value);
    }
    return data;
  }

  return { compact };
}

/** The same characters in memory of their own. Latin-1 holds most texts in half the bytes; UTF-16 holds every one, lone surrogates too. */
function copy(text: string): string {
  const encoding = /^[\0-\xff]*$/.test(text) ? "latin1" : "utf16le";
  return Buffer.from(text, encoding).toString(encoding);
}
