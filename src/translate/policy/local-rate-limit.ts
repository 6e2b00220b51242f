import type { RouteTraffic } from "../../attach/backend-traffic.ts";
import { type Cidr, parseCidr } from "../../attach/cidr.ts";
import { unitSeconds } from "../../attach/rate-limit-units.ts";
import { type Any, pack } from "../../envoy/any.ts";
import type { RateLimit, RateLimit_Action } from "../../envoy/generated/envoy/config/route/v3/route_components.ts";
import type { RateLimitDescriptor_Entry } from "../../envoy/generated/envoy/extensions/common/ratelimit/v3/ratelimit.ts";
import { LocalRateLimit } from "../../envoy/generated/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.ts";
import type { StringMatcher } from "../../envoy/generated/envoy/type/matcher/v3/string.ts";
import { FractionalPercent_DenominatorType } from "../../envoy/generated/envoy/type/v3/percent.ts";
import type { TokenBucket } from "../../envoy/generated/envoy/type/v3/token_bucket.ts";

type Rule = NonNullable<NonNullable<RouteTraffic["localRateLimit"]>["rules"]>[number];
type Selector = NonNullable<Rule["clientSelectors"]>[number];

const UINT32_MAX = 4_294_967_295;
/** Values of a distinct header or address that are counted at a time; Envoy forgets the least recent beyond. */
const DISTINCT_VALUES_MAX = 10_000;

const always = {
  runtimeKey: "",
  defaultValue: { numerator: 100, denominator: FractionalPercent_DenominatorType.HUNDRED },
};

/**
 * Limits of each Envoy by itself. A rule without selectors counts what no other rule does; of the others each selector is a
 * descriptor with a bucket of its own.
 */
export function limitLocally(rules: readonly Rule[]): Any {
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
    filterEnforced: always,
    descriptors: parts.map(({ entries, rule }) => ({ entries, tokenBucket: bucketOf(rule) })),
    rateLimits: parts.map(({ limit }) => limit),
    alwaysConsumeDefaultTokenBucket: false,
    rateLimitedAsResourceExhausted: true,
    maxDynamicDescriptors: DISTINCT_VALUES_MAX,
  };
  return pack(LocalRateLimit, settings);
}

function bucketOf({ limit }: Rule): TokenBucket {
  return {
    maxTokens: limit.requests,
    tokensPerFill: limit.requests,
    fillInterval: { seconds: unitSeconds[limit.unit] },
  };
}

interface Part {
  readonly rule: Rule;
  readonly limit: RateLimit;
  readonly entries: RateLimitDescriptor_Entry[];
}

type Condition = readonly [action: RateLimit_Action, entry: RateLimitDescriptor_Entry];

/** All conditions of a selector, one entry each: a descriptor counts only where all of its entries come about. */
function describe(rule: Rule, selector: Selector, key: string): Part {
  const conditions = [
    ...(selector.headers ?? []).map((header, index) => matchHeader(header, `${key}-header-${index}`)),
    ...matchMethods(selector.methods ?? [], `${key}-method`),
    ...(selector.path ? [matchPath(selector.path, `${key}-path`)] : []),
    ...(selector.queryParams ?? []).map((param, index) => matchQuery(param, `${key}-query-${index}`)),
    ...(selector.sourceCIDR ? matchAddress(selector.sourceCIDR) : []),
  ];
  // Entries of addresses are named by Envoy. Without a name of its own a range that two rules count would be one descriptor twice,
  // which Envoy refuses; and a selector that says nothing would be none.
  if (selector.sourceCIDR || conditions.length === 0) conditions.unshift(nameSelector(key));
  const cost = rule.cost?.request;
  return {
    rule,
    limit: {
      actions: conditions.map(([action]) => action),
      ...(cost?.number !== undefined && { hitsAddend: { number: cost.number } }),
      ...(cost?.metadata && {
        hitsAddend: { format: `%DYNAMIC_METADATA(${cost.metadata.namespace}:${cost.metadata.key})%` },
      }),
    },
    entries: conditions.map(([, entry]) => entry),
  };
}

function matchValue(type: string | undefined, value: string): StringMatcher {
  return type === "RegularExpression" ? { safeRegex: { regex: value } } : { exact: value };
}

function matchHeader(
  { type, name, value = "", invert }: NonNullable<Selector["headers"]>[number],
  key: string,
): Condition {
  // An entry without a value counts each value by itself.
  if (type === "Distinct") return [{ requestHeaders: { headerName: name, descriptorKey: key } }, { key }];
  return expectHeader(name, matchValue(type, value), !invert, key);
}

function expectHeader(name: string, stringMatch: StringMatcher, expectMatch: boolean, key: string): Condition {
  return [
    { headerValueMatch: { descriptorKey: key, descriptorValue: key, expectMatch, headers: [{ name, stringMatch }] } },
    { key, value: key },
  ];
}

function matchMethods(methods: NonNullable<Selector["methods"]>, key: string): Condition[] {
  const among = (inverted: boolean) =>
    methods.filter(({ invert }) => (invert ?? false) === inverted).map(({ value }) => value);
  const [wanted, unwanted] = [among(false), among(true)];
  const oneOf = (values: readonly string[]): StringMatcher => ({ safeRegex: { regex: values.join("|") } });
  return [
    ...(wanted.length > 0 ? [expectHeader(":method", oneOf(wanted), true, key)] : []),
    ...(unwanted.length > 0 ? [expectHeader(":method", oneOf(unwanted), false, `${key}-not`)] : []),
  ];
}

/** The header holds the query too. */
function matchPath({ type, value, invert }: NonNullable<Selector["path"]>, key: string): Condition {
  const literal = value.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const regex = {
    Exact: `${literal}(\\?.*)?`,
    PathPrefix: `${literal.replace(/\/$/, "")}([/?].*)?`,
    RegularExpression: `(${value})(\\?.*)?`,
  }[type ?? "PathPrefix"];
  return expectHeader(":path", { safeRegex: { regex } }, !invert, key);
}

function matchQuery(
  { type, name, value = "", invert }: NonNullable<Selector["queryParams"]>[number],
  key: string,
): Condition {
  if (type === "Distinct") return [{ queryParameters: { queryParameterName: name, descriptorKey: key } }, { key }];
  const queryParameters = [{ name, stringMatch: matchValue(type, value) }];
  return [
    { queryParameterValueMatch: { descriptorKey: key, descriptorValue: key, expectMatch: !invert, queryParameters } },
    { key, value: key },
  ];
}

function nameSelector(key: string): Condition {
  return [{ genericKey: { descriptorKey: key, descriptorValue: key } }, { key, value: key }];
}

/** All addresses of a range count together, unless Distinct is asked for. */
function matchAddress({ type, value }: NonNullable<Selector["sourceCIDR"]>): Condition[] {
  const range: Cidr | undefined = value === undefined ? undefined : parseCidr(value);
  const inRange: Condition[] =
    range === undefined
      ? []
      : [
          [
            {
              maskedRemoteAddress:
                range.family === "IPv4" ? { v4PrefixMaskLen: range.prefix } : { v6PrefixMaskLen: range.prefix },
            },
            { key: "masked_remote_address", value: `${range.network}/${range.prefix}` },
          ],
        ];
  const each: Condition[] = type === "Distinct" ? [[{ remoteAddress: {} }, { key: "remote_address" }]] : [];
  return [...inRange, ...each];
}
