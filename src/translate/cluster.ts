import { secretsOf } from "../attach/cluster-spec.ts";
import type { BackendEndpoint, ClusterSpec } from "../attach/model.ts";
import { pack } from "../envoy/any.ts";
import { adsConfigSource } from "../envoy/constants.ts";
import {
  Cluster,
  type Cluster_CustomClusterType,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
} from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import type { OutlierDetection } from "../envoy/generated/envoy/config/cluster/v3/outlier_detection.ts";
import type { LocalityLbEndpoints } from "../envoy/generated/envoy/config/endpoint/v3/endpoint_components.ts";
import { DnsLookupFamily } from "../envoy/generated/envoy/extensions/clusters/common/dns/v3/dns.ts";
import { DnsCluster } from "../envoy/generated/envoy/extensions/clusters/dns/v3/dns_cluster.ts";
import type { Duration } from "../envoy/generated/google/protobuf/duration.ts";
import { type EncodedResource, encodeResource, type ResourceName, resourceTypes } from "../envoy/resource.ts";
import { buildCircuitBreakers, buildConnection, buildLookups, tellClient } from "./connection.ts";
import { dynamicForwardProxyType } from "./dynamic-forward-proxy.ts";
import { buildHealth } from "./health-checks.ts";
import { buildLoadBalancing } from "./load-balancing.ts";
import { groupByLocality, memberLocality, zoneWeights } from "./locality.ts";
import { buildProtocolOptions } from "./upstream-protocol.ts";
import { buildUpstreamTls, SYSTEM_TRUST_FILE } from "./upstream-tls.ts";

/** How long a TCP connection may take to open. */
const CONNECT_TIMEOUT: Duration = { seconds: 10, nanos: 0 };
/** Soft limit of what Envoy buffers per connection to a backend: with Envoy's own 1 MiB a few slow clients fill the memory. */
const BUFFER_LIMIT_BYTES = 32 * 1024;
/** Envoy's own limit of 3 concurrent retries per cluster would refuse retries exactly when they are needed. */
const MAX_CONCURRENT_RETRIES = 1024;
/** How often Envoy resolves a host name whose answer carries no shorter or longer time to live. */
const DNS_REFRESH: Duration = { seconds: 30, nanos: 0 };
/** After a failed look-up Envoy tries again soon, so that a name that starts to exist works within seconds. */
const DNS_FAILURE_REFRESH = { baseInterval: { seconds: 2, nanos: 0 }, maxInterval: { seconds: 30, nanos: 0 } };

/**
 * Failover by what Envoy sees itself: a host that refuses connections is left out for a while, so that the fallback takes over
 * although nobody checks health. Answers of a backend, even bad ones, are its own affair.
 */
const avoidUnreachable: OutlierDetection = {
  splitExternalLocalOriginErrors: true,
  consecutiveLocalOriginFailure: 3,
  enforcingLocalOriginSuccessRate: 0,
  enforcingConsecutive5xx: 0,
  enforcingSuccessRate: 0,
  interval: { seconds: 1, nanos: 0 },
  baseEjectionTime: { seconds: 5, nanos: 0 },
  // Grows with every ejection up to this: a backend that is back gets its traffic within half a minute.
  maxEjectionTime: { seconds: 30, nanos: 0 },
  maxEjectionPercent: 100,
};

function dnsType({ family, connection }: ClusterSpec): Cluster_CustomClusterType {
  return {
    name: "envoy.cluster.dns",
    typedConfig: pack(DnsCluster, {
      dnsRefreshRate: DNS_REFRESH,
      dnsFailureRefreshRate: DNS_FAILURE_REFRESH,
      respectDnsTtl: true,
      dnsLookupFamily: family === undefined ? DnsLookupFamily.V4_PREFERRED : lookupFamilies[family],
      ...(connection && buildLookups(connection)),
    }),
  };
}

const lookupFamilies = {
  IPv4: DnsLookupFamily.V4_ONLY,
  IPv6: DnsLookupFamily.V6_ONLY,
  DualStack: DnsLookupFamily.ALL,
} as const;

const circuitBreakers = { thresholds: [{ maxRetries: MAX_CONCURRENT_RETRIES }] };

/** Do the endpoints of this cluster come by EDS? */
export function usesEndpoints({ reach }: ClusterSpec): boolean {
  return reach.kind === "Service" || reach.kind === "Backend" || reach.kind === "Fallback";
}

/**
 * Builds the Envoy Cluster. Carries nothing that is only for people: Envoy keeps the whole message, once per cluster.
 *
 * @param systemTrustFile file with the system's authorities on the machine of Envoy
 */
export function translateCluster(spec: ClusterSpec, systemTrustFile: string = SYSTEM_TRUST_FILE): EncodedResource {
  const { name, reach } = spec;
  const options = buildProtocolOptions(spec);
  const cluster: Cluster = {
    name,
    ...discovery(spec),
    ...(spec.stats && countMore(spec.stats)),
    connectTimeout: CONNECT_TIMEOUT,
    perConnectionBufferLimitBytes: BUFFER_LIMIT_BYTES,
    circuitBreakers,
    ...(spec.connection && {
      ...buildConnection(spec.connection),
      circuitBreakers: buildCircuitBreakers(spec.connection, { maxRetries: MAX_CONCURRENT_RETRIES }),
    }),
    ...((reach.kind === "Fallback" || reach.kind === "DnsFallback") && { outlierDetection: avoidUnreachable }),
    ...(spec.connection?.healthCheck && buildHealth(spec.connection.healthCheck, spec)),
    ...(options && { typedExtensionProtocolOptions: options }),
    ...transport(spec, systemTrustFile),
  };
  return encodeResource(Cluster, name, cluster, dependentsOf(spec));
}

function transport({ tls, connection, ...spec }: ClusterSpec, systemTrustFile: string): Cluster {
  const transportSocket = tls && buildUpstreamTls({ ...spec, tls }, tls, systemTrustFile);
  if (connection?.proxyProtocol) return { transportSocket: tellClient(connection.proxyProtocol, transportSocket) };
  return transportSocket ? { transportSocket } : {};
}

function countMore({ name, perEndpoint, sizes }: NonNullable<ClusterSpec["stats"]>): Cluster {
  return {
    ...(name !== undefined && { altStatName: name }),
    ...((perEndpoint || sizes) && {
      trackClusterStats: {
        ...(perEndpoint && { perEndpointStats: true }),
        ...(sizes && { requestResponseSizes: true }),
      },
    }),
  };
}

function discovery(spec: ClusterSpec): Cluster {
  const { reach } = spec;
  switch (reach.kind) {
    case "Service":
    case "Backend":
    case "Fallback":
      return {
        type: Cluster_DiscoveryType.EDS,
        edsClusterConfig: { edsConfig: adsConfigSource },
        loadBalancingPolicy: buildLoadBalancing(spec),
        ignoreHealthOnHostRemoval: true,
      };
    case "Dns":
      return resolveNames(spec, groupByLocality(sortEndpoints(reach.endpoints), zoneWeights(spec.connection)));
    case "DnsFallback": {
      const weights = zoneWeights(spec.connection);
      const members = reach.members.flatMap((member) =>
        memberLocality(member, sortEndpoints(member.reach.endpoints), weights),
      );
      return resolveNames(spec, members);
    }
    case "DynamicResolver":
      return { clusterType: dynamicForwardProxyType(spec), lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED };
  }
}

function resolveNames(spec: ClusterSpec, endpoints: LocalityLbEndpoints[]): Cluster {
  return {
    clusterType: dnsType(spec),
    loadAssignment: { clusterName: spec.name, endpoints },
    loadBalancingPolicy: buildLoadBalancing(spec),
    ignoreHealthOnHostRemoval: true,
  };
}

/** The order in which endpoints are listed means nothing, so it must not show in the bytes. */
function sortEndpoints(endpoints: readonly BackendEndpoint[]): readonly BackendEndpoint[] {
  return [...endpoints].sort((a, b) => (JSON.stringify(a.address) < JSON.stringify(b.address) ? -1 : 1));
}

function dependentsOf(spec: ClusterSpec): readonly ResourceName[] | undefined {
  const secrets = secretsOf(spec).map(({ name }): ResourceName => ({ type: resourceTypes.secret, name }));
  if (usesEndpoints(spec)) return [{ type: resourceTypes.endpoints, name: spec.name }, ...secrets];
  return secrets.length === 0 ? undefined : secrets;
}
