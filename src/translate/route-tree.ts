import { buildPathTrie, entriesIn, type PathTrie, updatePathTrie } from "./path-trie.ts";
import { compareEntries, type RouteEntry } from "./route-order.ts";

/**
 * A list of routes for each of a set of path prefixes ("keys"), such that asking the list of the longest key that a request's
 * path starts with gives the same route as asking all routes in order.
 */
export interface RouteTree {
  /** Sorted by key. A leaf that an update does not change stays the same object. */
  readonly leaves: readonly RouteLeaf[];
  /** In order; for requests whose path starts with no key. */
  readonly others: readonly RouteEntry[];
  /** Routes in all lists together, copies included. */
  readonly size: number;
  /** What an update goes on from. */
  readonly plan: PlannedTree;
}

export interface RouteLeaf {
  readonly key: string;
  /** In order. */
  readonly routes: readonly RouteEntry[];
}

interface PlannedTree {
  readonly limit: number;
  readonly trie: PathTrie;
  /** Routes that can match any path, in order. */
  readonly anywhere: readonly RouteEntry[];
  readonly root: PlannedNode;
}

interface PlannedNode {
  readonly trie: PathTrie;
  /** Prefix routes above the key that match requests below it, in order. */
  readonly above: readonly RouteEntry[];
  /** Where the node's own routes come from. */
  readonly own: readonly (PathTrie | readonly RouteEntry[])[];
  readonly leaf: RouteLeaf | undefined;
  /** Children with leaves of their own, by their character. */
  readonly split: readonly (readonly [character: number, child: PlannedNode])[];
}

const SLASH = "/".charCodeAt(0);

/**
 * Builds the tree: a radix tree of the routes' paths in which a node splits only while it would hold more than `limit` routes
 * of its own. The list of a key K holds
 * - its own routes: the path starts with K and with no longer key,
 * - prefix routes above: path elements of which K is a continuation (`/` always),
 * - routes that can match anywhere: regular expressions,
 * in order, and ends after the first prefix route above K that has no further condition, since that one takes every request
 * which comes here.
 *
 * Exact, because a route can match only requests whose path begins with the route's path: with K the longest key of the
 * request, that route lies under K and under no longer key, or above K and then only on a border of path elements. More
 * routes than needed never hurt, since each checks its own match.
 *
 * A child is split off only when it has at least as many routes as would be copied for it, so the copies are bounded by the
 * depth of the tree times the routes. O(characters of all paths + copies × log limit).
 */
export function planRouteTree(entries: readonly RouteEntry[], limit: number): RouteTree {
  const { placed, anywhere } = sortOut(entries);
  return planTrie(buildPathTrie(placed, limit), anywhere.sort(compareEntries), limit, undefined);
}

/**
 * The tree of other routes, from the tree of those before: the same as a new one, for the cost of the leaves that change.
 * O(leaves) beside them, and O(routes) when a regular expression comes or goes.
 */
export function updateRouteTree(
  { plan }: RouteTree,
  gone: readonly RouteEntry[],
  come: readonly RouteEntry[],
): RouteTree {
  const [less, more] = [sortOut(gone), sortOut(come)];
  const trie = updatePathTrie(plan.trie, less.placed, more.placed, plan.limit);
  const moved = less.anywhere.length + more.anywhere.length > 0;
  const anywhere = moved
    ? [...plan.anywhere.filter((entry) => !less.anywhere.includes(entry)), ...more.anywhere].sort(compareEntries)
    : plan.anywhere;
  return planTrie(trie, anywhere, plan.limit, moved ? undefined : plan.root);
}

function sortOut(entries: readonly RouteEntry[]): { placed: RouteEntry[]; anywhere: RouteEntry[] } {
  const anywhere: RouteEntry[] = [];
  const placed: RouteEntry[] = [];
  for (const entry of entries) (isPlaced(entry) ? placed : anywhere).push(entry);
  return { placed, anywhere };
}

/** A path that does not start with a slash matches no ordinary request; it is kept with the regular expressions. */
function isPlaced({ path }: RouteEntry): boolean {
  return path.type !== "RegularExpression" && path.value.charCodeAt(0) === SLASH;
}

function planTrie(
  trie: PathTrie,
  anywhere: readonly RouteEntry[],
  limit: number,
  before: PlannedNode | undefined,
): RouteTree {
  const root = planNode(trie, [], { limit, anywhere }, before);
  const leaves: RouteLeaf[] = [];
  if (trie.size > 0) collectLeaves(root, leaves);
  const size = leaves.reduce((sum, { routes }) => sum + routes.length, anywhere.length);
  return { leaves, others: anywhere, size, plan: { limit, trie, anywhere, root } };
}

/** In the order of the keys: a key comes before those that begin with it. */
function collectLeaves({ leaf, split }: PlannedNode, leaves: RouteLeaf[]): void {
  if (leaf !== undefined) leaves.push(leaf);
  for (const [, child] of split) collectLeaves(child, leaves);
}

/** Splits the largest children off until the node's own routes are few enough. */
function planNode(
  trie: PathTrie,
  above: readonly RouteEntry[],
  plan: Pick<PlannedTree, "limit" | "anywhere">,
  before: PlannedNode | undefined,
): PlannedNode {
  const sameAbove = before !== undefined && sameItems(before.above, above);
  if (sameAbove && before.trie === trie) return before;
  const own: (PathTrie | readonly RouteEntry[])[] = [trie.here];
  const split: (readonly [number, PlannedNode])[] = [];
  if (trie.children !== undefined) {
    const aboveElement = extendAbove(above, trie.here);
    let ownSize = trie.size;
    const largestFirst = [...trie.children].sort(([a, left], [b, right]) => right.size - left.size || a - b);
    for (const [character, child] of largestFirst) {
      const inherited = character === SLASH || trie.key === "/" ? aboveElement : above;
      if (ownSize <= plan.limit || child.size < inherited.length + plan.anywhere.length) {
        own.push(child);
        continue;
      }
      ownSize -= child.size;
      const childBefore = before?.split.find(([other]) => other === character)?.[1];
      split.push([character, planNode(child, inherited, plan, childBefore)]);
    }
    split.sort(([a], [b]) => a - b);
  }
  const sameLeaf = sameAbove && before.trie.key === trie.key && sameItems(before.own, own);
  return { trie, above, own, split, leaf: sameLeaf ? before.leaf : createLeaf(trie.key, own, above, plan.anywhere) };
}

function createLeaf(
  key: string,
  own: PlannedNode["own"],
  above: readonly RouteEntry[],
  anywhere: readonly RouteEntry[],
): RouteLeaf | undefined {
  const routes = own.flatMap((source) => ("key" in source ? [...entriesIn(source)] : source));
  if (routes.length === 0) return undefined;
  const ordered = [...routes, ...above, ...anywhere].sort(compareEntries);
  return { key, routes: cutAfter(ordered, (route) => takesEverythingBelow(route, key)) };
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a === b || (a.length === b.length && a.every((item, position) => item === b[position]));
}

function extendAbove(above: readonly RouteEntry[], here: readonly RouteEntry[]): readonly RouteEntry[] {
  const prefixes = here.filter(({ path }) => path.type === "PathPrefix");
  if (prefixes.length === 0) return above;
  return cutAfter([...above, ...prefixes].sort(compareEntries), ({ conditional }) => !conditional);
}

/** Of the routes in the list of a key, those above it are shorter than it and have passed the check of the border. */
function takesEverythingBelow({ path, conditional }: RouteEntry, key: string): boolean {
  return !conditional && path.type === "PathPrefix" && (path.value.length < key.length || path.value === "/");
}

function cutAfter(routes: readonly RouteEntry[], isLast: (route: RouteEntry) => boolean): readonly RouteEntry[] {
  const last = routes.findIndex(isLast);
  return last < 0 ? routes : routes.slice(0, last + 1);
}
