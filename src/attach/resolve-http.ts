import type { HTTPRoute, HTTPRouteRule } from "../api/gateway-api.ts";
import { objectKey } from "../base/keys.ts";
import type { ResolvedRoute } from "./model.ts";
import type { ResolveReader } from "./resolve-reader.ts";
import { reportInvalid, resolveRule } from "./resolve-rule.ts";
import { finishContext, type RuleInput, startContext } from "./route-context.ts";
import { findHttpMatchFault, type RuleFault } from "./rule-matches.ts";

export type { ResolveReader } from "./resolve-reader.ts";

/** Follows all references of an HTTPRoute and judges what Envoy would refuse. O(rules × (matches + filters + backendRefs)). */
export function resolveHttpRoute(route: HTTPRoute, read: ResolveReader): ResolvedRoute {
  const key = objectKey(route.metadata.namespace, route.metadata.name);
  const namespace = route.metadata.namespace ?? "";
  const context = startContext("HTTPRoute", namespace, read);
  const rules = (route.spec.rules ?? []).map((rule, index) =>
    resolveRule(context, rule as RuleInput, index, {
      match: findHttpMatchFault(rule.matches),
      other: findUnimplemented(rule),
    }),
  );
  reportInvalid(context, rules);
  return finishContext(context, key, rules);
}

/** Fields that this version does not implement are refused rather than ignored. */
function findUnimplemented(rule: HTTPRouteRule): RuleFault | undefined {
  return rule.sessionPersistence === undefined
    ? undefined
    : { field: "sessionPersistence", message: "is not implemented in this version; remove it" };
}
