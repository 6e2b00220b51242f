import { listenerSecrets } from "../attach/certificates.ts";
import type { ListenerSettings } from "../attach/listener-settings.ts";
import { type GatewayPlan, type ListenerCertificates, listenerKey, type PortPlan } from "../attach/model.ts";
import { compareStrings } from "../base/keys.ts";
import { pack } from "../envoy/any.ts";
import type { SocketAddress } from "../envoy/generated/envoy/config/core/v3/address.ts";
import { Listener, Listener_DrainType } from "../envoy/generated/envoy/config/listener/v3/listener.ts";
import type { FilterChain } from "../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import { TlsInspector } from "../envoy/generated/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.ts";
import { type EncodedResource, encodeResource, resourceTypes } from "../envoy/resource.ts";
import { buildAccessLogs } from "./access-log.ts";
import { buildHttpChain, buildHttpsChain } from "./filter-chain.ts";

/** Bytes that Envoy buffers for one connection before it stops reading. Envoy's guide for edge proxies. */
const CONNECTION_BUFFER_BYTES = 32_768;

/** A worker takes one connection, then serves what it has: a burst spreads over the workers. */
const ACCEPTS_PER_EVENT_MAX = 1;

/** All addresses of a family; those of IPv6 take IPv4 too where both are wanted. */
const ANY_IPV4 = "0.0.0.0";
const ANY_IPV6 = "::";

export interface ListenerOptions {
  /**
   * The port belongs to one process: a port that is taken is refused by the kernel, and Envoy's words reach the status. False
   * gives every worker its own socket (SO_REUSEPORT), better for many cores, but then two Envoys of one user on one host
   * would silently share a port and answer each other's requests. Default true.
   */
  readonly exclusivePort?: boolean;
  /** Of the fleet's EnvoyProxy. */
  readonly settings?: ListenerSettings;
}

const usualSettings: ListenerSettings = { telemetry: {} };

/**
 * The Envoy Listener of one port of a fleet; undefined when nothing on the port can be served (HTTPS without a usable
 * certificate). Depends on neither routes nor the content of certificates. O(listeners on the port).
 *
 * @param certificates by {@link listenerKey}
 */
export function translateListener(
  place: Pick<GatewayPlan, "fleet" | "bindAddress">,
  port: PortPlan,
  certificates: (key: string) => ListenerCertificates | undefined,
  options: ListenerOptions = {},
): EncodedResource | undefined {
  const settings = options.settings ?? usualSettings;
  const logs = buildAccessLogs(place.fleet, settings.telemetry.accessLogs);
  const shape = { fleet: place.fleet, settings, logs };
  const listener: Listener = {
    name: port.name,
    address: { socketAddress: { ...addressOf(place, settings), portValue: port.bindPort } },
    perConnectionBufferLimitBytes: CONNECTION_BUFFER_BYTES,
    maxConnectionsToAcceptPerSocketEvent: ACCEPTS_PER_EVENT_MAX,
    // Drains on updates and when the health check is made to fail, which is how an Envoy is told to stop.
    drainType: Listener_DrainType.DEFAULT,
    enableReusePort: !(options.exclusivePort ?? true),
    ...(logs.connections.length > 0 && { accessLog: [...logs.connections] }),
  };
  if (port.protocol === "HTTP") {
    const defaultFilterChain = buildHttpChain(port, shape);
    if (defaultFilterChain === undefined) return undefined;
    return { ...encodeResource(Listener, port.name, { ...listener, defaultFilterChain }), port: port.bindPort };
  }
  const secrets = new Set<string>();
  const filterChains: FilterChain[] = [];
  for (const one of port.listeners) {
    const key = listenerKey(one);
    const held = certificates(key);
    const chain = buildHttpsChain(port, one, held, shape);
    if (chain === undefined) continue;
    filterChains.push(chain);
    for (const { name } of held === undefined ? [] : listenerSecrets(held)) secrets.add(name);
  }
  if (filterChains.length === 0) return undefined;
  const https: Listener = {
    ...listener,
    listenerFilters: [{ name: "envoy.filters.listener.tls_inspector", typedConfig: pack(TlsInspector, {}) }],
    filterChains,
    accessLog: [...logs.connections, ...logs.unmatched],
  };
  const dependents = [...secrets].sort(compareStrings).map((name) => ({ type: resourceTypes.secret, name }));
  return { ...encodeResource(Listener, port.name, https, dependents), port: port.bindPort };
}

function addressOf({ bindAddress }: Pick<GatewayPlan, "bindAddress">, { ipFamily }: ListenerSettings): SocketAddress {
  // Who writes `::` means every address, IPv4 too, as other servers take it.
  if (bindAddress === ANY_IPV6) return { address: ANY_IPV6, ipv4Compat: true };
  if (bindAddress !== undefined) return { address: bindAddress };
  if (ipFamily === "IPv6") return { address: ANY_IPV6 };
  return ipFamily === "DualStack" ? { address: ANY_IPV6, ipv4Compat: true } : { address: ANY_IPV4 };
}
