import type { RouteEntry } from "./route-order.ts";

/**
 * Routes by path: a radix tree whose nodes with few routes are plain lists. Immutable; an update copies the nodes on the way to
 * the path and shares all others. Its shape is a function of the set of routes alone, whatever the order of updates: so a
 * restarted control plane makes the same tree, and the same bytes, as one that has run for a month.
 */
export interface PathTrie {
  /** The longest prefix that all paths share; at the root `/`, whatever they share beyond. */
  readonly key: string;
  /** Routes in here and below. */
  readonly size: number;
  /** All routes while there are at most `limit`, in no order; else those whose path is the key. */
  readonly here: readonly RouteEntry[];
  /** By the character that follows the key; absent while `here` holds everything. */
  readonly children?: ReadonlyMap<number, PathTrie>;
}

const ROOT = "/";

/** Of routes whose paths all begin with a slash. O(characters of all paths). */
export function buildPathTrie(entries: readonly RouteEntry[], limit: number): PathTrie {
  return build(ROOT, entries, limit);
}

/** Takes routes out (by identity) and puts others in. O(depth × fan-out) for each. */
export function updatePathTrie(
  trie: PathTrie,
  gone: Iterable<RouteEntry>,
  come: Iterable<RouteEntry>,
  limit: number,
): PathTrie {
  let root = trie;
  for (const entry of gone) root = remove(root, entry, limit) ?? build(ROOT, [], limit);
  for (const entry of come) root = insert(root, entry, limit);
  return root;
}

export function* entriesIn({ here, children }: PathTrie): Iterable<RouteEntry> {
  yield* here;
  if (children !== undefined) for (const child of children.values()) yield* entriesIn(child);
}

function build(key: string, entries: readonly RouteEntry[], limit: number): PathTrie {
  if (entries.length <= limit) return { key, size: entries.length, here: entries };
  const here: RouteEntry[] = [];
  const groups = new Map<number, RouteEntry[]>();
  for (const entry of entries) {
    const { value } = entry.path;
    if (value.length === key.length) here.push(entry);
    else {
      const character = value.charCodeAt(key.length);
      const group = groups.get(character);
      if (group === undefined) groups.set(character, [entry]);
      else group.push(entry);
    }
  }
  const children = new Map<number, PathTrie>();
  for (const [character, group] of groups) {
    children.set(character, build(commonPrefix(group, key.length + 1), group, limit));
  }
  return { key, size: entries.length, here, children };
}

function insert(trie: PathTrie, entry: RouteEntry, limit: number): PathTrie {
  const { value } = entry.path;
  const { key, size, here, children } = trie;
  const shared = sharedLength(key, value);
  if (size < limit) return { key: key.slice(0, shared), size: size + 1, here: [...here, entry] };
  if (shared < key.length) {
    // The path leaves the key half-way: a node of its own for what the two still share.
    const parent: PathTrie = {
      key: key.slice(0, shared),
      size,
      here: [],
      children: new Map([[key.charCodeAt(shared), trie]]),
    };
    return insertBelow(parent, entry, limit);
  }
  return children === undefined ? build(key, [...here, entry], limit) : insertBelow(trie, entry, limit);
}

function insertBelow(trie: PathTrie, entry: RouteEntry, limit: number): PathTrie {
  const { value } = entry.path;
  const { key, here, children } = trie;
  const size = trie.size + 1;
  if (value.length === key.length) return { ...trie, size, here: [...here, entry] };
  const character = value.charCodeAt(key.length);
  const child = children?.get(character);
  const next = child === undefined ? build(value, [entry], limit) : insert(child, entry, limit);
  return { key, size, here, children: new Map(children).set(character, next) };
}

/** Undefined when nothing is left. */
function remove(trie: PathTrie, entry: RouteEntry, limit: number): PathTrie | undefined {
  const { value } = entry.path;
  const { key, children } = trie;
  const isHere = children === undefined || value.length === key.length;
  const here = isHere ? trie.here.filter((other) => other !== entry) : trie.here;
  const below = isHere ? children : removeBelow(trie, entry, limit);
  const size = trie.size - 1;
  if (size === 0) return undefined;
  if (size > limit) return isRedundant(key, here, below) ? onlyChild(below) : { key, size, here, children: below };
  const left = [...entriesIn({ key, size, here, children: below })];
  return { key: key === ROOT ? ROOT : commonPrefix(left, key.length), size, here: left };
}

function removeBelow({ key, children }: PathTrie, entry: RouteEntry, limit: number): ReadonlyMap<number, PathTrie> {
  const character = entry.path.value.charCodeAt(key.length);
  const below = new Map(children);
  const child = below.get(character);
  const rest = child && remove(child, entry, limit);
  if (rest === undefined) below.delete(character);
  else below.set(character, rest);
  return below;
}

/** What is left goes on beyond the key: then the child's longer key is the one that all share. */
function isRedundant(
  key: string,
  here: readonly RouteEntry[],
  below: ReadonlyMap<number, PathTrie> | undefined,
): boolean {
  return key !== ROOT && here.length === 0 && below?.size === 1;
}

function onlyChild(children: ReadonlyMap<number, PathTrie> | undefined): PathTrie | undefined {
  return children?.values().next().value;
}

function sharedLength(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let shared = 0;
  while (shared < length && a.charCodeAt(shared) === b.charCodeAt(shared)) shared++;
  return shared;
}

/** Longest prefix that the paths share, of which `known` characters are known to be equal. */
function commonPrefix(entries: readonly RouteEntry[], known: number): string {
  const first = entries[0]?.path.value ?? "";
  let length = first.length;
  for (const { path } of entries) {
    const { value } = path;
    if (value.length < length) length = value.length;
    let shared = known;
    while (shared < length && value.charCodeAt(shared) === first.charCodeAt(shared)) shared++;
    length = shared;
  }
  return first.slice(0, length);
}
