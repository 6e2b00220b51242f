import { listDifference } from "../base/difference.ts";
import { compareStrings } from "../base/keys.ts";
import { trimmed } from "../base/memory.ts";
import { pack, typeUrl } from "../envoy/any.ts";
import { RouteList, VirtualHost } from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import { HttpRequestHeaderMatchInput } from "../envoy/generated/envoy/type/matcher/v3/http_inputs.ts";
import { TypedExtensionConfig } from "../envoy/generated/xds/core/v3/extension.ts";
import { contentHash } from "../envoy/hash.ts";
import { FrameWriter, fieldSize, fieldTag } from "./frame.ts";
import { underscoreHost } from "./route-entry.ts";
import { compareEntries, type RouteEntry } from "./route-order.ts";
import { planRouteTree, type RouteLeaf, type RouteTree, updateRouteTree } from "./route-tree.ts";

/**
 * A virtual host, encoded. It says nothing about the route table that carries it except in its name, so that a table can be
 * put together from hosts that have not changed, or be split.
 */
export interface EncodedVirtualHost {
  readonly table: string;
  /** The domain: `*`, `*.example.com` or `www.example.com`. */
  readonly host: string;
  /** Concatenated, an envoy.config.route.v3.VirtualHost as a field of a RouteConfiguration, tag and length included. */
  readonly field: readonly Uint8Array[];
  /** Of the message itself: so many bytes at the end of the field. */
  readonly byteLength: number;
  readonly hash: string;
  /** Names of the clusters that its routes send requests to, in the entries' own lists: nothing is copied for ten thousand. */
  readonly clusters: readonly (readonly string[])[];
  readonly overlaps: readonly RouteOverlap[];
  /** Envoy counts for each copy of it, as for a local rate limit. */
  readonly counts?: true;
  /** What it was made from, where it is a tree: an update goes on from there. */
  readonly origin: { readonly groups: readonly RouteGroup[]; readonly tree: RouteTree } | undefined;
}

/** What one object puts on a host. */
export type RouteGroup = readonly RouteEntry[];

/** Two routes (`HTTPRoute/namespace/name`) match the same requests on one host; `a` takes them. */
export interface RouteOverlap {
  readonly a: string;
  readonly b: string;
  readonly matchKey: string;
}

/** When a virtual host becomes a tree, and how fine. The defaults were measured with Envoy 1.40. */
export interface TreeLimits {
  /** More routes than this make a tree: up to here asking them one after the other costs Envoy less than 4 µs. */
  readonly listRoutesMax: number;
  /** Routes of its own that a leaf of the tree may hold: smaller leaves find no faster and make a larger table. */
  readonly leafRoutesMax: number;
  /** A tree may hold this many routes for each one given, copies included; beyond, the list is the lesser evil. */
  readonly growthMax: number;
}

export const treeLimits: TreeLimits = { listRoutesMax: 100, leafRoutesMax: 32, growthMax: 8 };

/** A tree is made anew when more than this part of its groups has changed. */
const UPDATED_SHARE_MIN = 4;

/** RouteConfiguration.virtual_hosts. */
export const VIRTUAL_HOSTS = fieldTag(2);
const VIRTUAL_HOST = { name: fieldTag(1), domains: fieldTag(2), routes: fieldTag(3), matcher: fieldTag(21) } as const;
const MATCHER = { tree: fieldTag(2), onNoMatch: fieldTag(3) } as const;
const MATCHER_TREE = { input: fieldTag(1), prefixMatchMap: fieldTag(3) } as const;
const MAP = { entry: fieldTag(1), key: fieldTag(1), value: fieldTag(2) } as const;
const ON_MATCH_ACTION = fieldTag(2);
const EXTENSION = { name: fieldTag(1), config: fieldTag(2) } as const;
const ANY = { typeUrl: fieldTag(1), value: fieldTag(2) } as const;
const ROUTE_LIST_ROUTES = fieldTag(1);

const ROUTE_LIST_URL = typeUrl(RouteList);
const ACTION_NAME = "routes";

/** The tree looks at the path with its query, the only form of it that Envoy 1.40 can look up; no key contains a `?`. */
const pathInput = TypedExtensionConfig.encode({
  name: "path",
  typedConfig: pack(HttpRequestHeaderMatchInput, { headerName: ":path" }),
}).finish();

export interface HostOptions {
  readonly limits?: TreeLimits;
  /** Requests to the host are counted: as `vhost.<name>.vcluster.<host>` in Envoy's statistics. */
  readonly counted?: boolean;
  /** The host as it was: leaves of its tree that do not change keep their bytes. The outcome is the same without it. */
  readonly before?: EncodedVirtualHost;
}

/**
 * Puts the routes of one host, in any order, into a virtual host: a list of routes in order, or a tree of such lists when
 * there are many ({@link planRouteTree}). The routes' bytes are copied, never encoded again.
 *
 * O(n log n) compares and one copy; with `before`, O(n) compares of references and a copy of the leaves that change.
 */
export function translateVirtualHost(
  table: string,
  host: string,
  groups: readonly RouteGroup[],
  { limits = treeLimits, counted = false, before }: HostOptions = {},
): EncodedVirtualHost {
  const all = flatten(groups);
  const name = `${table}/${underscoreHost(host)}`;
  const tree = all.length > limits.listRoutesMax ? planTree(groups, all, limits, before) : undefined;
  const encoded =
    tree !== undefined && tree.size <= all.length * limits.growthMax
      ? encodeTree(name, host, tree, counted)
      : encodeList(name, host, [...all].sort(compareEntries), counted);
  const clusters: (readonly string[])[] = [];
  for (const entry of all) if (entry.clusters.length > 0) clusters.push(entry.clusters);
  const overlaps = findOverlaps(all);
  const origin = tree === undefined ? undefined : { groups, tree };
  const counts = all.some((entry) => entry.counts) && { counts: true as const };
  return { table, host, ...encoded, ...counts, clusters: trimmed(clusters), overlaps, origin };
}

/** Ten times as fast as `flat`, which matters here alone: it runs over every route of the host at each edit. */
function flatten(groups: readonly RouteGroup[]): RouteEntry[] {
  const all: RouteEntry[] = [];
  for (const group of groups) for (const entry of group) all.push(entry);
  return all;
}

/** A host of a listener that no route is attached to: every request is answered with 404. */
export function emptyVirtualHost(table: string, host: string): EncodedVirtualHost {
  return translateVirtualHost(table, host, []);
}

function planTree(
  groups: readonly RouteGroup[],
  all: readonly RouteEntry[],
  { leafRoutesMax }: TreeLimits,
  before: EncodedVirtualHost | undefined,
): RouteTree {
  if (before?.origin !== undefined) {
    const { gone, come } = listDifference(before.origin.groups, groups);
    // Beyond a part of the routes a new tree is less work.
    if (gone.length + come.length < groups.length / UPDATED_SHARE_MIN) {
      return updateRouteTree(before.origin.tree, gone.flat(), come.flat());
    }
  }
  return planRouteTree(all, leafRoutesMax);
}

type Encoded = Pick<EncodedVirtualHost, "field" | "byteLength" | "hash">;

function encodeList(name: string, host: string, routes: readonly RouteEntry[], counted: boolean): Encoded {
  const hash = contentHash(`${nameContent(name, host, counted)}\n${routes.map((route) => route.hash).join("")}`);
  const counter = counted ? encodeCounter(host) : noBytes;
  const size = routesSize(VIRTUAL_HOST.routes, routes) + counter.byteLength;
  const { head, byteLength } = encodeHead(name, host, size, size, (writer) => {
    for (const { bytes } of routes) writer.bytes(VIRTUAL_HOST.routes, bytes);
    writer.raw(counter);
  });
  return { field: [head], byteLength, hash };
}

/** A virtual cluster that every request belongs to: without one Envoy counts nothing by virtual host. */
function encodeCounter(host: string): Uint8Array {
  const name = underscoreHost(host);
  return VirtualHost.encode({
    virtualClusters: [{ name, headers: [{ name: ":method", presentMatch: true }] }],
  }).finish();
}

function nameContent(name: string, host: string, counted: boolean): string {
  return `${name}\n${host}${counted ? "\ncounted" : ""}`;
}

function encodeTree(name: string, host: string, { leaves, others }: RouteTree, counted: boolean): Encoded {
  const encoded = leaves.map(encodeLeaf);
  const mapSize = encoded.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  const treeSize =
    fieldSize(MATCHER_TREE.input, pathInput.byteLength) + fieldSize(MATCHER_TREE.prefixMatchMap, mapSize);
  const otherwise = others.length === 0 ? noBytes : encodeOtherwise(others);
  const matcherSize = (leaves.length === 0 ? 0 : fieldSize(MATCHER.tree, treeSize)) + otherwise.byteLength;
  const hashes = encoded.map((leaf) => leaf.hash).join("\n");
  const routes = `${hashes}\n\n${others.map((route) => route.hash).join("")}`;
  const hash = contentHash(`${nameContent(name, host, counted)}\n${routes}`);
  const counter = counted ? encodeCounter(host) : noBytes;
  const size = fieldSize(VIRTUAL_HOST.matcher, matcherSize) + counter.byteLength;
  const { head, byteLength } = encodeHead(name, host, size, size - mapSize - otherwise.byteLength, (writer) => {
    writer.raw(counter).open(VIRTUAL_HOST.matcher, matcherSize);
    if (leaves.length === 0) return;
    writer.open(MATCHER.tree, treeSize).bytes(MATCHER_TREE.input, pathInput);
    writer.open(MATCHER_TREE.prefixMatchMap, mapSize);
  });
  return { field: [head, ...encoded.map(({ bytes }) => bytes), otherwise], byteLength, hash };
}

interface EncodedLeaf {
  /** An entry of the map of the tree, framed. */
  readonly bytes: Uint8Array;
  readonly hash: string;
}

/** A leaf is immutable and kept by updates of its tree, so its bytes are made once and go when it goes. */
const encodedLeaves = new WeakMap<RouteLeaf, EncodedLeaf>();

function encodeLeaf(leaf: RouteLeaf): EncodedLeaf {
  const known = encodedLeaves.get(leaf);
  if (known !== undefined) return known;
  const { key, routes } = leaf;
  const keyLength = Buffer.byteLength(key);
  const action = measureAction(routes);
  const size = fieldSize(MAP.key, keyLength) + fieldSize(MAP.value, action.size);
  const writer = new FrameWriter(fieldSize(MAP.entry, size)).open(MAP.entry, size);
  writer.text(MAP.key, key, keyLength).open(MAP.value, action.size);
  writeAction(writer, action, routes);
  const hash = contentHash(`${key}\n${routes.map((route) => route.hash).join("")}`);
  const encoded = { bytes: writer.finish(), hash };
  encodedLeaves.set(leaf, encoded);
  return encoded;
}

function encodeOtherwise(routes: readonly RouteEntry[]): Uint8Array {
  const action = measureAction(routes);
  const writer = new FrameWriter(fieldSize(MATCHER.onNoMatch, action.size)).open(MATCHER.onNoMatch, action.size);
  writeAction(writer, action, routes);
  return writer.finish();
}

/**
 * The beginning of a virtual host as a field of a RouteConfiguration: tags, name, domain and the first `writtenSize` of the
 * `contentSize` bytes that follow.
 */
function encodeHead(
  name: string,
  host: string,
  contentSize: number,
  writtenSize: number,
  writeContent: (writer: FrameWriter) => void,
): { readonly head: Uint8Array; readonly byteLength: number } {
  const nameLength = Buffer.byteLength(name);
  const hostLength = Buffer.byteLength(host);
  const byteLength =
    fieldSize(VIRTUAL_HOST.name, nameLength) + fieldSize(VIRTUAL_HOST.domains, hostLength) + contentSize;
  const writer = new FrameWriter(fieldSize(VIRTUAL_HOSTS, byteLength) - contentSize + writtenSize);
  writer.open(VIRTUAL_HOSTS, byteLength);
  writer.text(VIRTUAL_HOST.name, name, nameLength).text(VIRTUAL_HOST.domains, host, hostLength);
  writeContent(writer);
  return { head: writer.finish(), byteLength };
}

/** Sizes of an OnMatch with a RouteList as its action, from the inside out. */
interface ActionSizes {
  readonly list: number;
  readonly any: number;
  readonly extension: number;
  readonly size: number;
}

function measureAction(routes: readonly RouteEntry[]): ActionSizes {
  const list = routesSize(ROUTE_LIST_ROUTES, routes);
  const any = fieldSize(ANY.typeUrl, ROUTE_LIST_URL.length) + fieldSize(ANY.value, list);
  const extension = fieldSize(EXTENSION.name, ACTION_NAME.length) + fieldSize(EXTENSION.config, any);
  return { list, any, extension, size: fieldSize(ON_MATCH_ACTION, extension) };
}

function writeAction(writer: FrameWriter, sizes: ActionSizes, routes: readonly RouteEntry[]): void {
  writer.open(ON_MATCH_ACTION, sizes.extension).text(EXTENSION.name, ACTION_NAME, ACTION_NAME.length);
  writer.open(EXTENSION.config, sizes.any).text(ANY.typeUrl, ROUTE_LIST_URL, ROUTE_LIST_URL.length);
  writer.open(ANY.value, sizes.list);
  for (const { bytes } of routes) writer.bytes(ROUTE_LIST_ROUTES, bytes);
}

function routesSize(tag: number, routes: readonly RouteEntry[]): number {
  let size = 0;
  for (const { bytes } of routes) size += fieldSize(tag, bytes.byteLength);
  return size;
}

/**
 * Matches of different routes that are equal. A more specific hostname of the route's own is no overlap but the way the API
 * wants such routes to differ, so ranks must be equal too. One overlap for each entry that loses: O(n), not every pair.
 */
function findOverlaps(entries: readonly RouteEntry[]): readonly RouteOverlap[] {
  if (!mayOverlap(entries)) return noOverlaps;
  const winners = new Map<string, RouteEntry>();
  for (const entry of entries) {
    const winner = winners.get(entry.matchKey);
    if (winner === undefined || compareEntries(entry, winner) < 0) winners.set(entry.matchKey, entry);
  }
  const overlaps = new Map<string, RouteOverlap>();
  for (const entry of entries) {
    const winner = winners.get(entry.matchKey);
    if (winner === undefined || winner.origin === entry.origin || winner.order.rank !== entry.order.rank) continue;
    overlaps.set(`${entry.origin}\n${entry.matchKey}`, { a: winner.origin, b: entry.origin, matchKey: entry.matchKey });
  }
  return [...overlaps.values()].sort((x, y) => compareStrings(x.b, y.b) || compareStrings(x.matchKey, y.matchKey));
}

/** Sorting numbers is several times faster than a map of ten thousand texts, and overlaps are rare. */
function mayOverlap(entries: readonly RouteEntry[]): boolean {
  const hashes = new Uint32Array(entries.length);
  for (let index = 0; index < hashes.length; index++) hashes[index] = entries[index]?.matchHash ?? 0;
  hashes.sort();
  for (let index = 1; index < hashes.length; index++) if (hashes[index] === hashes[index - 1]) return true;
  return false;
}

const noBytes = new Uint8Array();

const noOverlaps: readonly RouteOverlap[] = Object.freeze([]);
