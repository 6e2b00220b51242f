import type { GlobalRateLimit, GlobalRule } from "../../attach/rate-limit.ts";
import {
  RateLimitConfig,
  type RateLimitDescriptor,
  RateLimitUnit,
} from "../../envoy/generated/ratelimit/config/ratelimit/v3/rls_conf.ts";
import { type EncodedResource, encodeResource } from "../../envoy/resource.ts";
import { type Condition, type DescriptorEntry, matchSelector, nameSelector } from "./rate-limit-selectors.ts";

/** The limits that requests count towards which meet all the conditions. */
export interface LimitDescriptor {
  readonly rule: GlobalRule;
  readonly conditions: readonly Condition[];
}

const ROUTE_KEY = "route";

/**
 * All descriptors of a policy: of each rule one a selector. Limits that are not shared are counted for each route by itself, which the
 * service is not told of: it counts each value of an entry that it knows by key alone. So its configuration does not depend on routes.
 */
export function descriptorsOf({ rules, route = "unnamed" }: GlobalRateLimit): readonly LimitDescriptor[] {
  return rules.flatMap((rule, index) => {
    const begin = rule.shared ? [] : [countEach(nameSelector(ROUTE_KEY, route))];
    const selectors = rule.clientSelectors ?? [];
    if (selectors.length === 0) return [{ rule, conditions: [...begin, nameSelector(`rule-${index}`)] }];
    return selectors.map((selector, position) => {
      const key = `rule-${index}-match-${position}`;
      return { rule, conditions: [...begin, nameSelector(key), ...matchSelector(selector, key)] };
    });
  });
}

function countEach([action, { key }]: Condition): Condition {
  return [action, { key }];
}

/** What the service is to know of a policy: one resource, by the name of its domain. */
export function translateRateLimits(limits: GlobalRateLimit): EncodedResource {
  const root: RateLimitDescriptor = { descriptors: [] };
  for (const { rule, conditions } of descriptorsOf(limits)) {
    const leaf = conditions.reduce((parent, [, entry]) => enter(parent, entry), root);
    leaf.rateLimit = { unit: units[rule.limit.unit], requestsPerUnit: rule.limit.requests };
    if (rule.shadowMode) leaf.shadowMode = true;
  }
  const { domain } = limits;
  return encodeResource(RateLimitConfig, domain, { name: domain, domain, ...root });
}

const units = {
  Second: RateLimitUnit.SECOND,
  Minute: RateLimitUnit.MINUTE,
  Hour: RateLimitUnit.HOUR,
  Day: RateLimitUnit.DAY,
  Week: RateLimitUnit.WEEK,
  Month: RateLimitUnit.MONTH,
  Year: RateLimitUnit.YEAR,
} as const;

/** The service refuses an entry that stands twice at one place. */
function enter(parent: RateLimitDescriptor, { key, value }: DescriptorEntry): RateLimitDescriptor {
  parent.descriptors ??= [];
  const known = parent.descriptors.find((each) => each.key === key && each.value === value);
  if (known !== undefined) return known;
  const entry: RateLimitDescriptor = { key, ...(value !== undefined && { value }), descriptors: [] };
  parent.descriptors.push(entry);
  return entry;
}
