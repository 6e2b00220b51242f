import type { ConnectionSettings } from "../attach/connection-settings.ts";
import { parseQuantity } from "../attach/quantity.ts";
import { pack } from "../envoy/any.ts";
import type { CircuitBreakers } from "../envoy/generated/envoy/config/cluster/v3/circuit_breaker.ts";
import type { Cluster } from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import type { TransportSocket } from "../envoy/generated/envoy/config/core/v3/base.ts";
import type {
  Http2ProtocolOptions,
  HttpProtocolOptions,
  KeepaliveSettings,
} from "../envoy/generated/envoy/config/core/v3/protocol.ts";
import { ProxyProtocolConfig_Version } from "../envoy/generated/envoy/config/core/v3/proxy_protocol.ts";
import type { SocketOption } from "../envoy/generated/envoy/config/core/v3/socket_option.ts";
import { DnsLookupFamily } from "../envoy/generated/envoy/extensions/clusters/common/dns/v3/dns.ts";
import type { DnsCluster } from "../envoy/generated/envoy/extensions/clusters/dns/v3/dns_cluster.ts";
import { ProxyProtocolUpstreamTransport } from "../envoy/generated/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.ts";
import { RawBuffer } from "../envoy/generated/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.ts";
import type { Duration } from "../envoy/generated/google/protobuf/duration.ts";
import { parseDuration, toDuration } from "./duration.ts";

/** What `backendSettings` of a collector make of its cluster: each function the part of one message. */

function durationOf(text: string | undefined): Duration | undefined {
  const milliseconds = parseDuration(text);
  return milliseconds === undefined ? undefined : toDuration(milliseconds);
}

/** Without what is not said, so that it leaves what is usual. */
function said<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

export function buildConnection({ connection, timeout, tcpKeepalive }: ConnectionSettings): Partial<Cluster> {
  const { bufferLimit, socketBufferLimit, preconnect } = connection ?? {};
  const seconds = (text: string | undefined) => {
    const milliseconds = parseDuration(text);
    return milliseconds === undefined ? undefined : Math.ceil(milliseconds / 1000);
  };
  return said<Partial<Cluster>>({
    connectTimeout: durationOf(timeout?.tcp?.connectTimeout),
    perConnectionBufferLimitBytes: bufferLimit === undefined ? undefined : parseQuantity(bufferLimit),
    upstreamBindConfig: socketBufferLimit === undefined ? undefined : { socketOptions: limitSocket(socketBufferLimit) },
    preconnectPolicy:
      preconnect &&
      said({
        perUpstreamPreconnectRatio: ratio(preconnect.perEndpointPercent),
        predictivePreconnectRatio: ratio(preconnect.predictivePercent),
      }),
    upstreamConnectionOptions: tcpKeepalive && {
      tcpKeepalive: said({
        keepaliveProbes: tcpKeepalive.probes,
        keepaliveTime: seconds(tcpKeepalive.idleTime),
        keepaliveInterval: seconds(tcpKeepalive.interval),
      }),
    },
  });
}

function ratio(percent: number | undefined): number | undefined {
  return percent === undefined ? undefined : percent / 100;
}

/** Of Linux. */
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;

function limitSocket(limit: number | string): SocketOption[] {
  const intValue = parseQuantity(limit) ?? 0;
  return [SO_SNDBUF, SO_RCVBUF].map((name) => ({ level: SOL_SOCKET, name, intValue }));
}

/** Puts the client's address before all else that goes over a connection. */
export function tellClient(
  { version }: NonNullable<ConnectionSettings["proxyProtocol"]>,
  inside: TransportSocket | undefined,
): TransportSocket {
  const plain = { name: "envoy.transport_sockets.raw_buffer", typedConfig: pack(RawBuffer, {}) };
  return {
    name: "envoy.transport_sockets.upstream_proxy_protocol",
    typedConfig: pack(ProxyProtocolUpstreamTransport, {
      config: { version: version === "V1" ? ProxyProtocolConfig_Version.V1 : ProxyProtocolConfig_Version.V2 },
      transportSocket: inside ?? plain,
    }),
  };
}

export function buildCircuitBreakers(
  { circuitBreaker }: ConnectionSettings,
  usual: { readonly maxRetries: number },
): CircuitBreakers {
  const { maxConnections, maxPendingRequests, maxParallelRequests, maxParallelRetries, perEndpoint, retryBudget } =
    circuitBreaker ?? {};
  const maxRetries = maxParallelRetries ?? usual.maxRetries;
  return {
    thresholds: [
      {
        ...said({ maxConnections, maxPendingRequests, maxRequests: maxParallelRequests }),
        // A budget takes the place of the number.
        ...(retryBudget ? { retryBudget: buildRetryBudget(retryBudget) } : { maxRetries }),
      },
    ],
    ...(perEndpoint?.maxConnections !== undefined && {
      perHostThresholds: [{ maxConnections: perEndpoint.maxConnections }],
    }),
  };
}

type RetryBudget = NonNullable<NonNullable<ConnectionSettings["circuitBreaker"]>["retryBudget"]>;

function buildRetryBudget({ percent, minRetryConcurrency }: RetryBudget) {
  const budgetPercent = { value: (percent.numerator / (percent.denominator ?? 100)) * 100 };
  return { budgetPercent, ...(minRetryConcurrency !== undefined && { minRetryConcurrency }) };
}

/** Undefined: as usual. */
export function buildHttpLimits({ circuitBreaker, timeout }: ConnectionSettings): HttpProtocolOptions | undefined {
  const limits = said<HttpProtocolOptions>({
    idleTimeout: durationOf(timeout?.http?.connectionIdleTimeout),
    maxConnectionDuration: durationOf(timeout?.http?.maxConnectionDuration),
    maxRequestsPerConnection: circuitBreaker?.maxRequestsPerConnection,
  });
  return Object.keys(limits).length === 0 ? undefined : limits;
}

export function buildHttp2({ http2 }: ConnectionSettings): Http2ProtocolOptions {
  const bytes = (size: number | string | undefined) => (size === undefined ? undefined : parseQuantity(size));
  return said<Http2ProtocolOptions>({
    maxConcurrentStreams: http2?.maxConcurrentStreams,
    initialStreamWindowSize: bytes(http2?.initialStreamWindowSize),
    initialConnectionWindowSize: bytes(http2?.initialConnectionWindowSize),
    overrideStreamErrorOnInvalidHttpMessage:
      http2?.onInvalidMessage === undefined ? undefined : http2.onInvalidMessage === "TerminateStream",
    connectionKeepalive: http2?.connectionKeepalive && buildPings(http2.connectionKeepalive),
  });
}

type Pings = NonNullable<NonNullable<ConnectionSettings["http2"]>["connectionKeepalive"]>;

/** Envoy wants to be told how long to wait; at most as long as until the next ping. */
const PING_TIMEOUT_MS = 5_000;

function buildPings({ interval, timeout, intervalJitter, idleInterval }: Pings): KeepaliveSettings {
  const between = parseDuration(interval) ?? PING_TIMEOUT_MS;
  return said<KeepaliveSettings>({
    interval: durationOf(interval),
    timeout: durationOf(timeout) ?? toDuration(Math.min(between, PING_TIMEOUT_MS)),
    intervalJitter: intervalJitter === undefined ? undefined : { value: intervalJitter },
    connectionIdleInterval: durationOf(idleInterval),
  });
}

const lookupFamilies = {
  IPv4: DnsLookupFamily.V4_ONLY,
  IPv6: DnsLookupFamily.V6_ONLY,
  IPv4Preferred: DnsLookupFamily.V4_PREFERRED,
  IPv6Preferred: DnsLookupFamily.AUTO,
  IPv4AndIPv6: DnsLookupFamily.ALL,
} as const;

export function buildLookups({ dns }: ConnectionSettings): Partial<DnsCluster> {
  return said<Partial<DnsCluster>>({
    dnsRefreshRate: durationOf(dns?.dnsRefreshRate),
    respectDnsTtl: dns?.respectDnsTtl,
    dnsLookupFamily: dns?.lookupFamily && lookupFamilies[dns.lookupFamily],
  });
}
