import type { RouteKind } from "../api/gateway-api.ts";
import { adaptRoute, type RulePolicies } from "../attach/adapt-route.ts";
import {
  type AttachedHost,
  type AttachedListener,
  listenerKey,
  type ParentAttachment,
  type ResolvedRoute,
  type RouteAttachment,
} from "../attach/model.ts";
import { parentKey } from "../attach/parents.ts";
import { resolveGrpcRoute } from "../attach/resolve-grpc.ts";
import { resolveHttpRoute } from "../attach/resolve-http.ts";
import { resolveStreamRoute, resolveTlsRoute } from "../attach/resolve-stream.ts";
import { attachRoute } from "../attach/route.ts";
import type { Sampling } from "../attach/tracing-traffic.ts";
import { flatText } from "../base/memory.ts";
import type { Collection, Graph, Index } from "../dataflow/graph.ts";
import { translateGrpcRoute } from "../translate/grpc-route.ts";
import { translateHttpRoute } from "../translate/http-route.ts";
import type { EntryShape } from "../translate/route-entry.ts";
import type { RouteEntry } from "../translate/route-order.ts";
import { createResolveReader, type ProxyNodes } from "./envoy-proxies.ts";
import { type GatewayNodes, readLabels } from "./gateways.ts";
import type { ListenerNodes } from "./listeners.ts";
import type { PolicyNodes } from "./policies.ts";
import { createRouteObjects, type RouteObject, routeKey } from "./route-objects.ts";
import { createRoutePolicyNodes, type RoutePolicyNodes, readPolicies } from "./route-policies.ts";
import { createTableNodes, type TableNodes } from "./route-tables.ts";
import type { Sources } from "./sources.ts";
import type { TlsPolicyNodes } from "./tls-policies.ts";

/** What one route puts on one host of one route table. Key `<table>|<host>|<route key>`. */
export interface HostEntries {
  readonly table: string;
  readonly host: string;
  readonly route: string;
  readonly entries: readonly RouteEntry[];
  /** Requests to the host are counted. */
  readonly counted?: true;
  /** A SecurityPolicy decides who may pass. */
  readonly guarded?: true;
}

function sameHostEntries(a: HostEntries, b: HostEntries): boolean {
  return (
    a.counted === b.counted &&
    a.guarded === b.guarded &&
    a.entries.length === b.entries.length &&
    a.entries.every((entry, position) => entry.hash === b.entries[position]?.hash)
  );
}

export interface RouteNodes extends TableNodes {
  readonly routes: Collection<RouteObject>;
  /** Of these, those of connections and datagrams. */
  readonly streams: Collection<RouteObject>;
  readonly attachments: Collection<RouteAttachment>;
  readonly policies: RoutePolicyNodes;
  /** Group: listener (`listenerKey`): routes that are attached there and accepted, for `attachedRoutes`. */
  readonly acceptedByListener: Index<RouteAttachment>;
  readonly resolved: Collection<ResolvedRoute>;
  readonly hostEntries: Collection<HostEntries>;
  /** The same with what the quarantine holds back replaced. */
  readonly servedEntries: Collection<HostEntries>;
}

/** What shapes routes beside themselves. */
interface RouteSettings {
  readonly tlsPolicies: TlsPolicyNodes;
  readonly policies: PolicyNodes;
  readonly sampling: ProxyNodes["sampling"];
}

/** Routes: to whom they belong, what they refer to, what they become on each host, and the tables that carry the hosts. */
export function createRouteNodes(
  graph: Graph,
  sources: Sources,
  { tlsPolicies, policies, sampling }: RouteSettings,
  gateways: GatewayNodes,
  listeners: ListenerNodes,
): RouteNodes {
  const { all: routes, streams } = createRouteObjects(graph, sources);
  const attachments = graph.map("attachments", routes, (object, _key, read) => {
    const attachment = attachRoute(object.kind, object.route, {
      parent: (kind, key) => read.get(gateways.parents, parentKey(kind, key)),
      namespaceLabels: (namespace) => readLabels(sources, namespace, read),
    });
    return attachment.parents.length === 0 ? undefined : attachment;
  });
  const places = {
    policies,
    listenerPolicies: gateways.listenerPolicies,
    keepsHeaderCase: listeners.keepsHeaderCase,
  };
  const ofRoutes = createRoutePolicyNodes(graph, places, routes, attachments);
  const resolved = createResolvedRoutes(graph, sources, tlsPolicies, gateways, routes, attachments);
  // A route that is refused for what it says itself is attached all the same, and must not be counted.
  const accepted = graph.map("acceptedAttachments", attachments, (attachment, key, read) => {
    const problems = read.get(resolved, key)?.problems;
    return problems?.some(({ condition }) => condition === "Accepted") ? undefined : attachment;
  });
  const acceptedByListener = graph.index("acceptedByListener", accepted, (attachment) =>
    attachment.parents.flatMap((parent) =>
      parent.listeners.map(({ listener }) => listenerKey({ ...parent, name: listener })),
    ),
  );
  const hostEntries = graph.flatMap(
    "hostEntries",
    attachments,
    (attachment, key, read) => {
      if (!isRequestKind(attachment.routeKind)) return [];
      const object = read.get(routes, key);
      const references = read.get(resolved, key);
      if (object === undefined || references === undefined) return [];
      return translateAttachment(object, attachment, references, {
        policiesAt: (parent, listener) => readPolicies(ofRoutes, key, parent, listener, read),
        samplingOf: ({ gateway }) => read.get(sampling, gateway),
      });
    },
    { equals: sameHostEntries },
  );
  const servedEntries = graph.map(
    "servedEntries",
    hostEntries,
    (entries, key, read) => {
      const held = read.get(sources.heldEntries, key);
      return held === undefined ? entries : held.replacement;
    },
    { equals: sameHostEntries },
  );
  const tables = createTableNodes(graph, listeners, servedEntries);
  const nodes = { routes, streams, attachments, policies: ofRoutes, acceptedByListener, resolved };
  return { ...nodes, hostEntries, servedEntries, ...tables };
}

function createResolvedRoutes(
  graph: Graph,
  sources: Sources,
  policies: TlsPolicyNodes,
  gateways: GatewayNodes,
  routes: Collection<RouteObject>,
  attachments: Collection<RouteAttachment>,
): Collection<ResolvedRoute> {
  return graph.map("resolvedRoutes", routes, (object, key, read) => {
    // Routes of other controllers' gateways are not ours to judge.
    const attachment = read.get(attachments, key);
    if (attachment === undefined) return undefined;
    const reader = createResolveReader(sources, gateways.grantsByNamespace, policies, read);
    switch (object.kind) {
      case "HTTPRoute":
        return resolveHttpRoute(object.route, reader);
      case "GRPCRoute":
        return resolveGrpcRoute(object.route, reader);
      case "TLSRoute":
        return resolveTlsRoute(object.route, attachment, reader);
      default:
        return resolveStreamRoute(object.kind, object.route, reader);
    }
  });
}

function isRequestKind(kind: RouteKind): boolean {
  return kind === "HTTPRoute" || kind === "GRPCRoute";
}

/** What is said of a route where it is served. */
interface PlaceReader {
  readonly policiesAt: (parent: ParentAttachment, listener: AttachedListener) => readonly RulePolicies[] | undefined;
  readonly samplingOf: (parent: ParentAttachment) => Sampling | undefined;
}

/** O(hosts × matches) of one route. A host that two parentRefs reach in one table is translated once. */
function translateAttachment(
  object: RouteObject,
  attachment: RouteAttachment,
  resolved: ResolvedRoute,
  { policiesAt, samplingOf }: PlaceReader,
): Iterable<readonly [string, HostEntries]> {
  const key = routeKey(object.kind, object.key);
  const result = new Map<string, HostEntries>();
  for (const parent of attachment.parents) {
    const { listeners, routing } = parent;
    const shape = { keepsOrder: routing?.keepsOrder === true };
    for (const listener of listeners) {
      const table = listener.routeTable;
      if (table === undefined) continue;
      const adapted = adaptRoute(
        resolved,
        routing,
        () => object.route,
        policiesAt(parent, listener),
        () => samplingOf(parent),
      );
      const guarded = adapted.rules.some(({ security }) => security !== undefined) && { guarded: true as const };
      for (const host of listener.hostnames) {
        const id = flatText(table, "|", host.host, "|", key);
        if (result.has(id)) continue;
        const entries = translateOn(object, adapted, listener, host, shape);
        const counted = routing?.countsHosts && { counted: true as const };
        result.set(id, { table, host: host.host, route: key, entries, ...counted, ...guarded });
      }
    }
  }
  return result;
}

function translateOn(
  object: RouteObject,
  resolved: ResolvedRoute,
  listener: AttachedListener,
  host: AttachedHost,
  shape: EntryShape,
): RouteEntry[] {
  switch (object.kind) {
    case "HTTPRoute":
      return translateHttpRoute(object.route, resolved, listener, host, shape);
    case "GRPCRoute":
      return translateGrpcRoute(object.route, resolved, listener, host, shape);
    default:
      return [];
  }
}
