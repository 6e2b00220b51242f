import type { ClusterSpec } from "../attach/model.ts";
import { pack } from "../envoy/any.ts";
import {
  type Cluster_CustomClusterType,
  Cluster_DnsLookupFamily,
} from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import { ClusterConfig } from "../envoy/generated/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.ts";
import type { DnsCacheConfig } from "../envoy/generated/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache.ts";

const families = {
  IPv4: Cluster_DnsLookupFamily.V4_ONLY,
  IPv6: Cluster_DnsLookupFamily.V6_ONLY,
  DualStack: Cluster_DnsLookupFamily.ALL,
} as const;

/**
 * One cache of resolved names for all such clusters of a proxy and for the HTTP filter that changes the host before it is
 * resolved. Envoy refuses two different configurations under one name, so the name says all that differs.
 */
export function dnsCache(family: ClusterSpec["family"]): DnsCacheConfig {
  return {
    name: family === undefined ? "dynamic-resolver" : `dynamic-resolver-${family}`,
    dnsLookupFamily: family === undefined ? Cluster_DnsLookupFamily.V4_PREFERRED : families[family],
    dnsRefreshRate: { seconds: 30, nanos: 0 },
  };
}

/**
 * A cluster that reaches whatever host the request names. Its routes turn on the HTTP filter of the same name, which stands in
 * every filter chain, so no Listener changes.
 */
export function dynamicForwardProxyType({ tls, family }: ClusterSpec): Cluster_CustomClusterType {
  // Envoy insists on SNI and verification by the request's host, unless told that something else is meant.
  const otherVerification = tls !== undefined && (tls.insecureSkipVerify || tls.sni !== undefined);
  return {
    name: "envoy.clusters.dynamic_forward_proxy",
    typedConfig: pack(ClusterConfig, {
      dnsCacheConfig: dnsCache(family),
      ...(otherVerification && { allowInsecureClusterOptions: true }),
    }),
  };
}
