import type { ClientTrafficSettings } from "../attach/client-traffic.ts";
import { type ListenerCertificates, type ListenerPlan, listenerKey, type ResolvedBackend } from "../attach/model.ts";
import type { AuthorizationModel } from "../attach/security/authorization.ts";
import { pack } from "../envoy/any.ts";
import type {
  Filter,
  FilterChain,
  FilterChainMatch,
  ListenerFilter,
} from "../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import { TcpProxy } from "../envoy/generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts";
import { type AccessLogs, STREAM_CHAIN_SUFFIX } from "./access-log.ts";
import { type EnvoyPort, encodeChain, encodePart, type ListenerPart, secretNames } from "./listener-part.ts";
import { buildDownstreamTls } from "./listener-tls.ts";
import { limitHandshake, limitIdleness } from "./policy/client-timeouts.ts";
import { INVALID_BACKEND_CLUSTER } from "./route-backends.ts";
import { authorizeConnections } from "./security/authorization.ts";
import { buildUdpProxy } from "./udp-proxy.ts";

/** A cluster, or no cluster that exists, and how much of the traffic it takes. */
export interface StreamShare {
  readonly cluster: string;
  /** At least 1. */
  readonly weight: number;
}

/** Whose backends take the connections or datagrams of a listener. */
export interface StreamRouting {
  /** `<kind>/<namespace>/<name>/rule/-1` in lower case, as Envoy Gateway names such routes. */
  readonly name: string;
  /** Server names; `*` for all. */
  readonly hosts: readonly string[];
  readonly shares: readonly StreamShare[];
  /** Which connections pass; absent: all. */
  readonly connections?: AuthorizationModel;
}

/**
 * Shares by cluster, in the order of the backendRefs. What is invalid keeps its share, whose connections are refused (Gateway API,
 * TLSRouteRule.backendRefs and its like); so is everything when no backend takes traffic.
 */
export function shareStreams(backends: readonly ResolvedBackend[]): readonly StreamShare[] {
  const shares = new Map<string, number>();
  for (const { target, weight } of backends) {
    const cluster = target?.name ?? INVALID_BACKEND_CLUSTER;
    if (weight > 0) shares.set(cluster, (shares.get(cluster) ?? 0) + weight);
  }
  return shares.size === 0 ? nowhere : [...shares].map(([cluster, weight]) => ({ cluster, weight }));
}

const nowhere: readonly StreamShare[] = [{ cluster: INVALID_BACKEND_CLUSTER, weight: 1 }];

/** What a ClientTrafficPolicy says of connections. */
type StreamTimeouts = NonNullable<ClientTrafficSettings["timeout"]>["tcp"];

/** What a route puts on a TLS, TCP or UDP listener. Undefined: TLS is to be terminated and there is no certificate for it. */
export function translateStreamPart(
  port: EnvoyPort,
  listener: ListenerPlan,
  routing: StreamRouting,
  certificates: ListenerCertificates | undefined,
  logs: AccessLogs,
  timeouts?: StreamTimeouts,
): ListenerPart | undefined {
  const of = listenerKey(listener);
  const clusters = routing.shares.map(({ cluster }) => cluster).filter((name) => name !== INVALID_BACKEND_CLUSTER);
  if (listener.protocol === "UDP") {
    const filter = buildUdpProxy(`udp-${port.bindPort}`, routing, logs);
    return encodePart(port, of, routing.name, { listenerFilters: [filter] }, { clusters });
  }
  const held = listener.tlsMode === "Terminate" ? certificates : undefined;
  if (listener.tlsMode === "Terminate" && (held?.secrets ?? []).length === 0) return undefined;
  const chain: FilterChain = {
    name: routing.name,
    ...matchServerNames(routing.hosts),
    ...(held && { transportSocket: buildDownstreamTls(held, []), ...limitHandshake(timeouts) }),
    filters: [
      ...(routing.connections ? [authorizeConnections(routing.connections)] : []),
      buildTcpProxy(`${statPrefixOf(listener)}-${port.bindPort}`, routing.shares, timeouts),
    ],
  };
  return encodeChain(port, of, chain, { secrets: secretNames(held), clusters });
}

/**
 * Closes what reaches a listener and no route of it: such connections are not for another listener of the port with a broader hostname
 * (Gateway API, "listener isolation"), and Envoy takes no Listener without anything to do.
 */
export function translateRefusal(port: EnvoyPort, listener: ListenerPlan, logs: AccessLogs): ListenerPart {
  const of = listenerKey(listener);
  const name = `${of}${STREAM_CHAIN_SUFFIX}`;
  if (listener.protocol === "UDP") {
    const filter: ListenerFilter = buildUdpProxy(`udp-${port.bindPort}`, { name, shares: nowhere }, logs);
    return encodePart(port, of, name, { listenerFilters: [filter] });
  }
  const hosts = [listener.hostname ?? "*"];
  const filters = [buildTcpProxy(`${statPrefixOf(listener)}-${port.bindPort}`, nowhere)];
  return encodeChain(port, of, { name, ...matchServerNames(hosts), filters });
}

/** Without a match it takes every connection that no other chain wants. Wildcards mean to Envoy what they mean to the Gateway API. */
function matchServerNames(hosts: readonly string[]): { readonly filterChainMatch?: FilterChainMatch } {
  return hosts.includes("*") ? {} : { filterChainMatch: { serverNames: [...hosts] } };
}

/** As Envoy Gateway calls statistics of listeners. */
function statPrefixOf({ protocol, tlsMode }: ListenerPlan): string {
  return protocol === "TLS" ? `tls-${tlsMode?.toLowerCase()}` : protocol.toLowerCase();
}

/** Its access log is the listener's: a thousand chains would repeat a kilobyte each. */
function buildTcpProxy(statPrefix: string, shares: readonly StreamShare[], timeouts?: StreamTimeouts): Filter {
  const [first] = shares;
  const proxy: TcpProxy = {
    statPrefix,
    ...limitIdleness(timeouts),
    ...(shares.length === 1 && first !== undefined
      ? { cluster: first.cluster }
      : { weightedClusters: { clusters: shares.map(({ cluster, weight }) => ({ name: cluster, weight })) } }),
  };
  return { name: "envoy.filters.network.tcp_proxy", typedConfig: pack(TcpProxy, proxy) };
}
