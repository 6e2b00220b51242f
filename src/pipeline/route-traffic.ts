import type { Route } from "../api/gateway-api.ts";
import type { RuleTraffic } from "../attach/adapt-route.ts";
import { type BackendTraffic, keepHeaderCase, mergeBackendTraffic } from "../attach/backend-traffic.ts";
import type { AttachedListener, RouteAttachment } from "../attach/model.ts";
import { type EffectivePolicy, effectivePolicy, effectOf } from "../attach/policy-effect.ts";
import type { PlacedPolicy, PoliciesByKind } from "../attach/policy-model.ts";
import { flatText } from "../base/memory.ts";
import type { Collection, Graph, Reader } from "../dataflow/graph.ts";
import type { PolicyNodes } from "./policies.ts";

/** What BackendTrafficPolicies come to where routes are served. */
export interface TrafficNodes {
  readonly policies: PolicyNodes;
  /** Key: `<route>|<policy>|<policy that it is merged over>`. */
  readonly merged: Collection<BackendTraffic>;
}

/** Policies of routes with `mergeType`, over what the route has from each of its listeners. */
export function createTrafficNodes(
  graph: Graph,
  policies: PolicyNodes,
  attachments: Collection<RouteAttachment>,
): TrafficNodes {
  const merged = graph.flatMap<PoliciesByKind, BackendTraffic>(
    "mergedTraffic",
    policies.ofTargets,
    (own, route, read) => {
      const result = new Map<string, BackendTraffic>();
      const merging = placedPolicies(own).filter(({ mergeType }) => mergeType !== undefined);
      if (merging.length === 0) return result;
      const listeners = read.get(attachments, route)?.parents.flatMap((parent) => parent.listeners) ?? [];
      for (const placed of merging) {
        for (const listener of listeners) {
          const effect = effectOf(placed, listener.policies?.BackendTrafficPolicy);
          const key = mergedKey(route, effect);
          if (key === undefined || result.has(key) || effect.mergedOver === undefined) continue;
          const child = read.get(policies.backendTraffic, effect.policy);
          const parent = read.get(policies.backendTraffic, effect.mergedOver.policy);
          if (child === undefined || parent === undefined) continue;
          result.set(key, mergeBackendTraffic(child, parent, placed.mergeType ?? "StrategicMerge"));
        }
      }
      return result;
    },
  );
  return { policies, merged };
}

function placedPolicies({ BackendTrafficPolicy: own }: PoliciesByKind): readonly PlacedPolicy[] {
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
export function readTraffic(
  { policies, merged }: TrafficNodes,
  route: string,
  object: () => Route | undefined,
  attachment: RouteAttachment,
  listener: AttachedListener,
  read: Reader,
): RuleTraffic | undefined {
  const { keepsHeaderCase } = listener;
  if (attachment.policies === undefined && listener.policies === undefined && !keepsHeaderCase) return undefined;
  // An HTTPRoute without rules has one.
  const rules: readonly { readonly name?: string }[] = object()?.spec.rules ?? [{}];
  const ofRules = rules.map(({ name }) => {
    const effect = effectivePolicy("BackendTrafficPolicy", attachment, name, listener);
    if (effect === undefined) return undefined;
    const key = mergedKey(route, effect);
    return key === undefined ? read.get(policies.backendTraffic, effect.policy)?.traffic : read.get(merged, key);
  });
  return keepsHeaderCase ? ofRules.map(keepHeaderCase) : ofRules;
}
