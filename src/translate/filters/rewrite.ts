import type { HTTPRouteFilter as StandardFilter } from "../../api/gateway-api.ts";
import type { HTTPRouteFilter } from "../../api/httproutefilter.ts";
import type { RouteAction } from "../../envoy/generated/envoy/config/route/v3/route_components.ts";
import { type PathChange, readPathModifier } from "./path.ts";

/** How requests are rewritten on their way to the backend. */
export interface UrlRewrite {
  readonly path?: PathChange;
  readonly host?: HostChange;
  /** Keep the client's host in x-forwarded-host when it is rewritten. */
  readonly keepsOriginalHost: boolean;
}

export type HostChange =
  | { readonly kind: "literal"; readonly value: string }
  | { readonly kind: "header"; readonly header: string }
  /** The host name of the endpoint that takes the request. */
  | { readonly kind: "backend" }
  | { readonly kind: "pathRegex"; readonly pattern: string; readonly substitution: string };

export const noRewrite: UrlRewrite = Object.freeze({ keepsOriginalHost: true });

/** A standard URLRewrite filter (HTTPURLRewriteFilter). */
export function readStandardRewrite(filter: NonNullable<StandardFilter["urlRewrite"]>): UrlRewrite {
  return {
    path: readPathModifier(filter.path),
    host: filter.hostname === undefined ? undefined : { kind: "literal", value: filter.hostname },
    keepsOriginalHost: true,
  };
}

/** `urlRewrite` of an HTTPRouteFilter. */
export function readExtensionRewrite(filter: NonNullable<HTTPRouteFilter["spec"]["urlRewrite"]>): UrlRewrite {
  const regex = filter.path?.replaceRegexMatch;
  return {
    path: regex === undefined ? undefined : { kind: "regex", ...regex },
    host: readHost(filter.hostname),
    keepsOriginalHost: filter.appendXForwardedHost ?? true,
  };
}

function readHost(
  hostname: NonNullable<HTTPRouteFilter["spec"]["urlRewrite"]>["hostname"] | undefined,
): HostChange | undefined {
  switch (hostname?.type) {
    case "Header":
      return hostname.header === undefined ? undefined : { kind: "header", header: hostname.header };
    case "Backend":
      return { kind: "backend" };
    case "PathRegex":
      return hostname.pathRegex === undefined ? undefined : { kind: "pathRegex", ...hostname.pathRegex };
    default:
      return undefined;
  }
}

/** Of several filters of a rule the last one decides each part. */
export function mergeRewrites(rewrites: readonly UrlRewrite[]): UrlRewrite {
  return rewrites.reduce(
    (merged, next) => ({
      path: next.path ?? merged.path,
      host: next.host ?? merged.host,
      keepsOriginalHost: merged.keepsOriginalHost && next.keepsOriginalHost,
    }),
    noRewrite,
  );
}

/** The host part as fields of Envoy's RouteAction. */
export function rewriteHost(host: HostChange | undefined, keepsOriginalHost: boolean): Partial<RouteAction> {
  if (host === undefined) return {};
  const appendXForwardedHost = keepsOriginalHost;
  switch (host.kind) {
    case "literal":
      return { hostRewriteLiteral: host.value, appendXForwardedHost };
    case "header":
      return { hostRewriteHeader: host.header, appendXForwardedHost };
    case "backend":
      return { autoHostRewrite: true, appendXForwardedHost };
    case "pathRegex":
      return {
        hostRewritePathRegex: { pattern: { regex: host.pattern }, substitution: host.substitution },
        appendXForwardedHost,
      };
  }
}
