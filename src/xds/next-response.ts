import type { EncodedResource, ResourceType } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import { listenerPause } from "./listener-pauses.ts";
import { clusterUsers, clusterWait, dropHold, removableClusters, settleCluster } from "./make-before-break.ts";
import { withheld } from "./resource-store.ts";
import { reportKnown, reportSpared, type Session } from "./session.ts";
import type { ClientResource, Subscription } from "./subscription.ts";
import { createClientResource, forget, isRoot, markChanged, markForced, takeDueRetries } from "./subscription.ts";

/** A response to be encoded and written. */
export interface Response {
  readonly type: ResourceType;
  readonly nonce: string;
  readonly resources: readonly EncodedResource[];
  readonly removed: readonly string[];
}

/**
 * The next response to write, built from what is published now; undefined: nothing before `session.wakeAt`, a request or a
 * change. O(names and bytes of the response + waiting names).
 */
export function nextResponse(session: Session, now: number): Response | undefined {
  session.wakeAt = Number.POSITIVE_INFINITY;
  for (const subscription of session.subscriptions.values()) {
    const response = nextOfType(session, subscription, now);
    if (response !== undefined) return response;
  }
  const listeners = session.subscriptions.get(resourceTypes.listener)!;
  return removeListeners(session, listeners, now) ?? removeClusters(session, now) ?? removeScopes(session, now);
}

interface Draft {
  readonly resources: EncodedResource[];
  /** Names subscribed to that do not exist. */
  readonly missing: string[];
  bytes: number;
}

function nextOfType(session: Session, subscription: Subscription, now: number): Response | undefined {
  if (!subscription.started || !hasRoom(session, subscription, now)) return undefined;
  if (subscription.displaced.size > 0) return displace(session, subscription, now);
  wake(session, takeDueRetries(subscription, now));
  const draft: Draft = { resources: [], missing: [], bytes: 0 };
  collect(session, subscription, subscription.pending, draft, now);
  if (draft.resources.length + draft.missing.length === 0) {
    collect(session, subscription, subscription.alone, draft, now);
  }
  const waiting = subscription.pending.size + subscription.alone.size > 0;
  if (draft.resources.length + draft.missing.length === 0 && (!subscription.answerDue || waiting)) return undefined;
  // Envoy applies the removals of a response before its additions, so a listener that takes over the address of a removed one
  // is not refused for it.
  const removed = mayRemoveListeners(subscription) ? takeRemovals(subscription) : [];
  return send(session, subscription, draft, removed, now);
}

/** In a response of its own: what follows it may need the room. */
function displace(session: Session, subscription: Subscription, now: number): Response {
  const removed = takeRemovals(subscription, [...subscription.displaced]);
  for (const { name } of removed) markChanged(subscription, name);
  return sendRemovals(session, subscription, removed, now);
}

function hasRoom(session: Session, subscription: Subscription, now: number): boolean {
  if (subscription.inFlight.size < session.limits.maxUnacknowledged) return true;
  const [oldest] = subscription.inFlight.values();
  const deadline = oldest!.sentAt + session.limits.stallMilliseconds;
  wake(session, deadline);
  if (now >= deadline) {
    session.failure = `${subscription.inFlight.size} responses of type ${subscription.type} were not acknowledged`;
  }
  return false;
}

/** Moves names into the draft: many from `pending`, one from `alone`. */
function collect(session: Session, subscription: Subscription, names: Set<string>, draft: Draft, now: number): void {
  const single = names === subscription.alone;
  for (const name of names) {
    const verdict = judge(session, subscription, name, now);
    if (verdict === "wait") continue;
    if (typeof verdict === "object") {
      if (draft.resources.length > 0 && draft.bytes + verdict.byteLength > session.limits.responseBytes) return;
      draft.resources.push(verdict);
      draft.bytes += verdict.byteLength;
    } else if (verdict === "missing") {
      draft.missing.push(name);
    }
    names.delete(name);
    subscription.forced.delete(name);
    if (single && verdict !== "nothing") return;
  }
}

/** What to do about a pending name. */
function judge(
  session: Session,
  subscription: Subscription,
  name: string,
  now: number,
): EncodedResource | "missing" | "nothing" | "wait" {
  const client = subscription.client.get(name);
  const forced = subscription.forced.has(name);
  const chosen = session.gateway.choose(subscription.type, name, client?.refused ?? [], session.build);
  reportSpared(session, subscription, name);
  if (chosen === undefined || chosen === withheld) {
    subscription.unconfirmed.delete(name);
    dropWaits(session, subscription.type, name);
    if (subscription === session.order.clusters) settleCluster(session.order, name);
    if (chosen === undefined && client !== undefined && isRoot(subscription.type)) {
      if (!subscription.removals.has(name)) subscription.removals.set(name, now);
      if (subscription === session.order.clusters) session.order.usageChanged = true;
      return "nothing";
    }
    return forced && client?.accepted === undefined ? "missing" : "nothing";
  }
  subscription.removals.delete(name);
  if (!forced && client?.sent === chosen.version) {
    reportKnown(session, subscription, chosen);
    dropWaits(session, subscription.type, name);
    return "nothing";
  }
  // Begun first: a pause goes by while other things are waited for.
  const pause = forced ? undefined : listenerPause(session.listenerPauses, chosen, client, session.limits, now);
  const until =
    pushWait(session, subscription, client, now) ??
    clusterWait(session.order, chosen, (cluster) => hasEndpoints(session, cluster), now) ??
    pause;
  if (until === undefined) return chosen;
  wake(session, until);
  return "wait";
}

/**
 * Envoy's main thread works 25 µs per virtual host of a table and some 180 µs per filter chain of a listener: a second push before
 * the first is done only queues up.
 */
function pushWait(
  session: Session,
  subscription: Subscription,
  client: ClientResource | undefined,
  now: number,
): number | undefined {
  if (!clusterUsers.includes(subscription.type) || client?.push === undefined) return undefined;
  const push = subscription.inFlight.get(client.push);
  if (push === undefined) return undefined;
  const until = push.sentAt + session.limits.pushWaitMilliseconds;
  return now < until ? until : undefined;
}

function hasEndpoints({ gateway }: Session, cluster: string): boolean {
  const { dependents } = gateway.current(resourceTypes.cluster, cluster) ?? {};
  return dependents?.some(({ type }) => type === resourceTypes.endpoints) ?? false;
}

/** Not before every pending listener is on its way: one that waits may be the successor of the removed on its address. */
function mayRemoveListeners({ type, pending, alone }: Subscription): boolean {
  return type === resourceTypes.listener && pending.size + alone.size === 0;
}

function removeListeners(session: Session, listeners: Subscription, now: number): Response | undefined {
  if (listeners.removals.size === 0 || !mayRemoveListeners(listeners)) return undefined;
  if (!hasRoom(session, listeners, now)) return undefined;
  return sendRemovals(session, listeners, takeRemovals(listeners), now);
}

function removeClusters(session: Session, now: number): Response | undefined {
  const { order, limits } = session;
  if (order.clusters.removals.size === 0 || !hasRoom(session, order.clusters, now)) return undefined;
  for (const { sentAt, removed } of order.clusters.inFlight.values()) {
    const until = sentAt + limits.removalPauseMilliseconds;
    if (removed.length === 0 || now >= until) continue;
    wake(session, until);
    return undefined;
  }
  const isRefused = (type: ResourceType, name: string): boolean => {
    const { client, retries } = session.subscriptions.get(type)!;
    const current = session.gateway.current(type, name);
    return current !== undefined && (retries.has(name) || client.get(name)?.refused.includes(current.version) === true);
  };
  const names = removableClusters(order, isRefused, now);
  if (names.length > 0) {
    return sendRemovals(session, order.clusters, takeRemovals(order.clusters, names), now);
  }
  wake(session, order.removalDeadline);
  return undefined;
}

/** O(scopes that are due). */
function removeScopes(session: Session, now: number): Response | undefined {
  const scopes = session.subscriptions.get(resourceTypes.scope)!;
  if (scopes.removals.size === 0 || !hasRoom(session, scopes, now)) return undefined;
  const due: string[] = [];
  // In the order in which they were removed.
  for (const [name, since] of scopes.removals) {
    const at = since + session.limits.scopeWaitMilliseconds;
    if (at > now) {
      wake(session, at);
      break;
    }
    due.push(name);
  }
  if (due.length === 0) return undefined;
  return sendRemovals(session, scopes, takeRemovals(scopes, due), now);
}

/** Forgets the names and returns what the Envoy had under them. */
function takeRemovals(subscription: Subscription, names: readonly string[] = [...subscription.removals.keys()]) {
  const removed: ClientResource[] = [];
  for (const name of names) {
    const client = subscription.client.get(name);
    if (client !== undefined) removed.push(client);
    forget(subscription, name);
  }
  return removed;
}

/** A response that only removes. */
function sendRemovals(
  session: Session,
  subscription: Subscription,
  removed: readonly ClientResource[],
  now: number,
): Response {
  return send(session, subscription, { resources: [], missing: [], bytes: 0 }, removed, now);
}

function send(
  session: Session,
  subscription: Subscription,
  { resources, missing }: Draft,
  removed: readonly ClientResource[],
  now: number,
): Response {
  const nonce = String(++session.nonces);
  const sent = resources.map((resource) => {
    let client = subscription.client.get(resource.name);
    if (client === undefined) {
      client = createClientResource(resource.name);
      subscription.client.set(resource.name, client);
    }
    client.sent = resource.version;
    client.push = nonce;
    dropWaits(session, subscription.type, resource.name);
    if (subscription.type === resourceTypes.route) session.tableSent(resource.name);
    for (const { type, name } of resource.dependents) markForced(session.subscriptions.get(type)!, name);
    return { client, resource };
  });
  // What was found to be free of use may not be any longer.
  if (session.order.users.includes(subscription)) session.order.usageChanged = true;
  subscription.answerDue = false;
  subscription.inFlight.set(nonce, { nonce, sentAt: now, resources: sent, removed });
  return { type: subscription.type, nonce, resources, removed: [...missing, ...removed.map(({ name }) => name)] };
}

/** It was sent, or will not be. */
function dropWaits(session: Session, type: ResourceType, name: string): void {
  dropHold(session.order, type, name);
  if (type === resourceTypes.listener) session.listenerPauses.delete(name);
}

function wake(session: Session, at: number): void {
  session.wakeAt = Math.min(session.wakeAt, at);
}
