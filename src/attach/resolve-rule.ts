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
}

const FAILURE_STATUS = 500;
/** Filters that Envoy can apply to one of several weighted clusters. */
const backendFilters = new Set(["RequestHeaderModifier", "ResponseHeaderModifier", "URLRewrite", "ExtensionRef"]);

/**
 * Follows all references of one rule. `fault` is what `matches` or other fields have been found guilty of already: then, and
 * for a bad filter, the rule answers 500, since to ignore what was asked for would open what was to be closed.
 */
export function resolveRule(context: RouteContext, rule: RuleInput, index: number, fault?: RuleFault): ResolvedRule {
  const path = `spec.rules[${index}]`;
  const filterFault = findFilterFault(rule.filters, rule.matches);
  let failed = false;
  const fail = (found: RuleFault, reason: string) => {
    failed = true;
    report(
      context,
      "Accepted",
      reason,
      `${path}.${found.field}`,
      `${found.message}; the rule answers ${FAILURE_STATUS}`,
    );
    report(
      context,
      "PartiallyInvalid",
      reason,
      `${path}.${found.field}`,
      `${found.message}. Dropped Rule(s) [${index}]`,
    );
  };
  if (fault !== undefined) fail(fault, "UnsupportedValue");
  else if (filterFault !== undefined) fail(filterFault, filterFault.reason);
  const { extensions, credential, bad } = resolveExtensions(context, rule.filters, path);
  failed ||= bad;
  const backends = resolveBackends(context, rule, path, credential);
  const resolved: ResolvedRule = {
    backends,
    mirrors: failed ? [] : resolveMirrors(context, rule.filters, path),
    extensions,
  };
  return failed || mixesResolver(context, backends, path) ? { ...resolved, failureStatus: FAILURE_STATUS } : resolved;
}

function report(context: RouteContext, condition: string, reason: string, field: string, text: string): void {
  const message = `${context.routeKind} ${context.key}: ${field} ${text}.`;
  context.problems.push({ condition, reason, field, message });
}

interface Extensions {
  readonly extensions: readonly ResolvedExtension[];
  readonly credential?: ClusterSpec["credential"];
  readonly bad: boolean;
}

function resolveExtensions(
  context: RouteContext,
  filters: readonly HTTPRouteFilter[] | undefined,
  path: string,
): Extensions {
  const extensions: ResolvedExtension[] = [];
  let credential: ClusterSpec["credential"];
  let bad = false;
  for (const [index, { type, extensionRef }] of (filters ?? []).entries()) {
    if (type !== "ExtensionRef" || extensionRef === undefined) continue;
    const found = findExtension(context.namespace, extensionRef, index, context.read);
    if ("reason" in found) {
      bad = true;
      const condition = found.reason === "UnsupportedValue" ? "Accepted" : "ResolvedRefs";
      report(context, condition, found.reason, `${path}.filters[${index}].extensionRef`, found.message);
    } else {
      extensions.push(found.extension);
      credential = found.credential ?? credential;
    }
  }
  return { extensions, bad, ...(credential && { credential }) };
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
    const fault = findBackendFilterFault(reference.filters);
    if (fault !== undefined) report(context, "Accepted", "UnsupportedValue", `${field}.${fault.field}`, fault.message);
    const { extensions, credential, bad } = resolveExtensions(context, reference.filters, field);
    const found = follow(context, reference, field);
    const usable = bad || fault !== undefined ? undefined : found;
    const chosen = credential ?? ruleCredential;
    return { weight, found: usable, extensions, ...(chosen && { credential: chosen }) };
  });
  if (followed.some(({ found }) => found?.fallback)) return resolveFallback(context, followed, path);
  return followed.map(({ weight, found, extensions, credential }) => {
    const target = found && buildClusterSpec(found.reach, { ...found.settings, ...(credential && { credential }) });
    return target === undefined ? { weight, extensions } : { weight, extensions, target };
  });
}

function findBackendFilterFault(filters: readonly HTTPRouteFilter[] | undefined): RuleFault | undefined {
  const index = (filters ?? []).findIndex(({ type }) => !backendFilters.has(type));
  if (index >= 0) {
    return {
      field: `filters[${index}]`,
      message: `is ${filters?.[index]?.type}, which works on a rule but not on a backendRef`,
    };
  }
  return findFilterFault(filters, undefined);
}

/** One cluster with priorities takes the place of all backendRefs; it stands at the first, the others take nothing. */
function resolveFallback(context: RouteContext, followed: readonly Followed[], path: string): ResolvedBackend[] {
  const usable = followed.flatMap((one) => (one.found === undefined ? [] : [{ ...one, found: one.found }]));
  const [first] = usable;
  const alike = usable.every(
    ({ found, extensions }) =>
      (found.reach.kind === "Backend" || found.reach.kind === "Service") &&
      extensions.length === 0 &&
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
  const weight = usable.reduce((sum, one) => sum + one.weight, 0);
  return followed.map((one, index) => {
    if (invalid.includes(one)) return { weight: one.weight, extensions: [] };
    return index === followed.findIndex(({ found }) => found !== undefined)
      ? { weight, extensions: [], target }
      : { weight: 0, extensions: [], target };
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
