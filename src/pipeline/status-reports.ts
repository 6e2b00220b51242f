import type { Backend } from "../api/backend.ts";
import type { Gateway, GatewayClass, GRPCRoute, HTTPRoute } from "../api/gateway-api.ts";
import { planBackend } from "../attach/backend.ts";
import type { GatewayClassPlan } from "../attach/gateway-class.ts";
import type { GatewayPlan, ListenerCertificates, ResolvedRoute, RouteAttachment } from "../attach/model.ts";
import type { Problem } from "../base/problems.ts";
import type { Collection, Graph, Index, Reader } from "../dataflow/graph.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { ClusterNodes } from "./clusters.ts";
import { clustersOf } from "./clusters.ts";
import type { GatewayNodes } from "./gateways.ts";
import { readSettings } from "./gateways.ts";
import type { Rejection } from "./quarantine.ts";
import type { RouteNodes } from "./routes.ts";
import { acknowledgementKey, type GatewayAddress, type Sources } from "./sources.ts";

/** How far one Envoy Listener has come. */
export interface ListenerProgress {
  readonly state: "Pending" | "Accepted" | "Rejected";
  /** Envoy's own words when it refused. */
  readonly error?: string;
}

/** All that a status says, before it is put into words and conditions (`src/status/`). Key `kind/namespace/name`. */
export type StatusReport =
  | { readonly kind: "GatewayClass"; readonly object: GatewayClass; readonly plan: GatewayClassPlan }
  | GatewayReport
  | RouteReport
  | { readonly kind: "Backend"; readonly object: Backend; readonly problems: readonly Problem[] };

export interface GatewayReport {
  readonly kind: "Gateway";
  readonly object: Gateway;
  readonly plan: GatewayPlan;
  /** By listener name, HTTPS only. */
  readonly certificates: Readonly<Record<string, ListenerCertificates>>;
  /** By listener name. */
  readonly attachedRoutes: Readonly<Record<string, number>>;
  /** By name of the Envoy Listener. */
  readonly progress: Readonly<Record<string, ListenerProgress>>;
  readonly addresses: readonly GatewayAddress[];
  readonly connected: number;
}

export interface RouteReport {
  readonly kind: "HTTPRoute" | "GRPCRoute";
  readonly object: HTTPRoute | GRPCRoute;
  readonly attachment: RouteAttachment;
  readonly resolved: ResolvedRoute;
  /** What was found out beside attachment and references: availability, overlaps, Envoy's refusals. */
  readonly extra: readonly Problem[];
  readonly controllerName: string;
}

export function createStatusReports(
  graph: Graph,
  sources: Sources,
  gateways: GatewayNodes,
  routes: RouteNodes,
  clusters: ClusterNodes,
): Collection<StatusReport> {
  const classes = graph.flatMap<GatewayClassPlan, StatusReport>(
    "classReports",
    gateways.classPlans,
    (plan, name, read) => {
      const object = read.get(sources.gatewayClasses, name);
      return object === undefined ? [] : [[`GatewayClass/${name}`, { kind: "GatewayClass", object, plan }]];
    },
  );
  const gatewayReports = graph.flatMap<GatewayPlan, StatusReport>(
    "gatewayReports",
    gateways.plans,
    (plan, key, read) => {
      const object = read.get(gateways.gateways, key);
      return object === undefined
        ? []
        : [[`Gateway/${key}`, reportGateway(object, plan, sources, gateways, routes.attachedByListener, read)]];
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
      const extra = [
        ...findUnavailable(resolved, clusters, read),
        ...findOverlaps(key, routes, read),
        ...findRefusedClusters(resolved, attachment, sources, read),
        ...findRejections(read.lookup(rejectionsByRoute, key)),
      ];
      const controllerName = readSettings(sources, read).controllerNames[0] ?? "";
      const report: RouteReport = {
        kind: object.kind,
        object: object.route,
        attachment,
        resolved,
        extra,
        controllerName,
      };
      return [[key, report]];
    },
  );
  const backendReports = graph.flatMap<Backend, StatusReport>(
    "backendReports",
    sources.backends,
    (object, key, read) => [
      [`Backend/${key}`, { kind: "Backend", object, problems: planBackend(object, readSettings(sources, read)) }],
    ],
  );
  return graph.union("statusReports", classes, gatewayReports, routeReports, backendReports);
}

function reportGateway(
  object: Gateway,
  plan: GatewayPlan,
  sources: Sources,
  gateways: GatewayNodes,
  attachedByListener: Index<RouteAttachment>,
  read: Reader,
): GatewayReport {
  const certificates: Record<string, ListenerCertificates> = {};
  const attachedRoutes: Record<string, number> = {};
  for (const { name } of plan.listeners) {
    const certificate = read.get(gateways.certificates, `${plan.key}/${name}`);
    if (certificate !== undefined) certificates[name] = certificate;
    attachedRoutes[name] = read.lookup(attachedByListener, `${plan.key}/${name}`).size;
  }
  const progress: Record<string, ListenerProgress> = {};
  for (const { name } of plan.ports) {
    progress[name] = judgeListener(plan, name, certificates, sources, gateways, read);
  }
  return {
    kind: "Gateway",
    object,
    plan,
    certificates,
    attachedRoutes,
    progress,
    addresses: read.get(sources.addresses, plan.key) ?? [],
    connected: read.get(sources.connections, plan.key)?.connected ?? 0,
  };
}

/** A Listener is accepted when Envoy acknowledged this very version, and a refused certificate speaks for its Listener. */
function judgeListener(
  plan: GatewayPlan,
  name: string,
  certificates: Readonly<Record<string, ListenerCertificates>>,
  sources: Sources,
  gateways: GatewayNodes,
  read: Reader,
): ListenerProgress {
  const resource = read.get(gateways.listeners, name)?.resource;
  const answer = read.get(sources.acknowledgements, acknowledgementKey(plan.key, resourceTypes.listener, name));
  const port = plan.ports.find((candidate) => candidate.name === name);
  for (const listener of port?.listeners ?? []) {
    for (const secret of certificates[listener.name]?.secrets ?? []) {
      const refusal = read.get(sources.acknowledgements, acknowledgementKey(plan.key, resourceTypes.secret, secret));
      if (refusal?.accepted === false) {
        return { state: "Rejected", error: `Secret ${secret}: ${refusal.error ?? "refused"}` };
      }
    }
  }
  if (resource === undefined || answer === undefined || answer.version !== resource.version)
    return { state: "Pending" };
  return answer.accepted ? { state: "Accepted" } : { state: "Rejected", error: answer.error ?? "refused" };
}

function findUnavailable(resolved: ResolvedRoute, clusters: ClusterNodes, read: Reader): Problem[] {
  const empty = new Set<string>();
  for (const spec of clustersOf(resolved)) {
    if (read.get(clusters.available, spec.name) === false) empty.add(spec.name);
  }
  return [...empty].sort().map((name) => ({
    condition: "BackendsAvailable",
    reason: "EndpointsNotFound",
    message: `${describeReach(name)} has no endpoint that is ready, so its requests are answered with 503; start it or fix its selector.`,
  }));
}

/** A cluster's name without the hash of its settings: `service/ns/name/port` reads well enough. */
function describeReach(clusterName: string): string {
  return clusterName.slice(0, clusterName.lastIndexOf("/"));
}

function findOverlaps(key: string, routes: RouteNodes, read: Reader): Problem[] {
  const others = new Set<string>();
  for (const overlap of read.lookup(routes.overlapsByRoute, key).values()) {
    others.add(overlap.a === key ? overlap.b : overlap.a);
  }
  others.delete(key);
  if (others.size === 0) return [];
  const names = [...others].sort().slice(0, NAMED_OVERLAPS_MAX).join(", ");
  const more = others.size > NAMED_OVERLAPS_MAX ? ` and ${others.size - NAMED_OVERLAPS_MAX} more` : "";
  return [
    {
      condition: "RouteRulesOverlap",
      reason: "Overlapping",
      message: `The same match conditions stand in ${names}${more}; the oldest route wins, then the first by namespace and name.`,
    },
  ];
}

const NAMED_OVERLAPS_MAX = 5;

function findRefusedClusters(
  resolved: ResolvedRoute,
  attachment: RouteAttachment,
  sources: Sources,
  read: Reader,
): Problem[] {
  const problems = new Map<string, Problem>();
  for (const { gateway } of attachment.parents) {
    for (const { name } of clustersOf(resolved)) {
      const answer = read.get(sources.acknowledgements, acknowledgementKey(gateway, resourceTypes.cluster, name));
      if (answer?.accepted === false) problems.set(name, refusal(gateway, `the cluster ${name}`, answer.error));
    }
  }
  return [...problems.values()];
}

function findRejections(rejections: ReadonlyMap<string, Rejection>): Problem[] {
  return [...rejections.values()].map(({ gateway, error }) => refusal(gateway, "a rule of this route", error));
}

function refusal(gateway: string, what: string, error: string | undefined): Problem {
  return {
    condition: "Programmed",
    reason: "Invalid",
    message: `Envoy of Gateway ${gateway} refused ${what}, which is held back while all else goes on: ${error ?? "no reason given"}.`,
  };
}
