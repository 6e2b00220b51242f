import type { HTTPRoute, HTTPRouteMatch } from "../api/gateway-api.ts";
import type { AttachedListener, PortPlan } from "../attach/model.ts";
import type { GatewayReport } from "../pipeline/listener-reports.ts";
import type { RouteReport, StatusReport } from "../pipeline/status-reports.ts";
import { reachableAddress } from "./reachable-address.ts";

/** Where a Gateway is reached, and requests that its routes answer. */
export interface RequestHint {
  readonly gateway: string;
  /** As in `http://127.0.0.1:8080`, one for each port that Envoy has opened. */
  readonly urls: readonly string[];
  /** Ports that are opened on another number than the Gateway says. */
  readonly moved: readonly { readonly port: number; readonly bindPort: number }[];
  /** Command lines; empty when no route can be tried with a plain request. */
  readonly curls: readonly string[];
}

/** Requests suggested for one Gateway. */
const CURLS_MAX = 6;

/** O(objects). Only what serves is suggested. */
export function suggestRequests(reports: Iterable<StatusReport>): RequestHint[] {
  const gateways: GatewayReport[] = [];
  const routes = new Map<string, RouteReport[]>();
  for (const report of reports) {
    if (report.kind === "Gateway") gateways.push(report);
    if (report.kind !== "HTTPRoute" || report.resolved.problems.length + report.extra.length > 0) continue;
    for (const { gateway, listenerSet, listeners } of report.attachment.parents) {
      if (listenerSet !== undefined) continue;
      const known = routes.get(gateway) ?? [];
      if (listeners.length > 0 && known.length < CURLS_MAX) routes.set(gateway, [...known, report]);
    }
  }
  return gateways.map(({ plan, progress }) => {
    const address = reachableAddress(plan.bindAddress);
    const ports = plan.ports.filter(({ listeners }) =>
      listeners.some(({ name }) => progress[name]?.state === "Accepted"),
    );
    const curls = (routes.get(plan.key) ?? []).flatMap((route) => suggestCurls(plan.key, ports, route, address));
    return {
      gateway: plan.key,
      urls: ports.map(({ protocol, bindPort }) => `${protocol.toLowerCase()}://${inUrl(address)}:${bindPort}`),
      moved: ports.filter(({ port, bindPort }) => port !== bindPort),
      curls: curls.slice(0, CURLS_MAX),
    };
  });
}

/** One for each rule that a plain request reaches. */
function suggestCurls(gateway: string, ports: readonly PortPlan[], report: RouteReport, address: string): string[] {
  for (const parent of report.attachment.parents) {
    if (parent.gateway !== gateway || parent.listenerSet !== undefined) continue;
    for (const listener of parent.listeners) {
      const port = ports.find(({ listeners }) => listeners.some(({ name }) => name === listener.listener));
      if (port === undefined || listener.hostnames.length === 0) continue;
      return pickMatches(report.object as HTTPRoute).map((request) => writeCurl(request, port, listener, address));
    }
  }
  return [];
}

interface Request {
  readonly path: string;
  readonly options: readonly string[];
}

function writeCurl(request: Request, port: PortPlan, listener: AttachedListener, address: string): string {
  const words = ["curl", "-i", ...request.options];
  const host = nameHost(listener);
  if (listener.scheme === "https") {
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

/** Of each rule the first match that can be written down: no regular expressions. A rule without matches takes all. */
function pickMatches(route: HTTPRoute): Request[] {
  return (route.spec.rules ?? []).flatMap((rule) => {
    const match = (rule.matches ?? [{}]).find(isPlain);
    return match === undefined ? [] : [{ path: pathOf(match), options: optionsOf(match) }];
  });
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
