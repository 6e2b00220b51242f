import type { HTTPRouteFilter } from "../../api/gateway-api.ts";
import { type Any, pack } from "../../envoy/any.ts";
import { CorsPolicy } from "../../envoy/generated/envoy/extensions/filters/http/cors/v3/cors.ts";
import { matchOrigin } from "./origins.ts";

export type Cors = NonNullable<HTTPRouteFilter["cors"]>;

/** HTTPCORSFilter.maxAge when it is not set, seconds. */
const DEFAULT_MAX_AGE_SECONDS = 5;

/** What Envoy's CORS filter is told, whoever says so. */
interface CorsSettings {
  readonly allowOrigins: readonly string[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly allowCredentials: boolean;
  /** Undefined: browsers are not told how long they may remember the answer. */
  readonly maxAgeSeconds: number | undefined;
}

/** Translates a CORS filter (HTTPCORSFilter) into the per-route configuration of Envoy's CORS filter. */
export function allowCrossOrigin(filter: Cors): Any {
  return buildCorsPolicy({
    allowOrigins: filter.allowOrigins ?? [],
    allowMethods: filter.allowMethods ?? [],
    allowHeaders: filter.allowHeaders ?? [],
    exposeHeaders: filter.exposeHeaders ?? [],
    allowCredentials: filter.allowCredentials === true,
    maxAgeSeconds: filter.maxAge ?? DEFAULT_MAX_AGE_SECONDS,
  });
}

export function buildCorsPolicy(settings: CorsSettings): Any {
  const { allowOrigins, allowMethods, allowHeaders, exposeHeaders, allowCredentials, maxAgeSeconds } = settings;
  return pack(CorsPolicy, {
    allowOriginStringMatch: allowOrigins.map(matchOrigin),
    // For "*" Envoy answers with the method and the headers that the preflight asked for, which suits credentials too.
    allowMethods: joinNames(allowMethods),
    allowHeaders: joinNames(allowHeaders),
    // With credentials a browser takes "*" literally and the Gateway API forbids sending it.
    exposeHeaders: joinNames(allowCredentials ? exposeHeaders.filter((name) => name !== "*") : exposeHeaders),
    ...(maxAgeSeconds !== undefined && { maxAge: String(maxAgeSeconds) }),
    ...(allowCredentials ? { allowCredentials } : {}),
    // A preflight from elsewhere is answered here, without the headers that would allow it.
    forwardNotMatchingPreflights: false,
  });
}

/** The wildcard means all names, whatever stands beside it. */
function joinNames(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  return names.includes("*") ? "*" : names.join(",");
}
