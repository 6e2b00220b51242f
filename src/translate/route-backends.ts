import type { ResolvedBackend } from "../attach/model.ts";
import {
  type RouteAction,
  RouteAction_ClusterNotFoundResponseCode,
  type WeightedCluster_ClusterWeight,
} from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import { chainHeaders, hasHeaderChanges, headerFields, type MessageHeaders, readHeaders } from "./filters/headers.ts";
import { mergeRewrites, readExtensionRewrite, readStandardRewrite, type UrlRewrite } from "./filters/rewrite.ts";
import type { RouteFilter } from "./route-rule.ts";

/** Never defined: requests sent there get the failure status, the share of an invalid backendRef (Gateway API, HTTPRouteRule.backendRefs). */
export const INVALID_BACKEND_CLUSTER = "invalid-backend-cluster";

/** Where the requests of a rule go. */
export interface BackendChoice {
  readonly action: Partial<RouteAction>;
  /** Header changes of the whole route. */
  readonly headers: MessageHeaders;
  /** Change of host that filters of the backendRefs ask for and that the whole route can carry out. */
  readonly rewrite?: UrlRewrite;
  readonly clusters: readonly string[];
  /** The request's own host decides (Backend of type DynamicResolver). */
  readonly resolvesHost: boolean;
}

interface Share {
  readonly backend: ResolvedBackend;
  readonly weight: number;
  readonly headers: MessageHeaders;
  readonly rewrite: UrlRewrite;
}

/**
 * Distributes requests over the backendRefs by weight. `filters` holds the filters of each backendRef, `ruleHeaders` the
 * header changes of the rule, which come before those of a backendRef.
 *
 * @returns undefined when no valid backend takes traffic: every request is answered with the failure status
 */
export function chooseBackends(
  backends: readonly ResolvedBackend[],
  filters: readonly (readonly RouteFilter[])[],
  ruleHeaders: MessageHeaders,
  failureStatus: 500 | 503,
): BackendChoice | undefined {
  const shares = mergeShares(
    backends.map((backend, index) => readShare(backend, filters[index] ?? [])).filter(({ weight }) => weight > 0),
  );
  const clusters = [...new Set(shares.flatMap(({ backend }) => backend.target?.name ?? []))];
  const [first] = shares;
  if (first === undefined || clusters.length === 0) return undefined;
  const resolvesHost = shares.some(({ backend }) => backend.target?.reach.kind === "DynamicResolver");
  const rewrite = commonRewrite(shares);
  const common = { rewrite, clusters, resolvesHost };
  if (shares.length === 1) {
    return { ...common, action: { cluster: clusters[0] }, headers: chainHeaders(ruleHeaders, first.headers) };
  }
  // Envoy changes the headers of a weighted cluster before those of its route, so the rule's come first only if each share carries them.
  const carriesHeaders = shares.some(({ headers }) => hasHeaderChanges(headers));
  const carriers = carriesHeaders
    ? shares.map((share) => ({ ...share, headers: chainHeaders(ruleHeaders, share.headers) }))
    : shares;
  return {
    ...common,
    action: weighClusters(carriers, rewrite, failureStatus),
    headers: carriesHeaders ? noHeaders : ruleHeaders,
  };
}

const noHeaders: MessageHeaders = readHeaders([]);

function readShare(backend: ResolvedBackend, filters: readonly RouteFilter[]): Share {
  const extension = (index: number) => backend.extensions.find(({ filterIndex }) => filterIndex === index)?.filter;
  const rewrites = filters.flatMap((filter, index) => {
    const rewrite = extension(index)?.urlRewrite;
    if (rewrite !== undefined) return [readExtensionRewrite(rewrite)];
    return filter.urlRewrite === undefined ? [] : [readStandardRewrite(filter.urlRewrite)];
  });
  return {
    backend,
    weight: backend.weight,
    headers: readHeaders(filters),
    rewrite: mergeRewrites(rewrites),
  };
}

/** References to one cluster become one share, unless filters tell them apart. */
function mergeShares(shares: readonly Share[]): readonly Share[] {
  const plain = new Map<string, Share>();
  const result: Share[] = [];
  for (const share of shares) {
    if (hasHeaderChanges(share.headers) || share.rewrite.host !== undefined) {
      result.push(share);
      continue;
    }
    const name = clusterName(share);
    plain.set(name, { ...share, weight: share.weight + (plain.get(name)?.weight ?? 0) });
  }
  return [...plain.values(), ...result];
}

function clusterName({ backend }: Share): string {
  return backend.target?.name ?? INVALID_BACKEND_CLUSTER;
}

/** Envoy rewrites the host of one weighted cluster to a literal only; anything else must hold for all valid shares. */
function commonRewrite(shares: readonly Share[]): UrlRewrite | undefined {
  const [first, ...rest] = shares.filter(({ backend }) => backend.target !== undefined);
  if (first?.rewrite.host === undefined) return undefined;
  const { host, keepsOriginalHost } = first.rewrite;
  const text = JSON.stringify(host);
  // A path cannot be rewritten for one backend alone (Envoy Gateway refuses it too).
  return rest.every(({ rewrite }) => JSON.stringify(rewrite.host) === text) ? { host, keepsOriginalHost } : undefined;
}

function weighClusters(
  shares: readonly Share[],
  common: UrlRewrite | undefined,
  failureStatus: 500 | 503,
): Partial<RouteAction> {
  const literals = common === undefined ? shares.filter(({ rewrite }) => rewrite.host?.kind === "literal") : [];
  return {
    weightedClusters: { clusters: shares.map((share) => weighCluster(share, literals.includes(share))) },
    ...(literals.length > 0 ? { appendXForwardedHost: true } : {}),
    ...(shares.some(({ backend }) => backend.target === undefined)
      ? { clusterNotFoundResponseCode: notFoundCodes[failureStatus] }
      : {}),
  };
}

const notFoundCodes = {
  500: RouteAction_ClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR,
  503: RouteAction_ClusterNotFoundResponseCode.SERVICE_UNAVAILABLE,
} as const;

function weighCluster(share: Share, rewritesHost: boolean): WeightedCluster_ClusterWeight {
  const { headers, rewrite, weight } = share;
  return {
    name: clusterName(share),
    weight,
    ...headerFields(headers),
    ...(rewritesHost && rewrite.host?.kind === "literal" ? { hostRewriteLiteral: rewrite.host.value } : {}),
  };
}
