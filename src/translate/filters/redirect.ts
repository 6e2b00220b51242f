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

/** Translates a RequestRedirect filter (HTTPRequestRedirectFilter) for requests that matched `path`. */
export function redirectRequest(
  filter: RequestRedirect,
  path: RoutePath,
  listener: { readonly port: number; readonly scheme: "http" | "https" },
): RedirectAction {
  const change = readPathModifier(filter.path);
  const port = redirectPort(filter, listener);
  return {
    schemeRedirect: filter.scheme,
    hostRedirect: filter.hostname,
    ...(port === undefined ? {} : { portRedirect: port }),
    ...(change?.kind === "full" ? { pathRedirect: change.value } : rewritePath(change, path)),
    responseCode: responseCodes[filter.statusCode ?? DEFAULT_STATUS] ?? RedirectAction_RedirectResponseCode.FOUND,
  };
}

/**
 * Port of the Location by the rules of HTTPRequestRedirectFilter.port: as written, else the well-known port of the new
 * scheme, else the listener's. The well-known port of the resulting scheme is not written.
 */
function redirectPort(
  filter: RequestRedirect,
  listener: { readonly port: number; readonly scheme: "http" | "https" },
): number | undefined {
  const inherited = filter.scheme === undefined ? listener.port : (wellKnownPorts[filter.scheme] ?? listener.port);
  const port = filter.port ?? inherited;
  return port === wellKnownPorts[filter.scheme ?? listener.scheme] ? undefined : port;
}
