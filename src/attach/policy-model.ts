import type { BackendTrafficPolicy } from "../api/backendtrafficpolicy.ts";
import type { ClientTrafficPolicy } from "../api/clienttrafficpolicy.ts";
import type { SecurityPolicy } from "../api/securitypolicy.ts";
import type { ObjectKey } from "../base/keys.ts";
import type { LabelSelector } from "./model.ts";
import type { MergeType } from "./object-merge.ts";

/** Policies of ours that attach to Gateways, ListenerSets and routes by `targetRefs` and `targetSelectors`. */
export type AttachedPolicy = BackendTrafficPolicy | ClientTrafficPolicy | SecurityPolicy;

export type AttachedPolicyKind = "BackendTrafficPolicy" | "ClientTrafficPolicy" | "SecurityPolicy";

/** Those that routes have, or inherit from their listener. */
export type RoutePolicyKind = Exclude<AttachedPolicyKind, "ClientTrafficPolicy">;

/** `<kind>/<namespace>/<name>` of an object that a policy can be attached to; of a route it is the key of the route. */
export type TargetKey = string;

/** What of a policy says where it belongs; its settings are no part of it, so that editing them attaches nothing anew. */
export interface PolicyHead {
  readonly kind: AttachedPolicyKind;
  readonly key: ObjectKey;
  readonly namespace: string;
  /** Of `metadata.creationTimestamp`, empty when it has none: of two at the same place the older wins. */
  readonly created: string;
  readonly mergeType?: MergeType;
  readonly references: readonly TargetReference[];
  readonly selectors: readonly TargetSelector[];
}

/** An entry of `targetRefs`, or `targetRef`. */
export interface TargetReference {
  /** Where it stands, such as `spec.targetRefs[0]`. */
  readonly field: string;
  readonly target: TargetKey;
  readonly section?: string;
}

/** An entry of `targetSelectors` whose labels can be understood. */
export interface TargetSelector {
  readonly targetKind: string;
  readonly labels: LabelSelector;
  readonly namespaces:
    | { readonly from: "Same" | "All" }
    | { readonly from: "Selector"; readonly labels: LabelSelector };
}

/** A policy at a place. */
export interface PlacedPolicy {
  readonly policy: ObjectKey;
  /** It is merged over what its route has from the listener, rather than taking its place. */
  readonly mergeType?: MergeType;
}

/** That a policy wants to be in effect for a target, or for one section of it. */
export interface PolicyClaim extends PlacedPolicy {
  readonly kind: AttachedPolicyKind;
  readonly created: string;
  readonly target: TargetKey;
  readonly section?: string;
}

/** Policies of one kind at one target, those that won: the one of the whole, and by section. */
export interface TargetPolicies {
  readonly whole?: PlacedPolicy;
  readonly sections?: Readonly<Record<string, PlacedPolicy>>;
}

/** By kind of policy; a target without any has none of these. */
export type PoliciesByKind = { readonly [Kind in AttachedPolicyKind]?: TargetPolicies };

/** What stands in a status of a policy: a Gateway or ListenerSet, or a listener of it. */
export interface PolicyPlace {
  readonly kind: "Gateway" | "ListenerSet";
  readonly key: ObjectKey;
  readonly section?: string;
}

/** A policy that a listener has, and where it has it from. */
export interface InheritedPolicy {
  readonly policy: ObjectKey;
  readonly from: PolicyPlace;
}

export type ListenerPolicies = { readonly [Kind in AttachedPolicyKind]?: InheritedPolicy };

/** What is wrong with a field of a policy; completes a sentence that begins with the field. */
export interface PolicyFinding {
  readonly field: string;
  readonly text: string;
  /** Of a warning. */
  readonly reason?: string;
}
