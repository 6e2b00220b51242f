import type { EncodedResource, ResourceType } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { XdsLimits } from "./limits.ts";
import type { SentResponse, Subscription } from "./subscription.ts";

/**
 * No request is lost to a change (docs/architecture.md section 6): a route table waits for the clusters that this Envoy does not have yet, a
 * removed cluster for the tables that still lead to it. Each wait has a bound, because Envoy withholds the acknowledgement of
 * its clusters while any one of them warms.
 */
export interface ClusterOrder {
  readonly clusters: Subscription;
  /** Subscriptions of the types that refer to clusters: route tables, and listeners that proxy TCP. */
  readonly users: readonly Subscription[];
  /** Of the endpoints of clusters, under the same names. */
  readonly endpoints: Subscription;
  readonly limits: XdsLimits;
  /** Resources waiting for clusters, by type and name. */
  readonly holds: Map<ResourceType, Map<string, Hold>>;
  /** The answer of the last look at what uses the clusters to be removed may have changed. */
  usageChanged: boolean;
  /** When the next kept cluster goes whatever uses it. */
  removalDeadline: number;
  /** What it came to and has not been sent, the next one last. */
  removable: string[];
  /** When the Envoy came closer to having its new clusters: it asked for endpoints of one, had them, or took one. */
  progressAt: number;
}

interface Hold {
  readonly resource: EncodedResource;
  /** Survives newer versions of the resource, so that steady changes cannot starve it. */
  readonly since: number;
  readonly missing: Set<string>;
}

/** Types whose resources may name clusters. */
export const clusterUsers: readonly ResourceType[] = [resourceTypes.listener, resourceTypes.route];

export function createClusterOrder(
  clusters: Subscription,
  users: readonly Subscription[],
  endpoints: Subscription,
  limits: XdsLimits,
): ClusterOrder {
  return {
    clusters,
    users,
    endpoints,
    limits,
    holds: new Map(users.map(({ type }) => [type, new Map()])),
    usageChanged: false,
    removalDeadline: Number.POSITIVE_INFINITY,
    removable: [],
    progressAt: Number.NEGATIVE_INFINITY,
  };
}

/**
 * Until when a resource must wait for its clusters; undefined: it may go. A cluster that does not become ready, whatever it waits for, must not
 * hold up all others; but an Envoy that is busy, or has many to take, gets the time. O(1) while no cluster is on its way, else
 * O(clusters of the resource), once per version.
 *
 * @param hasEndpoints whether Envoy asks for endpoints of a cluster as soon as it looks at it
 */
export function clusterWait(
  order: ClusterOrder,
  resource: EncodedResource,
  hasEndpoints: (cluster: string) => boolean,
  now: number,
): number | undefined {
  const holds = order.holds.get(resource.type);
  if (holds === undefined) return undefined;
  let hold = holds.get(resource.name);
  if (hold?.resource !== resource) {
    const missing = findUnconfirmed(order.clusters, resource);
    hold = { resource, since: hold?.since ?? now, missing };
    if (missing.size > 0) holds.set(resource.name, hold);
  }
  if (hold.missing.size === 0) return undefined;
  const { limits, progressAt, endpoints } = order;
  const last = hold.since + limits.slowEnvoyWaitMilliseconds;
  const deadline = Math.min(Math.max(hold.since, progressAt) + limits.clusterWaitMilliseconds, last);
  if (now < deadline) return deadline;
  if (now >= last) return undefined;
  for (const name of hold.missing) if (!endpoints.names.has(name) && hasEndpoints(name)) return last;
  return undefined;
}

/** An Envoy says something of clusters or their endpoints, which is not applied yet. O(names). */
export function noteProgress(
  order: ClusterOrder,
  subscription: Subscription,
  asked: readonly string[],
  answered: SentResponse | undefined,
  now: number,
): void {
  const { clusters, endpoints } = order;
  if (clusters.unconfirmed.size === 0 || (subscription !== clusters && subscription !== endpoints)) return;
  const isNews = ({ client }: SentResponse["resources"][number]) =>
    client.accepted === undefined && clusters.unconfirmed.has(client.name);
  const isAsked = subscription === endpoints && asked.some((name) => clusters.unconfirmed.has(name));
  if (isAsked || answered?.resources.some(isNews)) order.progressAt = now;
}

/** The resource was sent, or will not be. */
export function dropHold(order: ClusterOrder, type: ResourceType, name: string): void {
  order.holds.get(type)?.delete(name);
}

/** A cluster was accepted, or will not come: nobody waits for it any longer. O(waiting resources). */
export function settleCluster(order: ClusterOrder, name: string): void {
  order.clusters.unconfirmed.delete(name);
  for (const holds of order.holds.values()) {
    for (const hold of holds.values()) hold.missing.delete(name);
  }
}

function findUnconfirmed(clusters: Subscription, resource: EncodedResource): Set<string> {
  const missing = new Set<string>();
  if (clusters.unconfirmed.size === 0) return missing;
  for (const list of resource.clusters) {
    for (const name of list) if (clusters.unconfirmed.has(name)) missing.add(name);
  }
  return missing;
}

/**
 * Some of the clusters that may be removed from this Envoy now: nothing that it may be using refers to them, or they were kept for
 * long enough. A table that the Envoy refused leaves an older one in use for as long as it takes to mend it; the clusters
 * of that one stay. O(clusters of all tables) after a change of the tables, else O(1).
 */
export function removableClusters(
  order: ClusterOrder,
  isRefused: (type: ResourceType, name: string) => boolean,
  now: number,
): readonly string[] {
  const { removals } = order.clusters;
  if (removals.size === 0) return [];
  if (order.usageChanged || now >= order.removalDeadline) findRemovable(order, isRefused, now);
  const { removable, limits } = order;
  const names: string[] = [];
  while (names.length < limits.maxClusterRemovals) {
    const name = removable.pop();
    if (name === undefined) break;
    if (removals.has(name)) names.push(name);
  }
  return names;
}

function findRemovable(
  order: ClusterOrder,
  isRefused: (type: ResourceType, name: string) => boolean,
  now: number,
): void {
  const { removals } = order.clusters;
  const uses = findUses(order, isRefused);
  const removable: string[] = [];
  order.usageChanged = false;
  order.removalDeadline = Number.POSITIVE_INFINITY;
  for (const [name, since] of removals) {
    const deadline = since + order.limits.removalWaitMilliseconds;
    if (uses.pinned.has(name)) continue;
    if (now >= deadline || !(uses.unknown || uses.used.has(name))) removable.push(name);
    else order.removalDeadline = Math.min(order.removalDeadline, deadline);
  }
  order.removable = removable.reverse();
}

interface Uses {
  /** The Envoy has a table of an earlier run whose content is not known here. */
  unknown: boolean;
  readonly used: Set<string>;
  readonly pinned: Set<string>;
}

function findUses(order: ClusterOrder, isRefused: (type: ResourceType, name: string) => boolean): Uses {
  const { removals } = order.clusters;
  const uses: Uses = { unknown: false, used: new Set(), pinned: new Set() };
  const add = (lists: EncodedResource["clusters"] | undefined, to: Set<string>): void => {
    if (lists === undefined) uses.unknown = true;
    for (const list of lists ?? []) {
      for (const name of list) if (removals.has(name)) to.add(name);
    }
  };
  for (const user of order.users) {
    for (const client of user.client.values()) {
      const stuck =
        (client.refused.length > 0 || user.retries.has(client.name)) &&
        client.accepted === client.sent &&
        isRefused(user.type, client.name);
      add(client.clusters, stuck ? uses.pinned : uses.used);
    }
    for (const { resources, removed } of user.inFlight.values()) {
      for (const { resource } of resources) add(resource.clusters, uses.used);
      for (const client of removed) add(client.clusters, uses.used);
    }
  }
  return uses;
}
