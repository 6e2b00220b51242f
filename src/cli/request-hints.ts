import type { HTTPRoute, HTTPRouteMatch } from "../api/gateway-api.ts";
import type { AttachedListener, GatewayPlan } from "../attach/model.ts";
import type { GatewayReport, RouteReport, StatusReport } from "../pipeline/status-reports.ts";

/** Where a Gateway is reached, and a request that one of its routes answers. */
export interface RequestHint {
  readonly gateway: string;
  /** As in `http://127.0.0.1:8080`, one a port. */
  readonly urls: readonly string[];
  /** A command line; undefined when no route of it can be tried with a plain request. */
  readonly curl: string | undefined;
}

/** O(objects). */
export function suggestRequests(reports: Iterable<StatusReport>): RequestHint[] {
  const gateways: GatewayReport[] = [];
  const routes = new Map<string, RouteReport>();
  for (const report of reports) {
    if (report.kind === "Gateway") gateways.push(report);
    if (report.kind !== "HTTPRoute") continue;
    for (const { gateway, listeners } of report.attachment.parents) {
      const best = routes.get(gateway);
      if (listeners.length > 0 && (best === undefined || rank(report) < rank(best))) routes.set(gateway, report);
    }
  }
  return gateways.map(({ plan }) => {
    const host = plan.bindAddress ?? "127.0.0.1";
    const route = routes.get(plan.key);
    return {
      gateway: plan.key,
      urls: plan.ports.map(({ protocol, bindPort }) => `${protocol.toLowerCase()}://${inUrl(host)}:${bindPort}`),
      curl: route === undefined ? undefined : suggestCurl(plan, route, host),
    };
  });
}

/** Routes without problems come first, then those with the shorter name. */
function rank({ resolved, attachment }: RouteReport): number {
  return (resolved.problems.length > 0 ? 1_000 : 0) + attachment.key.length;
}

function suggestCurl(plan: GatewayPlan, report: RouteReport, address: string): string | undefined {
  const parent = report.attachment.parents.find(
    ({ gateway, listeners }) => gateway === plan.key && listeners.length > 0,
  );
  const listener = parent?.listeners.find(({ hostnames }) => hostnames.length > 0);
  if (listener === undefined) return undefined;
  const port = plan.ports.find(({ listeners }) => listeners.some(({ name }) => name === listener.listener));
  const request = pickMatch(report.object as HTTPRoute);
  if (port === undefined || request === undefined) return undefined;
  const words = ["curl", ...request.options];
  const host = nameHost(listener);
  if (port.protocol === "HTTPS") {
    const name = host ?? address;
    if (host !== undefined) words.push("--resolve", `${name}:${port.bindPort}:${address}`);
    words.push("--insecure", quote(`https://${inUrl(name)}:${port.bindPort}${request.path}`));
  } else {
    if (host !== undefined) words.push("-H", quote(`Host: ${host}`));
    words.push(quote(`http://${inUrl(address)}:${port.bindPort}${request.path}`));
  }
  return words.join(" ");
}

/** A host that the route serves; undefined when any will do. */
function nameHost({ hostnames }: AttachedListener): string | undefined {
  const host = hostnames.find(({ host }) => host !== "*")?.host;
  return host?.startsWith("*.") ? `www${host.slice(1)}` : host;
}

/** The first match that can be written down as a request: no regular expressions. A route without matches takes all. */
function pickMatch(route: HTTPRoute): { path: string; options: string[] } | undefined {
  for (const rule of route.spec.rules ?? []) {
    for (const match of rule.matches ?? [{}]) {
      if (isPlain(match)) return { path: pathOf(match), options: optionsOf(match) };
    }
  }
  return undefined;
}

function isPlain({ path, headers = [], queryParams = [] }: HTTPRouteMatch): boolean {
  return [path, ...headers, ...queryParams].every((part) => part?.type !== "RegularExpression");
}

function pathOf({ path, queryParams = [] }: HTTPRouteMatch): string {
  const query = new URLSearchParams(queryParams.map(({ name, value }): [string, string] => [name, value])).toString();
  return `${path?.value ?? "/"}${query === "" ? "" : `?${query}`}`;
}

function optionsOf({ method, headers = [] }: HTTPRouteMatch): string[] {
  return [
    ...(method === undefined || method === "GET" ? [] : ["-X", method]),
    ...headers.flatMap(({ name, value }) => ["-H", quote(`${name}: ${value}`)]),
  ];
}

function inUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** As one word of a POSIX shell. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
