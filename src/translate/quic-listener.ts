import type { ListenerCertificates, ListenerPlan, PortPlan } from "../attach/model.ts";
import { listenerKey } from "../attach/model.ts";
import { pack } from "../envoy/any.ts";
import { SocketAddress_Protocol } from "../envoy/generated/envoy/config/core/v3/address.ts";
import type { TransportSocket } from "../envoy/generated/envoy/config/core/v3/base.ts";
import { Listener, Listener_DrainType } from "../envoy/generated/envoy/config/listener/v3/listener.ts";
import type { FilterChain } from "../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import { QuicDownstreamTransport } from "../envoy/generated/envoy/extensions/transport_sockets/quic/v3/quic_transport.ts";
import { contentHash } from "../envoy/hash.ts";
import { buildAccessLogs } from "./access-log.ts";
import { buildHttpReaders } from "./filter-chain.ts";
import type { ListenerShape } from "./http-connection-manager.ts";
import {
  addressOf,
  CONNECTION_BUFFER_BYTES,
  joinParts,
  type ListenerOptions,
  type ListenerPlace,
  type TranslatedListener,
  usualSettings,
} from "./listener.ts";
import { type EnvoyPort, encodeChain, type ListenerPart, secretNames } from "./listener-part.ts";
import { buildDownstreamContext } from "./listener-tls.ts";

/** What a client may make Envoy hold for one connection: as for HTTP/2, Envoy's guide for edge proxies. */
const CONCURRENT_STREAMS_MAX = 100;
const STREAM_WINDOW_BYTES = 64 * 1024;
const CONNECTION_WINDOW_BYTES = 1024 * 1024;

/** By which the QUIC share of a listener is called beside that of TCP. */
export function quicShare(listener: string): string {
  return `${listener}|quic`;
}

/**
 * The Envoy Listener for HTTP/3 of one port. It stands beside that of TCP and has nothing in common with it but secrets and route tables,
 * so that it comes and goes without a connection of TCP being closed. Undefined when nothing is served so.
 *
 * @param port its name is that of this Listener
 * @param parts of {@link translateQuicPart}, in any order
 */
export function translateQuicListener(
  place: ListenerPlace,
  port: Pick<PortPlan, "name" | "bindPort">,
  parts: Iterable<ListenerPart>,
  { settings = usualSettings }: Pick<ListenerOptions, "settings"> = {},
): TranslatedListener | undefined {
  const all = [...parts];
  if (all.length === 0) return undefined;
  const { connections, unmatched } = buildAccessLogs(place.fleet, settings.telemetry.accessLogs);
  const accessLog = [...connections, ...unmatched];
  const base = Listener.encode({
    name: port.name,
    address: {
      socketAddress: {
        ...addressOf(place, settings),
        protocol: SocketAddress_Protocol.UDP,
        portValue: port.bindPort,
      },
    },
    perConnectionBufferLimitBytes: CONNECTION_BUFFER_BYTES,
    drainType: Listener_DrainType.DEFAULT,
    // Envoy takes no other value where it has several workers.
    enableReusePort: true,
    udpListenerConfig: {
      downstreamSocketConfig: {},
      quicOptions: {
        quicProtocolOptions: {
          maxConcurrentStreams: CONCURRENT_STREAMS_MAX,
          initialStreamWindowSize: STREAM_WINDOW_BYTES,
          initialConnectionWindowSize: CONNECTION_WINDOW_BYTES,
        },
      },
    },
    ...(accessLog.length > 0 && { accessLog }),
  }).finish();
  const frame = contentHash(base);
  const resource = joinParts(port, base, frame, all);
  return {
    resource,
    shares: new Map(all.map(({ of, hash }) => [quicShare(of), contentHash(`${frame}\n${hash}`)])),
  };
}

/** As the filter chain of TCP, with the server name in the same TLS greeting. */
export function translateQuicPart(
  port: EnvoyPort,
  listener: ListenerPlan,
  certificates: ListenerCertificates | undefined,
  shape: ListenerShape,
): ListenerPart | undefined {
  const { routeTable, hostname } = listener;
  if (routeTable === undefined || certificates === undefined || certificates.secrets.length === 0) return undefined;
  const chain: FilterChain = {
    name: routeTable,
    ...(hostname !== undefined && { filterChainMatch: { serverNames: [hostname] } }),
    transportSocket: buildQuicSocket(certificates),
    filters: buildHttpReaders(`https-${port.bindPort}`, routeTable, [listener], shape, "HTTP3"),
  };
  return encodeChain(port, listenerKey(listener), chain, { secrets: secretNames(certificates) });
}

/** What policies offer in the handshake is of TCP: over QUIC it is this version or none. */
function buildQuicSocket(certificates: ListenerCertificates): TransportSocket {
  const { clientTls } = certificates;
  const alpnProtocols = ["h3"];
  const held = clientTls ? { ...certificates, clientTls: { ...clientTls, alpnProtocols } } : certificates;
  const downstreamTlsContext = buildDownstreamContext(held, alpnProtocols);
  return {
    name: "envoy.transport_sockets.quic",
    // What is sent before hands are shaken can be sent again by whoever saw it (RFC 8470), and backends are not made for that.
    typedConfig: pack(QuicDownstreamTransport, { downstreamTlsContext, enableEarlyData: false }),
  };
}
