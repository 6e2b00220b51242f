import type { HTTPRouteFilter } from "../api/gateway-api.ts";
import { buildClusterSpec, settingsKey } from "./cluster-spec.ts";
import type { ClusterReach, ClusterSpec, ResolvedBackend, ResolvedExtension } from "./model.ts";
import type { FoundBackend } from "./resolve-backend.ts";
import { followBackend, type RouteContext, type RuleInput, reportReference } from "./route-context.ts";
import { findMisplaced, resolveExtensions } from "./rule-extensions.ts";
import { findFilterFault } from "./rule-filters.ts";
import type { RuleFault } from "./rule-matches.ts";

/** Filters that Envoy can apply to one of several weighted clusters. */
const backendFilters = new Set(["RequestHeaderModifier", "ResponseHeaderModifier", "URLRewrite", "ExtensionRef"]);

interface Followed {
  readonly weight: number;
  readonly found: FoundBackend | undefined;
  readonly extensions: readonly ResolvedExtension[];
  readonly credential?: ClusterSpec["credential"];
  /** It has filters of its own. */
  readonly filtered: boolean;
}

/** Follows the backendRefs of a rule; what is wrong with one costs its own share of requests. */
export function resolveBackends(
  context: RouteContext,
  rule: RuleInput,
  path: string,
  ruleCredential: ClusterSpec["credential"],
): ResolvedBackend[] {
  const followed = (rule.backendRefs ?? []).map((reference, index): Followed => {
    const field = `${path}.backendRefs[${index}]`;
    const weight = reference.weight ?? 1;
    const { extensions, credential, faults } = resolveExtensions(context, reference.filters);
    const only = rule.backendRefs?.length === 1;
    const fault = findBackendFilterFault(reference.filters, rule.matches) ?? findMisplaced(extensions, only);
    if (fault !== undefined) {
      reportReference(context, "InvalidBackendFilters", `${field}.${fault.field}`, fault.message);
    }
    for (const { reason, field: at, message } of faults) {
      const said = reason === "UnsupportedValue" ? "InvalidBackendFilters" : reason;
      reportReference(context, said, `${field}.${at}`, message);
    }
    const found = followBackend(context, reference, field);
    const usable = fault === undefined && faults.length === 0 ? found : undefined;
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
  const fault = findFilterFault(filters, matches);
  if (fault !== undefined) return fault;
  const index = (filters ?? []).findIndex(({ type }) => !backendFilters.has(type));
  if (index >= 0) {
    return {
      field: `filters[${index}]`,
      message: `is of type ${filters?.[index]?.type}, which works on a rule but not on a backendRef; move it to the rule`,
    };
  }
  const path = (filters ?? []).findIndex(({ urlRewrite }) => urlRewrite?.path !== undefined);
  if (path < 0) return undefined;
  const message = "works on a rule but not on a backendRef; move it to the rule";
  return { field: `filters[${path}].urlRewrite.path`, message };
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
      !filtered && first !== undefined && settingsKey(found.settings) === settingsKey(first.found.settings),
  );
  const reach = joinReaches(usable);
  if (first === undefined || !alike || reach === undefined) {
    reportReference(
      context,
      "InvalidBackendRef",
      `${path}.backendRefs`,
      "holds a fallback beside backends of other protocol, TLS or filters, or host names beside a Service, which one cluster cannot hold; make them alike",
    );
    return followed.map(({ weight, extensions }) => ({ weight, extensions }));
  }
  const credential = first.credential;
  const target = buildClusterSpec(reach, { ...first.found.settings, ...(credential && { credential }) });
  const invalid = followed.filter(({ found }) => found === undefined);
  const weight = usable.reduce((sum, { weight: own, found }) => sum + (found.fallback ? 0 : own), 0);
  const place = followed.findIndex(({ found, weight: own }) => found !== undefined && own > 0);
  return followed.map((one, index) => {
    if (invalid.includes(one)) return { weight: one.weight, extensions: [] };
    return { weight: index === place ? weight : 0, extensions: [], target };
  });
}

/** One reach with priorities; undefined when no single cluster can have all these endpoints. */
function joinReaches(
  backends: readonly { readonly weight: number; readonly found: FoundBackend }[],
): ClusterReach | undefined {
  const rankOf = ({ fallback }: FoundBackend) => (fallback ? 1 : 0);
  if (backends.some(({ found }) => found.reach.kind === "Dns")) {
    const members = backends.flatMap(({ weight, found }) => {
      const { reach, endpoints } = found;
      if ((reach.kind !== "Dns" && reach.kind !== "Backend") || endpoints === undefined) return [];
      const { key, group } = reach;
      return [{ reach: { kind: "Dns" as const, key, group, endpoints }, weight, priority: rankOf(found) }];
    });
    return members.length === backends.length ? { kind: "DnsFallback", members } : undefined;
  }
  const members = backends.flatMap(({ weight, found }) => {
    const { reach } = found;
    return reach.kind === "Backend" || reach.kind === "Service" ? [{ reach, weight, priority: rankOf(found) }] : [];
  });
  return members.length === backends.length ? { kind: "Fallback", members } : undefined;
}

/** A dynamic forward proxy takes the destination from the request, so there is nothing to weigh it against. */
export function mixesResolver(context: RouteContext, backends: readonly ResolvedBackend[], path: string): boolean {
  const mixed = backends.length > 1 && backends.some(({ target }) => target?.reach.kind === "DynamicResolver");
  if (mixed)
    reportReference(
      context,
      "InvalidBackendRef",
      `${path}.backendRefs`,
      "holds a DynamicResolver beside other backends; make it the only one",
    );
  return mixed;
}
