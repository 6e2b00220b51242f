import { secretsOf } from "../attach/cluster-spec.ts";
import {
  type ClusterReach,
  listenerKey,
  type ParentAttachment,
  type ResolvedRoute,
  type RouteAttachment,
} from "../attach/model.ts";
import { keyOfParent } from "../attach/parents.ts";
import type { Problem } from "../base/problems.ts";
import type { Reader } from "../dataflow/graph.ts";
import { type ResourceType, resourceTypes } from "../envoy/resource.ts";
import { type ClusterNodes, clustersOf } from "./clusters.ts";
import { findRefusal, type Refusal } from "./envoys.ts";
import type { RouteVariant } from "./route-variants.ts";
import type { RouteNodes } from "./routes.ts";
import { acknowledgementKey, type Sources } from "./sources.ts";
import type { StreamNodes } from "./streams.ts";
import type { Rejection } from "./verdicts.ts";

/** A problem that a route has at one of its parents only, or at all of them. */
export interface ParentProblem extends Problem {
  /** As `keyOfParent` has it. */
  readonly parent?: string;
}

/** Backends that take requests and have no endpoint; a mirror without one costs nobody an answer. */
export function findUnavailable(
  variants: readonly RouteVariant[],
  clusters: ClusterNodes,
  read: Reader,
): ParentProblem[] {
  return variants.flatMap(({ resolved, places }) => {
    const found = describeEmpty(resolved, clusters, read).map((what) => ({
      condition: "BackendsAvailable",
      reason: "EndpointsNotFound",
      message: `${what} has no endpoint that is ready, so ${outcomeOf(resolved)}; start its pods, or correct its selector or endpoints.`,
    }));
    if (variants.length === 1) return found;
    const parents = new Set(places.map(({ parent }) => keyOfParent(parent)));
    return found.flatMap((problem) => [...parents].map((parent) => ({ ...problem, parent })));
  });
}

function outcomeOf({ routeKind }: ResolvedRoute): string {
  switch (routeKind) {
    case "HTTPRoute":
    case "GRPCRoute":
      return "its share of requests is answered with 503";
    case "UDPRoute":
      return "its share of datagrams is dropped";
    default:
      return "its share of connections is closed";
  }
}

function describeEmpty(resolved: ResolvedRoute, clusters: ClusterNodes, read: Reader): string[] {
  const empty = new Map<string, ClusterReach>();
  for (const { backends } of resolved.rules) {
    for (const { target, weight } of backends) {
      if (target === undefined || weight === 0) continue;
      if (read.get(clusters.available, target.name) === false) empty.set(target.name, target.reach);
    }
  }
  return [...empty.values()].map(describeReach).sort();
}

function describeReach(reach: ClusterReach): string {
  switch (reach.kind) {
    case "Service":
      return `Port ${reach.port} of Service ${reach.key}`;
    case "Fallback":
    case "DnsFallback":
      return `Each of ${reach.members.map((member) => `${member.reach.kind} ${member.reach.key}`).join(", ")}`;
    default:
      return `Backend ${reach.key}`;
  }
}

const NAMED_OVERLAPS_MAX = 5;

function nameRoutes(keys: ReadonlySet<string>): string {
  const names = [...keys].sort().slice(0, NAMED_OVERLAPS_MAX).map(nameRoute).join(", ");
  return keys.size > NAMED_OVERLAPS_MAX ? `${names} and ${keys.size - NAMED_OVERLAPS_MAX} more` : names;
}

/** Parents through which a route is served on a virtual host, each once. */
function parentsAt(
  { parents }: RouteAttachment,
  place: { readonly table: string; readonly host: string },
): ParentAttachment[] {
  const served = parents.filter(({ listeners }) =>
    listeners.some(
      ({ routeTable, hostnames }) => routeTable === place.table && hostnames.some(({ host }) => host === place.host),
    ),
  );
  return [...new Map(served.map((parent) => [keyOfParent(parent), parent])).values()];
}

export function findOverlaps(
  key: string,
  attachment: RouteAttachment,
  routes: RouteNodes,
  read: Reader,
): ParentProblem[] {
  const others = new Map<string, Set<string>>();
  for (const overlap of read.lookup(routes.overlapsByRoute, key).values()) {
    const other = overlap.a === key ? overlap.b : overlap.a;
    for (const parent of parentsAt(attachment, overlap).map(keyOfParent)) {
      others.set(parent, (others.get(parent) ?? new Set()).add(other));
    }
  }
  return [...others].map(([parent, routesThere]) => {
    return {
      parent,
      condition: "RouteRulesOverlap",
      reason: "Overlapping",
      message: `Overlapping match conditions with ${nameRoutes(routesThere)}, where the oldest route takes the requests, then the first by namespace and name; change the matches or hostnames of one.`,
    };
  });
}

/** Connections or datagrams that another route of the same listener takes. O(listeners × hostnames). */
export function findTakenHosts(
  key: string,
  { routeKind, parents }: RouteAttachment,
  streams: StreamNodes,
  read: Reader,
): ParentProblem[] {
  return parents.flatMap((parent) => {
    const takers = new Set<string>();
    for (const { listener, streams: served, hostnames } of parent.listeners) {
      if (served === undefined) continue;
      for (const { host } of hostnames) {
        const taker = read.get(streams.hosts, `${listenerKey({ ...parent, name: listener })}|${host}`)?.route;
        if (taker !== undefined && taker !== key) takers.add(taker);
      }
    }
    if (takers.size === 0) return [];
    const names = nameRoutes(takers);
    const message =
      routeKind === "TLSRoute"
        ? `Server names of this route belong to ${names} on the same listener, which is more specific, older, or first by namespace and name; give the routes hostnames apart.`
        : `The port belongs to ${names}, which is older, or first by namespace and name, and a port without server names has one route; attach this one to another listener.`;
    return [{ parent: keyOfParent(parent), condition: "RouteRulesOverlap", reason: "Overlapping", message }];
  });
}

/** `HTTPRoute/namespace/name` as people write it. */
function nameRoute(key: string): string {
  return key.replace("/", " ");
}

/** What Envoy refused of the clusters that the route needs. */
export function findRefusedBackends(
  variants: readonly RouteVariant[],
  sources: Sources,
  clusters: ClusterNodes,
  read: Reader,
): ParentProblem[] {
  const problems = new Map<string, ParentProblem>();
  const served = variants.flatMap(({ resolved, places }) => places.map(({ parent }) => ({ resolved, parent })));
  for (const { resolved, parent } of served) {
    for (const spec of clustersOf(resolved)) {
      const parts = [
        [resourceTypes.cluster, spec.name, "cluster"],
        [resourceTypes.endpoints, spec.name, "endpoints of cluster"],
        ...secretsOf(spec).map(({ name }) => [resourceTypes.secret, name, "secret"] as const),
      ] as const;
      for (const [type, name, noun] of parts) {
        const answers = read.get(sources.acknowledgements, acknowledgementKey(parent.fleet, type, name));
        const refused = answers && findRefusal(answers, publishedVersion(clusters, type, name, read));
        if (refused === undefined) continue;
        problems.set(
          `${keyOfParent(parent)} ${type} ${name}`,
          refusal(parent, `the ${noun} ${name}`, wordsOf(refused)),
        );
      }
    }
  }
  return [...problems.values()];
}

function publishedVersion(
  { clusters, endpoints, secrets }: ClusterNodes,
  type: ResourceType,
  name: string,
  read: Reader,
): string | undefined {
  switch (type) {
    case resourceTypes.cluster:
      return read.get(clusters, name)?.version;
    case resourceTypes.endpoints:
      return read.get(endpoints, name)?.resource.version;
    default:
      return read.get(secrets, name)?.version;
  }
}

export function findRefusedRules(
  attachment: RouteAttachment,
  rejections: ReadonlyMap<string, Rejection>,
): ParentProblem[] {
  return [...rejections.values()].flatMap((rejection) =>
    parentsAt(attachment, rejection).map((parent) => refusal(parent, "a rule of this route", rejection.error)),
  );
}

function refusal(
  parent: Pick<ParentAttachment, "gateway" | "listenerSet">,
  what: string,
  error: string,
): ParentProblem {
  return {
    parent: keyOfParent(parent),
    condition: "Programmed",
    reason: "Invalid",
    message: `Envoy of Gateway ${parent.gateway} refused ${what}, which is held back while all else goes on; correct what it says: ${error}`,
  };
}

/** Envoy's own words, and what goes on. */
export function wordsOf({ error, retried }: Refusal): string {
  const words = error.trim() || "no reason given";
  return retried ? `${words}; it is tried again until it can be opened` : words;
}
