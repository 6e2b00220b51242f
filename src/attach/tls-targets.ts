import type { BackendTLSPolicy } from "../api/gateway-api.ts";
import { compareStrings, type ObjectKey, objectKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import { type Problem, problemAt } from "../base/problems.ts";

/** An object that BackendTLSPolicies target: `<group>/<kind>/<namespace>/<name>`. */
export type TlsTarget = string;

export function tlsTarget(group: string, kind: string, key: ObjectKey): TlsTarget {
  return flatText(group, "/", kind, "/", key);
}

/** Policies that target an object as a whole, or one section of it: the first is in effect, the others are in conflict with it. */
export interface TlsClaim {
  /** Name of a Service's port; empty: the whole object. */
  readonly section: string;
  readonly policies: readonly ObjectKey[];
}

type TargetReference = BackendTLSPolicy["spec"]["targetRefs"][number];

/** What an entry of `targetRefs` names. */
export function targetOf({ metadata }: BackendTLSPolicy, { group, kind, name }: TargetReference): TlsTarget {
  return tlsTarget(group, kind, objectKey(metadata.namespace, name));
}

/** Sections by name, and the older policy before the younger, then by namespace and name (Gateway API, BackendTLSPolicySpec.targetRefs). */
export function settleClaims(target: TlsTarget, policies: ReadonlyMap<ObjectKey, BackendTLSPolicy>): TlsClaim[] {
  const bySection = new Map<string, { key: ObjectKey; created: string }[]>();
  for (const [key, policy] of policies) {
    for (const reference of policy.spec.targetRefs) {
      if (targetOf(policy, reference) !== target) continue;
      const section = reference.sectionName ?? "";
      const claims = bySection.get(section) ?? [];
      claims.push({ key, created: policy.metadata.creationTimestamp ?? "" });
      bySection.set(section, claims);
    }
  }
  return [...bySection]
    .sort(([a], [b]) => compareStrings(a, b))
    .map(([section, claims]) => {
      claims.sort((a, b) => compareStrings(a.created, b.created) || compareStrings(a.key, b.key));
      return { section, policies: claims.map(({ key }) => key) };
    });
}

/** The policy in effect for a section of a target: one that names the section, else one that names the whole. */
export function policyFor(claims: readonly TlsClaim[], section: string): ObjectKey | undefined {
  const claim =
    (section === "" ? undefined : claims.find((each) => each.section === section)) ??
    claims.find((each) => each.section === "");
  return claim?.policies[0];
}

/** What is known of a target: undefined, it does not exist. */
export interface TargetFacts {
  /** Names of its sections; undefined: it has none to name. */
  readonly sections?: readonly string[];
}

export const targetKinds: readonly (readonly [group: string, kind: string])[] = [
  ["", "Service"],
  ["gateway.envoyproxy.io", "Backend"],
  ["gateway.kgateway.dev", "Backend"],
];

/** Why a policy has no effect by one entry of its `targetRefs`. */
export function judgeTarget(
  policy: ObjectKey,
  reference: TargetReference,
  index: number,
  claims: readonly TlsClaim[],
  facts: TargetFacts | undefined,
): Problem | undefined {
  const { group, kind, name, sectionName: section = "" } = reference;
  const field = `spec.targetRefs[${index}]`;
  const report = (reason: string, place: string, text: string) =>
    problemAt("Accepted", reason, `${field}${place}`, text);
  if (!targetKinds.some(([knownGroup, knownKind]) => group === knownGroup && kind === knownKind)) {
    return report(
      "Invalid",
      ".kind",
      `is ${kind}, and TLS is configured for a Service or a Backend; name one of these`,
    );
  }
  if (facts === undefined) {
    return report("TargetNotFound", "", `names ${kind} ${name}, which does not exist; create it or correct the name`);
  }
  if (section !== "" && !facts.sections?.includes(section)) {
    const choice =
      facts.sections === undefined || facts.sections.length === 0
        ? "leave it out"
        : `use ${facts.sections.join(", ")} or leave it out`;
    return report("TargetNotFound", ".sectionName", `is ${section}, which ${kind} ${name} does not have; ${choice}`);
  }
  const winner = claims.find((claim) => claim.section === section)?.policies[0];
  if (winner === undefined || winner === policy) return undefined;
  const what = section === "" ? `${kind} ${name}` : `section ${section} of ${kind} ${name}`;
  return report(
    "Conflicted",
    "",
    `names ${what}, for which BackendTLSPolicy ${winner} is in effect, being older or the first by name; target something else, or remove one of them`,
  );
}
