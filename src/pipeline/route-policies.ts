import type { Route } from "../api/gateway-api.ts";
import type { RulePolicies } from "../attach/adapt-route.ts";
import { keepHeaderCase, mergeBackendTraffic } from "../attach/backend-traffic.ts";
import { type AttachedListener, listenerKey, type ParentAttachment, type RouteAttachment } from "../attach/model.ts";
import type { MergeType } from "../attach/object-merge.ts";
import { type EffectivePolicy, effectivePolicy, withPolicies } from "../attach/policy-effect.ts";
import type { AttachedPolicyKind, ListenerPolicies, PolicyFinding } from "../attach/policy-model.ts";
import { mergeSecurity } from "../attach/security/plan.ts";
import type { ObjectKey } from "../base/keys.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import type { Collection, Graph, Reader } from "../dataflow/graph.ts";
import type { PolicyNodes } from "./policies.ts";
import type { RouteObject } from "./route-objects.ts";

/** What policies say of each rule of a route, by the listener (`listenerKey`) where it is served. */
export type PoliciesByListener = Readonly<Record<string, readonly RulePolicies[]>>;

/** What policies come to where routes are served. */
export interface RoutePolicyNodes {
  readonly places: PolicyPlaces;
  /** Key: route. Only routes that have any. */
  readonly ofRoutes: Collection<PoliciesByListener>;
}

/** What policies hang on. */
export interface PolicyPlaces {
  readonly policies: PolicyNodes;
  readonly listenerPolicies: Collection<ListenerPolicies>;
  /** Key: listener. */
  readonly keepsHeaderCase: Collection<true>;
}

/** Routes that take over a changed policy with one commit: about 30 ms of work, for which an edit beside it waits. */
const SHARE_OF_ROUTES = 250;

/**
 * The one place where a route takes over what policies say: all that is made of a route reads it here, so that it leads to clusters which are
 * there, although a policy of a Gateway reaches ten thousand routes one share after the other.
 */
export function createRoutePolicyNodes(
  graph: Graph,
  places: PolicyPlaces,
  routes: Collection<RouteObject>,
  attachments: Collection<RouteAttachment>,
): RoutePolicyNodes {
  const { policies, listenerPolicies, keepsHeaderCase } = places;
  const { backendTraffic, security } = policies;
  const ofRoutes = graph.pacedMap<RouteAttachment, PoliciesByListener>(
    "routePolicies",
    attachments,
    (attachment, key, read) =>
      findPolicies(
        attachmentWithPolicies(places, attachment, read),
        () => read.get(routes, key)?.route,
        policies,
        read,
      ),
    { behind: [listenerPolicies, keepsHeaderCase, backendTraffic, security], keys: SHARE_OF_ROUTES },
  );
  return { places, ofRoutes };
}

/** A route's attachment with the policies that count for it. O(listeners). */
export function attachmentWithPolicies(
  { policies, listenerPolicies, keepsHeaderCase }: PolicyPlaces,
  attachment: RouteAttachment,
  read: Reader,
): RouteAttachment {
  return withPolicies(
    attachment,
    (target) => read.get(policies.ofTargets, target),
    (listener) => read.get(listenerPolicies, listenerKey(listener)),
    (listener) => read.get(keepsHeaderCase, listenerKey(listener)) === true,
  );
}

function findPolicies(
  attachment: RouteAttachment,
  object: () => Route | undefined,
  policies: PolicyNodes,
  read: Reader,
): PoliciesByListener | undefined {
  const result: Record<string, readonly RulePolicies[]> = {};
  const trafficOf = createMeaning(policies.backendTraffic, ({ traffic }) => traffic, mergeBackendTraffic, read);
  const securityOf = createMeaning(policies.security, ({ security }) => security, mergeSecurity, read);
  for (const parent of attachment.parents) {
    for (const listener of parent.listeners) {
      const { keepsHeaderCase } = listener;
      if (attachment.policies === undefined && listener.policies === undefined && !keepsHeaderCase) continue;
      // An HTTPRoute without rules has one.
      const rules: readonly { readonly name?: string }[] = object()?.spec.rules ?? [{}];
      result[placeOf(parent, listener)] = rules.map(({ name }) => {
        const traffic = trafficOf(effectivePolicy("BackendTrafficPolicy", attachment, name, listener));
        return {
          traffic: keepsHeaderCase ? keepHeaderCase(traffic) : traffic,
          security: securityOf(effectivePolicy("SecurityPolicy", attachment, name, listener)),
        };
      });
    }
  }
  return Object.keys(result).length === 0 ? undefined : result;
}

/** What the policies in effect for rules of one route mean; equal ones come to one object. */
function createMeaning<Plan extends Merged, Merged, Meaning>(
  plans: Collection<Plan>,
  meaningOf: (plan: Merged) => Meaning,
  merge: (child: Plan, parent: Plan, type: MergeType) => Merged,
  read: Reader,
): (effect: EffectivePolicy | undefined) => Meaning | undefined {
  const merged = new Map<string, Meaning | undefined>();
  return (effect) => {
    const own = effect && read.get(plans, effect.policy);
    if (effect?.mergedOver === undefined) return own && meaningOf(own);
    const { policy, mergedOver, mergeType = "StrategicMerge" } = effect;
    const key = `${policy}|${mergedOver.policy}|${mergeType}`;
    if (!merged.has(key)) {
      const parent = read.get(plans, mergedOver.policy);
      merged.set(key, own && parent && meaningOf(merge(own, parent, mergeType)));
    }
    return merged.get(key);
  };
}

function placeOf({ gateway, listenerSet }: ParentAttachment, { listener }: AttachedListener): string {
  return listenerKey({ gateway, listenerSet, name: listener });
}

/**
 * What policies say of each rule of a route at one of its listeners; undefined where there is none, which is the rule and costs
 * nothing.
 *
 * @param route key of the route
 */
export function readPolicies(
  { ofRoutes }: RoutePolicyNodes,
  route: string,
  parent: ParentAttachment,
  listener: AttachedListener,
  read: Reader,
): readonly RulePolicies[] | undefined {
  return read.get(ofRoutes, route)?.[placeOf(parent, listener)];
}

/**
 * Why the policy of a route cannot be merged over the one of its listener: what neither of them is told of alone. Looked for only where
 * something of the route is refused.
 */
export function findMergeFaults(
  { places: { policies }, ofRoutes }: RoutePolicyNodes,
  route: string,
  kind: AttachedPolicyKind,
  { policy, mergedOver, mergeType = "StrategicMerge" }: EffectivePolicy,
  read: Reader,
): readonly Problem[] {
  if (mergedOver === undefined) return [];
  const rules = Object.values(read.get(ofRoutes, route) ?? {}).flat();
  const isRefused = ({ traffic, security }: RulePolicies) =>
    kind === "BackendTrafficPolicy" ? traffic?.invalid : security?.refused;
  if (!rules.some(isRefused)) return [];
  const { policy: over } = mergedOver;
  const faults =
    kind === "BackendTrafficPolicy"
      ? compareFaults(policies.backendTraffic, policy, over, (a, b) => mergeBackendTraffic(a, b, mergeType), read)
      : compareFaults(policies.security, policy, over, (a, b) => mergeSecurity(a, b, mergeType), read);
  return faults === "of the other"
    ? [
        problemAt(
          "Accepted",
          "Invalid",
          "spec.mergeType",
          `has this policy merged over ${kind} ${over}, which cannot do what it says; correct that one as its status tells, or remove the field`,
        ),
      ]
    : faults.map(({ field, text }) =>
        problemAt("Accepted", "Invalid", field, `${text} (so it is merged over ${kind} ${over})`),
      );
}

function compareFaults<Plan extends Refusable>(
  plans: Collection<Plan>,
  policy: ObjectKey,
  over: ObjectKey,
  merge: (child: Plan, parent: Plan) => Refusable,
  read: Reader,
): readonly PolicyFinding[] | "of the other" {
  const [child, parent] = [read.get(plans, policy), read.get(plans, over)];
  // Of itself it is told anyway.
  if (child === undefined || parent === undefined || child.refused.length > 0) return [];
  const { refused } = merge(child, parent);
  return refused.length > 0 && parent.refused.length > 0 ? "of the other" : refused;
}

type Refusable = { readonly refused: readonly PolicyFinding[] };
