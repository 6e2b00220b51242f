import type { Backend } from "../api/backend.ts";
import type { EnvoyProxy } from "../api/envoyproxy.ts";
import type { Gateway, GatewayClass, Route, RouteKind } from "../api/gateway-api.ts";
import { planBackend } from "../attach/backend.ts";
import { listenerSecrets } from "../attach/certificates.ts";
import type { SecretUse } from "../attach/cluster-spec.ts";
import type { GatewayClassPlan } from "../attach/gateway-class.ts";
import type { GatewayPlan, ListenerCertificates, ResolvedRoute, RouteAttachment } from "../attach/model.ts";
import { compareStrings, type FleetKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import { noProblems, type Problem } from "../base/problems.ts";
import type { Collection, Graph, Reader } from "../dataflow/graph.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { ClusterNodes } from "./clusters.ts";
import type { ProxyNodes, ProxyUse } from "./envoy-proxies.ts";
import { findRefusal } from "./envoys.ts";
import type { GatewayNodes } from "./gateways.ts";
import { judgeListener, type ListenerProgress, type ListenerProgressNodes } from "./listener-progress.ts";
import type { ListenerNodes } from "./listeners.ts";
import type { PolicyNodes } from "./policies.ts";
import { createPolicyReports, type PolicyReport } from "./policy-reports.ts";
import {
  findOverlaps,
  findRefusedBackends,
  findRefusedRules,
  findUnavailable,
  type GatewayProblem,
  wordsOf,
} from "./route-findings.ts";
import { variantsOf } from "./route-variants.ts";
import type { RouteNodes } from "./routes.ts";
import {
  acknowledgementKey,
  type GatewayAddress,
  INSTALLED_API_KEY,
  type InfrastructureFault,
  type InfrastructureWaits,
  type InstalledApi,
  readSettings,
  type Sources,
} from "./sources.ts";
import { createTlsPolicyReports, type TlsPolicyNodes } from "./tls-policies.ts";

/** All that a status says, before it is put into words and conditions (`src/status/`). Key `kind/namespace/name`. */
export type StatusReport =
  | GatewayClassReport
  | GatewayReport
  | RouteReport
  | { readonly kind: "Backend"; readonly object: Backend; readonly problems: readonly Problem[] }
  | EnvoyProxyReport
  | PolicyReport;

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
  /** By listener name, those that terminate TLS. */
  readonly certificates: Readonly<Record<string, ListenerCertificates>>;
  /** Of references of the Gateway as a whole. */
  readonly referenceProblems: readonly Problem[];
  /** By listener name. */
  readonly attachedRoutes: Readonly<Record<string, number>>;
  /** By listener name: HTTPS listeners that share hostnames or certificates with another. */
  readonly tlsOverlaps: Readonly<Record<string, Problem>>;
  /** By listener name, valid listeners only. */
  readonly progress: Readonly<Record<string, ListenerProgress>>;
  readonly addresses: readonly GatewayAddress[];
  readonly connected: number;
  /** Why what runs the Gateway cannot be written as asked. */
  readonly fault?: InfrastructureFault;
  readonly waits?: InfrastructureWaits;
}

export interface RouteReport {
  readonly kind: RouteKind;
  readonly object: Route;
  readonly attachment: RouteAttachment;
  readonly resolved: ResolvedRoute;
  /** What was found out beside attachment and references: availability, overlaps, Envoy's refusals. */
  readonly extra: readonly GatewayProblem[];
}

export function createStatusReports(
  graph: Graph,
  sources: Sources,
  { tlsPolicies, policies }: { readonly tlsPolicies: TlsPolicyNodes; readonly policies: PolicyNodes },
  proxies: ProxyNodes,
  nodes: Pick<Nodes, "gateways" | "listeners" | "progress" | "routes" | "clusters">,
): Collection<StatusReport> {
  const { gateways, routes, clusters } = nodes;
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
        : [[`Gateway/${key}`, reportGateway(object, plan, { sources, proxies, ...nodes }, read)]];
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
      const variants = variantsOf(routes.traffic, key, () => object.route, attachment, resolved, read);
      const extra = [
        ...findUnavailable(variants, clusters, read),
        ...findOverlaps(key, attachment, routes, read),
        ...findRefusedBackends(variants, sources, clusters, read),
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
  const tlsPolicyReports = createTlsPolicyReports(graph, sources, tlsPolicies, proxies, gateways, routes);
  const policyReports = createPolicyReports(graph, sources, policies, gateways, routes);
  return graph.union<StatusReport>(
    "statusReports",
    classes,
    gatewayReports,
    routeReports,
    backendReports,
    proxyReports,
    tlsPolicyReports,
    policyReports,
  );
}

interface Nodes {
  readonly sources: Sources;
  readonly proxies: ProxyNodes;
  readonly gateways: GatewayNodes;
  readonly listeners: ListenerNodes;
  readonly progress: ListenerProgressNodes;
  readonly routes: RouteNodes;
  readonly clusters: ClusterNodes;
}

function reportGateway(object: Gateway, plan: GatewayPlan, nodes: Nodes, read: Reader): GatewayReport {
  const { sources, proxies, listeners, routes } = nodes;
  const certificates: Record<string, ListenerCertificates> = {};
  const attachedRoutes: Record<string, number> = {};
  const tlsOverlaps: Record<string, Problem> = {};
  for (const { name } of plan.listeners) {
    const key = `${plan.key}/${name}`;
    const certificate = read.get(listeners.certificates, key);
    if (certificate !== undefined) certificates[name] = certificate;
    const overlap = read.get(listeners.tlsOverlaps, key);
    if (overlap !== undefined) tlsOverlaps[name] = overlap;
    attachedRoutes[name] = read.lookup(routes.acceptedByListener, key).size;
  }
  const { connected = 0, answering = 0 } = read.get(sources.connections, plan.fleet) ?? {};
  const progress: Record<string, ListenerProgress> = {};
  for (const port of plan.ports) {
    for (const { name, routeTable } of port.listeners) {
      const ofListener = judgeListener(`${plan.key}/${name}`, port, answering, nodes.progress, read);
      const held = certificates[name];
      const secrets = held === undefined ? [] : listenerSecrets(held);
      progress[name] =
        findRefusedSecret(plan.fleet, secrets, nodes, read) ??
        (ofListener.state === "Rejected" ? undefined : findRefusedTable(plan.fleet, routeTable, nodes, read)) ??
        ofListener;
    }
  }
  const fault = read.get(sources.infrastructureFaults, plan.fleet);
  const waits = read.get(sources.infrastructureWaits, plan.fleet);
  return {
    kind: "Gateway",
    object,
    plan,
    certificates,
    referenceProblems: read.get(proxies.clientCertificates, plan.key)?.problems ?? noProblems,
    attachedRoutes,
    tlsOverlaps,
    progress,
    addresses: read.get(sources.addresses, plan.fleet) ?? [],
    connected,
    ...(fault !== undefined && { fault }),
    ...(waits !== undefined && { waits }),
  };
}

/** A refused certificate, or bundle of authorities, costs the listeners that have it, not the others of their port. */
function findRefusedSecret(
  fleet: FleetKey,
  secrets: readonly SecretUse[],
  { sources, clusters }: Nodes,
  read: Reader,
): ListenerProgress | undefined {
  for (const { name, source, key } of secrets) {
    const answers = read.get(sources.acknowledgements, acknowledgementKey(fleet, resourceTypes.secret, name));
    const refusal = answers && findRefusal(answers, read.get(clusters.secrets, name)?.version);
    const kind = source === "secret" ? "Secret" : "ConfigMap";
    if (refusal) return { state: "Rejected", resource: `${kind} ${key}`, error: wordsOf(refusal) };
  }
  return undefined;
}

/** Of the routes of a table an Envoy refuses the quarantine finds the one to blame; this is what is left when there is none. */
function findRefusedTable(
  fleet: FleetKey,
  table: string | undefined,
  { sources, routes }: Nodes,
  read: Reader,
): ListenerProgress | undefined {
  if (table === undefined) return undefined;
  const answers = read.get(sources.acknowledgements, acknowledgementKey(fleet, resourceTypes.route, table));
  // The version changes with every route: it is read only where there is something to compare it with.
  const refusal = answers && findRefusal(answers, read.get(routes.routeConfigurations, table)?.resource.version);
  return refusal && { state: "Rejected", resource: "the routes of this listener as a whole", error: wordsOf(refusal) };
}
