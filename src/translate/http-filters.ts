import { type OrderedFilter, orderedFilters } from "../api/envoyproxy-envoy.ts";
import type { ClientTrafficSettings } from "../attach/client-traffic.ts";
import type { ListenerSettings } from "../attach/listener-settings.ts";
import { pack } from "../envoy/any.ts";
import type { AccessLog } from "../envoy/generated/envoy/config/accesslog/v3/accesslog.ts";
import { Cors } from "../envoy/generated/envoy/extensions/filters/http/cors/v3/cors.ts";
import { FilterConfig as DynamicForwardProxy } from "../envoy/generated/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.ts";
import { FilterConfig as GrpcStats } from "../envoy/generated/envoy/extensions/filters/http/grpc_stats/v3/config.ts";
import { GrpcWeb } from "../envoy/generated/envoy/extensions/filters/http/grpc_web/v3/grpc_web.ts";
import { Router } from "../envoy/generated/envoy/extensions/filters/http/router/v3/router.ts";
import type { HttpFilter } from "../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { dnsCache } from "./dynamic-forward-proxy.ts";
import { buildLateHeaders } from "./policy/client-headers.ts";
import { buildHealthCheck } from "./policy/client-http.ts";
import { policyFilterNames, policyFilters } from "./policy/filters.ts";
import { buildRateLimitFilters } from "./policy/global-rate-limit.ts";
import { securityFilters } from "./security/filters.ts";

/** Names of the filters in the chain, which are also the keys of a route's `typedPerFilterConfig`. */
export const httpFilterNames = {
  cors: "envoy.filters.http.cors",
  grpcWeb: "envoy.filters.http.grpc_web",
  grpcStats: "envoy.filters.http.grpc_stats",
  dynamicForwardProxy: "envoy.filters.http.dynamic_forward_proxy",
  router: "envoy.filters.http.router",
} as const;

/** Kinds that no EnvoyProxy can move: each stands where those of another kind do, in front of them. */
const besideOthers: Readonly<Record<string, OrderedFilter>> = {
  // Behind the rate limits, whose answers say nothing of the backend.
  [policyFilterNames.admissionControl]: "envoy.filters.http.bandwidth_limit",
};

type FilterSettings = Pick<ListenerSettings, "filterOrder" | "ipFamily" | "countsGrpc" | "rateLimit">;

const grpcWeb: HttpFilter = { name: httpFilterNames.grpcWeb, typedConfig: pack(GrpcWeb, {}), disabled: true };

const grpcStats: HttpFilter = {
  name: httpFilterNames.grpcStats,
  // Stats a method would let a client create names without end: any path is a method.
  typedConfig: pack(GrpcStats, { emitFilterState: true, statsForAllMethods: false }),
  disabled: true,
};

/**
 * The HTTP filter chain: the same for every listener of a gateway, in the order of Envoy Gateway or of the EnvoyProxy, and independent of the routes, because a
 * changed chain is a changed Listener and drains its connections. What is `disabled` here costs a request nothing; a route
 * turns it on with an entry under the filter's name in its `typedPerFilterConfig`.
 *
 * grpc_web is off by default because it would translate the requests of a backend that speaks gRPC-Web itself.
 */
export function buildHttpFilters(
  { filterOrder: order = orderedFilters, ipFamily, countsGrpc = true, rateLimit }: FilterSettings = {},
  attemptLogs: readonly AccessLog[] = [],
  clients?: ClientTrafficSettings,
): HttpFilter[] {
  const health = buildHealthCheck(clients);
  const late = buildLateHeaders(clients?.headers);
  const translatesGrpcWeb = clients?.grpc?.enableWeb ?? true;
  const filters: HttpFilter[] = [
    ...(health ? [health] : []),
    ...policyFilters,
    ...(rateLimit ? buildRateLimitFilters(rateLimit, clients?.headers?.disableRateLimitHeaders) : []),
    ...securityFilters,
    { name: httpFilterNames.cors, typedConfig: pack(Cors, {}) },
    ...(translatesGrpcWeb ? [grpcWeb] : []),
    ...(countsGrpc ? [grpcStats] : []),
    {
      name: httpFilterNames.dynamicForwardProxy,
      typedConfig: pack(DynamicForwardProxy, { dnsCacheConfig: dnsCache(ipFamily) }),
      disabled: true,
    },
  ];
  // Of several filters of a kind the name goes on behind a slash.
  const rank = ({ name = "" }: HttpFilter) => {
    const kind = name.split("/", 1)[0] ?? "";
    return order.indexOf((besideOthers[kind] ?? kind) as OrderedFilter);
  };
  // x-envoy-* headers are for Envoy's own use and are not part of any contract with backends or clients.
  const router: Router = {
    suppressEnvoyHeaders: !clients?.headers?.enableEnvoyHeaders,
    ...(attemptLogs.length > 0 && { upstreamLog: [...attemptLogs] }),
  };
  return [
    ...(late ? [late] : []),
    ...filters.sort((a, b) => rank(a) - rank(b)),
    { name: httpFilterNames.router, typedConfig: pack(Router, router) },
  ];
}
