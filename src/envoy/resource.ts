import type { FleetKey } from "../base/keys.ts";
import type { MessageType } from "./any.ts";
import { encodeMessage, typeUrl } from "./any.ts";
import { Cluster } from "./generated/envoy/config/cluster/v3/cluster.ts";
import { ClusterLoadAssignment } from "./generated/envoy/config/endpoint/v3/endpoint.ts";
import { Listener } from "./generated/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "./generated/envoy/config/route/v3/route.ts";
import { ScopedRouteConfiguration } from "./generated/envoy/config/route/v3/scoped_route.ts";
import { Secret } from "./generated/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import { RateLimitConfig } from "./generated/ratelimit/config/ratelimit/v3/rls_conf.ts";
import { contentHash } from "./hash.ts";

/** Type URLs of the resources that Gatehouse serves. */
export const resourceTypes = {
  cluster: typeUrl(Cluster),
  endpoints: typeUrl(ClusterLoadAssignment),
  secret: typeUrl(Secret),
  listener: typeUrl(Listener),
  scope: typeUrl(ScopedRouteConfiguration),
  route: typeUrl(RouteConfiguration),
  /** For the rate limit service, not for Envoy. */
  rateLimits: typeUrl(RateLimitConfig),
} as const;

export type ResourceType = (typeof resourceTypes)[keyof typeof resourceTypes];

/**
 * One xDS resource, encoded once. Immutable. The canonical bytes are the concatenation of `chunks`: a RouteConfiguration of
 * 10,000 virtual hosts keeps each virtual host's own bytes, shared with the previous version of the table, and is joined
 * only when it is written to a socket.
 */
export interface EncodedResource {
  readonly type: ResourceType;
  readonly name: string;
  /** Hash of the canonical bytes: equal version means equal bytes, across restarts and replicas. */
  readonly version: string;
  readonly chunks: readonly Uint8Array[];
  readonly byteLength: number;
  /** For a Cluster or Listener: resources that must be sent with it (docs/architecture.md section 6). */
  readonly dependents: readonly ResourceName[];
  /**
   * For a RouteConfiguration: names of the clusters that it routes to, in lists that are shared with earlier versions; a
   * name may appear in several. Routes wait for their new clusters, cluster removals for the routes (docs/architecture.md section 6).
   */
  readonly clusters: readonly (readonly string[])[];
  /** For a Listener: the port that it binds. */
  readonly port?: number;
}

export interface ResourceName {
  readonly type: ResourceType;
  readonly name: string;
}

const nothing: readonly never[] = Object.freeze([]);

/** Encodes a whole message. O(bytes). */
export function encodeResource<T>(
  messageType: MessageType<T>,
  name: string,
  message: T,
  dependents: readonly ResourceName[] = nothing,
): EncodedResource {
  const bytes = encodeMessage(messageType, message);
  return {
    type: typeUrl(messageType) as ResourceType,
    name,
    version: contentHash(bytes),
    chunks: [bytes],
    byteLength: bytes.byteLength,
    dependents,
    clusters: nothing,
  };
}

/** Equal for the dataflow engine: the same bytes under the same name. */
export function sameResource(a: EncodedResource, b: EncodedResource): boolean {
  return a.version === b.version && a.name === b.name && a.type === b.type;
}

/** A change of what one fleet's Envoys are to have; no resource means: removed. The only message from pipeline to xDS. */
export interface ResourceChange {
  /** Of the Gateway that they serve, or of the GatewayClass whose Gateways share them. */
  readonly gateway: FleetKey;
  readonly type: ResourceType;
  readonly name: string;
  readonly resource: EncodedResource | undefined;
}

/** What was said of a resource version. */
export interface Answer {
  /** The fleet of the Envoy. */
  readonly gateway: FleetKey;
  readonly type: ResourceType;
  readonly name: string;
  readonly version: string;
  readonly accepted: boolean;
  /** Envoy's own words when it refused. */
  readonly error?: string;
  /** It was refused for what is wrong on the host, such as a port that is taken, and is offered again until it is taken. */
  readonly retried?: boolean;
}

/** An answer and the Envoy that gave it, by the id of its node. The only message from xDS back into the pipeline. */
export interface Acknowledgement extends Answer {
  readonly node: string;
}
