import type {
  AuthorizationModel,
  AuthorizationRule,
  ClaimMatch,
  PathMatch,
} from "../../attach/security/authorization.ts";
import type { SecurityModel } from "../../attach/security/model.ts";
import { type Any, type MessageType, pack } from "../../envoy/any.ts";
import type { Expr } from "../../envoy/generated/cel/expr/syntax.ts";
import type { TypedExtensionConfig } from "../../envoy/generated/envoy/config/core/v3/extension.ts";
import type { Filter } from "../../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import { Action, RBAC_Action } from "../../envoy/generated/envoy/config/rbac/v3/rbac.ts";
import { RBACPerRoute } from "../../envoy/generated/envoy/extensions/filters/http/rbac/v3/rbac.ts";
import { RBAC as NetworkRBAC } from "../../envoy/generated/envoy/extensions/filters/network/rbac/v3/rbac.ts";
import {
  DynamicMetadataInput,
  SourceIPInput,
} from "../../envoy/generated/envoy/extensions/matching/common_inputs/network/v3/network_inputs.ts";
import { Ip } from "../../envoy/generated/envoy/extensions/matching/input_matchers/ip/v3/ip.ts";
import { Metadata } from "../../envoy/generated/envoy/extensions/matching/input_matchers/metadata/v3/metadata.ts";
import { HttpRequestHeaderMatchInput } from "../../envoy/generated/envoy/type/matcher/v3/http_inputs.ts";
import type { ValueMatcher } from "../../envoy/generated/envoy/type/matcher/v3/value.ts";
import { CelMatcher } from "../../envoy/generated/xds/type/matcher/v3/cel.ts";
import { HttpAttributesCelMatchInput } from "../../envoy/generated/xds/type/matcher/v3/http_inputs.ts";
import type {
  Matcher,
  Matcher_MatcherList_Predicate,
  Matcher_OnMatch,
} from "../../envoy/generated/xds/type/matcher/v3/matcher.ts";
import { quoteRegex } from "../match.ts";
import { buildExpression } from "./expression.ts";
import { securityFilterNames } from "./filters.ts";

export function configureAuthorization({
  authorization,
}: SecurityModel): readonly [filter: string, config: Any] | undefined {
  if (authorization === undefined) return undefined;
  return [securityFilterNames.authorization, pack(RBACPerRoute, { rbac: { matcher: buildMatcher(authorization) } })];
}

/** What stands before the proxy of connections. */
export function authorizeConnections(model: AuthorizationModel): Filter {
  const rbac: NetworkRBAC = { matcher: buildMatcher(model), statPrefix: "rbac" };
  return { name: "envoy.filters.network.rbac", typedConfig: pack(NetworkRBAC, rbac) };
}

function buildMatcher({ rules, allowsOthers }: AuthorizationModel): Matcher {
  const matchers = rules.map((rule) => ({
    predicate: all(predicatesOf(rule)),
    onMatch: decide(rule.name, rule.allows),
  }));
  return {
    ...(matchers.length > 0 && { matcherList: { matchers } }),
    onNoMatch: decide("default", allowsOthers),
  };
}

function decide(name: string, allows: boolean): Matcher_OnMatch {
  const action = allows ? RBAC_Action.ALLOW : RBAC_Action.DENY;
  return { action: extension("envoy.filters.rbac.action", Action, { name, action }) };
}

function extension<T>(name: string, type: MessageType<T>, message: T): TypedExtensionConfig {
  return { name, typedConfig: pack(type, message) };
}

type Predicate = Matcher_MatcherList_Predicate;

/** Envoy takes no list of one. */
function all(predicates: Predicate[]): Predicate {
  const [only, ...others] = predicates;
  return only !== undefined && others.length === 0 ? only : { andMatcher: { predicate: predicates } };
}

function any(predicates: Predicate[]): Predicate {
  const [only, ...others] = predicates;
  return only !== undefined && others.length === 0 ? only : { orMatcher: { predicate: predicates } };
}

function predicatesOf({ addresses, headers = [], claims = [], methods, path, cel }: AuthorizationRule): Predicate[] {
  return [
    ...(addresses ? [matchAddresses(addresses)] : []),
    ...headers.map(({ name, values }) => any(values.map((exact) => matchHeader(name, { exact })))),
    ...claims.map(matchClaim),
    ...(methods ? [any(methods.map((exact) => matchHeader(":method", { exact })))] : []),
    ...(path ? [matchPath(path)] : []),
    ...(cel === undefined ? [] : [matchExpression(buildExpression(cel))]),
  ];
}

/** Of the client, as far as it is known who that is (ClientTrafficPolicy, `clientIPDetection`). */
function matchAddresses(ranges: NonNullable<AuthorizationRule["addresses"]>): Predicate {
  const cidrRanges = ranges.map(({ network, prefix }) => ({ addressPrefix: network, prefixLen: prefix }));
  return {
    singlePredicate: {
      input: extension("envoy.matching.inputs.source_ip", SourceIPInput, {}),
      customMatch: extension("envoy.matching.matchers.ip", Ip, { cidrRanges, statPrefix: "client_ip" }),
    },
  };
}

function matchHeader(
  headerName: string,
  valueMatch:
    | { readonly exact: string }
    | { readonly safeRegex: { readonly googleRe2: object; readonly regex: string } },
): Predicate {
  const input = extension("envoy.matching.inputs.request_headers", HttpRequestHeaderMatchInput, { headerName });
  return { singlePredicate: { input, valueMatch } };
}

/** Where the filter of tokens leaves what those say, by provider. */
function matchClaim({ provider, path, isList, values }: ClaimMatch): Predicate {
  const exact = values.map((value): ValueMatcher => ({ stringMatch: { exact: value } }));
  const [only = {}, ...others] = exact;
  const one: ValueMatcher = others.length === 0 ? only : { orMatch: { valueMatchers: exact } };
  return {
    singlePredicate: {
      input: extension("envoy.matching.inputs.dynamic_metadata", DynamicMetadataInput, {
        filter: securityFilterNames.jwt,
        path: [provider, ...path].map((key) => ({ key })),
      }),
      customMatch: extension("envoy.matching.matchers.metadata_matcher", Metadata, {
        value: isList ? { listMatch: { oneOf: one } } : one,
      }),
    },
  };
}

/** What of a header `:path` is query. */
const QUERY = "(\\?.*)?";

/** Prefixes as Gateway API has them: of whole segments. A regular expression must not see the query, which anybody can add. */
function matchPath({ type, value, inverted }: PathMatch): Predicate {
  const predicate =
    type === "RegularExpression"
      ? matchWithoutQuery(`^(?:${value})$`)
      : matchHeader(":path", {
          safeRegex: { googleRe2: {}, regex: type === "Exact" ? `${quoteRegex(value)}${QUERY}` : prefix(value) },
        });
  return inverted ? { notMatcher: predicate } : predicate;
}

function prefix(value: string): string {
  return `${quoteRegex(value.replace(/\/+$/, ""))}(/.*)?${QUERY}`;
}

/** `request.url_path.matches(regex)`, in the syntax tree of CEL; Envoy wants every node to have a number. */
function matchWithoutQuery(regex: string): Predicate {
  const path: Expr = { id: 2, selectExpr: { operand: { id: 1, identExpr: { name: "request" } }, field: "url_path" } };
  const args: Expr[] = [{ id: 3, constExpr: { stringValue: regex } }];
  return matchExpression({ id: 4, callExpr: { target: path, function: "matches", args } });
}

function matchExpression(expr: Expr): Predicate {
  return {
    singlePredicate: {
      input: extension("envoy.matching.inputs.cel_data_input", HttpAttributesCelMatchInput, {}),
      customMatch: extension("envoy.matching.matchers.cel_matcher", CelMatcher, {
        exprMatch: { celExprParsed: { expr } },
      }),
    },
  };
}
