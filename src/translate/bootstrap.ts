import type { MetricSink } from "../attach/metric-sinks.ts";
import type { ObjectKey } from "../base/keys.ts";
import type { ControlPlaneAddress, XdsAddress } from "../envoy/control-plane.ts";
import { buildProbeListener, buildStatsListener, METRICS_CLUSTER } from "./bootstrap-listeners.ts";
import { buildSinkCluster, buildStatsSink } from "./bootstrap-sinks.ts";
import { buildStatsConfig, type Metrics } from "./bootstrap-stats.ts";
import { buildXdsFilters, buildXdsTransport } from "./bootstrap-xds.ts";

/**
 * Where the admin interface listens: a Unix socket (`mode`: its permissions, else what the process's umask leaves), or, for a
 * measurement, a port of 127.0.0.1 (0 = a free one, which Envoy writes to `--admin-address-path`). Whoever reaches it may end the
 * process, and a port is in reach of requests: a Backend of type DynamicResolver connects to whatever host and port a client names,
 * loopback included, as does on a host any Backend.
 */
export type AdminAddress = { readonly unixPath: string; readonly mode?: number } | { readonly port: number };

export interface BootstrapOptions {
  /** The gateway whose configuration this Envoy asks for, and what tells its Envoys apart; absent: the command line says it. */
  readonly node?: { readonly id: string; readonly cluster: ObjectKey };
  readonly xds: ControlPlaneAddress;
  readonly admin: AdminAddress;
  /** Listeners for the kubelet and for Prometheus. */
  readonly pod?: {
    /** Address to bind: `0.0.0.0` or `::`. */
    readonly address: string;
    readonly readyPort: number;
    readonly statsPort: number;
  };
  readonly metrics?: Metrics;
  readonly metricSinks?: readonly MetricSink[];
  /** Memory that Envoy may use, in bytes; near it Envoy gives memory back, then takes no new connections. */
  readonly memoryBytes?: number;
}

/** Upper bound of client connections over all listeners: beyond it Envoy refuses new ones instead of running out of memory. */
export const DOWNSTREAM_CONNECTIONS_MAX = 50_000;

/** Part of the memory limit that Envoy's heap may take: the rest is for what does not count as heap. */
const HEAP_OF_MEMORY = 0.8;
const SHRINK_HEAP_AT = 0.95;
const STOP_ACCEPTING_AT = 0.98;

/** A control plane that comes back is found again within this time, so that edits made meanwhile arrive at once. */
const XDS_RECONNECT_BASE_MS = 100;
const XDS_RECONNECT_MAX_MS = 2_000;

const XDS_CONNECT_TIMEOUT_S = 5;
/** A half-open connection to the control plane is noticed after interval + timeout. Generous: a cold start may block for seconds. */
const XDS_KEEPALIVE_INTERVAL_S = 30;
const XDS_KEEPALIVE_TIMEOUT_S = 15;

/** Programs of RE2 larger than this are refused by default (100); the route's author decides, a linear matcher stays linear. */
const REGEX_PROGRAM_MAX = 4_294_967_295;
const REGEX_PROGRAM_WARN = 1_000;

export const XDS_CLUSTER = "xds_cluster";

/**
 * Envoy's static configuration in JSON: everything else comes over one delta ADS stream. Pure, and stable for equal options,
 * so that an Envoy left running by an earlier Gatehouse can be compared with what would be started now.
 */
export function buildBootstrap(options: BootstrapOptions): Record<string, unknown> {
  const ads = { resource_api_version: "V3", initial_fetch_timeout: "0s", ads: {} };
  const { pod, metrics = {}, metricSinks = [] } = options;
  const servesMetrics = pod !== undefined && !metrics.prometheus?.disable;
  return {
    ...(options.node && { node: options.node }),
    admin: { address: adminAddress(options.admin) },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        // The node cannot change within a stream, so the requests after the first need not repeat it.
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: {
              cluster_name: XDS_CLUSTER,
              retry_policy: {
                retry_back_off: {
                  base_interval: `${XDS_RECONNECT_BASE_MS / 1000}s`,
                  max_interval: `${XDS_RECONNECT_MAX_MS / 1000}s`,
                },
              },
            },
          },
        ],
      },
      // No fetch timeout: an Envoy that starts while the control plane is away opens no port until it knows what to serve.
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      ...(pod && {
        listeners: [buildProbeListener(pod), ...(servesMetrics ? [buildStatsListener(pod, metrics.prometheus)] : [])],
      }),
      clusters: [
        buildXdsCluster(options.xds),
        ...(servesMetrics ? [buildMetricsCluster(options.admin)] : []),
        ...metricSinks.map(buildSinkCluster),
      ],
    },
    ...(metricSinks.length > 0 && { stats_sinks: metricSinks.map(buildStatsSink) }),
    layered_runtime: {
      layers: [
        {
          name: "static",
          static_layer: {
            "re2.max_program_size.error_level": REGEX_PROGRAM_MAX,
            "re2.max_program_size.warn_level": REGEX_PROGRAM_WARN,
          },
        },
        // Lets `/runtime_modify` be used for diagnosis.
        { name: "admin", admin_layer: {} },
      ],
    },
    overload_manager: buildOverloadManager(options.memoryBytes),
    // A cluster that no request used yet has no statistics: 384 instead of 560 MB at 10,000 clusters.
    deferred_stat_options: { enable_deferred_creation_stats: true },
    ...buildStatsConfig(metrics),
  };
}

function adminAddress(admin: AdminAddress): object {
  if (!("unixPath" in admin)) return envoyAddress(admin);
  return { pipe: { path: admin.unixPath, ...(admin.mode !== undefined && { mode: admin.mode }) } };
}

function envoyAddress(place: AdminAddress | XdsAddress): object {
  if ("unixPath" in place) return { pipe: { path: place.unixPath } };
  return { socket_address: { address: "host" in place ? place.host : "127.0.0.1", port_value: place.port } };
}

function buildXdsCluster({ address: xds, tls }: ControlPlaneAddress): object {
  const isHostName = "host" in xds && !/^[\d.]+$|:/.test(xds.host);
  const address = envoyAddress(xds);
  const filters = tls === undefined ? [] : buildXdsFilters(tls);
  return {
    name: XDS_CLUSTER,
    type: isHostName ? "STRICT_DNS" : "STATIC",
    connect_timeout: `${XDS_CONNECT_TIMEOUT_S}s`,
    load_assignment: {
      cluster_name: XDS_CLUSTER,
      endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        ...(filters.length > 0 && { http_filters: filters }),
        explicit_http_config: {
          http2_protocol_options: {
            connection_keepalive: {
              interval: `${XDS_KEEPALIVE_INTERVAL_S}s`,
              timeout: `${XDS_KEEPALIVE_TIMEOUT_S}s`,
            },
          },
        },
      },
    },
    ...(tls && { transport_socket: buildXdsTransport(tls) }),
  };
}

/** The metrics page is a page of the admin interface, which itself is not reachable from outside. */
function buildMetricsCluster(admin: AdminAddress): object {
  const address = envoyAddress(admin);
  return {
    name: METRICS_CLUSTER,
    type: "STATIC",
    connect_timeout: "0.25s",
    load_assignment: { cluster_name: METRICS_CLUSTER, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

function buildOverloadManager(memoryBytes: number | undefined): object {
  const connections = {
    name: "envoy.resource_monitors.global_downstream_max_connections",
    typed_config: {
      "@type":
        "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
      max_active_downstream_connections: DOWNSTREAM_CONNECTIONS_MAX,
    },
  };
  if (memoryBytes === undefined) return { refresh_interval: "0.25s", resource_monitors: [connections] };
  const heap = "envoy.resource_monitors.fixed_heap";
  const act = (name: string, value: number) => ({ name, triggers: [{ name: heap, threshold: { value } }] });
  return {
    refresh_interval: "0.25s",
    resource_monitors: [
      connections,
      {
        name: heap,
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
          max_heap_size_bytes: Math.floor(memoryBytes * HEAP_OF_MEMORY),
        },
      },
    ],
    actions: [
      act("envoy.overload_actions.shrink_heap", SHRINK_HEAP_AT),
      act("envoy.overload_actions.stop_accepting_requests", STOP_ACCEPTING_AT),
    ],
  };
}
