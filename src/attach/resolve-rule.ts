import type { HTTPRouteFilter } from "../api/gateway-api.ts";
import { describeField } from "../base/problems.ts";
import { buildClusterSpec } from "./cluster-spec.ts";
import type { ResolvedRule } from "./model.ts";
import { followBackend, type RouteContext, type RuleInput, reportReference } from "./route-context.ts";
import { mixesResolver, resolveBackends } from "./rule-backends.ts";
import { resolveExtensions } from "./rule-extensions.ts";
import { findFilterFault } from "./rule-filters.ts";
import type { RuleFault } from "./rule-matches.ts";

/** What the fields of one kind of route have been found guilty of before references are followed. */
export interface RuleFaults {
  /** A match that cannot be given to Envoy. */
  readonly match: RuleFault | undefined;
  readonly other: RuleFault | undefined;
}

/**
 * What is answered when a rule cannot do what it says. gRPC must see UNAVAILABLE (Gateway API, GRPCRouteRule.backendRefs),
 * which Envoy makes of 503.
 */
const failureStatus = { HTTPRoute: 500, GRPCRoute: 503 } as const;

/**
 * Follows all references of one rule. A rule that cannot do what it says answers with an error, since to ignore what was asked
 * for would open what was to be closed. A rule that cannot even be matched (`faults.match`) makes no routes: Envoy would refuse
 * the whole table for it.
 */
export function resolveRule(context: RouteContext, rule: RuleInput, index: number, faults: RuleFaults): ResolvedRule {
  const path = `spec.rules[${index}]`;
  const invalidate = ({ field, message, reason = "UnsupportedValue" }: RuleFault & { readonly reason?: string }) => {
    context.invalid.push({ index, reason, field: `${path}.${field}`, text: message });
  };
  const fault = faults.other ?? findFilterFault(rule.filters, rule.matches);
  if (fault !== undefined) invalidate(fault);
  const found = resolveExtensions(context, rule.filters);
  for (const each of found.faults) {
    if (each.reason === "UnsupportedValue") invalidate(each);
    else reportReference(context, each.reason, `${path}.${each.field}`, each.message);
  }
  if (faults.match !== undefined) invalidate(faults.match);
  const dropped = faults.match !== undefined || found.faults.some(({ unmatchable }) => unmatchable);
  const { extensions } = found;
  const backends = resolveBackends(context, rule, path, found.credential);
  const mirrors = resolveMirrors(context, rule.filters, path);
  const mixed = mixesResolver(context, backends, path);
  const failed = fault !== undefined || found.faults.length > 0 || mixed;
  if (!failed && !dropped) return { backends, mirrors, extensions };
  return {
    // What forwards nothing must not keep clusters alive.
    backends: backends.map(({ weight }) => ({ weight, extensions: [] })),
    mirrors: [],
    extensions,
    ...(failed && { failureStatus: failureStatus[context.routeKind === "GRPCRoute" ? "GRPCRoute" : "HTTPRoute"] }),
    ...(dropped && { dropped: true }),
  };
}

/**
 * Reports the rules that are invalid. While others remain the route is accepted and PartiallyInvalid, with messages that begin
 * as the Gateway API prescribes (RouteConditionPartiallyInvalid); a route without a valid rule is not accepted.
 */
export function reportInvalid({ invalid, problems }: RouteContext, rules: readonly ResolvedRule[]): void {
  const none = new Set(invalid.map(({ index }) => index)).size === rules.length;
  const condition = none ? "Accepted" : "PartiallyInvalid";
  for (const { index, reason, field, text } of invalid) {
    const { dropped, failureStatus: status } = rules[index] ?? {};
    const outcome = dropped ? "The rule takes no requests." : `Requests to the rule are answered with ${status}.`;
    const start = none ? "" : `Dropped Rule(s) [${index}]: `;
    const message = `${start}${describeField(field, text)} ${outcome}`;
    problems.push({ condition, reason, field, message });
  }
}

function resolveMirrors(
  context: RouteContext,
  filters: readonly HTTPRouteFilter[] | undefined,
  path: string,
): ResolvedRule["mirrors"] {
  return (filters ?? []).flatMap(({ type, requestMirror }, filterIndex) => {
    if (type !== "RequestMirror" || requestMirror === undefined) return [];
    const field = `${path}.filters[${filterIndex}].requestMirror.backendRef`;
    const found = followBackend(context, requestMirror.backendRef, field);
    return [
      found === undefined ? { filterIndex } : { filterIndex, target: buildClusterSpec(found.reach, found.settings) },
    ];
  });
}
