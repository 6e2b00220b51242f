import type { ObjectKey } from "../base/keys.ts";
import { contentHash } from "../envoy/hash.ts";

/** Where Envoy finds the control plane. */
export type XdsAddress = { readonly unixPath: string } | { readonly host: string; readonly port: number };

export interface BootstrapOptions {
  /** The gateway whose configuration this Envoy asks for: the node's `cluster`. */
  readonly gateway: ObjectKey;
  /** Tells the Envoys of one gateway apart. */
  readonly nodeId: string;
  readonly xds: XdsAddress;
  /** Port of the admin interface on 127.0.0.1; 0 = a free one, which Envoy writes to `--admin-address-path`. */
  readonly adminPort: number;
}

/** Upper bound of client connections over all listeners: beyond it Envoy refuses new ones instead of running out of memory. */
export const DOWNSTREAM_CONNECTIONS_MAX = 50_000;

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

/**
 * Envoy's static configuration in JSON: everything else comes over one delta ADS stream. Pure, and stable for equal options,
 * so that an Envoy left running by an earlier Gatehouse can be compared with what would be started now.
 */
export function buildBootstrap(options: BootstrapOptions): object {
  const ads = { resource_api_version: "V3", initial_fetch_timeout: "0s", ads: {} };
  return {
    node: { id: options.nodeId, cluster: options.gateway },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: options.adminPort } } },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        // The node cannot change within a stream, so the requests after the first need not repeat it.
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: {
              cluster_name: "xds_cluster",
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
    static_resources: { clusters: [xdsCluster(options.xds)] },
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
    overload_manager: {
      refresh_interval: "0.25s",
      resource_monitors: [
        {
          name: "envoy.resource_monitors.global_downstream_max_connections",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            max_active_downstream_connections: DOWNSTREAM_CONNECTIONS_MAX,
          },
        },
      ],
    },
    // A cluster that no request used yet has no statistics: 384 instead of 560 MB at 10,000 clusters.
    deferred_stat_options: { enable_deferred_creation_stats: true },
  };
}

function xdsCluster(address: XdsAddress): object {
  const isHostName = "host" in address && !/^[\d.]+$|:/.test(address.host);
  const endpointAddress =
    "unixPath" in address
      ? { pipe: { path: address.unixPath } }
      : { socket_address: { address: address.host, port_value: address.port } };
  return {
    name: "xds_cluster",
    type: isHostName ? "STRICT_DNS" : "STATIC",
    connect_timeout: `${XDS_CONNECT_TIMEOUT_S}s`,
    load_assignment: {
      cluster_name: "xds_cluster",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: endpointAddress } }] }],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
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
  };
}

/** Names what an Envoy process was started with: equal fingerprints mean that a restart would change nothing. */
export function launchFingerprint(binary: string, launchArguments: readonly string[], bootstrap: object): string {
  return contentHash(JSON.stringify([binary, launchArguments, bootstrap]));
}
