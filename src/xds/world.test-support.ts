import { Cluster } from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import { ClusterLoadAssignment } from "../envoy/generated/envoy/config/endpoint/v3/endpoint.ts";
import { Listener } from "../envoy/generated/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../envoy/generated/envoy/config/route/v3/route.ts";
import { ScopedRouteConfiguration } from "../envoy/generated/envoy/config/route/v3/scoped_route.ts";
import { Secret } from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import type { EncodedResource, ResourceChange, ResourceName } from "../envoy/resource.ts";
import { encodeResource, resourceTypes } from "../envoy/resource.ts";

/** What the resources of these tests refer to, carried in a text field, so that the model client can read it back. */
export interface ClusterReferences {
  readonly endpoints: readonly string[];
  readonly secrets: readonly string[];
  readonly revision: number;
}

export interface ListenerReferences {
  readonly routes: readonly string[];
  readonly secrets: readonly string[];
  readonly scopes: readonly string[];
  readonly revision: number;
}

export const gatewayKey = "default/gateway";

function dependents(endpoints: readonly string[], secrets: readonly string[]): readonly ResourceName[] {
  return [
    ...endpoints.map((name) => ({ type: resourceTypes.endpoints, name })),
    ...secrets.map((name) => ({ type: resourceTypes.secret, name })),
  ];
}

export function cluster(name: string, references: Partial<ClusterReferences> = {}): EncodedResource {
  const full = { endpoints: [name], secrets: [], revision: 0, ...references };
  const altStatName = JSON.stringify(full);
  return encodeResource(Cluster, name, { name, altStatName }, dependents(full.endpoints, full.secrets));
}

export function listener(name: string, references: Partial<ListenerReferences> = {}): EncodedResource {
  const full = { routes: [], secrets: [], scopes: [], revision: 0, ...references };
  const statPrefix = JSON.stringify(full);
  const scopes = full.scopes.map((each) => ({ type: resourceTypes.scope, name: each }));
  return encodeResource(Listener, name, { name, statPrefix }, [...dependents([], full.secrets), ...scopes]);
}

export function table(name: string, clusters: readonly string[], revision = 0): EncodedResource {
  const message = { name, internalOnlyHeaders: [...clusters], maxDirectResponseBodySizeBytes: revision + 1 };
  return { ...encodeResource(RouteConfiguration, name, message), clusters: [clusters] };
}

export function scope(name: string): EncodedResource {
  return encodeResource(ScopedRouteConfiguration, name, { name });
}

export function endpoints(name: string, revision = 0): EncodedResource {
  return encodeResource(ClusterLoadAssignment, name, { clusterName: name, endpoints: [{ priority: revision }] });
}

export function secret(name: string, revision = 0): EncodedResource {
  return encodeResource(Secret, name, { name, genericSecret: { secret: { inlineString: `${revision}` } } });
}

export type World = ReadonlyMap<string, EncodedResource>;

export function world(...resources: readonly EncodedResource[]): World {
  return new Map(resources.map((resource) => [`${resource.type} ${resource.name}`, resource]));
}

/** The commit that turns one world into another. */
export function difference(from: World, to: World, gateway = gatewayKey): ResourceChange[] {
  const changes: ResourceChange[] = [];
  for (const [key, { type, name }] of from) {
    if (!to.has(key)) changes.push({ gateway, type, name, resource: undefined });
  }
  for (const [key, resource] of to) {
    const { type, name, version } = resource;
    if (from.get(key)?.version !== version) changes.push({ gateway, type, name, resource });
  }
  return changes;
}
