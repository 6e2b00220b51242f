import type { DiscoveryRequest } from "../envoy/generated/envoy/service/discovery/v3/discovery.ts";
import { contentHash } from "../envoy/hash.ts";
import type { EncodedResource, ResourceType } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { GatewayResources } from "./resource-store.ts";
import { withheld } from "./resource-store.ts";
import { encodeDiscoveryResponse } from "./response.ts";
import { sendOrder } from "./session.ts";
import type { Protocol, StreamContext } from "./stream.ts";
import { buildOf } from "./stream.ts";
import { isRoot } from "./subscription.ts";

/**
 * The older protocol, in which a response holds everything of a type that the client asked for. gRPC libraries speak only
 * this one. They ask for a handful of names and order their own updates, so there is none of the delta session's order here,
 * and as they are no gateway's proxies, what they accept or refuse decides no status.
 */
export function stateOfTheWorldProtocol(context: StreamContext): Protocol<DiscoveryRequest> {
  const { store, counters, limits } = context;
  const keep = limits.removalWaitMilliseconds;
  return {
    node: (request) => request.node,
    begin(gateway, node, wake) {
      const resources = store.gateway(gateway);
      const build = buildOf(node);
      const interests = new Map<string, Interest>(served.map((type) => [type, createInterest(type)]));
      let nonces = 0;
      let failure: string | undefined;
      const stopObserving = resources.observe((changed) => {
        for (const { type } of changed) interests.get(type)!.due = true;
        wake();
      });
      return {
        receive(request) {
          const interest = interests.get(request.typeUrl ?? "");
          if (interest === undefined) return;
          if (request.errorDetail !== undefined) counters.refusals++;
          else if (request.responseNonce) counters.acknowledgements++;
          updateInterest(interest, request);
          if (interest.names.size > limits.maxSubscribedNames) failure = "too many names are subscribed to";
        },
        next(now) {
          for (const interest of interests.values()) {
            const wanted = takeUpdate(interest, resources, build, now, keep);
            if (wanted === undefined) continue;
            interest.nonce = String(++nonces);
            const bytes = encodeDiscoveryResponse(interest.type, interest.version!, interest.nonce, wanted);
            return { bytes, resources: wanted.length };
          }
          return undefined;
        },
        wakeAt() {
          const gone = [...interests.values()].flatMap((interest) => [...interest.gone.values()]);
          return gone.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...gone) + keep;
        },
        failure: () => failure,
        finish: stopObserving,
      };
    },
  };
}

/** The rate limit service speaks this protocol, and asks for a type of its own. */
const served: readonly ResourceType[] = [...sendOrder, resourceTypes.rateLimits];

/** May everything of the type be asked for at once? Then what is not sent is gone. */
function isWhole(type: ResourceType): boolean {
  return isRoot(type) || type === resourceTypes.rateLimits;
}

interface Interest {
  readonly type: ResourceType;
  started: boolean;
  wildcard: boolean;
  names: ReadonlySet<string>;
  /** Hash over what was sent last. A refused response is not repeated either, because its version stays here. */
  version: string | undefined;
  nonce: string;
  due: boolean;
  /** What was sent last, for clusters. */
  sent: ReadonlyMap<string, EncodedResource>;
  /**
   * Clusters that are no longer published, with the time since when. They are sent on until the client has followed the new
   * routes and asks for them no more, or for five seconds: leaving them out would fail its requests meanwhile.
   */
  gone: ReadonlyMap<string, number>;
}

function createInterest(type: ResourceType): Interest {
  return {
    type,
    started: false,
    wildcard: false,
    names: new Set(),
    version: undefined,
    nonce: "",
    due: false,
    sent: new Map(),
    gone: new Map(),
  };
}

function updateInterest(interest: Interest, request: DiscoveryRequest): void {
  // An answer to an older response: one to the newer response follows, with the names of then.
  if (request.responseNonce && request.responseNonce !== interest.nonce) return;
  const names = request.resourceNames ?? [];
  interest.wildcard =
    isWhole(interest.type) && (names.includes("*") || (names.length === 0 && (!interest.started || interest.wildcard)));
  interest.names = new Set(names);
  interest.started = true;
  interest.due = true;
}

/** All resources that the client asked for, when they differ from what it was sent. O(names asked for). */
function takeUpdate(
  interest: Interest,
  gateway: GatewayResources,
  build: string,
  now: number,
  keepMilliseconds: number,
): readonly EncodedResource[] | undefined {
  const { type, sent } = interest;
  if (!interest.started || !(interest.due || interest.gone.size > 0)) return undefined;
  const wanted: EncodedResource[] = [];
  const gone = new Map<string, number>();
  for (const name of interest.wildcard ? gateway.names(type) : interest.names) {
    const chosen = gateway.choose(type, name, [], build);
    if (chosen !== undefined && chosen !== withheld) {
      wanted.push(chosen);
      continue;
    }
    const since = interest.gone.get(name) ?? now;
    if (!sent.has(name) || now >= since + keepMilliseconds) continue;
    gone.set(name, since);
    wanted.push(sent.get(name)!);
  }
  interest.due = false;
  interest.gone = gone;
  const version = contentHash(wanted.map((resource) => `${resource.name}\n${resource.version}\n`).join(""));
  // A missing route table or endpoint set is answered when it appears; a missing root is "deleted" to the client.
  if (version === interest.version || (wanted.length === 0 && !isWhole(type))) return undefined;
  interest.version = version;
  if (type === resourceTypes.cluster) interest.sent = new Map(wanted.map((resource) => [resource.name, resource]));
  return wanted;
}
