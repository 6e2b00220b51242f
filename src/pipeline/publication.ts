import { RATE_LIMIT_FLEET } from "../attach/rate-limit.ts";
import type { FleetKey } from "../base/keys.ts";
import type { Collection, Graph, Index } from "../dataflow/graph.ts";
import { type EncodedResource, type ResourceChange, type ResourceType, resourceTypes } from "../envoy/resource.ts";
import { RATE_LIMIT_CLUSTER } from "../translate/rate-limit-cluster.ts";
import type { ClusterNodes, Endpoints, FleetCluster, FleetSecret } from "./clusters.ts";
import type { FleetResource } from "./gateways.ts";
import type { RateLimitNodes } from "./rate-limits.ts";
import type { RouteNodes } from "./routes.ts";

/** Gathers, over one commit, what changed for each fleet. */
export interface Publication {
  /**
   * The changes since the last call; empties the record.
   *
   * @param isLagging more of the same change follows, with tables and Listeners that lead to what was added: until then nothing is
   *   removed.
   */
  take(isLagging: boolean): ResourceChange[];
}

/** Joins shared resources with the fleets that have them. O(changes × fleets that share the changed resource). */
export function createPublication(
  graph: Graph,
  envoyListeners: Collection<FleetResource>,
  routes: RouteNodes,
  clusters: ClusterNodes,
  rateLimits?: RateLimitNodes,
): Publication {
  let touched = new Map<string, ResourceChange>();
  let removed = new Map<string, ResourceChange>();
  const record = (change: ResourceChange) => {
    const key = `${change.gateway}|${change.type}|${change.name}`;
    const [to, other] = change.resource === undefined ? [removed, touched] : [touched, removed];
    other.delete(key);
    to.set(key, change);
  };

  const own = (type: ResourceType, collection: Collection<FleetResource>) => {
    const owners = new Map<string, string>();
    graph.subscribe(collection, (changes) => {
      for (const [name, value] of changes) {
        const before = owners.get(name);
        if (before !== undefined && before !== value?.fleet)
          record({ gateway: before, type, name, resource: undefined });
        if (value === undefined) owners.delete(name);
        else {
          owners.set(name, value.fleet);
          record({ gateway: value.fleet, type, name, resource: value.resource });
        }
      }
    });
  };
  own(resourceTypes.listener, envoyListeners);
  own(resourceTypes.scope, routes.routeScopes);
  own(resourceTypes.route, routes.routeConfigurations);

  const share = <M extends { readonly fleet: FleetKey }, V>(
    type: ResourceType,
    members: Collection<M>,
    membersByName: Index<M>,
    resources: Collection<V>,
    resourceOf: (value: V | undefined) => EncodedResource | undefined,
  ) => {
    graph.subscribe(members, (changes) => {
      for (const [key, value] of changes) {
        const separator = key.indexOf("|");
        const [fleet, name] = [key.slice(0, separator), key.slice(separator + 1)];
        record({ gateway: fleet, type, name, resource: value && resourceOf(resources.get(name)) });
      }
    });
    graph.subscribe(resources, (changes) => {
      for (const [name, value] of changes) {
        for (const { fleet } of membersByName.group(name).values()) {
          record({ gateway: fleet, type, name, resource: resourceOf(value) });
        }
      }
    });
  };
  const { fleetClusters, fleetsByCluster, fleetSecrets, fleetsBySecret } = clusters;
  share<FleetCluster, EncodedResource>(
    resourceTypes.cluster,
    fleetClusters,
    fleetsByCluster,
    clusters.clusters,
    (resource) => resource,
  );
  share<FleetCluster, Endpoints>(
    resourceTypes.endpoints,
    fleetClusters,
    fleetsByCluster,
    clusters.endpoints,
    (value) => value?.resource,
  );
  share<FleetSecret, EncodedResource>(
    resourceTypes.secret,
    fleetSecrets,
    fleetsBySecret,
    clusters.secrets,
    (resource) => resource,
  );

  if (rateLimits !== undefined) shareRateLimits(graph, rateLimits, record);

  return {
    take(isLagging) {
      const changes = [...touched.values(), ...(isLagging ? [] : removed.values())];
      touched = new Map();
      if (!isLagging) removed = new Map();
      return changes;
    },
  };
}

/** The service has the configurations, every fleet the way to the service. */
function shareRateLimits(graph: Graph, rateLimits: RateLimitNodes, record: (change: ResourceChange) => void): void {
  graph.subscribe(rateLimits.configurations, (changes) => {
    for (const [name, resource] of changes) {
      record({ gateway: RATE_LIMIT_FLEET, type: resourceTypes.rateLimits, name, resource });
    }
  });
  graph.subscribe(rateLimits.clusters, (changes) => {
    for (const [fleet, value] of changes) {
      record({
        gateway: fleet,
        type: resourceTypes.cluster,
        name: RATE_LIMIT_CLUSTER,
        resource: value?.resource,
      });
    }
  });
}
