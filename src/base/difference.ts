/**
 * What went and what came between two lists of the same things, compared by identity, each thing at most once in a list.
 * O(length) for what they begin and end with in common, and a Set for the rest.
 */
export function listDifference<T>(
  before: readonly T[],
  after: readonly T[],
): { gone: readonly T[]; come: readonly T[] } {
  const [gone, come] = differingParts(before, after);
  if (gone.length === 0 || come.length === 0) return { gone, come };
  const [old, next] = [new Set(gone), new Set(come)];
  return { gone: gone.filter((item) => !next.has(item)), come: come.filter((item) => !old.has(item)) };
}

/** The parts of two lists between what they begin and end with in common. O(length), without looking into the items. */
export function differingParts<T>(a: readonly T[], b: readonly T[]): readonly [readonly T[], readonly T[]] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return [a.slice(start, a.length - end), b.slice(start, b.length - end)];
}
