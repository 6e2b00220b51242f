import type { ClusterSpec } from "../attach/cluster-model.ts";
import type { ConnectionSettings } from "../attach/connection-settings.ts";
import { type Any, pack } from "../envoy/any.ts";
import type { LoadBalancingPolicy } from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import { ClientSideWeightedRoundRobin } from "../envoy/generated/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin.ts";
import type {
  LocalityLbConfig,
  SlowStartConfig,
} from "../envoy/generated/envoy/extensions/load_balancing_policies/common/v3/common.ts";
import { LeastRequest } from "../envoy/generated/envoy/extensions/load_balancing_policies/least_request/v3/least_request.ts";
import { Maglev } from "../envoy/generated/envoy/extensions/load_balancing_policies/maglev/v3/maglev.ts";
import { OverrideHost } from "../envoy/generated/envoy/extensions/load_balancing_policies/override_host/v3/override_host.ts";
import { Random } from "../envoy/generated/envoy/extensions/load_balancing_policies/random/v3/random.ts";
import { RoundRobin } from "../envoy/generated/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.ts";
import { WrrLocality } from "../envoy/generated/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.ts";
import { parseDuration, toDuration } from "./duration.ts";
import { zoneWeights } from "./locality.ts";

export type LoadBalancer = NonNullable<ConnectionSettings["loadBalancer"]>;

/** Between localities by their weights, which is how shares of backends in one cluster come about. */
const localityLbConfig: LocalityLbConfig = { localityWeightedLbConfig: {} };

function policy(name: string, typedConfig: Any): LoadBalancingPolicy {
  return { policies: [{ typedExtensionConfig: { name: `envoy.load_balancing_policies.${name}`, typedConfig } }] };
}

/**
 * Least request, and between localities by their weights. Encoded once: 10,000 clusters share the bytes. Envoy's panic
 * threshold of 50 % is its default and so not written.
 */
export const leastRequest: LoadBalancingPolicy = policy("least_request", pack(LeastRequest, { localityLbConfig }));

/** How a cluster chooses among its endpoints. What makes requests equal is the route's affair (`filters/hash.ts`). */
export function buildLoadBalancing({
  connection,
  reach,
}: Pick<ClusterSpec, "connection" | "reach">): LoadBalancingPolicy {
  const settings = connection?.loadBalancer;
  if (settings === undefined) return leastRequest;
  // Only there is the weight of a locality more than its number of endpoints.
  const hasShares = reach.kind === "Fallback" || reach.kind === "DnsFallback" || zoneWeights(connection) !== undefined;
  const own = buildChoice(settings, hasShares);
  const sources = settings.endpointOverride?.extractFrom.flatMap(({ header }) =>
    header === undefined ? [] : [{ header }],
  );
  if (sources === undefined || sources.length === 0) return own;
  return policy("override_host", pack(OverrideHost, { overrideHostSources: sources, fallbackPolicy: own }));
}

function buildChoice(
  { type, slowStart, consistentHash, backendUtilization }: LoadBalancer,
  hasShares: boolean,
): LoadBalancingPolicy {
  const slowStartConfig = buildSlowStart(slowStart?.window);
  const common = { localityLbConfig, ...(slowStartConfig && { slowStartConfig }) };
  switch (type) {
    case "RoundRobin":
      return policy("round_robin", pack(RoundRobin, common));
    case "Random":
      return policy("random", pack(Random, { localityLbConfig }));
    case "ConsistentHash": {
      const { tableSize } = consistentHash ?? {};
      return policy(
        "maglev",
        // Where localities have no names, Envoy would take all of them for the first endpoint's.
        pack(Maglev, {
          ...(hasShares && { localityWeightedLbConfig: {} }),
          ...(tableSize !== undefined && { tableSize }),
        }),
      );
    }
    case "BackendUtilization":
      return weighByLoad(backendUtilization ?? {}, slowStartConfig, hasShares);
    default:
      return slowStartConfig === undefined ? leastRequest : policy("least_request", pack(LeastRequest, common));
  }
}

function buildSlowStart(window: string | undefined): SlowStartConfig | undefined {
  const milliseconds = parseDuration(window);
  return milliseconds === undefined ? undefined : { slowStartWindow: toDuration(milliseconds) };
}

/** The policy itself does not know of localities: another around it keeps their shares. */
function weighByLoad(
  settings: NonNullable<LoadBalancer["backendUtilization"]>,
  slowStartConfig: SlowStartConfig | undefined,
  hasShares: boolean,
): LoadBalancingPolicy {
  const duration = (text: string | undefined) => {
    const milliseconds = parseDuration(text);
    return milliseconds === undefined ? undefined : toDuration(milliseconds);
  };
  const { errorUtilizationPenaltyPercent: penalty, metricNamesForComputingUtilization: names, outOfBand } = settings;
  const { port, authority } = outOfBand ?? {};
  const endpoints = policy(
    "client_side_weighted_round_robin",
    pack(ClientSideWeightedRoundRobin, {
      blackoutPeriod: duration(settings.blackoutPeriod),
      weightExpirationPeriod: duration(settings.weightExpirationPeriod),
      weightUpdatePeriod: duration(settings.weightUpdatePeriod),
      ...(penalty !== undefined && { errorUtilizationPenalty: penalty / 100 }),
      ...(names && { metricNamesForComputingUtilization: [...names] }),
      ...(slowStartConfig && { slowStartConfig }),
      ...(outOfBand && {
        enableOobLoadReport: true,
        oobReportingPeriod: duration(outOfBand.reportingPeriod),
        ...((port !== undefined || authority !== undefined) && {
          oobReportingConfig: {
            ...(port !== undefined && { portValue: port }),
            ...(authority !== undefined && { authority }),
          },
        }),
      }),
    }),
  );
  return hasShares ? policy("wrr_locality", pack(WrrLocality, { endpointPickingPolicy: endpoints })) : endpoints;
}
