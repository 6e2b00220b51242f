import { typeUrl } from "./any.ts";
import { Cluster } from "./generated/envoy/config/cluster/v3/cluster.ts";
import { ClusterLoadAssignment } from "./generated/envoy/config/endpoint/v3/endpoint.ts";
import { Listener } from "./generated/envoy/config/listener/v3/listener.ts";
import { Action as RbacAction } from "./generated/envoy/config/rbac/v3/rbac.ts";
import { RouteConfiguration } from "./generated/envoy/config/route/v3/route.ts";
import { FilterConfig as RouteFilterConfig, RouteList } from "./generated/envoy/config/route/v3/route_components.ts";
import { ScopedRouteConfiguration } from "./generated/envoy/config/route/v3/scoped_route.ts";
import { DatadogConfig } from "./generated/envoy/config/trace/v3/datadog.ts";
import { OpenTelemetryConfig } from "./generated/envoy/config/trace/v3/opentelemetry.ts";
import { ZipkinConfig } from "./generated/envoy/config/trace/v3/zipkin.ts";
import { FileAccessLog } from "./generated/envoy/extensions/access_loggers/file/v3/file.ts";
import { ExpressionFilter } from "./generated/envoy/extensions/access_loggers/filters/cel/v3/cel.ts";
import {
  HttpGrpcAccessLogConfig,
  TcpGrpcAccessLogConfig,
} from "./generated/envoy/extensions/access_loggers/grpc/v3/als.ts";
import { OpenTelemetryAccessLogConfig } from "./generated/envoy/extensions/access_loggers/open_telemetry/v3/logs_service.ts";
import { StderrAccessLog, StdoutAccessLog } from "./generated/envoy/extensions/access_loggers/stream/v3/stream.ts";
import { DnsCluster } from "./generated/envoy/extensions/clusters/dns/v3/dns_cluster.ts";
import { ClusterConfig as DynamicForwardProxyCluster } from "./generated/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.ts";
import * as matching from "./generated/envoy/extensions/common/matching/v3/extension_matcher.ts";
import { Brotli } from "./generated/envoy/extensions/compression/brotli/compressor/v3/brotli.ts";
import { Gzip } from "./generated/envoy/extensions/compression/gzip/compressor/v3/gzip.ts";
import { Zstd } from "./generated/envoy/extensions/compression/zstd/compressor/v3/zstd.ts";
import { AdmissionControl } from "./generated/envoy/extensions/filters/http/admission_control/v3/admission_control.ts";
import * as apiKeyAuth from "./generated/envoy/extensions/filters/http/api_key_auth/v3/api_key_auth.ts";
import { BandwidthLimit } from "./generated/envoy/extensions/filters/http/bandwidth_limit/v3/bandwidth_limit.ts";
import { BasicAuth } from "./generated/envoy/extensions/filters/http/basic_auth/v3/basic_auth.ts";
import * as buffer from "./generated/envoy/extensions/filters/http/buffer/v3/buffer.ts";
import { Composite, ExecuteFilterAction } from "./generated/envoy/extensions/filters/http/composite/v3/composite.ts";
import * as compressor from "./generated/envoy/extensions/filters/http/compressor/v3/compressor.ts";
import { Cors, CorsPolicy } from "./generated/envoy/extensions/filters/http/cors/v3/cors.ts";
import { CredentialInjector } from "./generated/envoy/extensions/filters/http/credential_injector/v3/credential_injector.ts";
import { CsrfPolicy } from "./generated/envoy/extensions/filters/http/csrf/v3/csrf.ts";
import { CustomResponse } from "./generated/envoy/extensions/filters/http/custom_response/v3/custom_response.ts";
import * as dynamicForwardProxy from "./generated/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.ts";
import { ExtAuthz, ExtAuthzPerRoute } from "./generated/envoy/extensions/filters/http/ext_authz/v3/ext_authz.ts";
import { HTTPFault } from "./generated/envoy/extensions/filters/http/fault/v3/fault.ts";
import { FilterConfig as GrpcStats } from "./generated/envoy/extensions/filters/http/grpc_stats/v3/config.ts";
import { GrpcWeb } from "./generated/envoy/extensions/filters/http/grpc_web/v3/grpc_web.ts";
import * as headerMutation from "./generated/envoy/extensions/filters/http/header_mutation/v3/header_mutation.ts";
import { HealthCheck } from "./generated/envoy/extensions/filters/http/health_check/v3/health_check.ts";
import { JwtAuthentication } from "./generated/envoy/extensions/filters/http/jwt_authn/v3/config.ts";
import { LocalRateLimit } from "./generated/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.ts";
import { OAuth2 } from "./generated/envoy/extensions/filters/http/oauth2/v3/oauth.ts";
import * as rateLimit from "./generated/envoy/extensions/filters/http/ratelimit/v3/rate_limit.ts";
import * as rbac from "./generated/envoy/extensions/filters/http/rbac/v3/rbac.ts";
import { Router } from "./generated/envoy/extensions/filters/http/router/v3/router.ts";
import { UpstreamCodec } from "./generated/envoy/extensions/filters/http/upstream_codec/v3/upstream_codec.ts";
import { ProxyProtocol } from "./generated/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.ts";
import { TlsInspector } from "./generated/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.ts";
import { ConnectionLimit } from "./generated/envoy/extensions/filters/network/connection_limit/v3/connection_limit.ts";
import { HttpConnectionManager } from "./generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { RBAC as NetworkRbac } from "./generated/envoy/extensions/filters/network/rbac/v3/rbac.ts";
import { TcpProxy } from "./generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts";
import { Route as UdpProxyRoute } from "./generated/envoy/extensions/filters/udp/udp_proxy/v3/route.ts";
import { UdpProxyConfig } from "./generated/envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy.ts";
import { HealthCheckEventFileSink } from "./generated/envoy/extensions/health_check/event_sinks/file/v3/file.ts";
import { LocalResponsePolicy } from "./generated/envoy/extensions/http/custom_response/local_response_policy/v3/local_response_policy.ts";
import { HeaderMutation as EarlyHeaderMutation } from "./generated/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.ts";
import { PreserveCaseFormatterConfig } from "./generated/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.ts";
import { Generic } from "./generated/envoy/extensions/http/injected_credentials/generic/v3/generic.ts";
import { CustomHeaderConfig } from "./generated/envoy/extensions/http/original_ip_detection/custom_header/v3/custom_header.ts";
import { XffConfig } from "./generated/envoy/extensions/http/original_ip_detection/xff/v3/xff.ts";
import { ClientSideWeightedRoundRobin } from "./generated/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin.ts";
import { LeastRequest } from "./generated/envoy/extensions/load_balancing_policies/least_request/v3/least_request.ts";
import { Maglev } from "./generated/envoy/extensions/load_balancing_policies/maglev/v3/maglev.ts";
import { OverrideHost } from "./generated/envoy/extensions/load_balancing_policies/override_host/v3/override_host.ts";
import { Random } from "./generated/envoy/extensions/load_balancing_policies/random/v3/random.ts";
import { RoundRobin } from "./generated/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.ts";
import { WrrLocality } from "./generated/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.ts";
import {
  DynamicMetadataInput,
  SourceIPInput,
  SourcePortInput,
} from "./generated/envoy/extensions/matching/common_inputs/network/v3/network_inputs.ts";
import { ConsistentHashing } from "./generated/envoy/extensions/matching/input_matchers/consistent_hashing/v3/consistent_hashing.ts";
import { Ip } from "./generated/envoy/extensions/matching/input_matchers/ip/v3/ip.ts";
import { Metadata as MetadataMatcher } from "./generated/envoy/extensions/matching/input_matchers/metadata/v3/metadata.ts";
import { UuidRequestIdConfig } from "./generated/envoy/extensions/request_id/uuid/v3/uuid.ts";
import { PreviousHostsPredicate } from "./generated/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.ts";
import { PreviousPrioritiesConfig } from "./generated/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.ts";
import { StaticConfigResourceDetectorConfig } from "./generated/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector.ts";
import { AlwaysOnSamplerConfig } from "./generated/envoy/extensions/tracers/opentelemetry/samplers/v3/always_on_sampler.ts";
import { ParentBasedSamplerConfig } from "./generated/envoy/extensions/tracers/opentelemetry/samplers/v3/parent_based_sampler.ts";
import { TraceIdRatioBasedSamplerConfig } from "./generated/envoy/extensions/tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler.ts";
import { ProxyProtocolUpstreamTransport } from "./generated/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.ts";
import { QuicDownstreamTransport } from "./generated/envoy/extensions/transport_sockets/quic/v3/quic_transport.ts";
import { RawBuffer } from "./generated/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.ts";
import { Secret } from "./generated/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import { DownstreamTlsContext, UpstreamTlsContext } from "./generated/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { HttpProtocolOptions } from "./generated/envoy/extensions/upstreams/http/v3/http_protocol_options.ts";
import * as httpInputs from "./generated/envoy/type/matcher/v3/http_inputs.ts";
import { HttpResponseStatusCodeMatchInput } from "./generated/envoy/type/matcher/v3/status_code_input.ts";
import { Any } from "./generated/google/protobuf/any.ts";
import { Duration } from "./generated/google/protobuf/duration.ts";
import { RateLimitConfig } from "./generated/ratelimit/config/ratelimit/v3/rls_conf.ts";
import { CelMatcher } from "./generated/xds/type/matcher/v3/cel.ts";
import { HttpAttributesCelMatchInput } from "./generated/xds/type/matcher/v3/http_inputs.ts";
import type { EncodedResource } from "./resource.ts";

/** What printing needs of a generated message. */
interface PrintableMessage {
  readonly $type: string;
  decode(bytes: Uint8Array): unknown;
  toJSON(message: never): unknown;
}

const messages: readonly PrintableMessage[] = [
  apiKeyAuth.ApiKeyAuth,
  apiKeyAuth.ApiKeyAuthPerRoute,
  BasicAuth,
  Composite,
  ExecuteFilterAction,
  CsrfPolicy,
  ExtAuthz,
  ExtAuthzPerRoute,
  JwtAuthentication,
  OAuth2,
  rbac.RBAC,
  DynamicMetadataInput,
  SourceIPInput,
  MetadataMatcher,
  Ip,
  NetworkRbac,
  RbacAction,
  rbac.RBACPerRoute,
  matching.ExtensionWithMatcher,
  matching.ExtensionWithMatcherPerRoute,
  CustomResponse,
  HTTPFault,
  LocalRateLimit,
  rateLimit.RateLimit,
  rateLimit.RateLimitPerRoute,
  RateLimitConfig,
  BandwidthLimit,
  LocalResponsePolicy,
  Gzip,
  Brotli,
  Zstd,
  Maglev,
  OverrideHost,
  Random,
  WrrLocality,
  PreviousPrioritiesConfig,
  ProxyProtocolUpstreamTransport,
  HealthCheckEventFileSink,
  HttpResponseStatusCodeMatchInput,
  buffer.Buffer,
  buffer.BufferPerRoute,
  compressor.Compressor,
  compressor.CompressorPerRoute,
  Cluster,
  ClusterLoadAssignment,
  Listener,
  RouteConfiguration,
  ScopedRouteConfiguration,
  RouteFilterConfig,
  RouteList,
  Secret,
  StderrAccessLog,
  StdoutAccessLog,
  FileAccessLog,
  ExpressionFilter,
  HttpGrpcAccessLogConfig,
  TcpGrpcAccessLogConfig,
  OpenTelemetryAccessLogConfig,
  DatadogConfig,
  OpenTelemetryConfig,
  ZipkinConfig,
  PreserveCaseFormatterConfig,
  ConnectionLimit,
  QuicDownstreamTransport,
  UuidRequestIdConfig,
  StaticConfigResourceDetectorConfig,
  AlwaysOnSamplerConfig,
  ParentBasedSamplerConfig,
  TraceIdRatioBasedSamplerConfig,
  DnsCluster,
  DynamicForwardProxyCluster,
  Cors,
  CorsPolicy,
  CredentialInjector,
  dynamicForwardProxy.FilterConfig,
  dynamicForwardProxy.PerRouteConfig,
  GrpcStats,
  GrpcWeb,
  headerMutation.HeaderMutation,
  headerMutation.HeaderMutationPerRoute,
  Router,
  UpstreamCodec,
  TlsInspector,
  ProxyProtocol,
  HealthCheck,
  EarlyHeaderMutation,
  CustomHeaderConfig,
  XffConfig,
  TcpProxy,
  UdpProxyConfig,
  UdpProxyRoute,
  SourcePortInput,
  ConsistentHashing,
  HttpConnectionManager,
  Generic,
  ClientSideWeightedRoundRobin,
  LeastRequest,
  RoundRobin,
  PreviousHostsPredicate,
  RawBuffer,
  DownstreamTlsContext,
  UpstreamTlsContext,
  HttpProtocolOptions,
  httpInputs.HttpRequestHeaderMatchInput,
  httpInputs.HttpRequestQueryParamMatchInput,
  httpInputs.HttpResponseHeaderMatchInput,
  AdmissionControl,
  CelMatcher,
  HttpAttributesCelMatchInput,
];

const registry: ReadonlyMap<string, PrintableMessage> = new Map(messages.map((message) => [typeUrl(message), message]));

/** A JSON object in protobuf's JSON form. */
export type JsonObject = { readonly [key: string]: unknown };

/**
 * A resource in protobuf's own JSON form (camelCase names, durations as `10s`, Any with `@type`), which Envoy reads back from
 * a file. For people: printing only, nothing is served from it. O(bytes).
 *
 * Private keys and passwords are not printed.
 */
export function resourceToJson(resource: EncodedResource): JsonObject {
  return withProtobufForms(() => messageToJson(resource.type, Buffer.concat(resource.chunks)));
}

function messageToJson(type: string, bytes: Uint8Array): JsonObject {
  const message = registry.get(type);
  if (message === undefined) return { "@type": type, value: Buffer.from(bytes).toString("base64") };
  const json = { "@type": type, ...(message.toJSON(message.decode(bytes) as never) as JsonObject) };
  const hidden = privateFields.get(type);
  return hidden === undefined ? json : (redact(json, hidden) as JsonObject);
}

/**
 * ts-proto prints Duration and Any field by field. Every generated message reaches them through these two objects, so while
 * `run` lasts (it is synchronous) they print what protobuf prescribes: the only place that knows which `{}` is a duration.
 */
function withProtobufForms<T>(run: () => T): T {
  const [plainDuration, plainAny] = [Duration.toJSON, Any.toJSON];
  Duration.toJSON = ({ seconds = 0, nanos = 0 }) => `${Number((seconds + nanos / 1e9).toFixed(9))}s`;
  // An empty Any has a meaning of its own: in a route's FilterConfig it turns the filter on.
  Any.toJSON = ({ typeUrl: type = "", value = new Uint8Array() }) => (type === "" ? {} : messageToJson(type, value));
  try {
    return run();
  } finally {
    Duration.toJSON = plainDuration;
    Any.toJSON = plainAny;
  }
}

/** By type of message: what is not printed, wherever it stands in the message. */
const privateFields: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [typeUrl(Secret), new Set(["privateKey", "password", "secret", "secrets", "sessionTicketKeys"])],
  [typeUrl(BasicAuth), new Set(["users"])],
  [typeUrl(apiKeyAuth.ApiKeyAuth), new Set(["key"])],
  [typeUrl(apiKeyAuth.ApiKeyAuthPerRoute), new Set(["key"])],
]);

function redact(value: unknown, hidden: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => redact(item, hidden));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, hidden.has(key) ? "[redacted]" : redact(field, hidden)]),
  );
}
