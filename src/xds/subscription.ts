import type { DeltaDiscoveryRequest } from "../envoy/generated/envoy/service/discovery/v3/discovery.ts";
import type { EncodedResource, ResourceType } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { GatewayResources } from "./resource-store.ts";
import type { Retry } from "./retry.ts";

/**
 * What one Envoy wants and has of one resource type over one delta stream: a state machine without I/O and without a clock.
 * Source of the rules: Envoy's "xDS REST and gRPC protocol" page, incremental xDS, and docs/architecture.md section 6.
 */
export interface Subscription {
  readonly type: ResourceType;
  /** The stream's first request for the type has arrived; before it nothing is sent and nothing is known. */
  started: boolean;
  /** Every name is wanted. */
  wildcard: boolean;
  /** Names wanted one by one. */
  readonly names: Set<string>;
  /** What the Envoy has or is being sent. */
  readonly client: Map<string, ClientResource>;
  /** Names to be compared with what is published. Only names: a response is built when the socket can take it. */
  readonly pending: Set<string>;
  /** Names to be sent whatever the Envoy has: it asked, or a resource that names them was sent. */
  readonly forced: Set<string>;
  /** Names to be sent in a response of their own, after a refused response that contained them. */
  readonly alone: Set<string>;
  /** Names that the Envoy could not take for now. */
  readonly retries: Map<string, Retry>;
  /** Names to be removed and sent anew, because what the Envoy has under them is in the way of another. */
  readonly displaced: Set<string>;
  /** Versions, by name, that are not offered to this Envoy because others of its build refused them. */
  readonly spared: Map<string, string>;
  /** Names to be removed from the Envoy, with the time since when. */
  readonly removals: Map<string, number>;
  /** Names wanted and published of which the Envoy has accepted no version yet. */
  readonly unconfirmed: Set<string>;
  /** Responses without an answer yet, by nonce, oldest first. */
  readonly inFlight: Map<string, SentResponse>;
  /** Dependents of resources that were sent before the stream's first request for this type. */
  readonly owed: Set<string>;
  /** A first wildcard request is answered even if there is nothing: Envoy's start waits for the answer. */
  answerDue: boolean;
}

/** One resource as one Envoy has it. */
export interface ClientResource {
  readonly name: string;
  /** Version written last, unless it was refused; undefined: must be sent. */
  sent: string | undefined;
  /** Version that the Envoy has for certain. */
  accepted: string | undefined;
  /** Accepted version that was told last. */
  told: string | undefined;
  /** Clusters that the accepted version refers to; undefined: an older run's version, whose content is not known here. */
  clusters: EncodedResource["clusters"] | undefined;
  /** Port that the accepted version binds; undefined: unknown, or none. */
  port: number | undefined;
  /** Versions that this Envoy refused alone, latest last. */
  refused: readonly string[];
  /** Nonce of the response that carried it last. */
  push: string | undefined;
}

export interface SentResponse {
  readonly nonce: string;
  readonly sentAt: number;
  readonly resources: readonly { readonly client: ClientResource; readonly resource: EncodedResource }[];
  /** Forgotten when the removal was written, so that a resource of the same name that follows starts anew. */
  readonly removed: readonly ClientResource[];
}

/** Refused versions remembered per name and stream; at most two versions of a resource are ever on offer. */
const MAX_REFUSED = 4;
const WILDCARD = "*";
const noClusters: EncodedResource["clusters"] = Object.freeze([]);
const noVersions: readonly string[] = Object.freeze([]);

/** Types that have a wildcard and whose resources are removed explicitly; the others go with what refers to them. */
export function isRoot(type: ResourceType): boolean {
  return type === resourceTypes.cluster || type === resourceTypes.listener || type === resourceTypes.scope;
}

export function createSubscription(type: ResourceType): Subscription {
  return {
    type,
    started: false,
    wildcard: false,
    names: new Set(),
    client: new Map(),
    pending: new Set(),
    forced: new Set(),
    alone: new Set(),
    retries: new Map(),
    displaced: new Set(),
    spared: new Map(),
    removals: new Map(),
    unconfirmed: new Set(),
    inFlight: new Map(),
    owed: new Set(),
    answerDue: false,
  };
}

export function createClientResource(name: string): ClientResource {
  return {
    name,
    sent: undefined,
    accepted: undefined,
    told: undefined,
    clusters: noClusters,
    port: undefined,
    refused: noVersions,
    push: undefined,
  };
}

export function isWanted(subscription: Subscription, name: string): boolean {
  return subscription.wildcard || subscription.names.has(name);
}

/** A name may have changed: compare it when the next response is built. O(1). */
export function markChanged(subscription: Subscription, name: string): void {
  if (!subscription.started || !isWanted(subscription, name)) return;
  subscription.retries.delete(name);
  if (!subscription.alone.has(name)) subscription.pending.add(name);
  if (subscription.client.get(name)?.accepted === undefined) subscription.unconfirmed.add(name);
}

/** A name must be sent, known version or not. */
export function markForced(subscription: Subscription, name: string): void {
  if (!subscription.started) {
    subscription.owed.add(name);
  } else if (isWanted(subscription, name)) {
    subscription.forced.add(name);
    markChanged(subscription, name);
  }
}

/**
 * Applies what a request says about names; it counts whatever the request's nonce. O(names in the request), for a first
 * wildcard request also O(published names of the type).
 * @returns the published resources that a reconnecting Envoy turns out to have
 */
export function applyRequest(
  subscription: Subscription,
  request: DeltaDiscoveryRequest,
  gateway: GatewayResources,
): readonly EncodedResource[] {
  const first = !subscription.started;
  const wanted = request.resourceNamesSubscribe ?? [];
  subscription.started = true;
  const known = first ? applyInitialVersions(subscription, request, gateway) : [];
  for (const name of request.resourceNamesUnsubscribe ?? []) unsubscribe(subscription, name);
  if (first && wanted.length === 0) startWildcard(subscription, gateway);
  for (const name of wanted) {
    if (name === WILDCARD) {
      startWildcard(subscription, gateway);
    } else {
      subscription.names.add(name);
      if (first && subscription.client.has(name)) markChanged(subscription, name);
      else markForced(subscription, name);
    }
  }
  if (first) {
    for (const name of subscription.client.keys()) {
      if (!isWanted(subscription, name)) forget(subscription, name);
    }
    for (const name of subscription.owed) markForced(subscription, name);
    subscription.owed.clear();
  }
  return known;
}

/** A reconnecting Envoy has these names at these versions, and it accepted them. */
function applyInitialVersions(
  subscription: Subscription,
  request: DeltaDiscoveryRequest,
  gateway: GatewayResources,
): readonly EncodedResource[] {
  const known: EncodedResource[] = [];
  for (const [name, version] of Object.entries(request.initialResourceVersions ?? {})) {
    const client = createClientResource(name);
    const current = gateway.current(subscription.type, name);
    const same = current?.version === version;
    // The store's own string, so that a stream does not keep a copy of every version alive.
    client.sent = client.accepted = same ? current.version : version;
    client.clusters = same ? current.clusters : undefined;
    client.port = same ? current.port : undefined;
    subscription.client.set(name, client);
    if (same) known.push(current);
  }
  return known;
}

function startWildcard(subscription: Subscription, gateway: GatewayResources): void {
  if (subscription.wildcard || !isRoot(subscription.type)) return;
  subscription.wildcard = true;
  subscription.answerDue = subscription.client.size === 0;
  for (const name of gateway.names(subscription.type)) markChanged(subscription, name);
  for (const name of subscription.client.keys()) markChanged(subscription, name);
}

function unsubscribe(subscription: Subscription, name: string): void {
  if (name === WILDCARD) {
    subscription.wildcard = false;
    for (const known of subscription.client.keys()) {
      if (!subscription.names.has(known)) forget(subscription, known);
    }
    for (const known of subscription.pending) {
      if (!subscription.names.has(known)) forget(subscription, known);
    }
  } else {
    subscription.names.delete(name);
    if (!subscription.wildcard) forget(subscription, name);
  }
}

/** What is in flight under a forgotten name no longer counts: its answer finds a ClientResource that nothing holds. */
export function forget(subscription: Subscription, name: string): void {
  subscription.client.delete(name);
  subscription.pending.delete(name);
  subscription.forced.delete(name);
  subscription.alone.delete(name);
  subscription.retries.delete(name);
  subscription.displaced.delete(name);
  subscription.spared.delete(name);
  subscription.removals.delete(name);
  subscription.unconfirmed.delete(name);
}

/**
 * The Envoy took a response.
 * @returns the resources that it has now and did not have before, in versions new to it
 */
export function applyAcknowledgement(subscription: Subscription, response: SentResponse): readonly EncodedResource[] {
  const news: EncodedResource[] = [];
  for (const { client, resource } of response.resources) {
    if (subscription.client.get(client.name) !== client) continue;
    if (client.accepted !== resource.version) news.push(resource);
    client.accepted = resource.version;
    client.clusters = resource.clusters;
    client.port = resource.port;
    subscription.unconfirmed.delete(client.name);
    subscription.retries.delete(client.name);
  }
  return news;
}

/**
 * The Envoy refused a response. One resource: that is the culprit, and the Envoy still has what it accepted before. Several:
 * any of them may have been applied or not, so each goes out again in a response of its own.
 * @param mayPass the Envoy may take the very same version later; else it is not to be sent again
 * @returns the culprit
 */
export function applyRefusal(
  subscription: Subscription,
  response: SentResponse,
  mayPass: boolean,
): EncodedResource | undefined {
  const single = response.resources.length === 1;
  for (const { client, resource } of response.resources) {
    if (subscription.client.get(client.name) !== client) continue;
    // A later response that is still in flight decides for itself.
    const latest = client.sent === resource.version;
    if (!single) {
      if (!latest) continue;
      client.sent = undefined;
      subscription.alone.add(client.name);
      subscription.pending.delete(client.name);
      continue;
    }
    if (latest) client.sent = client.accepted;
    subscription.unconfirmed.delete(client.name);
    if (mayPass) continue;
    const others = client.refused.filter((version) => version !== resource.version);
    client.refused = [...others, resource.version].slice(-MAX_REFUSED);
    markChanged(subscription, client.name);
  }
  return single ? response.resources[0]?.resource : undefined;
}

/**
 * Offers again, each in a response of its own, what the Envoy could not take and may take now.
 * @returns when the next is due
 */
export function takeDueRetries({ retries, alone }: Subscription, now: number): number {
  let next = Number.POSITIVE_INFINITY;
  for (const [name, retry] of retries) {
    if (retry.at <= now) {
      retry.at = Number.POSITIVE_INFINITY;
      alone.add(name);
    }
    next = Math.min(next, retry.at);
  }
  return next;
}
