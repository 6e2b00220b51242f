import type { ConnectionSettings } from "../attach/connection-settings.ts";
import type { BackendEndpoint, ClusterReach } from "../attach/model.ts";
import { compareStrings } from "../base/keys.ts";
import type { Address } from "../envoy/generated/envoy/config/core/v3/address.ts";
import type {
  LbEndpoint,
  LocalityLbEndpoints,
} from "../envoy/generated/envoy/config/endpoint/v3/endpoint_components.ts";

type FallbackMember = Extract<ClusterReach, { kind: "Fallback" | "DnsFallback" }>["members"][number];

/** Into so many parts the weight of a member is divided among its zones: weights are whole numbers. */
const MEMBER_PARTS = 100;

interface Group {
  readonly zone: string;
  readonly priority: number;
  readonly endpoints: LbEndpoint[];
}

/**
 * Groups endpoints by priority and zone. The weight of a locality is its number of endpoints, so that each endpoint gets the
 * same share wherever it runs. Endpoints keep their order; groups are sorted. O(n).
 */
export function groupByLocality(endpoints: readonly BackendEndpoint[], weights?: ZoneWeights): LocalityLbEndpoints[] {
  const groups = new Map<string, Group>();
  for (const endpoint of endpoints) {
    const zone = endpoint.zone ?? "";
    const key = `${endpoint.priority}/${zone}`;
    let group = groups.get(key);
    if (group === undefined) {
      group = { zone, priority: endpoint.priority, endpoints: [] };
      groups.set(key, group);
    }
    group.endpoints.push(buildEndpoint(endpoint));
  }
  // Without the field, even an empty one, Envoy overlooks the weight, and beside others the group would take nothing.
  const named = groups.size > 1 || weights !== undefined;
  return [...groups.values()]
    .sort((a, b) => a.priority - b.priority || compareStrings(a.zone, b.zone))
    .map(({ zone, priority, endpoints: members }) => ({
      ...(zone === "" ? named && { locality: {} } : { locality: { zone } }),
      ...(priority > 0 && { priority }),
      ...weightOf(weights === undefined ? members.length : (weights.get(zone) ?? UNNAMED_ZONE_WEIGHT)),
      lbEndpoints: members,
    }));
}

/** A locality without a weight takes nothing; Envoy refuses a weight of 0. */
function weightOf(weight: number): Pick<LocalityLbEndpoints, "loadBalancingWeight"> {
  return weight > 0 ? { loadBalancingWeight: weight } : {};
}

/** Shares of zones, by name (`loadBalancer.zoneAware.weightedZones`). */
export type ZoneWeights = ReadonlyMap<string, number>;

/** Of a zone that the policy does not name (Envoy Gateway: 1). */
const UNNAMED_ZONE_WEIGHT = 1;

/** Undefined: each endpoint has the same share. */
export function zoneWeights(connection: ConnectionSettings | undefined): ZoneWeights | undefined {
  const zones = connection?.loadBalancer?.zoneAware?.weightedZones;
  return zones && new Map(zones.map(({ zone, weight }) => [zone, weight]));
}

/** A member of a fallback is one locality, which carries its weight against the others of the same priority. */
export function memberLocality(
  { reach, weight, priority }: FallbackMember,
  endpoints: readonly BackendEndpoint[],
  weights?: ZoneWeights,
): LocalityLbEndpoints[] {
  if (endpoints.length === 0) return [];
  const region = `${reach.kind}/${reach.key}`.toLowerCase();
  if (weights !== undefined) {
    const zones = groupByLocality(
      endpoints.map((endpoint) => ({ ...endpoint, priority })),
      weights,
    );
    const sum = zones.reduce((total, { loadBalancingWeight = 0 }) => total + loadBalancingWeight, 0);
    return zones.map(({ loadBalancingWeight: share = 0, locality, ...rest }) => ({
      ...rest,
      locality: { ...locality, region },
      ...(share > 0 && { loadBalancingWeight: Math.max(1, Math.round((weight * MEMBER_PARTS * share) / sum)) }),
    }));
  }
  const lbEndpoints = endpoints.map(buildEndpoint);
  return [{ locality: { region }, ...(priority > 0 && { priority }), loadBalancingWeight: weight, lbEndpoints }];
}

/** One endpoint; the host name serves SNI and, on request, the Host header. */
function buildEndpoint({ address, hostname }: BackendEndpoint): LbEndpoint {
  return { endpoint: { address: buildAddress(address), ...(hostname !== undefined && { hostname }) } };
}

function buildAddress(address: BackendEndpoint["address"]): Address {
  return "unixPath" in address
    ? { pipe: { path: address.unixPath } }
    : { socketAddress: { address: address.host, portValue: address.port } };
}
