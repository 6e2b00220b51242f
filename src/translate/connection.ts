import type { ConnectionSettings } from "../attach/connection-settings.ts";
import { parseQuantity } from "../attach/quantity.ts";
import type { CircuitBreakers } from "../envoy/generated/envoy/config/cluster/v3/circuit_breaker.ts";
import type { Cluster } from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import type { Http2ProtocolOptions, HttpProtocolOptions } from "../envoy/generated/envoy/config/core/v3/protocol.ts";
import { DnsLookupFamily } from "../envoy/generated/envoy/extensions/clusters/common/dns/v3/dns.ts";
import type { DnsCluster } from "../envoy/generated/envoy/extensions/clusters/dns/v3/dns_cluster.ts";
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
  const bufferLimit = connection?.bufferLimit;
  const seconds = (text: string | undefined) => {
    const milliseconds = parseDuration(text);
    return milliseconds === undefined ? undefined : Math.ceil(milliseconds / 1000);
  };
  return said<Partial<Cluster>>({
    connectTimeout: durationOf(timeout?.tcp?.connectTimeout),
    perConnectionBufferLimitBytes: bufferLimit === undefined ? undefined : parseQuantity(bufferLimit),
    upstreamConnectionOptions: tcpKeepalive && {
      tcpKeepalive: said({
        keepaliveProbes: tcpKeepalive.probes,
        keepaliveTime: seconds(tcpKeepalive.idleTime),
        keepaliveInterval: seconds(tcpKeepalive.interval),
      }),
    },
  });
}

export function buildCircuitBreakers(
  { circuitBreaker }: ConnectionSettings,
  usual: { readonly maxRetries: number },
): CircuitBreakers {
  const { maxConnections, maxPendingRequests, maxParallelRequests, maxParallelRetries, perEndpoint } =
    circuitBreaker ?? {};
  const maxRetries = maxParallelRetries ?? usual.maxRetries;
  return {
    thresholds: [{ ...said({ maxConnections, maxPendingRequests, maxRequests: maxParallelRequests }), maxRetries }],
    ...(perEndpoint?.maxConnections !== undefined && {
      perHostThresholds: [{ maxConnections: perEndpoint.maxConnections }],
    }),
  };
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
