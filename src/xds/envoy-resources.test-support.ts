import { pack } from "../envoy/any.ts";
import { adsConfigSource } from "../envoy/constants.ts";
import { Cluster, Cluster_DiscoveryType } from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import { ClusterLoadAssignment } from "../envoy/generated/envoy/config/endpoint/v3/endpoint.ts";
import { Listener } from "../envoy/generated/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../envoy/generated/envoy/config/route/v3/route.ts";
import { Router } from "../envoy/generated/envoy/extensions/filters/http/router/v3/router.ts";
import { HttpConnectionManager } from "../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import type { EncodedResource } from "../envoy/resource.ts";
import { encodeResource, resourceTypes } from "../envoy/resource.ts";

/** Resources with which a real Envoy serves a port of 127.0.0.1 from a backend on another. */

export function backendCluster(name: string, port: number, timeoutSeconds = 5): readonly EncodedResource[] {
  return [
    encodeResource(
      Cluster,
      name,
      {
        name,
        type: Cluster_DiscoveryType.EDS,
        edsClusterConfig: { edsConfig: adsConfigSource },
        connectTimeout: { seconds: timeoutSeconds, nanos: 0 },
      },
      [{ type: resourceTypes.endpoints, name }],
    ),
    encodeResource(ClusterLoadAssignment, name, {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: [{ endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: port } } } }],
        },
      ],
    }),
  ];
}

export function httpListener(name: string, port: number, statPrefix: string): EncodedResource {
  const manager: HttpConnectionManager = {
    statPrefix,
    rds: { configSource: adsConfigSource, routeConfigName: "routes" },
    httpFilters: [{ name: "router", typedConfig: pack(Router, {}) }],
  };
  return encodeResource(Listener, name, {
    name,
    address: { socketAddress: { address: "127.0.0.1", portValue: port } },
    filterChains: [{ filters: [{ name: "manager", typedConfig: pack(HttpConnectionManager, manager) }] }],
  });
}

export function routes(cluster: string): EncodedResource {
  const message = {
    name: "routes",
    virtualHosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster } }] }],
  };
  return { ...encodeResource(RouteConfiguration, "routes", message), clusters: [[cluster]] };
}
