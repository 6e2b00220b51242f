import type { Collection, Graph, Index } from "../dataflow/graph.ts";
import { type EncodedResource, type ResourceChange, type ResourceType, resourceTypes } from "../envoy/resource.ts";
import type { ClusterNodes, Endpoints, GatewayCluster, GatewaySecret } from "./clusters.ts";
import type { GatewayNodes, GatewayResource } from "./gateways.ts";
import type { RouteNodes } from "./routes.ts";

/** Gathers, over one commit, what changed for each gateway. */
export interface Publication {
  /** The changes since the last call; empties the record. */
  take(): ResourceChange[];
}

/** Joins shared resources with the gateways that have them. O(changes × gateways that share the changed resource). */
export function createPublication(
  graph: Graph,
  gateways: GatewayNodes,
  routes: RouteNodes,
  clusters: ClusterNodes,
): Publication {
  const touched = new Map<string, ResourceChange>();
  const record = (change: ResourceChange) => touched.set(`${change.gateway}|${change.type}|${change.name}`, change);

  const own = (type: ResourceType, collection: Collection<GatewayResource>) => {
    const owners = new Map<string, string>();
    graph.subscribe(collection, (changes) => {
      for (const [name, value] of changes) {
        const before = owners.get(name);
        if (before !== undefined && before !== value?.gateway)
          record({ gateway: before, type, name, resource: undefined });
        if (value === undefined) owners.delete(name);
        else {
          owners.set(name, value.gateway);
          record({ gateway: value.gateway, type, name, resource: value.resource });
        }
      }
    });
  };
  own(resourceTypes.listener, gateways.listeners);
  own(resourceTypes.route, routes.routeConfigurations);

  const share = <M extends { readonly gateway: string }, V>(
    type: ResourceType,
    members: Collection<M>,
    membersByName: Index<M>,
    resources: Collection<V>,
    resourceOf: (value: V | undefined) => EncodedResource | undefined,
  ) => {
    graph.subscribe(members, (changes) => {
      for (const [key, value] of changes) {
        const separator = key.indexOf("|");
        const [gateway, name] = [key.slice(0, separator), key.slice(separator + 1)];
        record({ gateway, type, name, resource: value && resourceOf(resources.get(name)) });
      }
    });
    graph.subscribe(resources, (changes) => {
      for (const [name, value] of changes) {
        for (const { gateway } of membersByName.group(name).values()) {
          record({ gateway, type, name, resource: resourceOf(value) });
        }
      }
    });
  };
  const { gatewayClusters, gatewaysByCluster, gatewaySecrets, gatewaysBySecret } = clusters;
  share<GatewayCluster, EncodedResource>(
    resourceTypes.cluster,
    gatewayClusters,
    gatewaysByCluster,
    clusters.clusters,
    (resource) => resource,
  );
  share<GatewayCluster, Endpoints>(
    resourceTypes.endpoints,
    gatewayClusters,
    gatewaysByCluster,
    clusters.endpoints,
    (value) => value?.resource,
  );
  share<GatewaySecret, EncodedResource>(
    resourceTypes.secret,
    gatewaySecrets,
    gatewaysBySecret,
    clusters.secrets,
    (resource) => resource,
  );

  return {
    take() {
      const changes = [...touched.values()];
      touched.clear();
      return changes;
    },
  };
}
