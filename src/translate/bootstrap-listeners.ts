import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import { parseQuantity } from "../attach/quantity.ts";

type Prometheus = NonNullable<NonNullable<NonNullable<EnvoyProxySpec["telemetry"]>["metrics"]>["prometheus"]>;

/** Cluster of the admin interface, for the metrics page. */
export const METRICS_CLUSTER = "prometheus_stats";

export const METRICS_PATH = "/stats/prometheus";
export const READY_PATH = "/ready";

const routerFilter = {
  name: "envoy.filters.http.router",
  typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
};

/**
 * Answers the kubelet. Envoy opens static listeners only when the first configuration has arrived, so a pod is ready when it can
 * serve; the filter fails once health checks are told to fail, which is the beginning of the end.
 */
export function buildProbeListener(pod: { readonly address: string; readonly readyPort: number }): object {
  const healthCheck = {
    name: "envoy.filters.http.health_check",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck",
      pass_through_mode: false,
      headers: [{ name: ":path", string_match: { exact: READY_PATH } }],
    },
  };
  return listener("ready", pod.address, pod.readyPort, [healthCheck], []);
}

/**
 * The metrics page. What was never counted is left out: at 10,000 backends of which few are in use that is nearly everything,
 * and the page is written on the thread that also takes configuration.
 */
export function buildStatsListener(
  pod: { readonly address: string; readonly statsPort: number },
  prometheus: Prometheus | undefined,
): object {
  const route = {
    match: { path: METRICS_PATH, headers: [{ name: ":method", string_match: { exact: "GET" } }] },
    route: { cluster: METRICS_CLUSTER, prefix_rewrite: `${METRICS_PATH}?usedonly` },
  };
  const filters = prometheus?.compression === undefined ? [] : [buildCompressor(prometheus.compression)];
  return listener("stats", pod.address, pod.statsPort, filters, [route]);
}

const libraries = {
  Gzip: ["gzip", "envoy.extensions.compression.gzip.compressor.v3.Gzip"],
  Brotli: ["brotli", "envoy.extensions.compression.brotli.compressor.v3.Brotli"],
  Zstd: ["zstd", "envoy.extensions.compression.zstd.compressor.v3.Zstd"],
} as const;

function buildCompressor({ type, minContentLength }: NonNullable<Prometheus["compression"]>): object {
  const [library, message] = libraries[type];
  return {
    name: "envoy.filters.http.compressor",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor",
      compressor_library: { name: library, typed_config: { "@type": `type.googleapis.com/${message}` } },
      ...(minContentLength !== undefined && {
        response_direction_config: { common_config: { min_content_length: parseQuantity(minContentLength) } },
      }),
    },
  };
}

function listener(
  what: string,
  address: string,
  port: number,
  filters: readonly object[],
  routes: readonly object[],
): object {
  return {
    name: `envoy-gateway-proxy-${what}-${address}-${port}`,
    address: { socket_address: { address, port_value: port, ...(address === "::" && { ipv4_compat: true }) } },
    // The kubelet and Prometheus must be answered above all when Envoy sheds the load of others.
    bypass_overload_manager: true,
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              stat_prefix: what,
              route_config: { name: what, virtual_hosts: [{ name: what, domains: ["*"], routes }] },
              http_filters: [...filters, routerFilter],
            },
          },
        ],
      },
    ],
  };
}
