import type { BackendTrafficSettings } from "../../attach/backend-traffic.ts";
import { type Cidr, parseCidr } from "../../attach/cidr.ts";
import type {
  RateLimit_Action,
  RateLimit_HitsAddend,
} from "../../envoy/generated/envoy/config/route/v3/route_components.ts";
import type { StringMatcher } from "../../envoy/generated/envoy/type/matcher/v3/string.ts";
import { quoteRegex } from "../match.ts";

export type LimitRule = NonNullable<
  NonNullable<NonNullable<BackendTrafficSettings["rateLimit"]>["local"]>["rules"]
>[number];
type Selector = NonNullable<LimitRule["clientSelectors"]>[number];
type Cost = NonNullable<NonNullable<LimitRule["cost"]>["request"]>;

/** A step of a descriptor. Without a value each value that a request has is counted by itself. */
export interface DescriptorEntry {
  readonly key: string;
  readonly value?: string;
}

/** What Envoy makes an entry of a request with, and the entry where it does. Where one comes to nothing the whole descriptor does. */
export type Condition = readonly [action: RateLimit_Action, entry: DescriptorEntry];

/** All conditions of a selector, one entry each. */
export function matchSelector(selector: Selector, key: string): Condition[] {
  return [
    ...(selector.headers ?? []).map((header, index) => matchHeader(header, `${key}-header-${index}`)),
    ...matchMethods(selector.methods ?? [], `${key}-method`),
    ...(selector.path ? [matchPath(selector.path, `${key}-path`)] : []),
    ...(selector.queryParams ?? []).map((param, index) => matchQuery(param, `${key}-query-${index}`)),
    ...(selector.sourceCIDR ? matchAddress(selector.sourceCIDR) : []),
  ];
}

/** An entry that every request has: tells apart what Envoy would count as one. */
export function nameSelector(key: string, value: string = key): Condition {
  return [{ genericKey: { descriptorKey: key, descriptorValue: value } }, { key, value }];
}

/** How much a request counts. */
export function readCost({ number, metadata }: Cost): RateLimit_HitsAddend {
  return {
    ...(number !== undefined && { number }),
    ...(metadata && { format: `%DYNAMIC_METADATA(${metadata.namespace}:${metadata.key})%` }),
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
  const literal = quoteRegex(value);
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
