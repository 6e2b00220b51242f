import type { ConfigMap, Secret } from "../api/core.ts";
import { listenerSecrets } from "../attach/certificates.ts";
import { type SecretUse, secretsOf } from "../attach/cluster-spec.ts";
import type { ClusterSpec, ResolvedRoute } from "../attach/model.ts";
import type { FleetKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import type { Collection, Graph, Index } from "../dataflow/graph.ts";
import { type EncodedResource, sameResource } from "../envoy/resource.ts";
import { translateCluster, usesEndpoints } from "../translate/cluster.ts";
import { translateEndpoints } from "../translate/endpoints.ts";
import { translateLoginKey, translateSecret } from "../translate/secret.ts";
import type { ProxyNodes } from "./envoy-proxies.ts";
import type { ListenerNodes } from "./listeners.ts";
import { variantsOf } from "./route-variants.ts";
import type { RouteNodes } from "./routes.ts";
import { readSettings, type Sources } from "./sources.ts";

/** That a fleet needs a cluster. Key `<fleet>|<cluster>`. */
export interface FleetCluster {
  readonly fleet: FleetKey;
  readonly spec: ClusterSpec;
}

/** That a fleet needs a secret. Key `<fleet>|<secret>`. */
export interface FleetSecret {
  readonly fleet: FleetKey;
  readonly use: SecretUse;
}

/** Endpoints of a cluster and how many can take requests. */
export interface Endpoints {
  readonly resource: EncodedResource;
  readonly endpoints: number;
}

/**
 * Clusters, endpoints and secrets exist once, however many fleets and routes share them; who has them is kept apart. So an
 * EndpointSlice edit translates one ClusterLoadAssignment and nothing else.
 */
export interface ClusterNodes {
  readonly fleetClusters: Collection<FleetCluster>;
  readonly fleetsByCluster: Index<FleetCluster>;
  readonly fleetSecrets: Collection<FleetSecret>;
  readonly fleetsBySecret: Index<FleetSecret>;
  /** All three by resource name. */
  readonly clusters: Collection<EncodedResource>;
  readonly endpoints: Collection<Endpoints>;
  readonly secrets: Collection<EncodedResource>;
  /** By cluster name, EDS clusters only: false while no endpoint can take requests. Changes far less often than endpoints. */
  readonly available: Collection<boolean>;
}

/** Every cluster that a resolved route may send requests to, mirrors and the servers of its SecurityPolicies included. */
export function* clustersOf(resolved: ResolvedRoute): Iterable<ClusterSpec> {
  for (const rule of resolved.rules) {
    for (const { target } of rule.backends) if (target !== undefined) yield target;
    for (const { target } of rule.mirrors) if (target !== undefined) yield target;
    yield* Object.values(rule.security?.servers ?? {});
  }
}

export function createClusterNodes(
  graph: Graph,
  sources: Sources,
  proxies: ProxyNodes,
  listeners: ListenerNodes,
  routes: RouteNodes,
): ClusterNodes {
  const byRoutes = graph.flatMap("clusterUses", routes.resolved, (resolved, key, read) => {
    const attachment = read.get(routes.attachments, key);
    const result = new Map<string, FleetCluster>();
    if (attachment === undefined) return result;
    const object = () => read.get(routes.routes, key)?.route;
    for (const { resolved: variant, places } of variantsOf(routes.policies, key, object, attachment, resolved, read)) {
      // At a listener that serves nothing a route needs nothing.
      const serving = places.filter(({ listener }) => listener?.routeTable !== undefined || listener?.streams);
      for (const fleet of new Set(serving.map(({ parent }) => parent.fleet))) {
        for (const spec of clustersOf(variant)) result.set(flatText(fleet, "|", spec.name, "|", key), { fleet, spec });
      }
    }
    return result;
  });
  const byTelemetry = graph.flatMap("telemetryClusterUses", proxies.telemetry, ({ clusters }, gateway, read) => {
    const fleet = read.get(proxies.fleets, gateway) ?? gateway;
    return clusters.map((spec) => [flatText(gateway, "|", spec.name, "|telemetry"), { fleet, spec }] as const);
  });
  const uses = graph.union("allClusterUses", byRoutes, byTelemetry);
  const usesByCluster = graph.index("usesByCluster", uses, ({ fleet, spec }) => [flatText(fleet, "|", spec.name)]);
  const fleetClusters = graph.reduce("fleetClusters", usesByCluster, (_group, members) => first(members));
  const fleetsByCluster = graph.index("fleetsByCluster", fleetClusters, ({ spec }) => [spec.name]);
  const specs = graph.reduce("clusterSpecs", fleetsByCluster, (_name, members) => first(members)?.spec);
  const clusters = graph.map(
    "clusters",
    specs,
    (spec, _name, read) =>
      translateCluster(spec, spec.tls?.trust === "System" ? readSettings(sources, read).systemTrustFile : undefined),
    { equals: sameResource },
  );
  const endpoints = createEndpoints(graph, sources, specs);
  const available = graph.map("clusterAvailability", endpoints, (value) => value.endpoints > 0);
  return {
    fleetClusters,
    fleetsByCluster,
    clusters,
    endpoints,
    available,
    ...createSecrets(graph, sources, proxies, listeners, fleetClusters),
  };
}

function createEndpoints(graph: Graph, sources: Sources, specs: Collection<ClusterSpec>): Collection<Endpoints> {
  const slicesByService = graph.index("slicesByService", sources.endpointSlices, (slice) => {
    const service = slice.metadata.labels?.["kubernetes.io/service-name"];
    return service === undefined ? [] : [`${slice.metadata.namespace ?? ""}/${service}`];
  });
  return graph.map(
    "endpoints",
    specs,
    (spec, _name, read) =>
      usesEndpoints(spec)
        ? translateEndpoints(spec, {
            endpointSlices: (service) => read.lookup(slicesByService, service).values(),
            service: (key) => read.get(sources.services, key),
            backend: (key) => read.get(sources.backends, key),
            staticBackend: (key) => read.get(sources.staticBackends, key),
          })
        : undefined,
    { equals: (a: Endpoints, b: Endpoints) => sameResource(a.resource, b.resource) },
  );
}

function createSecrets(
  graph: Graph,
  sources: Sources,
  proxies: ProxyNodes,
  listeners: ListenerNodes,
  fleetClusters: Collection<FleetCluster>,
): Pick<ClusterNodes, "fleetSecrets" | "fleetsBySecret" | "secrets"> {
  const byClusters = graph.flatMap("clusterSecretUses", fleetClusters, ({ fleet, spec }, key) =>
    secretsOf(spec).map((use) => [`${key}|${use.name}`, { fleet, use }] as const),
  );
  const byListeners = graph.flatMap("listenerSecretUses", listeners.certificates, (certificates, key, read) => {
    const fleet = read.get(proxies.fleets, certificates.gateway) ?? certificates.gateway;
    return listenerSecrets(certificates).map((use): readonly [string, FleetSecret] => [
      `listener|${key}|${use.name}`,
      { fleet, use },
    ]);
  });
  const uses = graph.union("secretUses", byClusters, byListeners);
  const usesBySecret = graph.index("usesBySecret", uses, ({ fleet, use }) => [`${fleet}|${use.name}`]);
  const fleetSecrets = graph.reduce("fleetSecrets", usesBySecret, (_group, members) => first(members));
  const fleetsBySecret = graph.index("fleetsBySecret", fleetSecrets, ({ use }) => [use.name]);
  const specs = graph.reduce("secretSpecs", fleetsBySecret, (_name, members) => first(members)?.use);
  const secrets = graph.map(
    "secretResources",
    specs,
    (use, _name, read) => {
      if (use.source === "settings") {
        const { loginKey } = readSettings(sources, read);
        return loginKey === undefined ? undefined : translateLoginKey(use, loginKey);
      }
      const objectOf = ({ source, key }: Pick<SecretUse, "source" | "key">): Secret | ConfigMap | undefined =>
        source === "secret" ? read.get(sources.secrets, key) : read.get(sources.configMaps, key);
      return translateSecret(use, objectOf(use), use.also?.map(objectOf), use.revoked?.map(objectOf));
    },
    { equals: sameResource },
  );
  return { fleetSecrets, fleetsBySecret, secrets };
}

/** All members of such a group are equal: their name is a hash of what they hold. */
function first<V>(members: ReadonlyMap<string, V>): V | undefined {
  return members.values().next().value;
}
