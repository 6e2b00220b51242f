import { type ListenerReferences, resolveCertificates } from "../attach/certificates.ts";
import { isTlsRefused, type ListenerClients, settleListenerTls } from "../attach/client-tls.ts";
import { type ClientPort, settleClientPort } from "../attach/client-traffic-ports.ts";
import { misdirectedHosts } from "../attach/misdirected.ts";
import {
  type GatewayPlan,
  type ListenerCertificates,
  type ListenerId,
  type ListenerPlan,
  listenerKey,
  type PortPlan,
} from "../attach/model.ts";
import { overlappingTls } from "../attach/overlap.ts";
import { isAttached, type ParentPlan, parentKey } from "../attach/parents.ts";
import { compareStrings, type FleetKey, type ObjectKey } from "../base/keys.ts";
import type { Problem } from "../base/problems.ts";
import { type Collection, type Graph, type Index, type Reader, sameData } from "../dataflow/graph.ts";
import { buildAccessLogs } from "../translate/access-log.ts";
import type { ListenerShape } from "../translate/http-connection-manager.ts";
import { translateListener } from "../translate/listener.ts";
import {
  type EnvoyPort,
  type ListenerPart,
  sameListenerPart,
  translateHttpPart,
  translateHttpsPart,
} from "../translate/listener-part.ts";
import { quicShare, translateQuicListener, translateQuicPart } from "../translate/quic-listener.ts";
import type { ProxyNodes } from "./envoy-proxies.ts";
import { type FleetResource, type GatewayNodes, sameFleetResource } from "./gateways.ts";
import { createHttp3Nodes, type Http3Nodes } from "./http3.ts";
import type { Shares } from "./listener-progress.ts";
import type { PolicyNodes } from "./policies.ts";
import { readSettings, type Sources } from "./sources.ts";
import type { TableShape } from "./table-shape.ts";

/** A port that the Envoys of a fleet open, with the listeners of all its Gateways there. */
export interface FleetPort extends Pick<GatewayPlan, "fleet" | "bindAddress"> {
  /** One of its Gateways: in what shapes listeners all of them are alike. */
  readonly gateway: ObjectKey;
  readonly port: PortPlan;
}

/** A listener that can serve, and the port of Envoy that it is on. */
export interface ServedListener {
  readonly fleet: FleetKey;
  readonly port: EnvoyPort;
  readonly listener: ListenerPlan;
}

/** An Envoy Listener, and what each listener of its port means there. */
export interface EnvoyListener extends FleetResource {
  readonly shares: Shares;
}

export interface ListenerNodes {
  /** ListenerSets of which something can be served. Key: as in `parents`. */
  readonly attachedSets: Collection<ParentPlan>;
  /** Group: Gateway. */
  readonly attachedSetsByGateway: Index<ParentPlan>;
  /** Key: listener (`listenerKey`), those that terminate TLS. */
  readonly certificates: Collection<ListenerCertificates>;
  /** Key: listener: that an HTTPS listener shares hostnames or certificates with another of its port. */
  readonly tlsOverlaps: Collection<Problem>;
  /** Key: route table of an HTTPS listener: hosts that other listeners of its port have. */
  readonly misdirected: Collection<readonly string[]>;
  /** Key: listener, valid ones. */
  readonly served: Collection<ServedListener>;
  /** Key: name of the Envoy Listener. */
  readonly ports: Collection<FleetPort>;
  /** What ClientTrafficPolicies mean for a whole port. Key: name of the Envoy Listener; only where a listener has a policy. */
  readonly clientPorts: Collection<ClientPort>;
  /** Key: listener: routes keep upper and lower case of header names there. */
  readonly keepsHeaderCase: Collection<true>;
  readonly http3: Http3Nodes;
  /** Key: listener: its ClientTrafficPolicy has no effect, since another counts for the port or none. */
  readonly withoutPolicy: Collection<true>;
  /** Key: route table of plain HTTP: hosts whose requests are answered with 500, those of some of its listeners. */
  readonly shutHosts: Collection<readonly string[]>;
}

/** What listeners come to without routes. A certificate's content is not among the inputs of a Listener. */
export function createListenerNodes(
  graph: Graph,
  sources: Sources,
  { plans, parents, grantsByNamespace, listenerPolicies }: GatewayNodes,
  policies: PolicyNodes,
): ListenerNodes {
  const references = graph.flatMap("listenerCertificates", parents, ({ listeners }, _key, read) =>
    listeners
      .filter(({ tlsMode }) => tlsMode === "Terminate")
      .map((listener): [string, ListenerReferences] => {
        const resolved = resolveCertificates(listener, {
          secret: (secretKey) => read.get(sources.secrets, secretKey),
          configMap: (configMapKey) => read.get(sources.configMaps, configMapKey),
          grants: (namespace) => read.lookup(grantsByNamespace, namespace).values(),
        });
        // Secrets of a listener that is off are judged for its status, and no Envoy gets them.
        return [listenerKey(listener), listener.valid ? resolved : { ...resolved, secrets: [] }];
      }),
  );
  const clients = { gateways: { listenerPolicies }, policies };
  const certificates = graph.map("listenerTls", references, (held, _key, read) =>
    settleListenerTls(held, readClient(held, clients, read)),
  );
  const attachedSets = graph.map("attachedListenerSets", parents, (parent, _key, read) => {
    const attached = parent.kind === "ListenerSet" && isAttached(parent, (key) => read.get(certificates, key));
    return attached ? parent : undefined;
  });
  const attachedSetsByGateway = graph.index("attachedListenerSetsByGateway", attachedSets, ({ gateway }) => gateway);
  const ports = graph.reduce(
    "fleetPorts",
    graph.index("plansByPort", plans, (plan) => plan.ports.map(({ name }) => name)),
    joinPort,
  );
  const referencesOn = ({ listeners }: PortPlan, read: Reader) =>
    listeners.flatMap((listener) => read.get(references, listenerKey(listener)) ?? []);
  const tlsOverlaps = graph.flatMap("tlsOverlaps", ports, ({ port }, _name, read) =>
    overlappingTls(port, referencesOn(port, read)),
  );
  const misdirected = graph.flatMap("misdirectedHosts", ports, ({ port }, _name, read) =>
    misdirectedHosts(port, referencesOn(port, read)),
  );
  const served = graph.flatMap("servedListeners", parents, ({ fleet, ports: own }) =>
    own.flatMap(({ name, bindPort, listeners }) =>
      listeners.map((listener): [string, ServedListener] => [
        listenerKey(listener),
        { fleet, port: { name, bindPort }, listener },
      ]),
    ),
  );
  const clientPorts = createClientPorts(graph, ports, clients);
  const keepsHeaderCase = graph.flatMap("keepsHeaderCase", clientPorts, ({ keepsHeaderCase: keys = [] }) =>
    keys.map((key): [string, true] => [key, true]),
  );
  const withoutPolicy = graph.flatMap("withoutClientPolicy", clientPorts, ({ without = [] }) =>
    without.map((key): [string, true] => [key, true]),
  );
  const shutHosts = graph.flatMap("shutHosts", clientPorts, ({ shut }, name, read) => {
    const table = shut && read.get(ports, name)?.port.listeners[0]?.routeTable;
    return shut && table !== undefined ? [[table, shut] as const] : [];
  });
  const nodes = { attachedSets, attachedSetsByGateway, certificates, tlsOverlaps, misdirected, served, ports };
  const http3 = createHttp3Nodes(graph, sources, { plans, certificates, ports, clientPorts });
  return { ...nodes, clientPorts, keepsHeaderCase, withoutPolicy, shutHosts, http3 };
}

/**
 * Envoy Listeners by resource name. Each is its parts, joined: one an HTTPS listener, and those of streams.
 *
 * @param streamParts by keys that no listener has alone
 */
export function createListenerResources(
  graph: Graph,
  sources: Sources,
  proxies: ProxyNodes,
  clients: ClientNodes,
  { certificates, served, ports, clientPorts, http3 }: ListenerNodes,
  streamParts: Collection<ListenerPart>,
  tableShapes: Collection<TableShape>,
): Collection<EnvoyListener> {
  type Client = Parameters<typeof withClients>[1];
  const shapeWith = (
    place: Pick<FleetPort, "fleet" | "gateway">,
    first: ListenerPlan | undefined,
    client: Client,
    read: Reader,
  ) => withTable(withClients(readShape(proxies, place.fleet, place.gateway, read), client), first, tableShapes, read);
  /** Of filter chains that are one listener's. */
  const shapeOf = ({ fleet, listener }: ServedListener, read: Reader) =>
    shapeWith({ fleet, gateway: listener.gateway }, listener, clientsOf(listener, clients, read), read);
  const httpsParts = graph.map(
    "httpsParts",
    served,
    (own, key, read): ListenerPart | undefined => {
      const { port, listener } = own;
      if (listener.protocol !== "HTTPS") return undefined;
      return translateHttpsPart(port, listener, read.get(certificates, key), shapeOf(own, read));
    },
    { equals: sameListenerPart },
  );
  const quicParts = graph.flatMap(
    "quicParts",
    http3.served,
    (own, key, read): [string, ListenerPart][] => {
      const { port, listener } = own;
      const part = translateQuicPart(port, listener, read.get(certificates, key), shapeOf(own, read));
      return part === undefined ? [] : [[quicShare(key), part]];
    },
    { equals: sameListenerPart },
  );
  const parts = graph.union("listenerParts", httpsParts, streamParts, quicParts);
  const partsByPort = graph.index("partsByPort", parts, ({ port }) => port);
  const equals = (a: EnvoyListener, b: EnvoyListener) => sameFleetResource(a, b) && sameData(a.shares, b.shares);
  const overTcp = graph.map(
    "listeners",
    ports,
    (place, name, read): EnvoyListener | undefined => {
      const settings = read.get(proxies.listenerSettings, place.gateway);
      const client = read.get(clientPorts, name);
      const own =
        place.port.protocol === "HTTP"
          ? translateHttpPart(place.port, shapeWith(place, place.port.listeners[0], client, read))
          : undefined;
      const all = own === undefined ? read.lookup(partsByPort, name).values() : [own];
      // In a pod the port is its Envoy's alone, and every worker can have a socket of its own.
      const exclusivePort = readSettings(sources, read).hostInfrastructure;
      const connections = client?.connections;
      const options = { exclusivePort, ...(settings && { settings }), ...(connections && { connections }) };
      const translated = translateListener(place, place.port, all, options);
      return translated && { fleet: place.fleet, ...translated };
    },
    { equals, isPatient: true },
  );
  const overQuic = graph.flatMap(
    "quicListeners",
    http3.ports,
    ({ port, gateway, ...place }, _name, read): [string, EnvoyListener][] => {
      const settings = read.get(proxies.listenerSettings, gateway);
      const own = read.lookup(partsByPort, port.name).values();
      const translated = translateQuicListener(place, port, own, settings && { settings });
      return translated === undefined ? [] : [[port.name, { fleet: place.fleet, ...translated }]];
    },
    { equals },
  );
  return graph.union("envoyListeners", overTcp, overQuic);
}

/** How the EnvoyProxy of a Gateway shapes its listeners. */
export function readShape(proxies: ProxyNodes, fleet: FleetKey, gateway: ObjectKey, read: Reader): ListenerShape {
  const settings = read.get(proxies.listenerSettings, gateway) ?? { telemetry: {} };
  return { fleet, settings, logs: buildAccessLogs(fleet, settings.telemetry.accessLogs) };
}

/** What ClientTrafficPolicies say, and of which listeners. */
export interface ClientNodes {
  readonly gateways: Pick<GatewayNodes, "listenerPolicies">;
  readonly policies: Pick<PolicyNodes, "clientTraffic" | "ofTargets">;
}

function createClientPorts(graph: Graph, ports: Collection<FleetPort>, clients: ClientNodes): Collection<ClientPort> {
  return graph.map("clientPorts", ports, ({ port }, _name, read): ClientPort | undefined => {
    const all = port.listeners.map((listener) => ({ listener, ...readClient(listener, clients, read) }));
    if (!all.some(({ inherited }) => inherited !== undefined)) return undefined;
    return settleClientPort(port, all, (from) => {
      const target = parentKey(from.kind, from.key);
      const policy = read.get(clients.policies.ofTargets, target)?.ClientTrafficPolicy?.whole?.policy;
      return policy === undefined
        ? undefined
        : { inherited: { policy, from }, plan: read.get(clients.policies.clientTraffic, policy) };
    });
  });
}

export function readClient(listener: ListenerId, { gateways, policies }: ClientNodes, read: Reader): ListenerClients {
  const inherited = read.get(gateways.listenerPolicies, listenerKey(listener))?.ClientTrafficPolicy;
  return { inherited, plan: inherited && read.get(policies.clientTraffic, inherited.policy) };
}

function withClients(shape: ListenerShape, client: Pick<ClientPort, "clients" | "refused"> | undefined): ListenerShape {
  const { clients, refused } = client ?? {};
  return clients || refused ? { ...shape, ...(clients && { clients }), ...(refused && { refused }) } : shape;
}

function withTable(
  shape: ListenerShape,
  listener: ListenerPlan | undefined,
  tableShapes: Collection<TableShape>,
  read: Reader,
): ListenerShape {
  const table = listener?.routeTable;
  return table !== undefined && read.get(tableShapes, table)?.inBuckets ? { ...shape, inBuckets: true } : shape;
}

/** Of a listener with filter chains of its own. */
function clientsOf(
  listener: ListenerPlan,
  clients: ClientNodes,
  read: Reader,
): Pick<ClientPort, "clients" | "refused"> {
  const found = readClient(listener, clients, read);
  if (found.plan === undefined) return {};
  const { settings } = found.plan;
  return settings === undefined || isTlsRefused(listener, found) ? { refused: true } : { clients: settings };
}

/** The Gateways that have the port agree about it: what they could not agree upon is refused. */
function joinPort(name: string, plans: ReadonlyMap<ObjectKey, GatewayPlan>): FleetPort | undefined {
  const sorted = [...plans.values()].sort((a, b) => compareStrings(a.key, b.key));
  const parts = sorted.flatMap(({ ports }) => ports.filter((port) => port.name === name));
  const [gateway, port] = [sorted[0], parts[0]];
  if (gateway === undefined || port === undefined) return undefined;
  const { key, fleet, bindAddress } = gateway;
  return {
    fleet,
    gateway: key,
    ...(bindAddress !== undefined && { bindAddress }),
    port: { ...port, listeners: parts.flatMap(({ listeners }) => listeners) },
  };
}
