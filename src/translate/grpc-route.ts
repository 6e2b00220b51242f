import type { GRPCRoute, GRPCRouteMatch } from "../api/gateway-api.ts";
import type { AttachedHost, AttachedListener, ResolvedRoute } from "../attach/model.ts";
import { httpFilterNames } from "./http-filters.ts";
import { unresolvedRule } from "./http-route.ts";
import { translateGrpcMatch } from "./match.ts";
import type { MatchVariant } from "./match-variants.ts";
import { buildEntries, type EntryShape } from "./route-entry.ts";
import type { RouteEntry } from "./route-order.ts";
import { translateRule } from "./route-rule.ts";
import { unlimitedTime } from "./route-timeouts.ts";
import { limitTraffic } from "./traffic-limits.ts";

const everyMethod: readonly GRPCRouteMatch[] = [{}];

/** Browsers reach gRPC services by gRPC-Web, and gRPC calls are counted by their outcome, not by the HTTP status. */
const grpcFilters = [httpFilterNames.grpcWeb, httpFilterNames.grpcStats] as const;

/** Translates a GRPCRoute on one host of a listener: one entry per rule, match and variant. O(matches). */
export function translateGrpcRoute(
  route: GRPCRoute,
  resolved: ResolvedRoute,
  listener: AttachedListener,
  host: AttachedHost,
  shape: EntryShape = {},
): RouteEntry[] {
  return (route.spec.rules ?? []).flatMap((rule, ruleIndex) => {
    const references = resolved.rules[ruleIndex] ?? unresolvedRule;
    if (references.dropped) return [];
    const template = translateRule(
      {
        filters: rule.filters ?? [],
        backendFilters: (rule.backendRefs ?? []).map(({ filters = [] }) => filters),
        resolved: references,
        // gRPC must see UNAVAILABLE, which Envoy makes of 503 (GRPCRouteRule.backendRefs).
        failureStatus: 503,
        limits: { ...unlimitedTime, ...(references.traffic && limitTraffic(references.traffic)) },
        enabledFilters: grpcFilters,
      },
      { ...listener, host: host.host },
    );
    const hasMatches = rule.matches !== undefined && rule.matches.length > 0;
    const matches = (hasMatches ? (rule.matches ?? []) : everyMethod).map(
      (match) => (variant: MatchVariant) => translateGrpcMatch(match, variant),
    );
    return buildEntries("GRPCRoute", route.metadata, ruleIndex, template, host, matches, hasMatches, shape);
  });
}
