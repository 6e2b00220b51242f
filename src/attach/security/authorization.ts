import { readCel } from "../cel-match.ts";
import { type Cidr, parseCidr } from "../cidr.ts";
import { findHeaderNameFault, findHeaderValueFault, findLengthFault } from "../header-syntax.ts";
import type { PolicyFinding } from "../policy-model.ts";
import { findRegexFault } from "../regex.ts";
import type { ReportFault, SecurityGroup, SecuritySettings, WrittenSecurity } from "./model.ts";

type Written = NonNullable<WrittenSecurity["authorization"]>;
type WrittenRule = NonNullable<Written["rules"]>[number];
type WrittenPrincipal = NonNullable<WrittenRule["principal"]>;

/** The first rule that matches decides. */
export interface AuthorizationModel {
  readonly rules: readonly AuthorizationRule[];
  /** What becomes of all others. */
  readonly allowsOthers: boolean;
}

/** All that is there must match; of a list within, one, unless it says otherwise. */
export interface AuthorizationRule {
  readonly name: string;
  readonly allows: boolean;
  readonly addresses?: readonly Cidr[];
  readonly headers?: readonly { readonly name: string; readonly values: readonly string[] }[];
  /** All of them must match. */
  readonly claims?: readonly ClaimMatch[];
  readonly methods?: readonly string[];
  readonly path?: PathMatch;
  /** An expression of CEL that Envoy takes. */
  readonly cel?: string;
}

export interface ClaimMatch {
  readonly provider: string;
  /** Names of objects one inside of the other, and of the claim. */
  readonly path: readonly string[];
  readonly isList: boolean;
  readonly values: readonly string[];
}

export interface PathMatch {
  readonly type: "Exact" | "PathPrefix" | "RegularExpression";
  readonly value: string;
  readonly inverted: boolean;
}

const RULES_MAX = 256;
/** Of all rules together, each: ranges, and values of headers and claims. */
const VALUES_MAX = 4096;
const VALUE_LENGTH_MAX = 1024;
/** Where scopes are (RFC 8693, section 4.2), as a list: Envoy splits the text. */
const SCOPE_CLAIM = "scope";

export const authorization: SecurityGroup<"authorization"> = {
  name: "authorization",
  plan({ defaultAction, rules: written = [] }, report, { jwt }) {
    const providers = new Set((jwt?.providers ?? []).map(({ name }) => name));
    if (written.length > RULES_MAX) report("rules", `lists more than ${RULES_MAX} rules; use fewer`);
    if (countValues(written) > VALUES_MAX) report("rules", `list more than ${VALUES_MAX} ranges and values; use fewer`);
    const rules = written.map((rule, index): AuthorizationRule => {
      const at: ReportFault = (field, text) => report(`rules[${index}].${field}`, text);
      judgeOperation(rule, at);
      return {
        name: rule.name ?? `rule-${index}`,
        allows: rule.action === "Allow",
        ...(rule.principal && planPrincipal(rule.principal, providers, at)),
        ...(rule.operation?.methods && { methods: rule.operation.methods }),
        ...planPath(rule.operation?.path),
        ...(rule.cel !== undefined && { cel: rule.cel }),
      };
    });
    return { authorization: { rules, allowsOthers: defaultAction === "Allow" } };
  },
};

/** Parts of rules that connections do not show. */
export function findUnseen({ rules = [] }: NonNullable<SecuritySettings["authorization"]>): readonly PolicyFinding[] {
  return rules.flatMap(({ principal, operation, cel }, index) => {
    const { jwt, headers } = principal ?? {};
    const parts = { "principal.jwt": jwt, "principal.headers": headers, operation, cel };
    return Object.entries(parts).flatMap(([field, value]): PolicyFinding[] =>
      value === undefined
        ? []
        : [
            {
              field: `spec.authorization.rules[${index}].${field}`,
              text: "is about requests, and connections of a TCPRoute show addresses alone; use principal.clientCIDRs",
            },
          ],
    );
  });
}

function countValues(rules: readonly WrittenRule[]): number {
  let count = 0;
  for (const { principal: { clientCIDRs = [], headers = [], jwt } = {} } of rules) {
    const lists = [...headers, ...(jwt?.claims ?? [])];
    count += clientCIDRs.length + (jwt?.scopes ?? []).length;
    for (const { values } of lists) count += values.length;
  }
  return count;
}

function planPrincipal(
  principal: WrittenPrincipal,
  providers: ReadonlySet<string>,
  report: ReportFault,
): Pick<AuthorizationRule, "addresses" | "headers" | "claims"> {
  const { clientCIDRs, clientIPGeoLocations, headers, jwt } = principal;
  if (clientIPGeoLocations !== undefined) {
    const text = "needs a database of where addresses are, and no EnvoyProxy can name one in this version; remove it";
    report("principal.clientIPGeoLocations", text);
  }
  for (const [index, { name, values }] of (headers ?? []).entries()) {
    const fault = findHeaderNameFault(name);
    if (fault !== undefined) report(`principal.headers[${index}].name`, fault);
    for (const [position, value] of values.entries()) {
      const wrong = findHeaderValueFault(value) ?? findLengthFault(value, VALUE_LENGTH_MAX);
      if (wrong !== undefined) report(`principal.headers[${index}].values[${position}]`, wrong);
    }
  }
  if (jwt !== undefined && !providers.has(jwt.provider)) {
    report("principal.jwt.provider", `is ${jwt.provider}, which spec.jwt.providers does not list; name one of these`);
  }
  const claims = jwt && [...planClaims(jwt, report), ...planScopes(jwt)];
  return {
    ...(clientCIDRs && { addresses: planAddresses(clientCIDRs, report) }),
    ...(headers && { headers }),
    ...(claims && { claims }),
  };
}

function planAddresses(ranges: readonly string[], report: ReportFault): readonly Cidr[] {
  return ranges.flatMap((range, index) => {
    const parsed = parseCidr(range);
    const text = `is "${range}", which is no range of addresses; write one such as 10.0.0.0/8 or fd00::/8`;
    if (parsed === undefined) report(`principal.clientCIDRs[${index}]`, text);
    return parsed ?? [];
  });
}

function planClaims(
  { provider, claims = [] }: NonNullable<WrittenPrincipal["jwt"]>,
  report: ReportFault,
): readonly ClaimMatch[] {
  return claims.map(({ name, valueType, values }, index): ClaimMatch => {
    const at = (field: string, text: string) => report(`principal.jwt.claims[${index}].${field}`, text);
    const path = name.split(".");
    const isList = valueType === "StringArray";
    if (path.includes("")) at("name", "has nothing before, behind or between its dots; write a name there");
    if (name === SCOPE_CLAIM && !isList) at("name", "is scope, which is taken apart into a list; use scopes");
    for (const [position, value] of values.entries()) {
      const fault = findLengthFault(value, VALUE_LENGTH_MAX);
      if (fault !== undefined) at(`values[${position}]`, fault);
    }
    return { provider, path, isList, values };
  });
}

function planScopes({ provider, scopes = [] }: NonNullable<WrittenPrincipal["jwt"]>): readonly ClaimMatch[] {
  return scopes.map((scope) => ({ provider, path: [SCOPE_CLAIM], isList: true, values: [scope] }));
}

function planPath(path: NonNullable<WrittenRule["operation"]>["path"]): Pick<AuthorizationRule, "path"> {
  if (path === undefined) return {};
  return { path: { type: path.type ?? "PathPrefix", value: path.value, inverted: path.invert === true } };
}

function judgeOperation({ operation, cel }: WrittenRule, report: ReportFault): void {
  const expression = cel === undefined ? undefined : readCel(cel);
  if (expression && "fault" in expression) report("cel", expression.fault);
  const { type, value = "/" } = operation?.path ?? {};
  const wrong = findIllFormed(value) ?? findPathFault(type, value);
  if (wrong !== undefined) report("operation.path.value", wrong);
}

function findPathFault(type: string | undefined, value: string): string | undefined {
  if (type === "RegularExpression") return findRegexFault(value);
  return /^\/[^?#\p{Cc}]*$/u.test(value)
    ? undefined
    : "is no path; begin it with a slash, and leave out what stands behind ? or #";
}

/** Half a character is nothing that Envoy could be told. */
function findIllFormed(text: string): string | undefined {
  return text.isWellFormed() ? undefined : "holds half a character; correct it";
}
