import { ACCEPTS_PER_EVENT_USUAL, type PortTraffic } from "../attach/client-traffic.ts";
import { familyOf, type ProtocolFamily } from "../attach/listener-protocol.ts";
import type { ListenerSettings } from "../attach/listener-settings.ts";
import { type GatewayPlan, listenerKey, type PortPlan } from "../attach/model.ts";
import { compareStrings } from "../base/keys.ts";
import { pack } from "../envoy/any.ts";
import type { AccessLog } from "../envoy/generated/envoy/config/accesslog/v3/accesslog.ts";
import { type SocketAddress, SocketAddress_Protocol } from "../envoy/generated/envoy/config/core/v3/address.ts";
import { Listener, Listener_DrainType } from "../envoy/generated/envoy/config/listener/v3/listener.ts";
import type { ListenerFilter } from "../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import { TlsInspector } from "../envoy/generated/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.ts";
import { contentHash } from "../envoy/hash.ts";
import { type EncodedResource, type ResourceName, resourceTypes } from "../envoy/resource.ts";
import { type AccessLogs, buildAccessLogs } from "./access-log.ts";
import { bucketNames } from "./host-buckets.ts";
import type { ListenerPart } from "./listener-part.ts";
import { buildPortTraffic } from "./policy/client-connections.ts";

/** Bytes that Envoy buffers for one connection before it stops reading. Envoy's guide for edge proxies. */
export const CONNECTION_BUFFER_BYTES = 32_768;

/** All addresses of a family; those of IPv6 take IPv4 too where both are wanted. */
const ANY_IPV4 = "0.0.0.0";
const ANY_IPV6 = "::";

/** The Envoys that have a Listener, and the address that they bind. */
export type ListenerPlace = Pick<GatewayPlan, "fleet" | "bindAddress">;

export interface ListenerOptions {
  /**
   * The port belongs to one process: a port that is taken is refused by the kernel, and Envoy's words reach the status. False
   * gives every worker its own socket (SO_REUSEPORT), better for many cores, but then two Envoys of one user on one host
   * would silently share a port and answer each other's requests. Default true.
   */
  readonly exclusivePort?: boolean;
  /** Of the fleet's EnvoyProxy. */
  readonly settings?: ListenerSettings;
  /** Of ClientTrafficPolicies, for all connections of the port. A change of it is a change of the frame. */
  readonly connections?: PortTraffic;
}

/** A Listener, and by listener key the hash of all that each listener of its port means there. */
export interface TranslatedListener {
  readonly resource: EncodedResource;
  readonly shares: ReadonlyMap<string, string>;
}

export const usualSettings: ListenerSettings = { telemetry: {} };

/**
 * The Envoy Listener of one port of a fleet; undefined when nothing on the port can be served (HTTPS without a usable
 * certificate). Of what TCP carries only the parts change with listeners and routes, so that Envoy updates it in place: connections of
 * filter chains that stay the same go on. O(parts).
 *
 * @param parts in any order
 */
export function translateListener(
  place: ListenerPlace,
  port: PortPlan,
  parts: Iterable<ListenerPart>,
  options: ListenerOptions = {},
): TranslatedListener | undefined {
  const all = [...parts];
  if (all.length === 0) return undefined;
  const settings = options.settings ?? usualSettings;
  const logs = buildAccessLogs(place.fleet, settings.telemetry.accessLogs);
  const base = Listener.encode(buildFrame(place, port, logs, options)).finish();
  const frame = contentHash(base);
  return { resource: joinParts(port, base, frame, all), shares: shareOut(port, frame, all.sort(compareParts)) };
}

function compareParts(a: ListenerPart, b: ListenerPart): number {
  return compareStrings(a.name, b.name) || compareStrings(a.of, b.of);
}

/**
 * A frame and the parts in it.
 *
 * @param frame hash of `base`
 */
export function joinParts(
  port: Pick<PortPlan, "name" | "bindPort">,
  base: Uint8Array,
  frame: string,
  parts: readonly ListenerPart[],
): EncodedResource {
  const sorted = [...parts].sort(compareParts);
  const secrets = new Set(sorted.flatMap((part) => part.secrets));
  return {
    type: resourceTypes.listener,
    name: port.name,
    version: contentHash([frame, ...sorted.map(({ hash }) => hash)].join("\n")),
    chunks: [base, ...sorted.map(({ field }) => field)],
    byteLength: sorted.reduce((sum, { field }) => sum + field.byteLength, base.byteLength),
    dependents: [
      ...[...secrets].sort(compareStrings).map((name) => ({ type: resourceTypes.secret, name })),
      // Envoy does not ask for scopes again when a Listener comes back to them (docs/architecture.md, "Large tables in buckets").
      ...sorted.flatMap(({ inBuckets }) => (inBuckets === undefined ? [] : scopesOf(inBuckets))),
    ],
    clusters: [[...new Set(sorted.flatMap((part) => part.clusters))]],
    port: port.bindPort,
  };
}

function scopesOf(table: string): ResourceName[] {
  return bucketNames(table).map((name) => ({ type: resourceTypes.scope, name }));
}

/** A listener means the frame, its own parts, and those that are nobody's alone. */
function shareOut(port: PortPlan, frame: string, parts: readonly ListenerPart[]): Map<string, string> {
  const byOwner = Map.groupBy(parts, ({ of }) => of);
  const common = byOwner.get(port.name) ?? [];
  return new Map(
    port.listeners.map((listener) => {
      const key = listenerKey(listener);
      const own = [...common, ...(byOwner.get(key) ?? [])].map(({ hash }) => hash);
      return [key, own.length === 0 ? frame : contentHash([frame, ...own].join("\n"))];
    }),
  );
}

/** All of a Listener but its parts. Nothing here may depend on a listener or route that can come and go while others stay. */
function buildFrame(place: ListenerPlace, port: PortPlan, logs: AccessLogs, options: ListenerOptions): Listener {
  const family = familyOf(port.protocol);
  const address = addressOf(place, options.settings ?? usualSettings);
  if (family === "UDP") {
    return {
      name: port.name,
      address: { socketAddress: { ...address, protocol: SocketAddress_Protocol.UDP, portValue: port.bindPort } },
      // Envoy takes no other value where it has several workers: the kernel gives each its share of the clients.
      enableReusePort: true,
    };
  }
  const accessLog = [...logs.connections, ...logsOfFamily(family, logs)];
  const inspectors = family === "TLS" ? [buildTlsInspector(options.connections?.fingerprints)] : [];
  return {
    name: port.name,
    address: { socketAddress: { ...address, portValue: port.bindPort } },
    perConnectionBufferLimitBytes: CONNECTION_BUFFER_BYTES,
    // Drains on updates and when the health check is made to fail, which is how an Envoy is told to stop.
    drainType: Listener_DrainType.DEFAULT,
    maxConnectionsToAcceptPerSocketEvent: ACCEPTS_PER_EVENT_USUAL,
    enableReusePort: !(options.exclusivePort ?? true),
    ...(inspectors.length > 0 && { listenerFilters: inspectors }),
    ...(accessLog.length > 0 && { accessLog }),
    ...(options.connections && buildPortTraffic(options.connections, inspectors)),
  };
}

function buildTlsInspector(fingerprints: PortTraffic["fingerprints"] = []): ListenerFilter {
  const config: TlsInspector = {
    ...(fingerprints.includes("JA3") && { enableJa3Fingerprinting: true }),
    ...(fingerprints.includes("JA4") && { enableJa4Fingerprinting: true }),
  };
  return { name: "envoy.filters.listener.tls_inspector", typedConfig: pack(TlsInspector, config) };
}

function logsOfFamily(family: ProtocolFamily | undefined, logs: AccessLogs): readonly AccessLog[] {
  switch (family) {
    case "TLS":
      return logs.unmatched;
    case "TCP":
      return logs.requests;
    default:
      return [];
  }
}

export function addressOf(
  { bindAddress }: Pick<GatewayPlan, "bindAddress">,
  { ipFamily }: ListenerSettings,
): SocketAddress {
  // Who writes `::` means every address, IPv4 too, as other servers take it.
  if (bindAddress === ANY_IPV6) return { address: ANY_IPV6, ipv4Compat: true };
  if (bindAddress !== undefined) return { address: bindAddress };
  if (ipFamily === "IPv6") return { address: ANY_IPV6 };
  return ipFamily === "DualStack" ? { address: ANY_IPV6, ipv4Compat: true } : { address: ANY_IPV4 };
}
