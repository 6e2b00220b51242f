import type { Route } from "../api/gateway-api.ts";
import type { RulePolicies } from "../attach/adapt-route.ts";
import { type BackendTraffic, keepHeaderCase, mergeBackendTraffic } from "../attach/backend-traffic.ts";
import type { AttachedListener, RouteAttachment } from "../attach/model.ts";
import type { MergeType } from "../attach/object-merge.ts";
import { type EffectivePolicy, effectivePolicy, effectOf } from "../attach/policy-effect.ts";
import type { PoliciesByKind, RoutePolicyKind, TargetPolicies } from "../attach/policy-model.ts";
import type { Security } from "../attach/security/model.ts";
import { mergeSecurity } from "../attach/security/plan.ts";
import { flatText } from "../base/memory.ts";
import type { Collection, Graph, Reader } from "../dataflow/graph.ts";
import type { PolicyNodes } from "./policies.ts";

/** What policies come to where routes are served. Merged ones have the key `<route>|<policy>|<policy that it is merged over>`. */
export interface RoutePolicyNodes {
  readonly policies: PolicyNodes;
  readonly mergedTraffic: Collection<BackendTraffic>;
  readonly mergedSecurity: Collection<Security>;
}

export function createRoutePolicyNodes(
  graph: Graph,
  policies: PolicyNodes,
  attachments: Collection<RouteAttachment>,
): RoutePolicyNodes {
  const { backendTraffic, security } = policies;
  return {
    policies,
    mergedTraffic: mergePolicies(graph, "mergedTraffic", "BackendTrafficPolicy", policies, attachments, {
      plans: backendTraffic,
      merge: mergeBackendTraffic,
    }),
    mergedSecurity: mergePolicies(graph, "mergedSecurity", "SecurityPolicy", policies, attachments, {
      plans: security,
      merge: mergeSecurity,
    }),
  };
}

/** Policies of routes with `mergeType`, over what the route has from each of its listeners. */
function mergePolicies<Plan, Merged>(
  graph: Graph,
  name: string,
  kind: RoutePolicyKind,
  policies: PolicyNodes,
  attachments: Collection<RouteAttachment>,
  how: { readonly plans: Collection<Plan>; merge(child: Plan, parent: Plan, type: MergeType): Merged },
): Collection<Merged> {
  return graph.flatMap<PoliciesByKind, Merged>(name, policies.ofTargets, (own, route, read) => {
    const result = new Map<string, Merged>();
    const merging = placedPolicies(own[kind]).filter(({ mergeType }) => mergeType !== undefined);
    if (merging.length === 0) return result;
    const listeners = read.get(attachments, route)?.parents.flatMap((parent) => parent.listeners) ?? [];
    for (const placed of merging) {
      for (const listener of listeners) {
        const effect = effectOf(placed, listener.policies?.[kind]);
        const key = mergedKey(route, effect);
        if (key === undefined || result.has(key) || effect.mergedOver === undefined) continue;
        const child = read.get(how.plans, effect.policy);
        const parent = read.get(how.plans, effect.mergedOver.policy);
        if (child === undefined || parent === undefined) continue;
        result.set(key, how.merge(child, parent, placed.mergeType ?? "StrategicMerge"));
      }
    }
    return result;
  });
}

function placedPolicies(own: TargetPolicies | undefined) {
  return [...(own?.whole ? [own.whole] : []), ...Object.values(own?.sections ?? {})];
}

function mergedKey(route: string, { policy, mergedOver }: EffectivePolicy): string | undefined {
  return mergedOver && flatText(route, "|", policy, "|", mergedOver.policy);
}

/**
 * What policies say of each rule of a route at one of its listeners; undefined where there is none, which is the rule and costs
 * nothing. O(rules).
 *
 * @param route key of the route
 * @param object is asked for only when the names of its rules matter
 */
export function readPolicies(
  { policies, mergedTraffic, mergedSecurity }: RoutePolicyNodes,
  route: string,
  object: () => Route | undefined,
  attachment: RouteAttachment,
  listener: AttachedListener,
  read: Reader,
): readonly RulePolicies[] | undefined {
  const { keepsHeaderCase } = listener;
  if (attachment.policies === undefined && listener.policies === undefined && !keepsHeaderCase) return undefined;
  // An HTTPRoute without rules has one.
  const rules: readonly { readonly name?: string }[] = object()?.spec.rules ?? [{}];
  return rules.map(({ name }) => {
    const effect = (kind: RoutePolicyKind) => effectivePolicy(kind, attachment, name, listener);
    const [traffic, security] = [effect("BackendTrafficPolicy"), effect("SecurityPolicy")];
    const [trafficKey, securityKey] = [traffic && mergedKey(route, traffic), security && mergedKey(route, security)];
    const saysOfTraffic =
      trafficKey === undefined
        ? traffic && read.get(policies.backendTraffic, traffic.policy)?.traffic
        : read.get(mergedTraffic, trafficKey);
    return {
      traffic: keepsHeaderCase ? keepHeaderCase(saysOfTraffic) : saysOfTraffic,
      security:
        securityKey === undefined
          ? security && read.get(policies.security, security.policy)?.security
          : read.get(mergedSecurity, securityKey),
    };
  });
}
