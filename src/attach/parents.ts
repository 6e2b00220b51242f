import type { ObjectKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import { noProblems, type Problem } from "../base/problems.ts";
import { ANY_HOST, widerHostnames } from "./hostname.ts";
import { transportOf } from "./listener-protocol.ts";
import {
  type GatewayPlan,
  type ListenerCertificates,
  type ListenerPlan,
  listenerKey,
  type ParentAttachment,
} from "./model.ts";

/**
 * What a parentRef of a route can name: a Gateway or a ListenerSet of ours with the listeners of this object alone. It changes only
 * when they do, so that one ListenerSet is no matter of the routes of another.
 */
export interface ParentPlan
  extends Pick<
    GatewayPlan,
    "fleet" | "controllerName" | "routing" | "bindAddress" | "addresses" | "problems" | "notices"
  > {
  readonly kind: ParentKind;
  readonly key: ObjectKey;
  /** Itself, or the Gateway that the ListenerSet names. */
  readonly gateway: ObjectKey;
  /** In the order of the spec; none of a ListenerSet that its Gateway does not take. */
  readonly listeners: readonly ListenerPlan[];
  /** Ports of Envoy on which it has listeners that are valid, with these. Sorted by port. */
  readonly ports: GatewayPlan["ports"];
  /** Why the Gateway does not take the ListenerSet. */
  readonly refusals: readonly Problem[];
}

export type ParentKind = "Gateway" | "ListenerSet";

/** `Gateway/namespace/name` or `ListenerSet/namespace/name` */
export function parentKey(kind: ParentKind, key: ObjectKey): string {
  return flatText(kind, "/", key);
}

/** The key of what a parentRef named. */
export function keyOfParent({ gateway, listenerSet }: Pick<ParentAttachment, "gateway" | "listenerSet">): string {
  return listenerSet === undefined ? parentKey("Gateway", gateway) : parentKey("ListenerSet", listenerSet);
}

/** A Gateway and its ListenerSets. O(listeners × labels of a hostname). */
export function planParents(plan: GatewayPlan): ParentPlan[] {
  const { key: gateway, fleet, controllerName, routing, bindAddress, addresses, problems } = plan;
  const claims = findClaims(plan.listeners);
  const bySet = Map.groupBy(plan.listeners, ({ listenerSet }) => listenerSet);
  const portsBySet = groupPorts(plan);
  const parentOf = (listenerSet: ObjectKey | undefined) => ({
    ...{ gateway, fleet, controllerName, addresses, problems },
    ...(routing && { routing }),
    ...(bindAddress !== undefined && { bindAddress }),
    ports: portsBySet.get(listenerSet) ?? [],
    listeners: (bySet.get(listenerSet) ?? []).map((listener) => withClaims(listener, claims.get(listener))),
  });
  return [
    {
      ...{ kind: "Gateway", key: gateway, ...parentOf(undefined), refusals: noProblems },
      ...(plan.notices && { notices: plan.notices }),
    },
    ...plan.listenerSets.map((set): ParentPlan => {
      return { kind: "ListenerSet", key: set.key, ...parentOf(set.key), refusals: set.problems };
    }),
  ];
}

/** Whether something of a ListenerSet can be served (Gateway API, GatewayStatus.attachedListenerSets). */
export function isAttached(
  { refusals, problems, listeners }: ParentPlan,
  certificates: (listener: string) => ListenerCertificates | undefined,
): boolean {
  if (refusals.length > 0 || problems.length > 0) return false;
  return listeners.some((listener) => listener.valid && certificates(listenerKey(listener))?.secrets.length !== 0);
}

/** Of each port what one Gateway or ListenerSet has there. */
function groupPorts({ ports }: GatewayPlan): Map<ObjectKey | undefined, GatewayPlan["ports"][number][]> {
  const result = new Map<ObjectKey | undefined, GatewayPlan["ports"][number][]>();
  for (const port of ports) {
    for (const [listenerSet, listeners] of Map.groupBy(port.listeners, (listener) => listener.listenerSet)) {
      const known = result.get(listenerSet) ?? [];
      known.push({ ...port, listeners });
      result.set(listenerSet, known);
    }
  }
  return result;
}

function withClaims(listener: ListenerPlan, found: ReadonlySet<string> | undefined): ListenerPlan {
  if (found === undefined) return listener;
  return { ...listener, claimed: [...new Set([...found, ...(listener.claimed ?? [])])].sort() };
}

/** Hostnames of more specific listeners on the same port: what they cover is theirs (Gateway API, listener isolation). */
function findClaims(listeners: readonly ListenerPlan[]): ReadonlyMap<ListenerPlan, ReadonlySet<string>> {
  const placeOf = ({ port, protocol }: ListenerPlan, hostname: string) =>
    `${transportOf(protocol)} ${port} ${hostname}`;
  const byPlace = Map.groupBy(listeners, (listener) => placeOf(listener, listener.hostname ?? ANY_HOST));
  const result = new Map<ListenerPlan, Set<string>>();
  for (const listener of listeners) {
    const { hostname, valid } = listener;
    if (!valid || hostname === undefined) continue;
    for (const wider of widerHostnames(hostname)) {
      for (const other of byPlace.get(placeOf(listener, wider)) ?? []) {
        result.set(other, (result.get(other) ?? new Set()).add(hostname));
      }
    }
  }
  return result;
}
