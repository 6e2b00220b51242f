import type { Collection, Graph } from "../dataflow/graph.ts";
import { type EncodedResource, sameResource } from "../envoy/resource.ts";
import { translateRateLimits } from "../translate/policy/rate-limit-descriptors.ts";
import { translateRateLimitCluster } from "../translate/rate-limit-cluster.ts";
import { type FleetResource, type GatewayNodes, sameFleetResource } from "./gateways.ts";
import type { PolicyNodes } from "./policies.ts";
import { readSettings, type Sources } from "./sources.ts";

/** Limits that a service counts for all Envoys together. */
export interface RateLimitNodes {
  /** Key: policy, which is its domain. What the service is to know of each policy, whatever routes it has: an edit of one makes one anew. */
  readonly configurations: Collection<EncodedResource>;
  /** Key: fleet. The cluster through which its Envoys ask the service. */
  readonly clusters: Collection<FleetResource>;
}

export function createRateLimitNodes(
  graph: Graph,
  sources: Sources,
  policies: PolicyNodes,
  gateways: GatewayNodes,
): RateLimitNodes {
  const configurations = graph.map(
    "rateLimitConfigurations",
    policies.backendTraffic,
    ({ traffic }) => traffic.route?.globalRateLimit && translateRateLimits(traffic.route.globalRateLimit),
    { equals: sameResource },
  );
  const clusters = graph.reduce(
    "rateLimitClusters",
    gateways.plansByFleet,
    (fleet, members, read): FleetResource | undefined => {
      const { rateLimit } = readSettings(sources, read);
      return rateLimit && members.size > 0 ? { fleet, resource: translateRateLimitCluster(rateLimit) } : undefined;
    },
    { equals: sameFleetResource },
  );
  return { configurations, clusters };
}
