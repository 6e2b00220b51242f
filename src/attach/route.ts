import { gatewayGroup, type ParentReference, type Route } from "../api/gateway-api.ts";
import { compareStrings, type ObjectKey, objectKey } from "../base/keys.ts";
import { trimmed } from "../base/memory.ts";
import { problemAt } from "../base/problems.ts";
import { ANY_HOST, compareHostnameSpecificity, coversHostname, intersectHostname } from "./hostname.ts";
import { matchesLabels } from "./label-selector.ts";
import { carriesStreams } from "./listener-protocol.ts";
import type { NamespaceLabels } from "./listener-set.ts";
import type { AttachedHost, AttachedListener, ListenerPlan, ParentAttachment, RouteAttachment } from "./model.ts";
import type { ParentKind, ParentPlan } from "./parents.ts";

export interface AttachReader {
  /** What a parentRef names: a Gateway of ours, or a ListenerSet of one. */
  parent(kind: ParentKind, key: ObjectKey): ParentPlan | undefined;
  readonly namespaceLabels: NamespaceLabels;
}

/** Which listeners take the route, and on which hosts. O(parentRefs × listeners × hostnames). */
export function attachRoute(
  routeKind: RouteAttachment["routeKind"],
  route: Route,
  read: AttachReader,
): RouteAttachment {
  const key = objectKey(route.metadata.namespace, route.metadata.name);
  const parents = (route.spec.parentRefs ?? []).flatMap((parentRef, index): ParentAttachment[] => {
    const { group = gatewayGroup, kind = "Gateway" } = parentRef;
    if (group !== gatewayGroup || (kind !== "Gateway" && kind !== "ListenerSet")) return [];
    const plan = read.parent(kind, objectKey(parentRef.namespace ?? route.metadata.namespace, parentRef.name));
    return plan === undefined ? [] : [attachToParent(routeKind, route, parentRef, index, plan, read)];
  });
  return { routeKind, key, parents: trimmed(parents) };
}

function attachToParent(
  routeKind: RouteAttachment["routeKind"],
  route: Route,
  parentRef: ParentReference,
  index: number,
  plan: ParentPlan,
  read: AttachReader,
): ParentAttachment {
  const { kind, key, gateway, fleet, controllerName, routing } = plan;
  const listenerSet = kind === "ListenerSet" ? { listenerSet: key } : undefined;
  const parent = { parentRef, gateway, ...listenerSet, fleet, controllerName, ...(routing && { routing }) };
  const refuse = (reason: string, text: string): ParentAttachment => ({
    ...parent,
    listeners: [],
    problems: [problemAt("Accepted", reason, `spec.parentRefs[${index}]`, text)],
  });
  if (plan.refusals.length > 0) {
    return refuse(
      "NoMatchingParent",
      `leads to ListenerSet ${key}, which its Gateway does not take; see its conditions`,
    );
  }
  const named = plan.listeners.filter(
    (listener) =>
      (parentRef.sectionName === undefined || parentRef.sectionName === listener.name) &&
      (parentRef.port === undefined || parentRef.port === listener.port),
  );
  if (named.length === 0) {
    return refuse(
      "NoMatchingParent",
      `asks for ${describeSection(parentRef)} of ${kind} ${key}, which has ${plan.listeners.map(({ name, port }) => `${name} (port ${port})`).join(", ")}; name one of these`,
    );
  }
  const namespace = route.metadata.namespace ?? "";
  const allowed = named.filter(
    (listener) => allowsKind(listener, routeKind) && allowsNamespace(listener, plan, namespace, read),
  );
  if (allowed.length === 0) {
    const names = named.map(({ name }) => name).join(", ");
    return refuse(
      "NotAllowedByListeners",
      `leads to ${kind} ${key}, where no ${routeKind}s of namespace ${namespace} are taken by ${names}; change allowedRoutes there, or name another Gateway`,
    );
  }
  const listeners = allowed.flatMap((listener) => attachToListener(listener, hostnamesOf(route)));
  if (listeners.length === 0) {
    const served = allowed.map(({ hostname }) => hostname ?? ANY_HOST).join(", ");
    return refuse(
      "NoMatchingListenerHostname",
      `leads to listeners of ${kind} ${key} for ${served}, and none of the route's hostnames (${hostnamesOf(route).join(", ")}) is among them; give the route one that is`,
    );
  }
  return { ...parent, listeners: trimmed(listeners), problems: [] };
}

/** Connections of TCPRoutes and datagrams name no host. */
function hostnamesOf({ spec }: Route): readonly string[] {
  return "hostnames" in spec ? (spec.hostnames ?? []) : [];
}

function describeSection({ sectionName, port }: ParentReference): string {
  const parts = [sectionName && `listener ${sectionName}`, port && `port ${port}`].filter(Boolean);
  return parts.length === 0 ? "the listeners" : parts.join(", ");
}

function allowsKind(listener: ListenerPlan, kind: string): boolean {
  return listener.supportedKinds.some((supported) => supported.kind === kind && supported.group === gatewayGroup);
}

function allowsNamespace(listener: ListenerPlan, plan: ParentPlan, namespace: string, read: AttachReader): boolean {
  const { allowedNamespaces } = listener;
  switch (allowedNamespaces.from) {
    case "All":
      return true;
    case "Same":
      return plan.key.startsWith(`${namespace}/`);
    case "Selector":
      return matchesLabels(allowedNamespaces.selector, read.namespaceLabels(namespace));
    default:
      return false;
  }
}

function attachToListener(listener: ListenerPlan, routeHostnames: readonly string[]): AttachedListener[] {
  const own = listener.hostname ?? ANY_HOST;
  const wanted = routeHostnames.length === 0 ? [ANY_HOST] : routeHostnames;
  const hosts = new Map<string, string>();
  for (const written of wanted) {
    const routeHostname = written.toLowerCase();
    const host = intersectHostname(own, routeHostname);
    if (host === undefined) continue;
    const known = hosts.get(host);
    if (known === undefined || compareHostnameSpecificity(routeHostname, known) < 0) hosts.set(host, routeHostname);
  }
  if (hosts.size === 0) return [];
  const claims = listener.claimed ?? [];
  const hostnames: AttachedHost[] = [...hosts]
    .filter(([host]) => !claims.some((claim) => coversHostname(claim, host)))
    .map(([host, routeHostname]) => ({ host, routeHostname }))
    .sort((a, b) => compareStrings(a.host, b.host));
  const base = {
    listener: listener.name,
    port: listener.port,
    scheme: listener.tlsMode === undefined ? ("http" as const) : ("https" as const),
    hostnames,
    ...(listener.valid &&
      carriesStreams(listener.protocol) && { streams: { passesTls: listener.tlsMode === "Passthrough" } }),
  };
  return [listener.routeTable === undefined ? base : { ...base, routeTable: listener.routeTable }];
}
