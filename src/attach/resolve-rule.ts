import type { HTTPRouteFilter } from "../api/gateway-api.ts";
import type { Problem } from "../base/problems.ts";
import { buildClusterSpec, settingsKey } from "./cluster-spec.ts";
import type { ClusterSpec, ResolvedBackend, ResolvedExtension, ResolvedRule } from "./model.ts";
import { type BackendReference, type FoundBackend, findBackend, type ReferenceFault } from "./resolve-backend.ts";
import { findExtension } from "./resolve-extension.ts";
import type { ResolveReader } from "./resolve-reader.ts";
import { findFilterFault } from "./rule-filters.ts";
import type { RuleFault } from "./rule-matches.ts";

/** A rule of either kind of route, as far as references are concerned; gRPC filters are a subset of HTTP's. */
export interface RuleInput {
  readonly matches?: Parameters<typeof findFilterFault>[1];
  readonly filters?: readonly HTTPRouteFilter[];
  readonly backendRefs?: readonly (BackendReference & {
    readonly weight?: number;
    readonly filters?: readonly HTTPRouteFilter[];
  })[];
}

export interface RouteContext {
  readonly routeKind: "HTTPRoute" | "GRPCRoute";
  readonly key: string;
  readonly namespace: string;
  readonly read: ResolveReader;
  readonly problems: Problem[];
  /** Rules that make no routes, by position, with the reason. */
  readonly dropped: Map<number, string>;
}

/** What the fields of one kind of route have been found guilty of before references are followed. */
export interface RuleFaults {
  /** A match that cannot be given to Envoy. */
  readonly match: RuleFault | undefined;
  readonly other: RuleFault | undefined;
}

const FAILURE_STATUS = 500;
/** Filters that Envoy can apply to one of several weighted clusters. */
const backendFilters = new Set(["RequestHeaderModifier", "ResponseHeaderModifier", "URLRewrite", "ExtensionRef"]);

/**
 * Follows all references of one rule. A rule that cannot do what it says answers 500, since to ignore what was asked for would
 * open what was to be closed. A rule that cannot even be matched (`faults.match`) makes no routes: Envoy would refuse the whole
 * table for it.
 */
export function resolveRule(context: RouteContext, rule: RuleInput, index: number, faults: RuleFaults): ResolvedRule {
  const path = `spec.rules[${index}]`;
  const { match } = faults;
  const filterFault = findFilterFault(rule.filters, rule.matches);
  const fault = faults.other ?? filterFault;
  if (fault !== undefined) {
    const reason = faults.other === undefined ? filterFault?.reason : undefined;
    const text = `${fault.message}; the rule answers ${FAILURE_STATUS}`;
    report(context, "Accepted", reason ?? "UnsupportedValue", `${path}.${fault.field}`, text);
  }
  const { extensions, credential, bad, unmatchable } = resolveExtensions(context, rule.filters, path);
  const backends = resolveBackends(context, rule, path, credential);
  const mirrors = resolveMirrors(context, rule.filters, path);
  const failed = [fault !== undefined, bad, mixesResolver(context, backends, path)].includes(true);
  const dropped = match ? `${path}.${match.field} ${match.message}` : unmatchable;
  if (dropped !== undefined) context.dropped.set(index, dropped);
  if (!failed && dropped === undefined) return { backends, mirrors, extensions };
  return {
    // What forwards nothing must not keep clusters alive.
    backends: backends.map(({ weight }) => ({ weight, extensions: [] })),
    mirrors: [],
    extensions,
    ...(failed && { failureStatus: FAILURE_STATUS }),
    ...(dropped !== undefined && { dropped: true }),
  };
}

/**
 * Reports the rules that make no routes, in one condition for all of them. While others remain the route is accepted and
 * PartiallyInvalid, with a message that begins as the Gateway API prescribes; a route without any is not accepted.
 */
export function reportDropped({ dropped, problems }: RouteContext, rules: number): void {
  const [first] = dropped.keys();
  if (first === undefined) return;
  const reasons = [...dropped.values()].join("; ");
  const shared = { reason: "UnsupportedValue", field: `spec.rules[${first}]` };
  problems.push(
    dropped.size === rules
      ? { condition: "Accepted", message: `No rule can be used: ${reasons}.`, ...shared }
      : {
          condition: "PartiallyInvalid",
          message: `Dropped Rule(s) [${[...dropped.keys()].join(", ")}]: ${reasons}.`,
          ...shared,
        },
  );
}

function report(context: RouteContext, condition: string, reason: string, field: string, text: string): void {
  const message = `${context.routeKind} ${context.key}: ${field} ${text}.`;
  context.problems.push({ condition, reason, field, message });
}

interface Extensions {
  readonly extensions: readonly ResolvedExtension[];
  readonly credential?: ClusterSpec["credential"];
  readonly bad: boolean;
  /** Why the matches that an HTTPRouteFilter adds cannot be given to Envoy. */
  readonly unmatchable?: string;
}

function resolveExtensions(
  context: RouteContext,
  filters: readonly HTTPRouteFilter[] | undefined,
  path: string,
): Extensions {
  const extensions: ResolvedExtension[] = [];
  let credential: ClusterSpec["credential"];
  let bad = false;
  let unmatchable: string | undefined;
  for (const [index, { type, extensionRef }] of (filters ?? []).entries()) {
    if (type !== "ExtensionRef" || extensionRef === undefined) continue;
    const found = findExtension(context.namespace, extensionRef, index, context.read);
    const field = `${path}.filters[${index}].extensionRef`;
    if ("unmatchable" in found) unmatchable ??= `${field} ${found.unmatchable}`;
    else if ("reason" in found) {
      bad = true;
      const condition = found.reason === "UnsupportedValue" ? "Accepted" : "ResolvedRefs";
      report(context, condition, found.reason, field, found.message);
      // Its matches narrow what the rule fails on.
      if (found.extension !== undefined) extensions.push(found.extension);
    } else {
      extensions.push(found.extension);
      if (credential !== undefined && found.credential !== undefined) {
        bad = true;
        report(context, "Accepted", "UnsupportedValue", field, "injects a second credential: keep one such filter");
      }
      credential = found.credential ?? credential;
    }
  }
  return { extensions, bad, ...(credential && { credential }), ...(unmatchable !== undefined && { unmatchable }) };
}

function resolveMirrors(
  context: RouteContext,
  filters: readonly HTTPRouteFilter[] | undefined,
  path: string,
): ResolvedRule["mirrors"] {
  return (filters ?? []).flatMap(({ type, requestMirror }, filterIndex) => {
    if (type !== "RequestMirror" || requestMirror === undefined) return [];
    const field = `${path}.filters[${filterIndex}].requestMirror.backendRef`;
    const found = follow(context, requestMirror.backendRef, field);
    return [
      found === undefined ? { filterIndex } : { filterIndex, target: buildClusterSpec(found.reach, found.settings) },
    ];
  });
}

function follow(context: RouteContext, reference: BackendReference, field: string): FoundBackend | undefined {
  const found = findBackend(context.routeKind, context.namespace, reference, context.read);
  if (!("reason" in found)) return found;
  report(context, "ResolvedRefs", (found as ReferenceFault).reason, field, found.message);
  return undefined;
}

interface Followed {
  readonly weight: number;
  readonly found: FoundBackend | undefined;
  readonly extensions: readonly ResolvedExtension[];
  readonly credential?: ClusterSpec["credential"];
  /** It has filters of its own. */
  readonly filtered: boolean;
}

function resolveBackends(
  context: RouteContext,
  rule: RuleInput,
  path: string,
  ruleCredential: ClusterSpec["credential"],
): ResolvedBackend[] {
  const followed = (rule.backendRefs ?? []).map((reference, index): Followed => {
    const field = `${path}.backendRefs[${index}]`;
    const weight = reference.weight ?? 1;
    const { extensions, credential, bad, unmatchable } = resolveExtensions(context, reference.filters, field);
    const only = rule.backendRefs?.length === 1;
    const fault = findBackendFilterFault(reference.filters, rule.matches) ?? findMisplaced(extensions, only);
    if (fault !== undefined) {
      report(context, "ResolvedRefs", "InvalidBackendFilters", `${field}.${fault.field}`, fault.message);
    }
    if (unmatchable !== undefined) report(context, "ResolvedRefs", "InvalidBackendFilters", field, unmatchable);
    const found = follow(context, reference, field);
    const usable = bad || fault !== undefined || unmatchable !== undefined ? undefined : found;
    const chosen = credential ?? ruleCredential;
    const filtered = (reference.filters ?? []).length > 0;
    return { weight, found: usable, extensions, filtered, ...(chosen && { credential: chosen }) };
  });
  // Beside backends that could take traffic; a rule of fallbacks only is an ordinary rule.
  const taking = followed.filter(({ found, weight }) => found !== undefined && weight > 0);
  if (taking.some(({ found }) => found?.fallback) && taking.some(({ found }) => !found?.fallback)) {
    return resolveFallback(context, followed, path);
  }
  return followed.map(({ weight, found, extensions, credential }) => {
    const target = found && buildClusterSpec(found.reach, { ...found.settings, ...(credential && { credential }) });
    return target === undefined ? { weight, extensions } : { weight, extensions, target };
  });
}

function findBackendFilterFault(
  filters: readonly HTTPRouteFilter[] | undefined,
  matches: RuleInput["matches"],
): RuleFault | undefined {
  const index = (filters ?? []).findIndex(({ type }) => !backendFilters.has(type));
  if (index >= 0) {
    return {
      field: `filters[${index}]`,
      message: `is ${filters?.[index]?.type}, which works on a rule but not on a backendRef`,
    };
  }
  const path = (filters ?? []).findIndex(({ urlRewrite }) => urlRewrite?.path !== undefined);
  if (path >= 0) {
    return { field: `filters[${path}].urlRewrite.path`, message: "works on a rule but not on a backendRef" };
  }
  return findFilterFault(filters, matches);
}

/**
 * What of the HTTPRouteFilters of a backendRef cannot apply to one of several backends.
 * @param only the rule has no other backendRef, so that what Envoy does for a whole route does as well
 */
function findMisplaced(extensions: readonly ResolvedExtension[], only: boolean): RuleFault | undefined {
  for (const { filterIndex, filter } of extensions) {
    const misplaced = [
      filter.directResponse !== undefined && "a directResponse",
      filter.matches !== undefined && "matches",
      filter.urlRewrite?.path !== undefined && "urlRewrite.path",
      filter.urlRewrite?.hostname !== undefined && !only && "urlRewrite.hostname",
    ].find((each) => each !== false);
    if (misplaced === undefined) continue;
    const message = `names an HTTPRouteFilter with ${misplaced}, which works on a rule but not on a backendRef`;
    return { field: `filters[${filterIndex}].extensionRef`, message };
  }
  return undefined;
}

/** One cluster with priorities takes the place of all backendRefs; it stands at the first, the others take nothing. */
function resolveFallback(context: RouteContext, followed: readonly Followed[], path: string): ResolvedBackend[] {
  // Weight 0 takes no traffic, and Envoy knows no such locality.
  const usable = followed.flatMap((one) =>
    one.found === undefined || one.weight === 0 ? [] : [{ ...one, found: one.found }],
  );
  const [first] = usable;
  const alike = usable.every(
    ({ found, filtered }) =>
      (found.reach.kind === "Backend" || found.reach.kind === "Service") &&
      !filtered &&
      first !== undefined &&
      settingsKey(found.settings) === settingsKey(first.found.settings),
  );
  if (first === undefined || !alike) {
    report(
      context,
      "ResolvedRefs",
      "InvalidBackendRef",
      `${path}.backendRefs`,
      "mix a fallback with backends of other protocol, TLS, filters or with host names, which one cluster cannot hold: make them alike",
    );
    return followed.map(({ weight, extensions }) => ({ weight, extensions }));
  }
  const members = usable.flatMap(({ weight, found: { reach, fallback } }) =>
    reach.kind === "Backend" || reach.kind === "Service" ? [{ reach, weight, priority: fallback ? 1 : 0 }] : [],
  );
  const credential = first.credential;
  const target = buildClusterSpec(
    { kind: "Fallback", members },
    { ...first.found.settings, ...(credential && { credential }) },
  );
  const invalid = followed.filter(({ found }) => found === undefined);
  const weight = usable.reduce((sum, { weight: own, found }) => sum + (found.fallback ? 0 : own), 0);
  const place = followed.findIndex(({ found, weight: own }) => found !== undefined && own > 0);
  return followed.map((one, index) => {
    if (invalid.includes(one)) return { weight: one.weight, extensions: [] };
    return { weight: index === place ? weight : 0, extensions: [], target };
  });
}

/** A dynamic forward proxy takes the destination from the request, so there is nothing to weigh it against. */
function mixesResolver(context: RouteContext, backends: readonly ResolvedBackend[], path: string): boolean {
  const mixed = backends.length > 1 && backends.some(({ target }) => target?.reach.kind === "DynamicResolver");
  if (mixed)
    report(
      context,
      "ResolvedRefs",
      "InvalidBackendRef",
      `${path}.backendRefs`,
      "hold a DynamicResolver beside others: it must be the only one",
    );
  return mixed;
}
