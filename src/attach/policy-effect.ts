import type { ObjectKey } from "../base/keys.ts";
import type { AttachedListener, ListenerPlan, RouteAttachment } from "./model.ts";
import { policyOf } from "./policy-claims.ts";
import type {
  AttachedPolicyKind,
  InheritedPolicy,
  ListenerPolicies,
  PlacedPolicy,
  PoliciesByKind,
  PolicyPlace,
  RoutePolicyKind,
  TargetKey,
} from "./policy-model.ts";

/** Which policy is in effect: route rule, then route, then listener, then Gateway or ListenerSet; the most specific has all the say. */

const policyKinds: readonly AttachedPolicyKind[] = ["BackendTrafficPolicy", "ClientTrafficPolicy", "SecurityPolicy"];
const routePolicyKinds: readonly RoutePolicyKind[] = ["BackendTrafficPolicy", "SecurityPolicy"];

type PlacedListener = Pick<ListenerPlan, "gateway" | "name"> & { readonly listenerSet?: ObjectKey | undefined };

/**
 * Where a listener has its policies from, the most specific first. One of a ListenerSet takes nothing from the listeners of its
 * Gateway, which stand beside it, but what the Gateway as a whole has.
 */
function placesOfListener({ gateway, listenerSet, name }: PlacedListener): readonly PolicyPlace[] {
  const ofGateway: PolicyPlace = { kind: "Gateway", key: gateway };
  if (listenerSet === undefined) return [{ ...ofGateway, section: name }, ofGateway];
  const ofSet: PolicyPlace = { kind: "ListenerSet", key: listenerSet };
  return [{ ...ofSet, section: name }, ofSet, ofGateway];
}

/** @returns undefined where no policy is, which is the rule */
export function policiesOfListener(
  listener: PlacedListener,
  policiesAt: (target: TargetKey) => PoliciesByKind | undefined,
): ListenerPolicies | undefined {
  const places = placesOfListener(listener).map((from) => ({ from, at: policiesAt(`${from.kind}/${from.key}`) }));
  const result: { [Kind in AttachedPolicyKind]?: InheritedPolicy } = {};
  for (const kind of policyKinds) {
    for (const { from, at } of places) {
      const placed = policyOf(at?.[kind], from.section);
      if (placed === undefined) continue;
      result[kind] = { policy: placed.policy, from };
      break;
    }
  }
  return Object.keys(result).length === 0 ? undefined : result;
}

/** The attachment of a route with the policies that count for it: its own, and those of its listeners. */
export function withPolicies(
  attachment: RouteAttachment,
  policiesAt: (target: TargetKey) => PoliciesByKind | undefined,
  ofListener: (listener: PlacedListener) => ListenerPolicies | undefined,
  keepsHeaderCase: (listener: PlacedListener) => boolean,
): RouteAttachment {
  const own = only(routePolicyKinds, policiesAt(`${attachment.routeKind}/${attachment.key}`));
  const parents = attachment.parents.map((parent) => {
    const listeners = parent.listeners.map((listener): AttachedListener => {
      const { gateway, listenerSet } = parent;
      const place = { gateway, listenerSet, name: listener.listener };
      const all = ofListener(place);
      if (all === undefined) return listener;
      const inherited = only(routePolicyKinds, all);
      const keeps = all.ClientTrafficPolicy !== undefined && keepsHeaderCase(place);
      if (inherited === undefined && !keeps) return listener;
      return { ...listener, ...(keeps && { keepsHeaderCase: true }), ...(inherited && { policies: inherited }) };
    });
    return listeners.every((listener, index) => listener === parent.listeners[index])
      ? parent
      : { ...parent, listeners };
  });
  return { ...attachment, parents, ...(own && { policies: own }) };
}

function only<K extends string, V>(
  kinds: readonly K[],
  values: { readonly [Kind in K]?: V } | undefined,
): { readonly [Kind in K]?: V } | undefined {
  if (values === undefined) return undefined;
  const kept = kinds.filter((kind) => values[kind] !== undefined);
  if (kept.length === 0) return undefined;
  return Object.fromEntries(kept.map((kind) => [kind, values[kind]])) as { [Kind in K]?: V };
}

/** The policy in effect for a rule. */
export interface EffectivePolicy {
  readonly policy: ObjectKey;
  /** Set: what it is merged over. */
  readonly mergedOver?: InheritedPolicy;
  /** How. */
  readonly mergeType?: NonNullable<PlacedPolicy["mergeType"]>;
  /** Set: what it takes the place of. */
  readonly instead?: InheritedPolicy;
}

/** O(1). */
export function effectivePolicy(
  kind: RoutePolicyKind,
  { policies }: Pick<RouteAttachment, "policies">,
  ruleName: string | undefined,
  listener: Pick<AttachedListener, "policies">,
): EffectivePolicy | undefined {
  const inherited = listener.policies?.[kind];
  const ofKind = policies?.[kind];
  const own = (ruleName === undefined ? undefined : policyOf(ofKind, ruleName)) ?? ofKind?.whole;
  return own === undefined ? inherited && { policy: inherited.policy } : effectOf(own, inherited);
}

/** What a policy of a route does with the one of the listener. */
export function effectOf({ policy, mergeType }: PlacedPolicy, inherited: InheritedPolicy | undefined): EffectivePolicy {
  if (inherited === undefined || inherited.policy === policy) return { policy };
  return mergeType === undefined ? { policy, instead: inherited } : { policy, mergedOver: inherited, mergeType };
}
