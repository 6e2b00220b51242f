import type { HTTPRoute, HTTPRouteMatch } from "../api/gateway-api.ts";
import type { AttachedHost, AttachedListener, ResolvedRoute, ResolvedRule } from "../attach/model.ts";
import { translateHttpMatch } from "./match.ts";
import type { MatchVariant } from "./match-variants.ts";
import { buildEntries, type EntryShape } from "./route-entry.ts";
import type { RouteEntry } from "./route-order.ts";
import { translateRule } from "./route-rule.ts";
import { limitTime } from "./route-timeouts.ts";
import { limitRule } from "./traffic-limits.ts";

/** A rule of which nothing is known reaches nothing: its requests are answered with 500. */
export const unresolvedRule: ResolvedRule = Object.freeze({ backends: [], mirrors: [], extensions: [] });

/** What the CRD fills in for a rule without matches: every path. */
const everyPath: readonly HTTPRouteMatch[] = [{}];

/** Translates an HTTPRoute on one host of a listener: one entry per rule, match and variant. O(matches). */
export function translateHttpRoute(
  route: HTTPRoute,
  resolved: ResolvedRoute,
  listener: AttachedListener,
  host: AttachedHost,
  shape: EntryShape = {},
): RouteEntry[] {
  return (route.spec.rules ?? [{}]).flatMap((rule, ruleIndex) => {
    const references = resolved.rules[ruleIndex] ?? unresolvedRule;
    if (references.dropped) return [];
    const template = translateRule(
      {
        filters: rule.filters ?? [],
        backendFilters: (rule.backendRefs ?? []).map(({ filters = [] }) => filters),
        resolved: references,
        failureStatus: 500,
        limits: limitRule(references.traffic, limitTime(rule.timeouts, rule.retry)),
        enabledFilters: [],
      },
      { ...listener, host: host.host },
    );
    const hasMatches = rule.matches !== undefined && rule.matches.length > 0;
    const matches = (hasMatches ? (rule.matches ?? []) : everyPath).map(
      (match) => (variant: MatchVariant) => translateHttpMatch(match, variant),
    );
    return buildEntries("HTTPRoute", route.metadata, ruleIndex, template, host, matches, hasMatches, shape);
  });
}
