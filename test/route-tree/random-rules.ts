import type { HTTPRoute, HTTPRouteMatch, HTTPRouteRule } from "../../src/api/gateway-api.ts";
import type { AttachedListener, ResolvedRoute } from "../../src/attach/model.ts";
import { translateHttpRoute } from "../../src/translate/http-route.ts";
import type { RouteEntry } from "../../src/translate/route-order.ts";
import { ECHO_CLUSTER } from "./table-envoy.ts";

/** Numbers in [0, 1), the same for the same seed. */
export type Random = () => number;

/** mulberry32: small, fast and good enough to vary test cases. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)] as T;
}

function times<T>(random: Random, max: number, make: () => T): T[] {
  return Array.from({ length: Math.floor(random() * (max + 1)) }, make);
}

/** Few, and each the beginning of another: most paths overlap. */
const segments = ["a", "b", "ab", "abc", "a.b", "a-b", "v1", "api", "x"];
const regexes = ["/a.*", "/[ab]+/.*", ".*/b", "/(?:a|ab)/?", "/api/v[0-9]+/.+", "/.*x"];
const methods = ["GET", "POST", "PUT"] as const;
const values = ["1", "2"];

export interface RandomRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Entries of one host, 1 to 120 rules: exact, prefix and regex paths; methods, headers, queries; forwards, rewrites, redirects. */
export function randomEntries(random: Random, host: string): RouteEntry[] {
  const count = 1 + Math.floor(random() ** 2 * 120);
  const routes = new Map<number, HTTPRouteRule[]>();
  for (let index = 0; index < count; index++) {
    const route = Math.floor(random() * 5);
    routes.set(route, [...(routes.get(route) ?? []), randomRule(random)]);
  }
  const hostnames = [{ host, routeHostname: host }];
  const listener: AttachedListener = {
    listener: "web",
    routeTable: "t",
    port: 8080,
    scheme: "http",
    hostnames,
  };
  return [...routes].flatMap(([index, rules]) => {
    const creationTimestamp = pick(random, [undefined, "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"]);
    const route: HTTPRoute = {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: `r${index}`, namespace: "default", creationTimestamp },
      spec: { rules },
    };
    const attached = { host, routeHostname: pick(random, [host, host, "*"]) };
    return translateHttpRoute(route, resolveToEcho(rules.length), listener, attached);
  });
}

function randomRule(random: Random): HTTPRouteRule {
  const path = randomPathMatch(random);
  const replacement = { type: "ReplacePrefixMatch", replacePrefixMatch: pick(random, ["/", "/new", "/new/"]) } as const;
  const action = random();
  const filters: HTTPRouteRule["filters"] =
    action < 0.25
      ? [{ type: "RequestRedirect", requestRedirect: { path: replacement, statusCode: 302 } }]
      : action < 0.6
        ? [{ type: "URLRewrite", urlRewrite: { path: replacement } }]
        : [];
  const match: HTTPRouteMatch = {
    path,
    ...(random() < 0.3 ? { method: pick(random, methods) } : {}),
    headers: times(random, random() < 0.3 ? 2 : 0, () => ({
      name: pick(random, ["h1", "h2"]),
      value: pick(random, values),
    })),
    queryParams: times(random, random() < 0.3 ? 2 : 0, () => ({
      name: pick(random, ["q1", "q2"]),
      value: pick(random, values),
    })),
  };
  return { matches: [match], filters };
}

function randomPathMatch(random: Random): HTTPRouteMatch["path"] {
  const kind = random();
  if (kind < 0.08) return { type: "RegularExpression", value: pick(random, regexes) };
  const value = `/${times(random, 3, () => pick(random, segments)).join("/")}`;
  const slash = value !== "/" && random() < 0.2 ? "/" : "";
  return { type: kind < 0.35 ? "Exact" : "PathPrefix", value: `${value}${slash}` };
}

function resolveToEcho(rules: number): ResolvedRoute {
  const reach = { kind: "Service", key: "default/echo", port: 80, portName: "" } as const;
  const target = { name: ECHO_CLUSTER, reach, protocol: "http1" } as const;
  const rule = { backends: [{ weight: 1, target, extensions: [] }], mirrors: [], extensions: [] };
  return { routeKind: "HTTPRoute", key: "default/r", problems: [], rules: Array.from({ length: rules }, () => rule) };
}

/** A request that is likely to meet the rules, bent in the ways in which paths are bent. */
export function randomRequest(random: Random, entries: readonly RouteEntry[]): RandomRequest {
  let path = random() < 0.6 ? pick(random, entries).path.value.replace(/[^a-z0-9./-]/g, "") : "";
  if (!path.startsWith("/")) path = `/${path}`;
  for (const part of times(random, 3, () => pick(random, segments))) {
    path += pick(random, ["/", "/", "/", "//", "", "/./", "/../"]) + part;
  }
  path += pick(random, ["", "", "", "/", "x", "/.", "//", "/.."]);
  const query = times(random, 2, () => `${pick(random, ["q1", "q2"])}=${pick(random, values)}`);
  if (random() < 0.2) query.push(`next=/${pick(random, segments)}/${pick(random, segments)}`);
  if (random() < 0.05) query.unshift(`/${pick(random, segments)}`);
  const headers: Record<string, string> = {};
  for (const name of times(random, 2, () => pick(random, ["h1", "h2"]))) headers[name] = pick(random, values);
  const isAsterisk = random() < 0.01;
  return {
    method: isAsterisk ? "OPTIONS" : pick(random, methods),
    path: isAsterisk ? "*" : path + (query.length > 0 ? `?${query.join("&")}` : ""),
    headers,
  };
}
