import type { GRPCRoute } from "../api/gateway-api.ts";
import { objectKey } from "../base/keys.ts";
import type { ResolvedRoute } from "./model.ts";
import type { ResolveReader } from "./resolve-reader.ts";
import { reportInvalid, resolveRule } from "./resolve-rule.ts";
import { finishContext, type RuleInput, startContext } from "./route-context.ts";
import { findGrpcMatchFault } from "./rule-matches.ts";

/** Follows all references of a GRPCRoute; its backends are spoken to in HTTP/2. */
export function resolveGrpcRoute(route: GRPCRoute, read: ResolveReader): ResolvedRoute {
  const key = objectKey(route.metadata.namespace, route.metadata.name);
  const namespace = route.metadata.namespace ?? "";
  const context = startContext("GRPCRoute", namespace, read);
  const rules = (route.spec.rules ?? []).map((rule, index) => {
    const unimplemented =
      rule.sessionPersistence === undefined
        ? undefined
        : { field: "sessionPersistence", message: "is not implemented in this version; remove it" };
    const input = { filters: rule.filters, backendRefs: rule.backendRefs } as RuleInput;
    return resolveRule(context, input, index, { match: findGrpcMatchFault(rule.matches), other: unimplemented });
  });
  reportInvalid(context, rules);
  return finishContext(context, key, rules);
}
