import { compareStrings } from "../base/keys.ts";
import { compareEntries, type RouteEntry } from "./route-order.ts";

/**
 * A list of routes for each of a set of path prefixes ("keys"), such that asking the list of the longest key that a request's
 * path starts with gives the same route as asking all routes in order.
 */
export interface RouteTree {
  /** Sorted by key. */
  readonly leaves: readonly RouteLeaf[];
  /** In order; for requests whose path starts with no key. */
  readonly others: readonly RouteEntry[];
  /** Routes in all lists together, copies included. */
  readonly size: number;
}

export interface RouteLeaf {
  readonly key: string;
  /** In order. */
  readonly routes: readonly RouteEntry[];
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
  const anywhere: RouteEntry[] = [];
  const placed: RouteEntry[] = [];
  for (const entry of entries) (isPlaced(entry) ? placed : anywhere).push(entry);
  anywhere.sort(compareEntries);
  const leaves: RouteLeaf[] = [];
  if (placed.length > 0) splitNode({ key: "/", group: placed, above: [] }, { anywhere, limit, leaves });
  leaves.sort((a, b) => compareStrings(a.key, b.key));
  const size = leaves.reduce((sum, { routes }) => sum + routes.length, anywhere.length);
  return { leaves, others: anywhere, size };
}

/** A path that does not start with a slash matches no ordinary request; it is kept with the regular expressions. */
function isPlaced({ path }: RouteEntry): boolean {
  return path.type !== "RegularExpression" && path.value.charCodeAt(0) === SLASH;
}

interface Node {
  readonly key: string;
  /** Routes whose path starts with the key; at least one. */
  readonly group: readonly RouteEntry[];
  /** Prefix routes above the key that match requests below it, in order. */
  readonly above: readonly RouteEntry[];
}

interface Plan {
  readonly anywhere: readonly RouteEntry[];
  readonly limit: number;
  readonly leaves: RouteLeaf[];
}

/** Splits the largest children off until the node's own routes are few enough. */
function splitNode(node: Node, plan: Plan): void {
  const { key, group, above } = node;
  if (group.length <= plan.limit) {
    plan.leaves.push(createLeaf(node, group, plan));
    return;
  }
  const here: RouteEntry[] = [];
  const children = new Map<number, RouteEntry[]>();
  const depth = key.length;
  for (const entry of group) {
    const path = entry.path.value;
    if (path.length === depth) here.push(entry);
    else appendTo(children, path.charCodeAt(depth), entry);
  }
  const own = [here];
  let ownSize = group.length;
  const aboveElement = extendAbove(above, here);
  const largestFirst = [...children].sort(([a, left], [b, right]) => right.length - left.length || a - b);
  for (const [character, child] of largestFirst) {
    const inherited = character === SLASH || key === "/" ? aboveElement : above;
    if (ownSize <= plan.limit || child.length < inherited.length + plan.anywhere.length) {
      own.push(child);
      continue;
    }
    ownSize -= child.length;
    splitNode({ key: commonPrefix(child, key.length + 1), group: child, above: inherited }, plan);
  }
  const routes = own.flat();
  if (routes.length > 0) plan.leaves.push(createLeaf(node, routes, plan));
}

function createLeaf({ key, above }: Node, own: readonly RouteEntry[], { anywhere }: Plan): RouteLeaf {
  const routes = [...own, ...above, ...anywhere].sort(compareEntries);
  return { key, routes: cutAfter(routes, (route) => takesEverythingBelow(route, key)) };
}

function appendTo(groups: Map<number, RouteEntry[]>, character: number, entry: RouteEntry): void {
  const group = groups.get(character);
  if (group === undefined) groups.set(character, [entry]);
  else group.push(entry);
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
