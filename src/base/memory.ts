/**
 * Data that is kept for each of ten thousand routes: V8 builds arrays and texts for speed, with room and structure left over
 * that an object which only waits to be read does not need.
 */

/** The same items without the room for 16 more that `push` and `flatMap` leave behind the last. */
export function trimmed<T>(items: readonly T[]): T[] {
  return items.slice();
}

/** Joins parts into one flat text; a template literal would stay a tree of its parts until somebody looks inside. */
export function flatText(...parts: readonly string[]): string {
  return parts.join("");
}
