import type { DeltaDiscoveryRequest } from "../envoy/generated/envoy/service/discovery/v3/discovery.ts";
import type { Answer, EncodedResource, ResourceName, ResourceType } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { XdsLimits } from "./limits.ts";
import type { ListenerPauses } from "./listener-pauses.ts";
import type { ClusterOrder } from "./make-before-break.ts";
import { clusterUsers, createClusterOrder, noteProgress, settleCluster } from "./make-before-break.ts";
import { wordsOfRefusal } from "./refusal-words.ts";
import type { GatewayResources } from "./resource-store.ts";
import { displaceHolders, mayPass, planRetry } from "./retry.ts";
import type { SentResponse, Subscription } from "./subscription.ts";
import { applyAcknowledgement, applyRefusal, applyRequest, createSubscription, markChanged } from "./subscription.ts";

/** Additions and changes go out in this order; then removals of listeners, of clusters, and long after of scopes (docs/architecture.md section 6). */
export const sendOrder: readonly ResourceType[] = [
  resourceTypes.cluster,
  resourceTypes.endpoints,
  resourceTypes.secret,
  resourceTypes.listener,
  resourceTypes.scope,
  resourceTypes.route,
];

/**
 * What one Envoy is to be told next over one delta stream: the subscriptions of all types and the order between them. No I/O
 * and no clock: time is an argument, in milliseconds of any monotonic clock.
 */
export interface Session {
  readonly gateway: GatewayResources;
  /** Envoy's build, as {@link GatewayResources.choose} takes it. */
  readonly build: string;
  readonly limits: XdsLimits;
  readonly subscriptions: ReadonlyMap<string, Subscription>;
  readonly order: ClusterOrder;
  readonly listenerPauses: ListenerPauses;
  readonly acknowledge: (answer: Answer) => void;
  /** A RouteConfiguration is on its way. */
  readonly tableSent: (name: string) => void;
  nonces: number;
  /** When to ask for the next response again although nothing else happened. Set by `nextResponse`. */
  wakeAt: number;
  /** Why the stream must be given up. */
  failure: string | undefined;
}

export function createSession(
  gateway: GatewayResources,
  build: string,
  limits: XdsLimits,
  acknowledge: (answer: Answer) => void,
  tableSent: (name: string) => void = () => {},
): Session {
  const subscriptions = new Map(sendOrder.map((type) => [type, createSubscription(type)]));
  const users = clusterUsers.map((type) => subscriptions.get(type)!);
  return {
    gateway,
    build,
    limits,
    subscriptions,
    order: createClusterOrder(
      subscriptions.get(resourceTypes.cluster)!,
      users,
      subscriptions.get(resourceTypes.endpoints)!,
      limits,
    ),
    listenerPauses: new Map(),
    acknowledge,
    tableSent,
    nonces: 0,
    wakeAt: Number.POSITIVE_INFINITY,
    failure: undefined,
  };
}

/** The Envoy has so many clusters to take, or is busy with a table, that more of the same change is better kept from it. */
export function isBehind({ order, limits, subscriptions }: Session): boolean {
  return (
    order.clusters.unconfirmed.size > limits.clustersBehind || subscriptions.get(resourceTypes.route)!.inFlight.size > 0
  );
}

/** Published names changed. O(changes). */
export function applyChanges(session: Session, changed: readonly ResourceName[]): void {
  for (const { type, name } of changed) markChanged(session.subscriptions.get(type)!, name);
}

/** A request arrived. A type that is not served here is ignored: it has no resource, now or later. */
export function receiveRequest(session: Session, request: DeltaDiscoveryRequest, now: number): void {
  const subscription = session.subscriptions.get(request.typeUrl ?? "");
  if (subscription === undefined) return;
  const response = subscription.inFlight.get(request.responseNonce ?? "");
  noteProgress(session.order, subscription, request.resourceNamesSubscribe ?? [], response, now);
  if (response !== undefined) {
    subscription.inFlight.delete(response.nonce);
    if (request.errorDetail === undefined) settleAccepted(session, subscription, response);
    else settleRefused(session, subscription, response, wordsOfRefusal(request.errorDetail.message ?? ""), now);
  }
  for (const resource of applyRequest(subscription, request, session.gateway)) {
    reportAccepted(session, subscription, resource);
  }
  if (subscription.names.size > session.limits.maxSubscribedNames) {
    session.failure = `more than ${session.limits.maxSubscribedNames} names of type ${subscription.type} are subscribed to on one stream`;
  }
  if (session.order.users.includes(subscription)) session.order.usageChanged = true;
}

function settleAccepted(session: Session, subscription: Subscription, response: SentResponse): void {
  for (const resource of applyAcknowledgement(subscription, response)) {
    reportAccepted(session, subscription, resource);
  }
}

/** An Envoy turns out to have what is published, although it was not sent: it is back at what it had accepted before. */
export function reportKnown(session: Session, subscription: Subscription, resource: EncodedResource): void {
  const client = subscription.client.get(resource.name);
  if (client?.accepted === resource.version && client.told !== resource.version) {
    reportAccepted(session, subscription, resource);
  }
}

function reportAccepted(session: Session, subscription: Subscription, resource: EncodedResource): void {
  const { type, name, version } = resource;
  const client = subscription.client.get(name);
  if (client !== undefined) client.told = version;
  session.gateway.accept(resource);
  if (subscription === session.order.clusters) settleCluster(session.order, name);
  // These carry no status, and endpoints are the most frequent change.
  if (type === resourceTypes.endpoints || type === resourceTypes.scope) return;
  session.acknowledge({ gateway: session.gateway.key, type, name, version, accepted: true });
}

function settleRefused(
  session: Session,
  subscription: Subscription,
  response: SentResponse,
  error: string,
  now: number,
): void {
  const { gateway, build, limits } = session;
  const retried = mayPass(subscription.type, error);
  const culprit = applyRefusal(subscription, response, retried);
  if (culprit === undefined) return;
  if (retried) {
    const isNews = planRetry(subscription, culprit, error, limits, now);
    displaceHolders(subscription, gateway, culprit, error);
    if (!isNews) return;
  } else {
    // What is wrong with this host would say nothing about the others.
    gateway.refuse(culprit, build, error);
  }
  const { type, name, version } = culprit;
  const verdict = retried ? { accepted: false, retried } : { accepted: false };
  session.acknowledge({ gateway: gateway.key, type, name, version, error, ...verdict });
}

/** An Envoy is not offered what another of its build refused: it does without as well, so the refusal is told of it too. */
export function reportSpared(session: Session, { type, client, spared }: Subscription, name: string): void {
  const { gateway, build } = session;
  const refusal = gateway.refusal(type, name, build);
  if (refusal === undefined || spared.get(name) === refusal.version) return;
  if (client.get(name)?.refused.includes(refusal.version)) return;
  spared.set(name, refusal.version);
  session.acknowledge({ gateway: gateway.key, type, name, accepted: false, ...refusal });
}
