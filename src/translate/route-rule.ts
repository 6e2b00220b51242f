import type { HTTPRouteFilter } from "../api/gateway-api.ts";
import type { RouteTraffic } from "../attach/backend-traffic.ts";
import type { AttachedListener, ResolvedExtension, ResolvedRule } from "../attach/model.ts";
import { type Any, pack, sortedMap } from "../envoy/any.ts";
import {
  FilterConfig,
  type Route,
  type RouteAction,
} from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import { PerRouteConfig } from "../envoy/generated/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.ts";
import { allowCrossOrigin } from "./filters/cors.ts";
import { directResponseHeaders, respondDirectly } from "./filters/direct-response.ts";
import { headerFields, readHeaders } from "./filters/headers.ts";
import { mirrorRequests } from "./filters/mirror.ts";
import { rewritePath } from "./filters/path.ts";
import { keepsPort, redirectRequest } from "./filters/redirect.ts";
import {
  type HostChange,
  mergeRewrites,
  readExtensionRewrite,
  readStandardRewrite,
  rewriteHost,
  type UrlRewrite,
} from "./filters/rewrite.ts";
import { httpFilterNames } from "./http-filters.ts";
import { type MatchVariant, planVariants } from "./match-variants.ts";
import { allowsTunnels, configurePolicyFilters, countsRequests } from "./policy/route-filters.ts";
import { chooseBackends } from "./route-backends.ts";
import type { RoutePath } from "./route-order.ts";
import { tellContext } from "./security/ext-auth.ts";
import { configureSecurityFilters } from "./security/route-filters.ts";
import { traceRoute } from "./tracing.ts";

/** A filter of an HTTPRoute or GRPCRoute: what one kind lacks is absent. */
export type RouteFilter = Omit<HTTPRouteFilter, "type">;

/** A rule of either kind, with its references followed. */
export interface RuleSource {
  readonly filters: readonly RouteFilter[];
  /** Filters of each backendRef. */
  readonly backendFilters: readonly (readonly RouteFilter[])[];
  readonly resolved: ResolvedRule;
  /** Answer to requests for an invalid backendRef and for a rule that cannot do what it says. */
  readonly failureStatus: 500 | 503;
  /** Timeouts and retries. */
  readonly limits: Partial<RouteAction>;
  /** HTTP filters, disabled by default, that every route of the kind turns on. */
  readonly enabledFilters: readonly string[];
}

/** What a rule does with requests on one host; all its matches share it. */
export interface RuleTemplate {
  readonly clusters: readonly string[];
  /** Envoy counts for each copy of the Route: what is allowed must not be had once more in every bucket of a table. */
  readonly counts?: true;
  /** Each to be combined with each match; at least one. */
  readonly variants: readonly MatchVariant[];
  /** The Route of a match with this path, without name and match. */
  complete(path: RoutePath, variant: MatchVariant): Route;
}

const plainVariant: readonly MatchVariant[] = [{ cookies: [] }];

/** `typedPerFilterConfig` entry that turns on a filter that has no configuration for routes. */
const enabledFilter: Any = pack(FilterConfig, { config: {} });

/** Where a rule is served. */
export interface RulePlace extends AttachedListener {
  /** Domain of the virtual host. */
  readonly host: string;
}

/** Translates the part of a rule that does not depend on its matches. */
export function translateRule(source: RuleSource, place: RulePlace): RuleTemplate {
  const { traffic } = source.resolved;
  const template = translateAction(source, place);
  return traffic && countsRequests(traffic) ? { ...template, counts: true } : template;
}

function translateAction(source: RuleSource, place: RulePlace): RuleTemplate {
  const { filters, resolved } = source;
  const direct = resolved.extensions.find(({ filter }) => filter.directResponse !== undefined);
  const redirect = filters.find(({ requestRedirect }) => requestRedirect !== undefined)?.requestRedirect;
  const variants = planVariants(resolved.extensions, {
    preflight: resolved.security?.cors !== undefined || filters.some(({ cors }) => cors !== undefined),
    hostPort: redirect !== undefined && keepsPort(redirect, place),
    tunnel: redirect === undefined && direct === undefined && allowsTunnels(resolved.traffic ?? {}),
  });
  if (resolved.failureStatus !== undefined || variants === undefined) {
    return failWith(source.failureStatus, variants ?? plainVariant);
  }
  const common: Route = {
    ...watchRoute(resolved.traffic),
    ...headerFields(readHeaders(filters)),
    typedPerFilterConfig: configureFilters(source),
  };
  if (redirect !== undefined) {
    return {
      clusters: serversOf(resolved),
      variants,
      complete: (path, { hostPort }) => ({ ...common, redirect: redirectRequest(redirect, path, place, hostPort) }),
    };
  }
  if (direct?.filter.directResponse !== undefined) {
    const route: Route = {
      ...common,
      directResponse: respondDirectly(direct.filter.directResponse, direct.body),
      responseHeadersToAdd: [
        ...(common.responseHeadersToAdd ?? []),
        ...directResponseHeaders(direct.filter.directResponse),
      ],
    };
    return { clusters: serversOf(resolved), variants, complete: () => route };
  }
  return forward(source, common, variants);
}

/** What is counted and traced of the requests of a route. */
function watchRoute({ statName, tracing }: RouteTraffic = {}): Pick<Route, "statPrefix" | "tracing"> {
  return { ...(statName !== undefined && { statPrefix: statName }), ...(tracing && { tracing: traceRoute(tracing) }) };
}

/** Clusters of the servers that are asked before a request passes. */
function serversOf({ security }: ResolvedRule): readonly string[] {
  return Object.values(security?.servers ?? {}).map(({ name }) => name);
}

function failWith(status: number, variants: readonly MatchVariant[]): RuleTemplate {
  const route: Route = { directResponse: { status } };
  return { clusters: [], variants, complete: () => route };
}

function forward(source: RuleSource, common: Route, variants: readonly MatchVariant[]): RuleTemplate {
  const { filters, backendFilters, resolved } = source;
  const choice = chooseBackends(resolved.backends, backendFilters, readHeaders(filters), source.failureStatus);
  if (choice === undefined) return failWith(source.failureStatus, variants);
  const own = readRewrites(filters, resolved.extensions);
  const rewrite = mergeRewrites(choice.rewrite === undefined ? own : [...own, choice.rewrite]);
  const mirrors = resolved.mirrors.flatMap(({ filterIndex, target }) => {
    const filter = filters[filterIndex]?.requestMirror;
    return filter === undefined || target === undefined ? [] : [mirrorRequests(filter, target.name)];
  });
  const asked: RouteAction = {
    ...choice.action,
    ...(choice.resolvesHost ? {} : rewriteHost(rewrite.host, rewrite.keepsOriginalHost)),
    ...(mirrors.length > 0 ? { requestMirrorPolicies: mirrors } : {}),
    ...source.limits,
  };
  const filterConfig = choice.resolvesHost
    ? sortedMap([
        ...Object.entries(common.typedPerFilterConfig ?? {}),
        [httpFilterNames.dynamicForwardProxy, resolveHost(rewrite.host)],
      ])
    : (common.typedPerFilterConfig ?? {});
  const { typedPerFilterConfig, action } = tellContext(resolved.security, filterConfig, asked);
  const headers = withoutLoadReports(headerFields(choice.headers), resolved.traffic);
  return {
    clusters: [...new Set([...choice.clusters, ...mirrors.map(({ cluster = "" }) => cluster), ...serversOf(resolved)])],
    variants,
    complete: (path, { tunnel }) => ({
      ...watchRoute(resolved.traffic),
      ...headers,
      typedPerFilterConfig,
      // Who asks for a tunnel names no path.
      route: tunnel ? action : { ...action, ...rewritePath(rewrite.path, path) },
    }),
  };
}

/** Names under which backends report their load (ORCA). */
const loadReports = ["endpoint-load-metrics", "endpoint-load-metrics-bin"];

function withoutLoadReports(headers: Partial<Route>, traffic: ResolvedRule["traffic"]): Partial<Route> {
  if (!traffic?.hidesLoadReports) return headers;
  return { ...headers, responseHeadersToRemove: [...(headers.responseHeadersToRemove ?? []), ...loadReports] };
}

/** The host must be changed before it is resolved, so the resolving filter changes it and not the router. */
function resolveHost(host: HostChange | undefined): Any {
  if (host?.kind === "literal") return pack(PerRouteConfig, { hostRewriteLiteral: host.value });
  if (host?.kind === "header") return pack(PerRouteConfig, { hostRewriteHeader: host.header });
  return pack(PerRouteConfig, {});
}

function readRewrites(
  filters: readonly RouteFilter[],
  extensions: readonly ResolvedExtension[],
): readonly UrlRewrite[] {
  const standard = filters.flatMap(({ urlRewrite }) =>
    urlRewrite === undefined ? [] : [readStandardRewrite(urlRewrite)],
  );
  const extended = extensions.flatMap(({ filter }) =>
    filter.urlRewrite === undefined ? [] : [readExtensionRewrite(filter.urlRewrite)],
  );
  return [...standard, ...extended];
}

function configureFilters({ filters, enabledFilters, resolved }: RuleSource): Record<string, Any> {
  const cors = filters.find((filter) => filter.cors !== undefined)?.cors;
  const ofPolicies = [
    ...(resolved.security ? configureSecurityFilters(resolved.security) : []),
    ...(resolved.traffic ? configurePolicyFilters(resolved.traffic) : []),
  ];
  // What the rule itself says of a matter wins.
  return sortedMap(
    new Map([
      ...ofPolicies,
      ...enabledFilters.map((name) => [name, enabledFilter] as const),
      ...(cors === undefined ? [] : [[httpFilterNames.cors, allowCrossOrigin(cors)] as const]),
    ]),
  );
}
