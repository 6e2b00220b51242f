import type { HTTPRouteFilter } from "../../api/gateway-api.ts";
import {
  type RedirectAction,
  RedirectAction_RedirectResponseCode,
} from "../../envoy/generated/envoy/config/route/v3/route_components.ts";
import type { RoutePath } from "../route-order.ts";
import { readPathModifier, rewritePath } from "./path.ts";

export type RequestRedirect = NonNullable<HTTPRouteFilter["requestRedirect"]>;

const responseCodes: Readonly<Record<number, RedirectAction["responseCode"]>> = {
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
};
const DEFAULT_STATUS = 302;

const wellKnownPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** Where the redirect is answered: listener and domain of the virtual host. */
export interface RedirectPlace {
  readonly port: number;
  readonly scheme: "http" | "https";
  readonly host: string;
}

/**
 * Translates a RequestRedirect filter (HTTPRequestRedirectFilter) for requests that matched `path`.
 *
 * @param hostPort the request's Host has a port; matters where {@link keepsPort}
 */
export function redirectRequest(
  filter: RequestRedirect,
  path: RoutePath,
  place: RedirectPlace,
  hostPort = false,
): RedirectAction {
  const change = readPathModifier(filter.path);
  const port = redirectPort(filter, place);
  const written = hasWellKnownPort(filter, place) && !hostPort ? undefined : port;
  return {
    schemeRedirect: filter.scheme,
    // Without a host Envoy takes the request's, and without a port that host's port.
    hostRedirect: filter.hostname ?? (written === undefined && !isWildcard(place.host) ? place.host : undefined),
    ...(written === undefined ? {} : { portRedirect: written }),
    ...(change?.kind === "full" ? { pathRedirect: change.value } : rewritePath(change, path)),
    responseCode: responseCodes[filter.statusCode ?? DEFAULT_STATUS] ?? RedirectAction_RedirectResponseCode.FOUND,
  };
}

/**
 * Must requests whose Host has a port be told apart? Where the Location is to have neither another host nor a port, Envoy
 * would repeat the request's: `https://example.com:8080/` instead of `https://example.com/`.
 */
export function keepsPort(filter: RequestRedirect, place: RedirectPlace): boolean {
  return filter.hostname === undefined && isWildcard(place.host) && hasWellKnownPort(filter, place);
}

function isWildcard(host: string): boolean {
  return host.startsWith("*");
}

/** The port that a URL of the new scheme has when none is written. */
function hasWellKnownPort(filter: RequestRedirect, place: RedirectPlace): boolean {
  return redirectPort(filter, place) === wellKnownPorts[filter.scheme ?? place.scheme];
}

/** As written, else the well-known port of the new scheme, else the listener's (HTTPRequestRedirectFilter.port). */
function redirectPort(filter: RequestRedirect, place: RedirectPlace): number {
  return filter.port ?? (filter.scheme === undefined ? place.port : (wellKnownPorts[filter.scheme] ?? place.port));
}
