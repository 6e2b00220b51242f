import type { RateLimitService, RateLimitTls } from "../attach/rate-limit.ts";
import { pack } from "../envoy/any.ts";
import { Cluster } from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import type { Address } from "../envoy/generated/envoy/config/core/v3/address.ts";
import type { TransportSocket } from "../envoy/generated/envoy/config/core/v3/base.ts";
import { DnsCluster } from "../envoy/generated/envoy/extensions/clusters/dns/v3/dns_cluster.ts";
import {
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/common.ts";
import { UpstreamTlsContext } from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { HttpProtocolOptions } from "../envoy/generated/envoy/extensions/upstreams/http/v3/http_protocol_options.ts";
import { type EncodedResource, encodeResource } from "../envoy/resource.ts";
import { fromXdsFiles } from "./bootstrap-xds.ts";

/** Name as in Envoy Gateway, which patches and dashboards refer to. */
export const RATE_LIMIT_CLUSTER = "ratelimit_cluster";

const http2 = pack(HttpProtocolOptions, { explicitHttpConfig: { http2ProtocolOptions: {} } });

/** The service as Envoys reach it. Every address of its name: each of its pods counts in the same Redis. */
export function translateRateLimitCluster({ address, tls }: RateLimitService): EncodedResource {
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
    ...(tls && { transportSocket: buildTransport(tls) }),
    typedExtensionProtocolOptions: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
    ignoreHealthOnHostRemoval: true,
  });
}

/**
 * Both sides show certificates of Gatehouse's own authority. The names that Envoy accepts are this one and, since the trust is the same
 * file, the control plane's.
 */
function buildTransport({ serverName, envoy }: RateLimitTls): TransportSocket {
  const { certificate, trust } = fromXdsFiles(envoy);
  const tls13 = TlsParameters_TlsProtocol.TLSv1_3;
  const context: UpstreamTlsContext = {
    sni: serverName,
    // A resumed session would be one of the old certificate.
    maxSessionKeys: 0,
    commonTlsContext: {
      tlsParams: { tlsMinimumProtocolVersion: tls13, tlsMaximumProtocolVersion: tls13 },
      alpnProtocols: ["h2"],
      tlsCertificateSdsSecretConfigs: [certificate],
      combinedValidationContext: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: [{ sanType: SubjectAltNameMatcher_SanType.DNS, matcher: { exact: serverName } }],
        },
        validationContextSdsSecretConfig: trust,
      },
    },
  };
  return { name: "envoy.transport_sockets.tls", typedConfig: pack(UpstreamTlsContext, context) };
}
