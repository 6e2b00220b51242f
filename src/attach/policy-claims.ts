import { gatewayGroup } from "../api/gateway-api.ts";
import type { KubernetesObject } from "../api/object.ts";
import { compareStrings, type ObjectKey, objectKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import { type GrantReader, isGranted } from "./grants.ts";
import { findSelectorFault, matchesLabels } from "./label-selector.ts";
import type { LabelSelector } from "./model.ts";
import type { MergeType } from "./object-merge.ts";
import type {
  AttachedPolicy,
  AttachedPolicyKind,
  PlacedPolicy,
  PoliciesByKind,
  PolicyClaim,
  PolicyFinding,
  PolicyHead,
  TargetKey,
  TargetPolicies,
  TargetSelector,
} from "./policy-model.ts";

/** Where policies want to be, and who has the place when there are several. Rules: Envoy Gateway's, section 2 of its behaviour. */

const POLICY_GROUP = "gateway.envoyproxy.io";

export function targetKey(kind: string, namespace: string | undefined, name: string): TargetKey {
  return flatText(kind, "/", objectKey(namespace, name));
}

export function splitTargetKey(target: TargetKey): { readonly kind: string; readonly key: ObjectKey } {
  const slash = target.indexOf("/");
  return { kind: target.slice(0, slash), key: target.slice(slash + 1) };
}

/** Claims of one policy, each place once. */
export function claimsOf(head: PolicyHead): ReadonlyMap<string, PolicyClaim> {
  return new Map(head.references.map(({ target, section }) => namedClaim(claimOf(head, target, section))));
}

export function claimOf(
  { kind, key, created, mergeType }: Pick<PolicyHead, "kind" | "key" | "created" | "mergeType">,
  target: TargetKey,
  section?: string,
): PolicyClaim {
  return {
    kind,
    policy: key,
    created,
    target,
    ...(mergeType && { mergeType }),
    ...(section !== undefined && { section }),
  };
}

function namedClaim(claim: PolicyClaim): readonly [string, PolicyClaim] {
  return [flatText(claim.target, "|", claim.section ?? "", "|", policyId(claim.kind, claim.policy)), claim];
}

/** `<kind>/<namespace>/<name>`: unique over the kinds. */
export function policyId(kind: AttachedPolicyKind, policy: ObjectKey): string {
  return flatText(kind, "/", policy);
}

type TargetSelectorSpec = NonNullable<AttachedPolicy["spec"]["targetSelectors"]>[number];

export function headOf(kind: AttachedPolicyKind, { metadata, spec }: AttachedPolicy): PolicyHead {
  const namespace = metadata.namespace ?? "";
  const references = [
    ...(spec.targetRef ? [{ field: "spec.targetRef", ...spec.targetRef }] : []),
    ...(spec.targetRefs ?? []).map((reference, index) => ({ field: `spec.targetRefs[${index}]`, ...reference })),
  ];
  return {
    kind,
    key: objectKey(namespace, metadata.name),
    namespace,
    created: metadata.creationTimestamp ?? "",
    ...("mergeType" in spec && spec.mergeType !== undefined && { mergeType: spec.mergeType as MergeType }),
    references: references.map(({ field, kind: targetKind, name, sectionName }) => ({
      field,
      target: targetKey(targetKind, namespace, name),
      ...(sectionName !== undefined && { section: sectionName }),
    })),
    selectors: (spec.targetSelectors ?? [])
      .filter((selector) => faultOf(kind, selector) === undefined)
      .map((selector) => readSelector(selector)),
  };
}

function readSelector({ kind, matchLabels, matchExpressions, namespaces }: TargetSelectorSpec): TargetSelector {
  const from = namespaces?.from ?? "Same";
  return {
    targetKind: kind,
    labels: { ...(matchLabels && { matchLabels }), ...(matchExpressions && { matchExpressions }) },
    namespaces: from === "Selector" ? { from, labels: (namespaces?.selector ?? {}) as LabelSelector } : { from },
  };
}

const gateways = ["Gateway", "ListenerSet"];
const routes = ["HTTPRoute", "GRPCRoute", "TCPRoute"];

/** What each kind of policy can be attached to: schemas say it of references only. */
const targetKinds: Readonly<Record<AttachedPolicyKind, readonly string[]>> = {
  BackendTrafficPolicy: [...gateways, ...routes, "UDPRoute", "TLSRoute"],
  ClientTrafficPolicy: gateways,
  SecurityPolicy: [...gateways, ...routes],
};

function faultOf(
  policyKind: AttachedPolicyKind,
  { kind, matchLabels, matchExpressions, namespaces }: TargetSelectorSpec,
): PolicyFinding | undefined {
  const kinds = targetKinds[policyKind];
  if (!kinds.includes(kind)) {
    return { field: ".kind", text: `is ${kind}, which no ${policyKind} is for; write one of ${kinds.join(", ")}` };
  }
  const labels = { ...(matchLabels && { matchLabels }), ...(matchExpressions && { matchExpressions }) };
  const own = findSelectorFault(labels);
  if (own !== undefined) return { field: "", text: own };
  const ofNamespaces = namespaces?.selector && findSelectorFault(namespaces.selector as LabelSelector);
  return ofNamespaces === undefined ? undefined : { field: ".namespaces.selector", text: ofNamespaces };
}

/** Selectors that cannot be understood select nothing. */
export function findSelectorFaults(kind: AttachedPolicyKind, { spec }: AttachedPolicy): readonly PolicyFinding[] {
  return (spec.targetSelectors ?? []).flatMap((selector, index) => {
    const fault = faultOf(kind, selector);
    return fault === undefined ? [] : [{ field: `spec.targetSelectors[${index}]${fault.field}`, text: fault.text }];
  });
}

/** A policy that selects by labels, with one of its selectors. */
export interface SelectingPolicy extends Pick<PolicyHead, "kind" | "key" | "namespace" | "created" | "mergeType"> {
  readonly selector: TargetSelector;
}

/**
 * Where a selector is looked for: among those for a kind of target in a namespace (or in all, where it is empty), by one label
 * that a target must have, so that only targets with this label ever look at it; empty for selectors that require none.
 */
export interface SelectorPlace {
  /** `<kind of target>|<namespace>` */
  readonly area: string;
  /** `<label>=<value>` */
  readonly label: string;
}

export function placeOfSelector({ namespace, selector }: SelectingPolicy): SelectorPlace {
  const [label] = Object.entries(selector.labels.matchLabels ?? {}).sort(([a], [b]) => compareStrings(a, b));
  return {
    area: flatText(selector.targetKind, "|", selector.namespaces.from === "Same" ? namespace : ""),
    label: label === undefined ? "" : flatText(label[0], "=", label[1]),
  };
}

/** Areas in which selectors for a target are, and labels by which they are filed. */
export function placesOfTarget(kind: string, { metadata }: Pick<KubernetesObject, "metadata">) {
  const labels = Object.entries(metadata.labels ?? {}).map(([name, value]) => flatText(name, "=", value));
  return { areas: [flatText(kind, "|", metadata.namespace ?? ""), flatText(kind, "|")], labels: ["", ...labels] };
}

export interface SelectionReader {
  readonly grants: GrantReader;
  namespaceLabels(namespace: string): Readonly<Record<string, string>>;
}

/** Whether a policy selects an object. In other namespaces than its own it needs a grant there. */
export function selects(
  { kind, namespace, selector }: SelectingPolicy,
  targetKind: string,
  { metadata }: Pick<KubernetesObject, "metadata">,
  read: SelectionReader,
): boolean {
  if (!matchesLabels(selector.labels, metadata.labels ?? {})) return false;
  const place = metadata.namespace ?? "";
  const { namespaces } = selector;
  if (namespaces.from === "Same") return place === namespace;
  if (namespaces.from === "Selector" && !matchesLabels(namespaces.labels, read.namespaceLabels(place))) return false;
  const from = { group: POLICY_GROUP, kind, namespace };
  return isGranted(read.grants, from, {
    group: gatewayGroup,
    kind: targetKind,
    namespace: place,
    name: metadata.name,
  });
}

/** Who is in effect at a target: of each kind and for each section the oldest. */
export function settlePolicies(claims: Iterable<PolicyClaim>): PoliciesByKind {
  const winners = new Map<string, PolicyClaim>();
  for (const claim of claims) {
    const place = `${claim.kind}|${claim.section ?? ""}`;
    const known = winners.get(place);
    if (known === undefined || compareAge(claim, known) < 0) winners.set(place, claim);
  }
  const result: { [Kind in AttachedPolicyKind]?: { whole?: PlacedPolicy; sections?: Record<string, PlacedPolicy> } } =
    {};
  for (const [, { kind, section, policy, mergeType }] of [...winners].sort(([a], [b]) => compareStrings(a, b))) {
    result[kind] ??= {};
    const ofKind = result[kind];
    const placed = { policy, ...(mergeType && { mergeType }) };
    if (section === undefined) ofKind.whole = placed;
    else {
      ofKind.sections ??= {};
      ofKind.sections[section] = placed;
    }
  }
  return result;
}

function compareAge(a: PolicyClaim, b: PolicyClaim): number {
  return compareStrings(a.created, b.created) || compareStrings(a.policy, b.policy);
}

/** The policy of a section of a target, or of the whole. */
export function policyOf(policies: TargetPolicies | undefined, section: string | undefined): PlacedPolicy | undefined {
  if (section === undefined) return policies?.whole;
  // Sections are named by users, perhaps like members of every object.
  return policies?.sections && Object.hasOwn(policies.sections, section) ? policies.sections[section] : undefined;
}
