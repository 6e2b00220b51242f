import type { Backend } from "../api/backend.ts";
import type { EnvoyProxy } from "../api/envoyproxy.ts";
import type { Gateway, GatewayClass, GRPCRoute, HTTPRoute } from "../api/gateway-api.ts";
import { planBackend } from "../attach/backend.ts";
import type { GatewayClassPlan } from "../attach/gateway-class.ts";
import type { GatewayPlan, ListenerCertificates, PortPlan, ResolvedRoute, RouteAttachment } from "../attach/model.ts";
import { compareStrings, type FleetKey, type ObjectKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import type { Problem } from "../base/problems.ts";
import type { Collection, Graph, Index, Reader } from "../dataflow/graph.ts";
import { resourceTypes } from "../envoy/resource.ts";
import { certificateSecretName } from "../translate/secret.ts";
import type { ClusterNodes } from "./clusters.ts";
import type { ProxyNodes, ProxyUse } from "./envoy-proxies.ts";
import type { GatewayNodes } from "./gateways.ts";
import {
  findOverlaps,
  findRefusedBackends,
  findRefusedRules,
  findUnavailable,
  type GatewayProblem,
  servedVariants,
  wordsOf,
} from "./route-findings.ts";
import type { RouteNodes } from "./routes.ts";
import {
  acknowledgementKey,
  type GatewayAddress,
  INSTALLED_API_KEY,
  type InstalledApi,
  readSettings,
  type Sources,
} from "./sources.ts";

/** How far the Envoys of a Gateway, which others may share, have come with what serves one listener. */
export type ListenerProgress =
  | { readonly state: "Pending" | "Accepted" }
  /** `resource` was refused, with Envoy's own words. */
  | { readonly state: "Rejected"; readonly resource: string; readonly error: string };

/** All that a status says, before it is put into words and conditions (`src/status/`). Key `kind/namespace/name`. */
export type StatusReport =
  | GatewayClassReport
  | GatewayReport
  | RouteReport
  | { readonly kind: "Backend"; readonly object: Backend; readonly problems: readonly Problem[] }
  | EnvoyProxyReport;

export interface EnvoyProxyReport {
  readonly kind: "EnvoyProxy";
  readonly object: EnvoyProxy;
  /** The GatewayClasses and Gateways of ours that refer to it, by kind and key. */
  readonly uses: readonly ProxyUse[];
}

export interface GatewayClassReport {
  readonly kind: "GatewayClass";
  readonly object: GatewayClass;
  readonly plan: GatewayClassPlan;
  /** Undefined: what the cluster has installed is not known, or there is no cluster. */
  readonly installedApi?: InstalledApi;
}

export interface GatewayReport {
  readonly kind: "Gateway";
  readonly object: Gateway;
  readonly plan: GatewayPlan;
  /** By listener name, HTTPS only. */
  readonly certificates: Readonly<Record<string, ListenerCertificates>>;
  /** By listener name. */
  readonly attachedRoutes: Readonly<Record<string, number>>;
  /** By listener name: HTTPS listeners that share hostnames or certificates with another. */
  readonly tlsOverlaps: Readonly<Record<string, Problem>>;
  /** By listener name, valid listeners only. */
  readonly progress: Readonly<Record<string, ListenerProgress>>;
  readonly addresses: readonly GatewayAddress[];
  readonly connected: number;
  /** Why what runs the Gateway cannot be written as asked. */
  readonly fault?: string;
}

export interface RouteReport {
  readonly kind: "HTTPRoute" | "GRPCRoute";
  readonly object: HTTPRoute | GRPCRoute;
  readonly attachment: RouteAttachment;
  readonly resolved: ResolvedRoute;
  /** What was found out beside attachment and references: availability, overlaps, Envoy's refusals. */
  readonly extra: readonly GatewayProblem[];
}

export function createStatusReports(
  graph: Graph,
  sources: Sources,
  proxies: ProxyNodes,
  gateways: GatewayNodes,
  routes: RouteNodes,
  clusters: ClusterNodes,
): Collection<StatusReport> {
  const classes = graph.flatMap<GatewayClassPlan, StatusReport>(
    "classReports",
    gateways.classPlans,
    (plan, name, read) => {
      const object = read.get(sources.gatewayClasses, name);
      if (object === undefined) return [];
      const installedApi = read.get(sources.installedApi, INSTALLED_API_KEY);
      return [[`GatewayClass/${name}`, { kind: "GatewayClass", object, plan, ...(installedApi && { installedApi }) }]];
    },
  );
  const gatewayReports = graph.flatMap<GatewayPlan, StatusReport>(
    "gatewayReports",
    gateways.plans,
    (plan, key, read) => {
      const object = read.get(sources.gateways, key);
      return object === undefined
        ? []
        : [[`Gateway/${key}`, reportGateway(object, plan, sources, gateways, routes.acceptedByListener, read)]];
    },
  );
  const rejectionsByRoute = graph.index("rejectionsByRoute", sources.rejections, (rejection) => [rejection.route]);
  const routeReports = graph.flatMap<ResolvedRoute, StatusReport>(
    "routeReports",
    routes.resolved,
    (resolved, key, read) => {
      const object = read.get(routes.routes, key);
      const attachment = read.get(routes.attachments, key);
      if (object === undefined || attachment === undefined) return [];
      const variants = servedVariants(resolved, attachment, object.route);
      const extra = [
        ...findUnavailable(variants, clusters, read),
        ...findOverlaps(key, attachment, routes, read),
        ...findRefusedBackends(variants, sources, read),
        ...findRefusedRules(attachment, read.lookup(rejectionsByRoute, key)),
      ];
      return [[key, { kind: object.kind, object: object.route, attachment, resolved, extra }]];
    },
  );
  const backendReports = graph.flatMap<Backend, StatusReport>(
    "backendReports",
    sources.backends,
    (object, key, read) => [
      [
        flatText("Backend/", key),
        { kind: "Backend", object, problems: planBackend(object, readSettings(sources, read)) },
      ],
    ],
  );
  const proxyReports = graph.flatMap<EnvoyProxy, StatusReport>(
    "envoyProxyReports",
    sources.envoyProxies,
    (object, key, read) => {
      const uses = [...read.lookup(proxies.usesByProxy, key)].sort(([a], [b]) => compareStrings(a, b));
      return [[`EnvoyProxy/${key}`, { kind: "EnvoyProxy", object, uses: uses.map(([, use]) => use) }]];
    },
  );
  return graph.union("statusReports", classes, gatewayReports, routeReports, backendReports, proxyReports);
}

function reportGateway(
  object: Gateway,
  plan: GatewayPlan,
  sources: Sources,
  gateways: GatewayNodes,
  acceptedByListener: Index<RouteAttachment>,
  read: Reader,
): GatewayReport {
  const certificates: Record<string, ListenerCertificates> = {};
  const attachedRoutes: Record<string, number> = {};
  const tlsOverlaps: Record<string, Problem> = {};
  for (const { name } of plan.listeners) {
    const key = `${plan.key}/${name}`;
    const certificate = read.get(gateways.certificates, key);
    if (certificate !== undefined) certificates[name] = certificate;
    const overlap = read.get(gateways.tlsOverlaps, key);
    if (overlap !== undefined) tlsOverlaps[name] = overlap;
    attachedRoutes[name] = read.lookup(acceptedByListener, key).size;
  }
  const progress: Record<string, ListenerProgress> = {};
  for (const port of plan.ports) {
    for (const { name } of port.listeners) {
      const secrets = certificates[name]?.secrets ?? [];
      progress[name] =
        findRefusedSecret(plan.fleet, secrets, sources, read) ?? judgePort(plan.fleet, port, sources, gateways, read);
    }
  }
  const fault = read.get(sources.infrastructureFaults, plan.fleet);
  return {
    kind: "Gateway",
    object,
    plan,
    certificates,
    attachedRoutes,
    tlsOverlaps,
    progress,
    addresses: read.get(sources.addresses, plan.fleet) ?? [],
    connected: read.get(sources.connections, plan.fleet)?.connected ?? 0,
    ...(fault !== undefined && { fault }),
  };
}

/** A refused certificate costs the listeners that have it, not the others of their port. */
function findRefusedSecret(
  fleet: FleetKey,
  secrets: readonly ObjectKey[],
  sources: Sources,
  read: Reader,
): ListenerProgress | undefined {
  for (const secret of secrets) {
    const answer = read.get(
      sources.acknowledgements,
      acknowledgementKey(fleet, resourceTypes.secret, certificateSecretName(secret)),
    );
    if (answer?.accepted === false) return { state: "Rejected", resource: `Secret ${secret}`, error: wordsOf(answer) };
  }
  return undefined;
}

/** The Envoy Listener of a port is accepted when Envoy acknowledged this very version of it. */
function judgePort(
  fleet: FleetKey,
  { name, bindPort }: PortPlan,
  sources: Sources,
  gateways: GatewayNodes,
  read: Reader,
): ListenerProgress {
  const version = read.get(gateways.listeners, name)?.resource.version;
  const answer = read.get(sources.acknowledgements, acknowledgementKey(fleet, resourceTypes.listener, name));
  if (answer === undefined || answer.version !== version) return { state: "Pending" };
  if (answer.accepted) return { state: "Accepted" };
  return { state: "Rejected", resource: `port ${bindPort}`, error: wordsOf(answer) };
}
