import type { GlobalRateLimit, GlobalRule, RateLimitService } from "../../attach/rate-limit.ts";
import { type Any, pack } from "../../envoy/any.ts";
import { ApiVersion } from "../../envoy/generated/envoy/config/core/v3/config_source.ts";
import type { RateLimit as RouteLimit } from "../../envoy/generated/envoy/config/route/v3/route_components.ts";
import {
  RateLimit_XRateLimitHeadersRFCVersion as HeaderVersion,
  RateLimit,
  RateLimitPerRoute,
} from "../../envoy/generated/envoy/extensions/filters/http/ratelimit/v3/rate_limit.ts";
import type { HttpFilter } from "../../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { toDuration } from "../duration.ts";
import { RATE_LIMIT_CLUSTER } from "../rate-limit-cluster.ts";
import { descriptorsOf, type LimitDescriptor } from "./rate-limit-descriptors.ts";
import { readCost } from "./rate-limit-selectors.ts";

/**
 * Where Envoy tells clients of their limits by x-ratelimit headers is a matter of the filter. Each listener has three, which are off,
 * and a route turns on the one that its rules ask for: what its clients are used to, always, never.
 */
const filterNames = {
  usual: "envoy.filters.http.ratelimit",
  DraftVersion03: "envoy.filters.http.ratelimit/headers",
  Off: "envoy.filters.http.ratelimit/silent",
} as const;

/** @param silent what the listener's clients are used to */
export function buildRateLimitFilters(service: RateLimitService, silent: boolean | undefined): HttpFilter[] {
  const { OFF, DRAFT_VERSION_03 } = HeaderVersion;
  const filter = (name: string, enableXRatelimitHeaders: HeaderVersion): HttpFilter => ({
    name,
    disabled: true,
    typedConfig: pack(RateLimit, {
      // Each route names its own.
      domain: "none",
      failureModeDeny: service.failClosed,
      ...(service.timeoutMilliseconds !== undefined && { timeout: toDuration(service.timeoutMilliseconds) }),
      rateLimitedAsResourceExhausted: true,
      enableXRatelimitHeaders,
      rateLimitService: {
        grpcService: { envoyGrpc: { clusterName: RATE_LIMIT_CLUSTER } },
        transportApiVersion: ApiVersion.V3,
      },
    }),
  });
  return [
    filter(filterNames.usual, silent ? OFF : DRAFT_VERSION_03),
    filter(filterNames.DraftVersion03, DRAFT_VERSION_03),
    filter(filterNames.Off, OFF),
  ];
}

/** Turns on the filter for a route and says what the service is to be asked. */
export function limitGlobally(limits: GlobalRateLimit): readonly [name: string, config: Any] {
  const { xRateLimitHeaders } = limits.rules[0] ?? {};
  return [
    filterNames[xRateLimitHeaders ?? "usual"],
    pack(RateLimitPerRoute, { domain: limits.domain, rateLimits: descriptorsOf(limits).flatMap(askService) }),
  ];
}

/** One question before a request passes and, where its answer has a cost, one when that is known. */
function askService({ rule, conditions }: LimitDescriptor): RouteLimit[] {
  const { request, response } = rule.cost ?? {};
  const actions = conditions.map(([action]) => action);
  const before: RouteLimit = { actions, ...overrideLimit(rule), ...(request && { hitsAddend: readCost(request) }) };
  if (response === undefined) return [before];
  return [before, { actions, ...overrideLimit(rule), hitsAddend: readCost(response), applyOnStreamDone: true }];
}

function overrideLimit({ limit }: GlobalRule): Pick<RouteLimit, "limit"> {
  const { fromMetadata } = limit;
  if (fromMetadata === undefined) return {};
  const metadataKey = { key: fromMetadata.namespace, path: [{ key: fromMetadata.key }] };
  return { limit: { dynamicMetadata: { metadataKey } } };
}
