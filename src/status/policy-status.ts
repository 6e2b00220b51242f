import { gatewayGroup } from "../api/gateway-api.ts";
import { splitObjectKey } from "../base/keys.ts";
import type { PolicyAncestor, PolicyKind, PolicyReport } from "../pipeline/policy-reports.ts";
import { type DesiredCondition, judge, judgeExtra } from "./conditions.ts";

/** A reference to an ancestor as Gateway API writes it. */
export interface AncestorReference {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly sectionName?: string;
}

export interface PolicyAncestorStatus {
  readonly ancestorRef: AncestorReference;
  readonly controllerName: string;
  readonly conditions: readonly DesiredCondition[];
}

/** The status of any policy (Gateway API, PolicyStatus). */
export interface PolicyStatus {
  readonly ancestors: readonly PolicyAncestorStatus[];
}

/** Gateway API, PolicyStatus: at most so many ancestors of all controllers; the last of ours tells how many more there are. */
const ANCESTORS_MAX = 16;

/** Policies that refer to other objects, and say whether the references can be followed. */
const withReferences: ReadonlySet<PolicyKind> = new Set(["BackendTLSPolicy"]);

/** What is said of a policy only where there is something to say. */
const extraConditions = ["Overridden", "Merged", "Warning"];

/** One entry for each object for which the policy counts. */
export function buildPolicyStatus({ kind, object, ancestors }: PolicyReport): PolicyStatus {
  const { generation } = object.metadata;
  const entries = ancestors.map((ancestor): PolicyAncestorStatus => {
    const { problems, controllerName } = ancestor;
    const accepted = { reason: "Accepted", message: `The ${kind} is in effect for ${ancestor.kind} ${ancestor.key}` };
    const resolved = { reason: "ResolvedRefs", message: "All references are resolved" };
    return {
      ancestorRef: referTo(ancestor),
      controllerName,
      conditions: [
        judge("Accepted", problems, accepted, generation),
        ...(withReferences.has(kind) ? [judge("ResolvedRefs", problems, resolved, generation)] : []),
        ...judgeExtra(extraConditions, problems, generation),
      ],
    };
  });
  return { ancestors: aggregateAncestors(entries, generation) };
}

/** A reference to an object of the group of Gateways. */
export function referTo({
  kind,
  key,
  sectionName,
}: Pick<PolicyAncestor, "kind" | "key" | "sectionName">): AncestorReference {
  const { namespace, name } = splitObjectKey(key);
  return {
    group: gatewayGroup,
    kind,
    name,
    ...(namespace !== "" && { namespace }),
    ...(sectionName !== undefined && { sectionName }),
  };
}

/** Those that something is wrong with first, then those that others take the place of, and as many as a status holds; the last says how many are left out. */
export function aggregateAncestors<T extends { readonly conditions: readonly DesiredCondition[] }>(
  entries: readonly T[],
  generation: number | undefined,
): readonly T[] {
  const sorted = [...entries].sort((a, b) => rankOf(a) - rankOf(b));
  if (sorted.length <= ANCESTORS_MAX) return sorted;
  const kept = sorted.slice(0, ANCESTORS_MAX);
  const last = kept.pop() as T;
  const message = `${entries.length - ANCESTORS_MAX} more ancestors are not listed, because a status holds ${ANCESTORS_MAX}`;
  const problem = { condition: "Aggregated", reason: "Aggregated", message };
  return [...kept, { ...last, conditions: [...last.conditions, ...judgeExtra(["Aggregated"], [problem], generation)] }];
}

/** Not in effect before partly in effect before in effect. */
function rankOf({ conditions }: { readonly conditions: readonly DesiredCondition[] }): number {
  const says = (wanted: string, value: string) =>
    conditions.some(({ type, status }) => type === wanted && status === value);
  return says("Accepted", "False") ? 0 : says("Overridden", "True") ? 1 : 2;
}
