import type { FieldPath, FieldProblem } from "./field.ts";
import { checkFilters, checkPrefixReplacement, checkServicePort } from "./filter-rules.ts";
import type {
  GRPCRoute,
  GRPCRouteMatch,
  HTTPRoute,
  HTTPRouteMatch,
  HTTPRouteRule,
  ParentReference,
} from "./gateway-api.ts";
import { type Report, reportRepeated } from "./gateway-rules.ts";

/** The CEL rules of HTTPRoute and GRPCRoute; see {@link checkGateway} for what is meant by that. */

/** Gateway API: matches of all rules of a route together. */
const MAX_MATCHES = 128;

export function checkHttpRoute({ spec }: HTTPRoute): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const report: Report = (path, message) => problems.push({ path, message });
  checkParents(spec.parentRefs, report);
  checkRuleList(spec.rules, report);
  for (const [index, rule] of (spec.rules ?? []).entries()) checkHttpRule(rule, ["spec", "rules", index], report);
  return problems;
}

export function checkGrpcRoute({ spec }: GRPCRoute): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const report: Report = (path, message) => problems.push({ path, message });
  checkParents(spec.parentRefs, report);
  checkRuleList(spec.rules, report);
  for (const [index, rule] of (spec.rules ?? []).entries()) {
    const path: FieldPath = ["spec", "rules", index];
    for (const [position, match] of (rule.matches ?? []).entries()) {
      checkGrpcMatch(match, [...path, "matches", position], report);
    }
    checkFilters(rule.filters, [...path, "filters"], report);
    for (const [position, backend] of (rule.backendRefs ?? []).entries()) {
      checkServicePort(backend, [...path, "backendRefs", position], report);
      checkFilters(backend.filters, [...path, "backendRefs", position, "filters"], report);
    }
    checkSession(rule.sessionPersistence, [...path, "sessionPersistence"], report);
  }
  return problems;
}

/** References to one parent must be told apart by sectionName or port, all of them. */
export function checkParents(parentRefs: readonly ParentReference[] | undefined, report: Report): void {
  const path: FieldPath = ["spec", "parentRefs"];
  const parentOf = ({ group, kind, namespace, name }: ParentReference) => `${group} ${kind} ${namespace ?? ""} ${name}`;
  reportRepeated(
    parentRefs,
    path,
    (parent) => `${parentOf(parent)} ${parent.sectionName ?? ""} ${parent.port ?? ""}`,
    (first) => `names the same parent as item ${first}: remove it, or give both another sectionName or port`,
    report,
  );
  const whole = new Map<string, number>();
  for (const [index, parent] of (parentRefs ?? []).entries()) {
    if (!parent.sectionName && parent.port === undefined) whole.set(parentOf(parent), index);
  }
  for (const parent of parentRefs ?? []) {
    const index = whole.get(parentOf(parent));
    if (index === undefined || (!parent.sectionName && parent.port === undefined)) continue;
    report([...path, index], "needs a sectionName or port, because another item names a part of the same parent");
  }
}

export function checkRuleList(
  rules: readonly { readonly name?: string; readonly matches?: readonly unknown[] }[] | undefined,
  report: Report,
): void {
  reportRepeated(
    rules,
    ["spec", "rules"],
    (rule) => rule.name || undefined,
    (first) => `has the name of rule ${first}: names of rules must differ`,
    report,
  );
  const matches = (rules ?? []).reduce((sum, rule) => sum + (rule.matches?.length ?? 0), 0);
  if (matches > MAX_MATCHES) {
    report(
      ["spec", "rules"],
      `must not have more than ${MAX_MATCHES} matches altogether (it has ${matches}): split the route`,
    );
  }
}

function checkHttpRule(rule: HTTPRouteRule, path: FieldPath, report: Report): void {
  for (const [index, match] of (rule.matches ?? []).entries())
    checkHttpMatch(match, [...path, "matches", index], report);
  checkFilters(rule.filters, [...path, "filters"], report);
  checkPrefixReplacement(rule.filters, rule.matches, [...path, "filters"], report);
  const redirects = rule.filters?.some((filter) => filter.type === "RequestRedirect");
  if (redirects && rule.backendRefs?.length) {
    report([...path, "backendRefs"], "must be empty beside a RequestRedirect: a redirected request reaches no backend");
  }
  for (const [index, backend] of (rule.backendRefs ?? []).entries()) {
    const backendPath: FieldPath = [...path, "backendRefs", index];
    checkServicePort(backend, backendPath, report);
    checkFilters(backend.filters, [...backendPath, "filters"], report);
    checkPrefixReplacement(backend.filters, rule.matches, [...backendPath, "filters"], report);
  }
  checkTimeouts(rule.timeouts, [...path, "timeouts"], report);
  checkSession(rule.sessionPersistence, [...path, "sessionPersistence"], report);
}

/** What RFC 3986 allows in a path, as the CRD demands it for Exact and PathPrefix. */
const pathCharacters = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/;

function checkHttpMatch(match: HTTPRouteMatch, path: FieldPath, report: Report): void {
  const { type, value = "/" } = match.path ?? {};
  const valuePath: FieldPath = [...path, "path", "value"];
  if (type === "Exact" || type === "PathPrefix") {
    if (!value.startsWith("/")) report(valuePath, `must start with / (it is ${JSON.stringify(value)})`);
    else if (!pathCharacters.test(value))
      report(valuePath, "has characters that a path cannot have: write them as %XX");
    for (const part of ["//", "/./", "/../", "%2f", "%2F", "#"]) {
      if (value.includes(part))
        report(valuePath, `must not contain ${part}: Envoy normalizes paths before it matches them`);
    }
    for (const end of ["/..", "/."]) {
      if (value.endsWith(end))
        report(valuePath, `must not end with ${end}: Envoy normalizes paths before it matches them`);
    }
  }
  checkHeaderNames(match.headers, [...path, "headers"], report);
  reportRepeated(
    match.queryParams,
    [...path, "queryParams"],
    (parameter) => parameter.name,
    (first) => `is about the same parameter as item ${first}`,
    report,
  );
}

function checkHeaderNames(
  headers: readonly { readonly name: string }[] | undefined,
  path: FieldPath,
  report: Report,
): void {
  reportRepeated(
    headers,
    path,
    (header) => header.name,
    (first) => `is about the same header as item ${first}`,
    report,
  );
}

/** As the CRD demands it for Exact: names of protobuf, with underscores, and with a dot before the first if one likes. */
const grpcService = /^\.?[a-z_][a-z_0-9]*(?:\.[a-z_][a-z_0-9]*)*$/i;

function checkGrpcMatch({ method, headers }: GRPCRouteMatch, path: FieldPath, report: Report): void {
  checkHeaderNames(headers, [...path, "headers"], report);
  if (method === undefined) return;
  if (!method.service && !method.method) report([...path, "method"], "must set service or method");
  if (method.type !== "Exact") return;
  if (method.service && !grpcService.test(method.service)) {
    report([...path, "method", "service"], "must be the full name of a gRPC service, such as helloworld.Greeter");
  }
  if (method.method && !/^[A-Za-z_][A-Za-z_0-9]*$/.test(method.method)) {
    report([...path, "method", "method"], "must be the name of a gRPC method: letters, digits and underscores");
  }
}

function checkTimeouts(timeouts: HTTPRouteRule["timeouts"], path: FieldPath, report: Report): void {
  if (timeouts?.request === undefined || timeouts.backendRequest === undefined) return;
  const whole = durationMilliseconds(timeouts.request);
  if (whole !== 0 && durationMilliseconds(timeouts.backendRequest) > whole) {
    report(
      [...path, "backendRequest"],
      `must not be longer than the timeout of the whole request (${timeouts.request})`,
    );
  }
}

const unitMilliseconds: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** A Gateway API duration (GEP-2257), such as `1m30s`; its form has been checked. */
export function durationMilliseconds(text: string): number {
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|h|m|s)/g)) sum += Number(count) * unitMilliseconds[unit!]!;
  return sum;
}

function checkSession(session: HTTPRouteRule["sessionPersistence"], path: FieldPath, report: Report): void {
  if (session === undefined) return;
  if (session.cookieConfig && session.type !== "Cookie") {
    report([...path, "cookieConfig"], "is only for type Cookie");
  }
  if (session.cookieConfig?.lifetimeType === "Permanent" && session.absoluteTimeout === undefined) {
    report([...path, "absoluteTimeout"], "is required with a cookie of lifetimeType Permanent");
  }
}
