import { unitSeconds } from "../../attach/rate-limit-units.ts";
import { type Any, pack } from "../../envoy/any.ts";
import type { RateLimit } from "../../envoy/generated/envoy/config/route/v3/route_components.ts";
import type { RateLimitDescriptor_Entry } from "../../envoy/generated/envoy/extensions/common/ratelimit/v3/ratelimit.ts";
import { XRateLimitHeadersRFCVersion } from "../../envoy/generated/envoy/extensions/common/ratelimit/v3/ratelimit.ts";
import { LocalRateLimit } from "../../envoy/generated/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.ts";
import { FractionalPercent_DenominatorType } from "../../envoy/generated/envoy/type/v3/percent.ts";
import type { TokenBucket } from "../../envoy/generated/envoy/type/v3/token_bucket.ts";
import { type LimitRule, matchSelector, nameSelector, readCost } from "./rate-limit-selectors.ts";

type Selector = NonNullable<LimitRule["clientSelectors"]>[number];

const UINT32_MAX = 4_294_967_295;
/** Values of a distinct header or address that are counted at a time; Envoy forgets the least recent beyond. */
const DISTINCT_VALUES_MAX = 10_000;

const always = {
  runtimeKey: "",
  defaultValue: { numerator: 100, denominator: FractionalPercent_DenominatorType.HUNDRED },
};

/** Counted, and let pass. */
const never = { runtimeKey: "", defaultValue: { numerator: 0 } };

/**
 * Limits of each Envoy by itself. A rule without selectors counts what no other rule does; of the others each selector is a
 * descriptor with a bucket of its own.
 */
export function limitLocally(rules: readonly LimitRule[]): Any {
  const usual = rules.find(({ clientSelectors = [] }) => clientSelectors.length === 0);
  const parts = rules.flatMap((rule, ruleIndex) =>
    (rule.clientSelectors ?? []).map((selector, index) => describe(rule, selector, `rule-${ruleIndex}-match-${index}`)),
  );
  const settings: LocalRateLimit = {
    statPrefix: "http_local_rate_limiter",
    // Without a usual limit there is none: as many as can be said.
    tokenBucket: usual
      ? bucketOf(usual)
      : { maxTokens: UINT32_MAX, tokensPerFill: UINT32_MAX, fillInterval: { seconds: 1 } },
    filterEnabled: always,
    filterEnforced: rules.some(({ shadowMode }) => shadowMode) ? never : always,
    ...(rules.some(({ xRateLimitHeaders }) => xRateLimitHeaders === "DraftVersion03") && {
      enableXRatelimitHeaders: XRateLimitHeadersRFCVersion.DRAFT_VERSION_03,
    }),
    descriptors: parts.map(({ entries, rule }) => ({ entries, tokenBucket: bucketOf(rule) })),
    rateLimits: parts.map(({ limit }) => limit),
    alwaysConsumeDefaultTokenBucket: false,
    rateLimitedAsResourceExhausted: true,
    maxDynamicDescriptors: DISTINCT_VALUES_MAX,
  };
  return pack(LocalRateLimit, settings);
}

function bucketOf({ limit }: LimitRule): TokenBucket {
  return {
    maxTokens: limit.requests,
    tokensPerFill: limit.requests,
    fillInterval: { seconds: unitSeconds[limit.unit] },
  };
}

interface Part {
  readonly rule: LimitRule;
  readonly limit: RateLimit;
  readonly entries: RateLimitDescriptor_Entry[];
}

/** All conditions of a selector, one entry each: a descriptor counts only where all of its entries come about. */
function describe(rule: LimitRule, selector: Selector, key: string): Part {
  const conditions = matchSelector(selector, key);
  // Entries of addresses are named by Envoy. Without a name of its own a range that two rules count would be one descriptor twice,
  // which Envoy refuses; and a selector that says nothing would be none.
  if (selector.sourceCIDR || conditions.length === 0) conditions.unshift(nameSelector(key));
  const cost = rule.cost?.request;
  return {
    rule,
    limit: { actions: conditions.map(([action]) => action), ...(cost && { hitsAddend: readCost(cost) }) },
    entries: conditions.map(([, entry]) => entry),
  };
}
