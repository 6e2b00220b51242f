import { compareStrings } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";

/** How a path is compared. `PathPrefix` values are whole path elements without a trailing slash, or `/` for every path. */
export interface RoutePath {
  readonly type: "Exact" | "PathPrefix" | "RegularExpression";
  readonly value: string;
}

/** One match of one rule on one host, ready to be put into a virtual host. Immutable; its bytes are encoded once. */
export interface RouteEntry {
  readonly order: RouteOrder;
  readonly path: RoutePath;
  /** Requires more than its path: a method, header, query parameter or cookie. */
  readonly conditional: boolean;
  /** An encoded envoy.config.route.v3.Route. */
  readonly bytes: Uint8Array;
  /** Names of the clusters that it sends requests to, mirrors included; shared by all entries of a rule. */
  readonly clusters: readonly string[];
  /** Canonical text of the match: two entries of one host with equal keys match the same requests. */
  readonly matchKey: string;
  /** 32-bit hash of `matchKey`: different numbers, different matches. */
  readonly matchHash: number;
  /** `HTTPRoute/namespace/name`. */
  readonly origin: string;
  /** Envoy counts for each copy of it. */
  readonly counts?: true;
  /** Of the bytes and of the order: an equal hash means that nothing about the entry has changed. */
  readonly hash: string;
}

/** Sort key of an entry, computed once so that a comparison is a subtraction and seldom more. */
export interface RouteOrder {
  /** Everything the Gateway API ranks matches by, packed into one number ({@link rankMatch}); greater goes first. */
  readonly rank: number;
  /** Age and name of the route; smaller goes first. */
  readonly tie: string;
  /** Place of the match in its route; smaller goes first. */
  readonly sequence: number;
}

/** What decides between two matches that both fit a request. Counts are after repeated names are dropped. */
export interface MatchRank {
  /** The route's own hostname that led to this virtual host; `*` when it has none. */
  readonly routeHostname: string;
  readonly specificity: PathSpecificity;
  readonly hasMethod: boolean;
  readonly headers: number;
  readonly cookies: number;
  readonly queryParams: number;
}

export type PathSpecificity =
  | { readonly kind: "http"; readonly path: RoutePath }
  /** Lengths of the service and method of a GRPCMethodMatch; 0 when it does not name one. */
  | { readonly kind: "grpc"; readonly service: number; readonly method: number };

/**
 * Tiers of paths. The Gateway API leaves open how a regular expression ranks (here: between exact and prefix, as Envoy
 * Gateway has it) and how GRPCRoutes mix with HTTPRoutes on one host: a gRPC match that names a service or method is more
 * specific than any HTTP path, one that names neither ranks as the prefix `/`.
 */
const tiers = { PathPrefix: 1, RegularExpression: 2, Exact: 3, grpc: 4 } as const;

/** Sizes of the fields of a rank. Paths, services and methods have at most 1,024 characters, matches at most 16 headers. */
const HOSTNAME_LENGTH_LIMIT = 256;
const TIER_LIMIT = 8;
const LENGTH_LIMIT = 2_048;
const COUNT_LIMIT = 32;

/**
 * Packs the precedence of HTTPRouteMatch and GRPCRouteMatch (Gateway API reference, HTTPRouteRule.matches and
 * GRPCRouteRule.matches) into 50 bits: hostname without wildcard before one with, longer hostname, tier of the path, its
 * length (service, then method, for gRPC), method, number of headers, cookies, query parameters.
 */
export function rankMatch(match: MatchRank): number {
  const { routeHostname, specificity } = match;
  let rank = rankHostname(routeHostname);
  const [tier, first, second] = rankPath(specificity);
  rank = rank * TIER_LIMIT + tier;
  rank = rank * LENGTH_LIMIT + clamp(first, LENGTH_LIMIT);
  rank = rank * LENGTH_LIMIT + clamp(second, LENGTH_LIMIT);
  rank = rank * 2 + (match.hasMethod ? 1 : 0);
  rank = rank * COUNT_LIMIT + clamp(match.headers, COUNT_LIMIT);
  rank = rank * COUNT_LIMIT + clamp(match.cookies, COUNT_LIMIT);
  return rank * COUNT_LIMIT + clamp(match.queryParams, COUNT_LIMIT);
}

/** The hostname's share of a rank, which decides before everything else. */
export function rankHostname(routeHostname: string): number {
  const isWildcard = routeHostname.startsWith("*");
  return (isWildcard ? 0 : HOSTNAME_LENGTH_LIMIT) + clamp(routeHostname.length, HOSTNAME_LENGTH_LIMIT);
}

function rankPath(specificity: PathSpecificity): readonly [tier: number, first: number, second: number] {
  if (specificity.kind === "http") return [tiers[specificity.path.type], specificity.path.value.length, 0];
  const { service, method } = specificity;
  return service + method > 0 ? [tiers.grpc, service, method] : [tiers.PathPrefix, 1, 0];
}

function clamp(value: number, limit: number): number {
  return value < limit ? value : limit - 1;
}

/** The oldest route first, then by namespace and name; the kind last, so that no two routes tie. A route without a time is the oldest. */
export function tieOf(kind: string, namespace: string, name: string, creationTimestamp: string | undefined): string {
  return flatText(creationTimestamp ?? "", " ", namespace, "/", name, " ", kind);
}

/** Order of the entries of one virtual host: negative when `a` is asked before `b`. Total over entries of different matches. */
export function compareEntries(a: RouteEntry, b: RouteEntry): number {
  const left = a.order;
  const right = b.order;
  return right.rank - left.rank || compareStrings(left.tie, right.tie) || left.sequence - right.sequence;
}
