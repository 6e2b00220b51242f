import type { HTTPRouteFilter } from "../../api/gateway-api.ts";
import { type Any, pack } from "../../envoy/any.ts";
import { CorsPolicy } from "../../envoy/generated/envoy/extensions/filters/http/cors/v3/cors.ts";
import type { StringMatcher } from "../../envoy/generated/envoy/type/matcher/v3/string.ts";
import { quoteRegex } from "../match.ts";

export type Cors = NonNullable<HTTPRouteFilter["cors"]>;

/** HTTPCORSFilter.maxAge when it is not set, seconds. */
const DEFAULT_MAX_AGE_SECONDS = 5;

/** Translates a CORS filter (HTTPCORSFilter) into the per-route configuration of Envoy's CORS filter. */
export function allowCrossOrigin(filter: Cors): Any {
  const allowCredentials = filter.allowCredentials === true;
  return pack(CorsPolicy, {
    allowOriginStringMatch: (filter.allowOrigins ?? []).map(matchOrigin),
    // For "*" Envoy answers with the method and the headers that the preflight asked for, which suits credentials too.
    allowMethods: joinNames(filter.allowMethods),
    allowHeaders: joinNames(filter.allowHeaders),
    exposeHeaders: exposedHeaders(filter, allowCredentials),
    maxAge: String(filter.maxAge ?? DEFAULT_MAX_AGE_SECONDS),
    ...(allowCredentials ? { allowCredentials } : {}),
    // A preflight from elsewhere is answered here, without the headers that would allow it.
    forwardNotMatchingPreflights: false,
  });
}

/**
 * Browsers send an origin in lower case and without its scheme's default port, so the same is done to what is configured.
 * A `*` in the host stands for any characters, dots included.
 */
function matchOrigin(origin: string): StringMatcher {
  if (origin === "*") return { exact: "*" };
  const lower = origin.toLowerCase();
  const canonical = lower.replace(/^(http:\/\/.*):80$/, "$1").replace(/^(https:\/\/.*):443$/, "$1");
  if (!canonical.includes("*")) return { exact: canonical };
  return { safeRegex: { regex: canonical.split("*").map(quoteRegex).join(".*") } };
}

/** The wildcard means all names, whatever stands beside it. */
function joinNames(names: readonly string[] | undefined): string | undefined {
  if (names === undefined || names.length === 0) return undefined;
  return names.includes("*") ? "*" : names.join(",");
}

/** With credentials a browser takes "*" literally and the API forbids sending it. */
function exposedHeaders(filter: Cors, allowCredentials: boolean): string | undefined {
  if (!allowCredentials) return joinNames(filter.exposeHeaders);
  return joinNames(filter.exposeHeaders?.filter((name) => name !== "*"));
}
