import type { GRPCRouteMatch, HTTPRouteMatch } from "../api/gateway-api.ts";
import { compareStrings } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import type {
  HeaderMatcher,
  QueryParameterMatcher,
  RouteMatch,
} from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import type { StringMatcher } from "../envoy/generated/envoy/type/matcher/v3/string.ts";
import type { MatchVariant } from "./match-variants.ts";
import { type PathSpecificity, type RoutePath, rankMatch } from "./route-order.ts";

/** A match in Envoy's terms, with what ordering and the route tree need to know of it. */
export interface TranslatedMatch {
  readonly match: RouteMatch;
  readonly path: RoutePath;
  readonly conditional: boolean;
  /** Canonical text: does not depend on the order in which conditions were written. */
  readonly key: string;
  /** Rank among the matches of a virtual host that the route reached by this hostname of its own. */
  rankOn(routeHostname: string): number;
}

/** A value and how to compare it, as header, query parameter and cookie matches share it. */
interface Condition {
  readonly name: string;
  readonly regex: boolean;
  readonly value: string;
}

interface Conditions {
  readonly method?: string;
  readonly headers: readonly Condition[];
  readonly cookies: readonly Condition[];
  readonly queryParams: readonly Condition[];
  /** Of a variant, in Envoy's terms and without a say in the order of routes. */
  readonly further: readonly HeaderMatcher[];
}

/**
 * Translates one match of an HTTPRoute (HTTPRouteMatch) in one variant. Undefined: the variant adds nothing to this match,
 * which has no method that a browser would ask for, or a path, which requests for tunnels do not have.
 */
export function translateHttpMatch(source: HTTPRouteMatch, variant: MatchVariant): TranslatedMatch | undefined {
  const path = normalizePath(source.path?.type, source.path?.value);
  const { method } = source;
  if (variant.tunnel && !takesTunnels(path, method)) return undefined;
  if (variant.preflight && (method === undefined || method === PREFLIGHT_METHOD)) return undefined;
  const asked = variant.preflight ? method : undefined;
  return buildMatch(
    variant.tunnel ? noPath : path,
    { kind: "http", path },
    {
      method: asked === undefined ? method : PREFLIGHT_METHOD,
      headers: readConditions(source.headers, foldCase),
      cookies: readConditions(variant.cookies, keepCase),
      queryParams: readConditions(source.queryParams, keepCase),
      further: [...(asked === undefined ? [] : askFor(asked)), ...(variant.hostPort ? [hostWithPort] : [])],
    },
  );
}

const TUNNEL_METHOD = "CONNECT";

/** Stands for the path of a request for a tunnel. No path of any other request begins without a slash. */
const noPath: RoutePath = { type: "Exact", value: TUNNEL_METHOD };

function takesTunnels(path: RoutePath, method: string | undefined): boolean {
  const anyPath = path.type === "PathPrefix" && path.value === "/";
  return anyPath && (method === undefined || method === TUNNEL_METHOD);
}

const PREFLIGHT_METHOD = "OPTIONS";

/** What makes an OPTIONS request a preflight (Fetch standard, "CORS-preflight fetch"). */
function askFor(method: string): readonly HeaderMatcher[] {
  return [
    { name: "origin", presentMatch: true },
    { name: "access-control-request-method", stringMatch: { exact: method } },
  ];
}

const hostWithPort: HeaderMatcher = { name: ":authority", stringMatch: { safeRegex: { regex: ".*:[0-9]+" } } };

/** Translates one match of a GRPCRoute (GRPCRouteMatch). A gRPC request's path is `/service/method`. */
export function translateGrpcMatch(source: GRPCRouteMatch, variant: MatchVariant): TranslatedMatch | undefined {
  if (variant.tunnel) return undefined;
  const { service = "", method = "", type = "Exact" } = source.method ?? {};
  return buildMatch(
    grpcPath(service, method, type === "RegularExpression"),
    { kind: "grpc", service: service.length, method: method.length },
    {
      headers: readConditions(source.headers, foldCase),
      cookies: readConditions(variant.cookies, keepCase),
      queryParams: [],
      further: [],
    },
  );
}

/** A prefix ends on a path element whether or not it is written with a trailing slash (HTTPPathMatch, PathPrefix). */
function normalizePath(type: string | undefined, value: string | undefined): RoutePath {
  const path = value ?? "/";
  if (type === "Exact" || type === "RegularExpression") return { type, value: path };
  const trimmed = path.endsWith("/") ? path.replace(/\/+$/, "") : path;
  return { type: "PathPrefix", value: trimmed === "" ? "/" : trimmed };
}

function grpcPath(service: string, method: string, regex: boolean): RoutePath {
  if (service === "" && method === "") return { type: "PathPrefix", value: "/" };
  if (regex) {
    const part = (pattern: string) => (pattern === "" ? "[^/]+" : groupRegex(pattern));
    return { type: "RegularExpression", value: `/${part(service)}/${part(method)}` };
  }
  if (method === "") return { type: "PathPrefix", value: `/${service}` };
  if (service === "") return { type: "RegularExpression", value: `/[^/]+/${quoteRegex(method)}` };
  return { type: "Exact", value: `/${service}/${method}` };
}

function buildMatch(path: RoutePath, specificity: PathSpecificity, conditions: Conditions): TranslatedMatch {
  const { method, headers, cookies, queryParams, further } = conditions;
  const matchers: HeaderMatcher[] = [];
  if (method !== undefined) matchers.push({ name: ":method", stringMatch: { exact: method } });
  for (const header of headers) matchers.push({ name: header.name, stringMatch: matchString(header) });
  for (const cookie of cookies) matchers.push({ name: "cookie", stringMatch: matchCookie(cookie) });
  matchers.push(...further);
  const match: RouteMatch = { ...matchPath(path), headers: matchers };
  if (queryParams.length > 0) {
    match.queryParameters = queryParams.map(
      (param): QueryParameterMatcher => ({ name: param.name, stringMatch: matchString(param) }),
    );
  }
  return {
    match,
    path,
    conditional: matchers.length > 0 || queryParams.length > 0,
    key: describeMatch(path, conditions),
    rankOn: (routeHostname) =>
      rankMatch({
        routeHostname,
        specificity,
        hasMethod: method !== undefined,
        headers: headers.length,
        cookies: cookies.length,
        queryParams: queryParams.length,
      }),
  };
}

function matchPath(path: RoutePath): RouteMatch {
  if (path === noPath) return { connectMatcher: {} };
  switch (path.type) {
    case "Exact":
      return { path: path.value };
    case "RegularExpression":
      return { safeRegex: { regex: path.value } };
    case "PathPrefix":
      // Envoy's path_separated_prefix cannot be "/"; every path starts with that anyway.
      return path.value === "/" ? { prefix: "/" } : { pathSeparatedPrefix: path.value };
  }
}

/** Of entries with equivalent names only the first counts (HTTPHeaderMatch.name, HTTPQueryParamMatch.name). */
function readConditions(
  sources: readonly { readonly name: string; readonly value: string; readonly type?: string }[] | undefined,
  foldName: (name: string) => string,
): readonly Condition[] {
  const byName = new Map<string, Condition>();
  for (const source of sources ?? []) {
    const name = foldName(source.name);
    if (!byName.has(name)) byName.set(name, { name, value: source.value, regex: source.type === "RegularExpression" });
  }
  return [...byName.values()];
}

function foldCase(name: string): string {
  return name.toLowerCase();
}

function keepCase(name: string): string {
  return name;
}

function matchString({ regex, value }: Condition): StringMatcher {
  return regex ? { safeRegex: { regex: value } } : { exact: value };
}

/** Envoy compares whole header values, so the cookie is looked for between the semicolons of the Cookie header (RFC 6265, 4.2.1). */
function matchCookie({ name, regex, value }: Condition): StringMatcher {
  const expected = regex ? groupRegex(keepInsideCookie(value)) : quoteRegex(value);
  return { safeRegex: { regex: `(?:.*;)?\\s*${quoteRegex(name)}=${expected}\\s*(?:;.*)?` } };
}

/** Quotation, escape, class or wildcard: what stands in a regular expression for one or more characters. */
const classOrEscape = /\\Q[\s\S]*?(?:\\E|$)|\\[\s\S]|\[\^?\]?(?:\[:\^?\w+:\]|\\[\s\S]|[^\]\\])*\]|\./g;

/** To stand inside another expression. A quotation may be left open only at the end of the whole. */
function groupRegex(pattern: string): string {
  const isOpen = (token: string) => token.startsWith("\\Q") && !token.endsWith("\\E");
  return `(?:${pattern.replace(classOrEscape, (token) => (isOpen(token) ? `${token}\\E` : token))})`;
}

/** What stands for "any character" must not stand for the semicolon, behind which another cookie begins. */
function keepInsideCookie(pattern: string): string {
  return pattern.replace(classOrEscape, (token) => {
    if (token === ".") return "[^;]";
    if (token.startsWith("[^")) return `${token.slice(0, -1)};]`;
    return /^\\[DSW]$/.test(token) ? `[^;${token.toLowerCase()}]` : token;
  });
}

/** Escapes a literal for RE2. */
export function quoteRegex(literal: string): string {
  return literal.replace(/[\\^$.|?*+()[\]{}-]/g, "\\$&");
}

function describeMatch(path: RoutePath, { method, headers, cookies, queryParams, further }: Conditions): string {
  let text = flatText(path.type, " ", path.value);
  if (method !== undefined) text += `\nmethod ${method}`;
  for (const [kind, list] of [
    ["header", headers],
    ["cookie", cookies],
    ["query", queryParams],
  ] as const) {
    if (list.length === 0) continue;
    const lines = list.map(({ name, regex, value }) => `\n${kind} ${name} ${regex ? "~" : "="} ${value}`);
    text += lines.sort(compareStrings).join("");
  }
  return further.length === 0 ? text : `${text}\n${JSON.stringify(further)}`;
}
