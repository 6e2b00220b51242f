import type { RateLimitService } from "../attach/rate-limit.ts";
import { pack } from "../envoy/any.ts";
import { Cluster } from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import type { Address } from "../envoy/generated/envoy/config/core/v3/address.ts";
import { DnsCluster } from "../envoy/generated/envoy/extensions/clusters/dns/v3/dns_cluster.ts";
import { HttpProtocolOptions } from "../envoy/generated/envoy/extensions/upstreams/http/v3/http_protocol_options.ts";
import { type EncodedResource, encodeResource } from "../envoy/resource.ts";

/** Name as in Envoy Gateway, which patches and dashboards refer to. */
export const RATE_LIMIT_CLUSTER = "ratelimit_cluster";

const http2 = pack(HttpProtocolOptions, { explicitHttpConfig: { http2ProtocolOptions: {} } });

/** The service as Envoys reach it. Every address of its name: each of its pods counts in the same Redis. */
export function translateRateLimitCluster({ address }: RateLimitService): EncodedResource {
  const where: Address =
    "unixPath" in address
      ? { pipe: { path: address.unixPath } }
      : { socketAddress: { address: address.host, portValue: address.port } };
  return encodeResource(Cluster, RATE_LIMIT_CLUSTER, {
    name: RATE_LIMIT_CLUSTER,
    connectTimeout: { seconds: 10, nanos: 0 },
    ...("unixPath" in address
      ? {}
      : { clusterType: { name: "envoy.cluster.dns", typedConfig: pack(DnsCluster, { respectDnsTtl: true }) } }),
    loadAssignment: {
      clusterName: RATE_LIMIT_CLUSTER,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: where } }] }],
    },
    typedExtensionProtocolOptions: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
    ignoreHealthOnHostRemoval: true,
  });
}
