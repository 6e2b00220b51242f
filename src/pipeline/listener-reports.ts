import type { Gateway, ListenerSet } from "../api/gateway-api.ts";
import { listenerSecrets } from "../attach/certificates.ts";
import type { SecretUse } from "../attach/cluster-spec.ts";
import { type ListenerCertificates, listenerKey } from "../attach/model.ts";
import { type ParentPlan, parentKey } from "../attach/parents.ts";
import type { FleetKey } from "../base/keys.ts";
import { noProblems, type Problem } from "../base/problems.ts";
import type { Collection, Graph, Reader } from "../dataflow/graph.ts";
import { resourceTypes } from "../envoy/resource.ts";
import { bucketNames } from "../translate/host-buckets.ts";
import type { ClusterNodes } from "./clusters.ts";
import type { ProxyNodes } from "./envoy-proxies.ts";
import { findRefusal } from "./envoys.ts";
import type { GatewayNodes } from "./gateways.ts";
import { judgeListener, type ListenerProgress, type ListenerProgressNodes } from "./listener-progress.ts";
import type { ListenerNodes } from "./listeners.ts";
import { wordsOf } from "./route-findings.ts";
import type { RouteNodes } from "./routes.ts";
import {
  acknowledgementKey,
  type GatewayAddress,
  type InfrastructureFault,
  type InfrastructureWaits,
  type Sources,
} from "./sources.ts";

/** The listeners of one Gateway, or those of one ListenerSet, and what serves them. */
export interface ListenerReport {
  readonly plan: ParentPlan;
  /** By listener name, where TLS is terminated. */
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
  readonly fault?: InfrastructureFault;
  readonly waits?: InfrastructureWaits;
}

export interface GatewayReport extends ListenerReport {
  readonly kind: "Gateway";
  readonly object: Gateway;
  /** Of references of the Gateway as a whole. */
  readonly referenceProblems: readonly Problem[];
  readonly listenerSets: {
    /** How many are accepted. */
    readonly attached: number;
    /** At least one of them has a listener that Envoy has acknowledged. Not looked for where the Gateway itself has one. */
    readonly serving?: true;
  };
}

export interface ListenerSetReport extends ListenerReport {
  readonly kind: "ListenerSet";
  readonly object: ListenerSet;
  /** At least one of its listeners can be served. */
  readonly attached: boolean;
}

export interface ListenerReportNodes {
  readonly sources: Sources;
  readonly proxies: ProxyNodes;
  readonly gateways: GatewayNodes;
  readonly listeners: ListenerNodes;
  readonly progress: ListenerProgressNodes;
  readonly routes: RouteNodes;
  readonly clusters: ClusterNodes;
}

/** What the statuses of Gateways and ListenerSets say. Key: {@link parentKey}. */
export function createListenerReports(
  graph: Graph,
  nodes: ListenerReportNodes,
): Collection<GatewayReport | ListenerSetReport> {
  const { sources, proxies, gateways, listeners } = nodes;
  return graph.map(
    "gatewayReports",
    gateways.parents,
    (plan, key, read): GatewayReport | ListenerSetReport | undefined => {
      if (plan.kind === "Gateway") {
        const object = read.get(sources.gateways, plan.key);
        if (object === undefined) return undefined;
        const report = reportListeners(plan, nodes, read);
        return {
          ...{ kind: "Gateway", object, ...report },
          referenceProblems: read.get(proxies.clientCertificates, plan.key)?.problems ?? noProblems,
          listenerSets: reportListenerSets(report, nodes, read),
        };
      }
      const object = read.get(sources.listenerSets, plan.key);
      if (object === undefined) return undefined;
      const attached = read.get(listeners.attachedSets, key) !== undefined;
      return { kind: "ListenerSet", object, ...reportListeners(plan, nodes, read), attached };
    },
  );
}

function reportListeners(plan: ParentPlan, nodes: ListenerReportNodes, read: Reader): ListenerReport {
  const { sources, listeners, routes } = nodes;
  const certificates: Record<string, ListenerCertificates> = {};
  const attachedRoutes: Record<string, number> = {};
  const tlsOverlaps: Record<string, Problem> = {};
  for (const listener of plan.listeners) {
    const { name } = listener;
    const key = listenerKey(listener);
    const certificate = read.get(listeners.certificates, key);
    if (certificate !== undefined) certificates[name] = certificate;
    const overlap = read.get(listeners.tlsOverlaps, key);
    if (overlap !== undefined) tlsOverlaps[name] = overlap;
    attachedRoutes[name] = read.lookup(routes.acceptedByListener, key).size;
  }
  const { connected = 0, answering = 0 } = read.get(sources.connections, plan.fleet) ?? {};
  const progress: Record<string, ListenerProgress> = {};
  for (const port of plan.ports) {
    for (const listener of port.listeners) {
      const { name, routeTable } = listener;
      const ofListener = judgeListener(listenerKey(listener), port, answering, nodes.progress, read);
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
    ...{ plan, certificates, attachedRoutes, tlsOverlaps, progress, connected },
    addresses: read.get(sources.addresses, plan.fleet) ?? [],
    ...(fault !== undefined && { fault }),
    ...(waits !== undefined && { waits }),
  };
}

/** What a Gateway says of its ListenerSets; what each of them comes to is in its own status. */
function reportListenerSets(
  { plan, progress }: ListenerReport,
  nodes: ListenerReportNodes,
  read: Reader,
): GatewayReport["listenerSets"] {
  const { listeners, sources } = nodes;
  const sets = read.lookup(listeners.attachedSetsByGateway, plan.key);
  if (sets.size === 0 || Object.values(progress).some(({ state }) => state === "Accepted"))
    return { attached: sets.size };
  const { answering = 0 } = read.get(sources.connections, plan.fleet) ?? {};
  const serves = [...sets.values()].some((set) =>
    set.ports.some((port) =>
      port.listeners.some((listener) => {
        return judgeListener(listenerKey(listener), port, answering, nodes.progress, read).state === "Accepted";
      }),
    ),
  );
  return { attached: sets.size, ...(serves && { serving: true }) };
}

/** A refused certificate, or bundle of authorities, costs the listeners that have it, not the others of their port. */
function findRefusedSecret(
  fleet: FleetKey,
  secrets: readonly SecretUse[],
  { sources, clusters }: ListenerReportNodes,
  read: Reader,
): ListenerProgress | undefined {
  for (const use of secrets) {
    const answers = read.get(sources.acknowledgements, acknowledgementKey(fleet, resourceTypes.secret, use.name));
    const refusal = answers && findRefusal(answers, read.get(clusters.secrets, use.name)?.version);
    if (refusal) return { state: "Rejected", resource: nameObjects(use), error: wordsOf(refusal) };
  }
  return undefined;
}

/** The objects that a secret is made of, any of which Envoy may mean. */
function nameObjects({ source, key, also = [], revoked = [] }: SecretUse): string {
  const objects = [{ source, key }, ...also, ...revoked];
  return objects.map((each) => `${each.source === "secret" ? "Secret" : "ConfigMap"} ${each.key}`).join(" with ");
}

/** Of the routes of a table an Envoy refuses the quarantine finds the one to blame; this is what is left when there is none. */
function findRefusedTable(
  fleet: FleetKey,
  table: string | undefined,
  { sources, routes }: ListenerReportNodes,
  read: Reader,
): ListenerProgress | undefined {
  if (table === undefined) return undefined;
  const inBuckets = read.get(routes.tableShapes, table) !== undefined;
  for (const name of inBuckets ? bucketNames(table) : [table]) {
    const answers = read.get(sources.acknowledgements, acknowledgementKey(fleet, resourceTypes.route, name));
    // The version changes with every route: it is read only where there is something to compare it with.
    const refusal = answers && findRefusal(answers, read.get(routes.routeConfigurations, name)?.resource.version);
    if (refusal)
      return { state: "Rejected", resource: "the routes of this listener as a whole", error: wordsOf(refusal) };
  }
  return undefined;
}
