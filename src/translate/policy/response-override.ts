import type { RouteTraffic } from "../../attach/backend-traffic.ts";
import { type Any, pack } from "../../envoy/any.ts";
import {
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction,
} from "../../envoy/generated/envoy/config/core/v3/base.ts";
import { CustomResponse } from "../../envoy/generated/envoy/extensions/filters/http/custom_response/v3/custom_response.ts";
import { LocalResponsePolicy } from "../../envoy/generated/envoy/extensions/http/custom_response/local_response_policy/v3/local_response_policy.ts";
import { HttpResponseHeaderMatchInput } from "../../envoy/generated/envoy/type/matcher/v3/http_inputs.ts";
import { HttpResponseStatusCodeMatchInput } from "../../envoy/generated/envoy/type/matcher/v3/status_code_input.ts";
import type {
  Matcher_MatcherList_FieldMatcher,
  Matcher_MatcherList_Predicate,
} from "../../envoy/generated/xds/type/matcher/v3/matcher.ts";
import type { StringMatcher } from "../../envoy/generated/xds/type/matcher/v3/string.ts";
import { matchSource } from "./response-source.ts";

type Override = NonNullable<RouteTraffic["responseOverride"]>[number];

/** Answers to give instead of others, the first that matches. */
export function overrideResponses(overrides: readonly Override[]): Any {
  const matchers = overrides.map(
    (override, index): Matcher_MatcherList_FieldMatcher => ({
      predicate: all([
        ...conditionsOf(override.match),
        ...(override.source === "Backend" || override.source === "Local" ? [matchSource(override.source)] : []),
      ]),
      onMatch: {
        action: {
          name: `response-override-${index}`,
          typedConfig: pack(LocalResponsePolicy, answer(override)),
        },
      },
    }),
  );
  return pack(CustomResponse, { customResponseMatcher: { matcherList: { matchers } } });
}

function all(predicates: Matcher_MatcherList_Predicate[]): Matcher_MatcherList_Predicate {
  return predicates.length === 1 ? (predicates[0] ?? {}) : { andMatcher: { predicate: predicates } };
}

function any(predicates: Matcher_MatcherList_Predicate[]): Matcher_MatcherList_Predicate {
  return predicates.length === 1 ? (predicates[0] ?? {}) : { orMatcher: { predicate: predicates } };
}

function conditionsOf({ statusCodes, responseHeaders }: Override["match"]): Matcher_MatcherList_Predicate[] {
  const ofStatus = (valueMatch: StringMatcher): Matcher_MatcherList_Predicate => ({
    singlePredicate: {
      input: { name: "status", typedConfig: pack(HttpResponseStatusCodeMatchInput, {}) },
      valueMatch,
    },
  });
  return [
    ...(statusCodes === undefined
      ? []
      : [
          any(
            statusCodes.map(({ type, value, range }) =>
              ofStatus(
                type === "Range" && range
                  ? { safeRegex: { googleRe2: {}, regex: rangeExpression(range.start, range.end) } }
                  : { exact: String(value) },
              ),
            ),
          ),
        ]),
    ...(responseHeaders ?? []).map(
      ({ name, value }): Matcher_MatcherList_Predicate => ({
        singlePredicate: {
          input: { name, typedConfig: pack(HttpResponseHeaderMatchInput, { headerName: name }) },
          valueMatch: matchText(value),
        },
      }),
    ),
  ];
}

/** Whole hundreds by their first digit, all others by name. */
function rangeExpression(start: number, end: number): string {
  const parts: string[] = [];
  let status = start;
  while (status <= end) {
    if (status % 100 === 0 && status + 99 <= end) {
      parts.push(`${status / 100}[0-9][0-9]`);
      status += 100;
    } else parts.push(String(status++));
  }
  return parts.join("|");
}

function matchText({ type, value }: { readonly type?: string; readonly value: string }): StringMatcher {
  switch (type) {
    case "Prefix":
      return { prefix: value };
    case "Suffix":
      return { suffix: value };
    case "RegularExpression":
      return { safeRegex: { googleRe2: {}, regex: value } };
    default:
      return { exact: value };
  }
}

const { APPEND_IF_EXISTS_OR_ADD, OVERWRITE_IF_EXISTS_OR_ADD } = HeaderValueOption_HeaderAppendAction;

function answer({ response, redirect }: Override): LocalResponsePolicy {
  if (redirect) {
    const location = header("location", locationOf(redirect), OVERWRITE_IF_EXISTS_OR_ADD);
    return { statusCode: redirect.statusCode ?? 302, body: { inlineString: "" }, responseHeadersToAdd: [location] };
  }
  const { body, contentType, statusCode, header: headers } = response ?? {};
  return {
    ...(statusCode !== undefined && { statusCode }),
    ...(body?.inline !== undefined && { body: { inlineString: body.inline } }),
    responseHeadersToAdd: [
      ...(contentType === undefined ? [] : [header("content-type", literal(contentType), OVERWRITE_IF_EXISTS_OR_ADD)]),
      ...(headers?.set ?? []).map(({ name, value }) => header(name, literal(value), OVERWRITE_IF_EXISTS_OR_ADD)),
      ...(headers?.add ?? []).map(({ name, value }) => header(name, literal(value), APPEND_IF_EXISTS_OR_ADD)),
    ],
  };
}

function header(key: string, value: string, appendAction: HeaderValueOption["appendAction"]): HeaderValueOption {
  return { header: { key, value }, appendAction };
}

/** A percent sign is no operator of Envoy's here. */
function literal(value: string): string {
  return value.replaceAll("%", "%%");
}

/** What is left out is as in the request. */
function locationOf({ scheme, hostname, port, path }: NonNullable<Override["redirect"]>): string {
  const host = hostname ?? "%REQ(:AUTHORITY)%";
  const place =
    path?.replaceFullPath === undefined ? "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%" : literal(path.replaceFullPath);
  return `${scheme ?? "%REQ(:SCHEME)%"}://${host}${port === undefined ? "" : `:${port}`}${place}`;
}
