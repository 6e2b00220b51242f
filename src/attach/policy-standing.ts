import type { ObjectKey } from "../base/keys.ts";
import type { Problem } from "../base/problems.ts";
import type { ParentAttachment, RouteAttachment } from "./model.ts";
import { policyId, policyOf, splitTargetKey } from "./policy-claims.ts";
import { type EffectivePolicy, effectOf } from "./policy-effect.ts";
import type {
  AttachedPolicyKind,
  InheritedPolicy,
  PlacedPolicy,
  PoliciesByKind,
  PolicyClaim,
  PolicyPlace,
} from "./policy-model.ts";

/** What one target of a policy means for its status at one place. */
export interface Standing {
  /** `policyId` of the policy. */
  readonly policy: string;
  readonly place: PolicyPlace;
  /** Of the class of the place's Gateway: who writes the entry. */
  readonly controllerName: string;
  /** Why the policy is not in effect for the target. */
  readonly fault?: Problem;
  /** What it is merged over. */
  readonly mergedOver?: ObjectKey;
  /** A more specific policy, and what for. */
  readonly yields?: { readonly what: string; readonly to: ObjectKey; readonly merged: boolean };
}

/** A Gateway or ListenerSet that policies are attached to. */
export interface ListenersFacts {
  readonly controllerName: string;
  /** Names of its listeners. */
  readonly listeners: readonly string[];
  /** Of a ListenerSet: its Gateway and what is in effect there. */
  readonly gateway?: { readonly key: ObjectKey; readonly policies: PoliciesByKind | undefined };
  /** Of these listeners, those whose ClientTrafficPolicy has no effect and so takes nobody's place. */
  readonly withoutPolicy?: ReadonlySet<string>;
}

/** Of the policies at a Gateway or ListenerSet. O(claims). */
export function standAtListeners(
  target: string,
  claims: Iterable<PolicyClaim>,
  settled: PoliciesByKind,
  { controllerName, listeners, gateway, withoutPolicy }: ListenersFacts,
): Standing[] {
  const { kind, key } = splitTargetKey(target) as Pick<PolicyPlace, "kind" | "key">;
  const result: Standing[] = [];
  for (const claim of claims) {
    const { section } = claim;
    const own = {
      policy: policyId(claim.kind, claim.policy),
      place: { kind, key, ...(section !== undefined && { section }) },
      controllerName,
    };
    const known = section === undefined || listeners.includes(section);
    const fault = known
      ? findConflict(claim, settled)
      : targetNotFound(`${kind} ${key} has no listener ${section}; name one of ${listeners.join(", ")}`);
    result.push(fault === undefined ? own : { ...own, fault });
    if (fault !== undefined || (withoutPolicy && isWithoutEffect(claim, settled, listeners, withoutPolicy))) continue;
    const what = section === undefined ? `${kind} ${key}` : `listener ${section} of ${kind} ${key}`;
    const wider = (place: PolicyPlace, policies: PoliciesByKind | undefined) => {
      const whole = policies?.[claim.kind]?.whole;
      if (whole === undefined || whole.policy === claim.policy) return;
      result.push(yieldTo(claim.kind, { policy: whole.policy, from: place }, controllerName, what, claim, false));
    };
    if (section !== undefined) wider({ kind, key }, settled);
    if (gateway) wider({ kind: "Gateway", key: gateway.key }, gateway.policies);
  }
  return result;
}

/** Whether all listeners that a ClientTrafficPolicy is for do without it. */
function isWithoutEffect(
  { kind, section }: PolicyClaim,
  settled: PoliciesByKind,
  listeners: readonly string[],
  withoutPolicy: ReadonlySet<string>,
): boolean {
  if (kind !== "ClientTrafficPolicy") return false;
  if (section !== undefined) return withoutPolicy.has(section);
  const own = listeners.filter((name) => policyOf(settled[kind], name) === undefined);
  return own.length > 0 && own.every((name) => withoutPolicy.has(name));
}

/** Of the policies at a route. O(claims × listeners). */
export function standAtRoute(
  claims: Iterable<PolicyClaim>,
  settled: PoliciesByKind,
  attachment: RouteAttachment,
  ruleNames: readonly string[],
  mergeFaultsOf: (kind: AttachedPolicyKind, effect: EffectivePolicy) => readonly Problem[],
): Standing[] {
  const route = `${attachment.routeKind} ${attachment.key}`;
  const result: Standing[] = [];
  for (const claim of claims) {
    const { kind, section } = claim;
    const known = section === undefined || ruleNames.includes(section);
    const fault = known
      ? findConflict(claim, settled)
      : targetNotFound(`${route} has no rule ${section}; name a rule with the field name, or attach to the route`);
    const what = section === undefined ? route : `rule ${section} of ${route}`;
    for (const parent of attachment.parents) {
      const { controllerName } = parent;
      const own = { policy: policyId(kind, claim.policy), place: placeOf(parent), controllerName };
      if (fault !== undefined) {
        result.push({ ...own, fault });
        continue;
      }
      result.push(own);
      const whole = section === undefined ? undefined : settled[kind]?.whole;
      if (whole !== undefined && whole.policy !== claim.policy) {
        result.push(yieldTo(kind, { policy: whole.policy, from: own.place }, controllerName, what, claim, false));
      }
      for (const inherited of inheritedBy(kind, parent)) {
        const effect = effectOf(claim, inherited);
        const { mergedOver, instead } = effect;
        if (mergedOver) result.push({ ...own, mergedOver: mergedOver.policy });
        for (const found of mergeFaultsOf(kind, effect)) result.push({ ...own, fault: found });
        const less = mergedOver ?? instead;
        if (less) result.push(yieldTo(kind, less, controllerName, what, claim, mergedOver !== undefined));
      }
    }
  }
  return result;
}

/** What the listeners of a parent have, each policy once. */
function inheritedBy(kind: AttachedPolicyKind, { listeners }: ParentAttachment): readonly InheritedPolicy[] {
  const found = listeners.flatMap(({ policies }) => policies?.[kind] ?? []);
  return [...new Map(found.map((each) => [`${each.policy} ${each.from.section ?? ""}`, each])).values()];
}

function placeOf(parent: ParentAttachment): PolicyPlace {
  const { gateway, listenerSet } = parent;
  const { sectionName } = parent.parentRef;
  return {
    ...(listenerSet === undefined ? { kind: "Gateway", key: gateway } : { kind: "ListenerSet", key: listenerSet }),
    ...(sectionName !== undefined && { section: sectionName }),
  };
}

function yieldTo(
  kind: AttachedPolicyKind,
  { policy, from }: InheritedPolicy,
  controllerName: string,
  what: string,
  to: PlacedPolicy,
  merged: boolean,
): Standing {
  return { policy: policyId(kind, policy), place: from, controllerName, yields: { what, to: to.policy, merged } };
}

function findConflict({ kind, target, section, policy }: PolicyClaim, settled: PoliciesByKind): Problem | undefined {
  const winner = policyOf(settled[kind], section);
  if (winner === undefined || winner.policy === policy) return undefined;
  const at = splitTargetKey(target);
  const what = section === undefined ? `${at.kind} ${at.key}` : `section ${section} of ${at.kind} ${at.key}`;
  return {
    condition: "Accepted",
    reason: "Conflicted",
    message: `${kind} ${winner.policy} is attached to ${what} already, and the older one wins, of equal age the first by name; attach this one elsewhere, or delete one of them`,
  };
}

function targetNotFound(message: string): Problem {
  return { condition: "Accepted", reason: "TargetNotFound", message };
}

/** How many targets a message lists. */
const LISTED_MAX = 10;

/** What the status of a policy says at one place, of all its targets there. O(standings). */
export function judgeStandings(kind: AttachedPolicyKind, standings: Iterable<Standing>): readonly Problem[] {
  const faults = new Map<string, Problem>();
  const overridden = new Set<string>();
  const mergedUnder = new Set<string>();
  const mergedOver = new Set<string>();
  for (const { fault, yields, mergedOver: parent } of standings) {
    if (fault) faults.set(fault.message, fault);
    if (parent !== undefined) mergedOver.add(`${kind} ${parent}`);
    if (yields) (yields.merged ? mergedUnder : overridden).add(`${yields.what} (${kind} ${yields.to})`);
  }
  const problems = [...faults.values()].sort((a, b) => (a.message < b.message ? -1 : 1));
  if (overridden.size > 0) {
    const message = `More specific policies take its place for ${listed(overridden)}; delete those to have this one there`;
    problems.push({ condition: "Overridden", reason: "Overridden", message });
  }
  const merged = [
    ...(mergedOver.size > 0 ? [`Merged over ${listed(mergedOver)}; its own fields win`] : []),
    ...(mergedUnder.size > 0
      ? [`Merged with the more specific policies of ${listed(mergedUnder)}; their fields win`]
      : []),
  ];
  if (merged.length > 0) problems.push({ condition: "Merged", reason: "Merged", message: merged.join(". ") });
  return problems;
}

function listed(items: ReadonlySet<string>): string {
  const sorted = [...items].sort();
  const more = sorted.length - LISTED_MAX;
  return sorted.slice(0, LISTED_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
