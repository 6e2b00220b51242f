import { adaptRoute } from "../attach/adapt-route.ts";
import { ANY_HOST, compareHostnameSpecificity, coversHostname } from "../attach/hostname.ts";
import { carriesStreams } from "../attach/listener-protocol.ts";
import {
  type AttachedHost,
  type ListenerPlan,
  listenerKey,
  type ParentAttachment,
  type ResolvedRule,
  type RouteAttachment,
} from "../attach/model.ts";
import { asPassedThrough } from "../attach/resolve-stream.ts";
import { compareStrings } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import type { Collection, Graph, Index, Reader } from "../dataflow/graph.ts";
import { STREAM_CHAIN_SUFFIX } from "../translate/access-log.ts";
import { type ListenerPart, sameListenerPart } from "../translate/listener-part.ts";
import { type StreamRouting, shareStreams, translateRefusal, translateStreamPart } from "../translate/stream-part.ts";
import type { ProxyNodes } from "./envoy-proxies.ts";
import { type ClientNodes, type ListenerNodes, readClient, readShape } from "./listeners.ts";
import type { RouteNodes } from "./routes.ts";

/** That a route would take connections of a listener. Key `<listener>|<route key>`. */
interface StreamClaim extends Pick<ParentAttachment, "routing"> {
  readonly listener: string;
  readonly route: string;
  /** Of the route. */
  readonly created: string;
  readonly hosts: readonly AttachedHost[];
}

/** Whose the connections for one server name of a listener are. Key `<listener>|<host>`. */
export interface StreamHost {
  /** Key of the claim. */
  readonly claim: string;
  readonly host: string;
  /** Key of the route. */
  readonly route: string;
}

export interface StreamNodes {
  readonly hosts: Collection<StreamHost>;
  /** What routes put into Envoy Listeners, and what stands in for them where there is none. */
  readonly parts: Collection<ListenerPart>;
}

/**
 * Routes of connections and datagrams, as parts of Envoy Listeners. Of two that want the same server name, or the same port where there
 * are no names, one has it: that with the more specific hostname, then the older, then the first by namespace and name (Gateway API,
 * TLSRouteSpec.hostnames).
 */
export function createStreamNodes(
  graph: Graph,
  proxies: ProxyNodes,
  clients: ClientNodes,
  listeners: ListenerNodes,
  routes: RouteNodes,
): StreamNodes {
  const claims = graph.flatMap("streamClaims", routes.streams, ({ route }, key, read) => {
    const attachment = read.get(routes.attachments, key);
    return attachment === undefined ? [] : claimStreams(attachment, key, route.metadata.creationTimestamp ?? "");
  });
  const claimsByHost = graph.index("streamClaimsByHost", claims, ({ listener, hosts }) =>
    hosts.map(({ host }) => flatText(listener, "|", host)),
  );
  const hosts = graph.reduce("streamHosts", claimsByHost, chooseClaim);
  const hostsByClaim = graph.index("streamHostsByClaim", hosts, ({ claim }) => claim);
  const parts = graph.map(
    "streamParts",
    claims,
    (claim, key, read) => translateClaim(claim, key, { proxies, clients, listeners, routes, hostsByClaim }, read),
    { equals: sameListenerPart },
  );
  const refusals = graph.map(
    "streamRefusals",
    listeners.served,
    ({ fleet, port, listener }, key, read) => {
      const host = listener.hostname ?? ANY_HOST;
      // Without a certificate a listener serves nobody, and its names are not free for a broader one.
      const serves = listener.tlsMode !== "Terminate" || read.get(listeners.certificates, key)?.secrets.length !== 0;
      if (!carriesStreams(listener.protocol)) {
        // A broader HTTPS listener answers with 421 by itself.
        if (serves || !isUnderStreams(listener, read.get(listeners.ports, port.name)?.port.listeners)) return undefined;
      } else if (serves && !isShut(listener, clients, read) && read.get(hosts, `${key}|${host}`) !== undefined) {
        return undefined;
      }
      return translateRefusal(port, listener, readShape(proxies, fleet, listener.gateway, read).logs);
    },
    { equals: sameListenerPart },
  );
  return { hosts, parts: graph.union("allStreamParts", parts, refusals) };
}

/**
 * Whether the ClientTrafficPolicy of a listener cannot do what it says: nothing is connected rather than without it. For datagrams
 * no such policy says anything, so that none is missed.
 */
function isShut(listener: ListenerPlan, clients: ClientNodes, read: Reader): boolean {
  if (listener.protocol === "UDP") return false;
  const { plan } = readClient(listener, clients, read);
  return plan !== undefined && plan.settings === undefined;
}

/** Whether a broader listener of the port would hand on what is for this one. */
function isUnderStreams({ hostname }: ListenerPlan, listeners: readonly ListenerPlan[] = []): boolean {
  if (hostname === undefined) return false;
  return listeners.some(
    (other) =>
      carriesStreams(other.protocol) &&
      other.hostname !== hostname &&
      coversHostname(other.hostname ?? ANY_HOST, hostname),
  );
}

function claimStreams({ parents }: RouteAttachment, route: string, created: string): ReadonlyMap<string, StreamClaim> {
  const result = new Map<string, StreamClaim>();
  for (const { gateway, listenerSet, routing, listeners } of parents) {
    for (const { listener: name, streams, hostnames } of listeners) {
      const listener = listenerKey({ gateway, listenerSet, name });
      if (!streams || hostnames.length === 0) continue;
      const claim = { listener, route, created, hosts: hostnames };
      result.set(flatText(listener, "|", route), routing === undefined ? claim : { ...claim, routing });
    }
  }
  return result;
}

function chooseClaim(group: string, members: ReadonlyMap<string, StreamClaim>): StreamHost | undefined {
  const host = group.slice(group.lastIndexOf("|") + 1);
  const written = ({ hosts }: StreamClaim) => hosts.find((one) => one.host === host)?.routeHostname ?? host;
  const [first] = [...members].sort(
    ([, a], [, b]) =>
      compareHostnameSpecificity(written(a), written(b)) ||
      compareStrings(a.created, b.created) ||
      compareStrings(a.route, b.route),
  );
  return first && { claim: first[0], host, route: first[1].route };
}

interface Nodes {
  readonly proxies: ProxyNodes;
  readonly clients: ClientNodes;
  readonly listeners: ListenerNodes;
  readonly routes: RouteNodes;
  readonly hostsByClaim: Index<StreamHost>;
}

function translateClaim(claim: StreamClaim, key: string, nodes: Nodes, read: Reader): ListenerPart | undefined {
  const won = [...read.lookup(nodes.hostsByClaim, key).values()].map(({ host }) => host).sort(compareStrings);
  const served = read.get(nodes.listeners.served, claim.listener);
  const resolved = read.get(nodes.routes.resolved, claim.route);
  if (won.length === 0 || served === undefined || resolved === undefined) return undefined;
  const { fleet, port, listener } = served;
  if (isShut(listener, nodes.clients, read)) return undefined;
  const object = () => read.get(nodes.routes.routes, claim.route)?.route;
  const here = listener.tlsMode === "Passthrough" ? asPassedThrough(resolved) : resolved;
  const policies = read.get(nodes.routes.policies.ofRoutes, claim.route)?.[claim.listener];
  const { rules } = adaptRoute(here, claim.routing, object, policies);
  const { logs } = readShape(nodes.proxies, fleet, listener.gateway, read);
  const slash = claim.route.indexOf("/");
  // As Envoy Gateway calls what it makes of such routes, which have no numbered rules.
  const name = `${claim.route.slice(0, slash).toLowerCase()}${claim.route.slice(slash)}/rule${STREAM_CHAIN_SUFFIX}`;
  return translateStreamPart(
    port,
    listener,
    { name, hosts: won, shares: shareStreams(rules.flatMap(({ backends }) => backends)), ...authorizationOf(rules) },
    read.get(nodes.listeners.certificates, claim.listener),
    logs,
    readClient(listener, nodes.clients, read).plan?.settings?.timeout?.tcp,
  );
}

/** Such routes have one rule. */
function authorizationOf(rules: readonly ResolvedRule[]): Pick<StreamRouting, "connections"> {
  const connections = rules.find((rule) => rule.connections !== undefined)?.connections;
  return connections === undefined ? {} : { connections };
}
