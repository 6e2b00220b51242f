import type { MetricSink } from "../attach/metric-sinks.ts";
import { compareStrings } from "../base/keys.ts";

/** Name of the cluster of a sink, as in Envoy Gateway. */
const clusterName = (index: number) => `metrics_otel_${index}`;

const CONNECT_TIMEOUT_S = 10;

const lookupFamilies = { IPv4: "V4_ONLY", IPv6: "V6_ONLY", DualStack: "ALL" } as const;

export function buildSinkCluster({ endpoints, family }: MetricSink, index: number): object {
  const addresses = endpoints.map((address) =>
    "unixPath" in address
      ? { pipe: { path: address.unixPath } }
      : { socket_address: { address: address.host, port_value: address.port } },
  );
  const isLocal = endpoints.every((address) => "unixPath" in address);
  return {
    name: clusterName(index),
    type: isLocal ? "STATIC" : "STRICT_DNS",
    ...(!isLocal && { dns_lookup_family: family === undefined ? "V4_PREFERRED" : lookupFamilies[family] }),
    connect_timeout: `${CONNECT_TIMEOUT_S}s`,
    load_assignment: {
      cluster_name: clusterName(index),
      endpoints: [{ lb_endpoints: addresses.map((address) => ({ endpoint: { address } })) }],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
}

export function buildStatsSink({ authority, settings }: MetricSink, index: number): object {
  const { headers = [], resourceAttributes } = settings;
  const attributes = Object.entries(resourceAttributes ?? {}).sort(([a], [b]) => compareStrings(a, b));
  return {
    name: "envoy.stat_sinks.open_telemetry",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig",
      grpc_service: {
        envoy_grpc: { cluster_name: clusterName(index), authority },
        initial_metadata: headers.map(({ name, value }) => ({ key: name.toLowerCase(), value })),
      },
      report_counters_as_deltas: settings.reportCountersAsDeltas === true,
      report_histograms_as_deltas: settings.reportHistogramsAsDeltas === true,
      ...(attributes.length > 0 && {
        resource_detectors: [
          {
            name: "envoy.tracers.opentelemetry.resource_detectors.static_config",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.tracers.opentelemetry.resource_detectors.v3.StaticConfigResourceDetectorConfig",
              attributes: Object.fromEntries(attributes),
            },
          },
        ],
      }),
    },
  };
}
