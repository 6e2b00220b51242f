import type { KubernetesObject } from "../api/object.ts";
import type { ObjectKey } from "../base/keys.ts";
import type { Problem } from "../base/problems.ts";

/** Policies whose status is a list of ancestors (Gateway API, PolicyStatus). */
export type PolicyKind = "BackendTLSPolicy";

/** An object, mostly a Gateway, for which a policy counts, and what is wrong with the policy there. */
export interface PolicyAncestor {
  /** Of group gateway.networking.k8s.io. */
  readonly kind: string;
  readonly key: ObjectKey;
  readonly sectionName?: string;
  /** Of the class of the Gateway: who writes the entry. */
  readonly controllerName: string;
  readonly problems: readonly Problem[];
}

export interface PolicyReport {
  readonly kind: PolicyKind;
  readonly object: KubernetesObject;
  /** None: the policy is of no concern to any Gateway of ours, and entries of before go. */
  readonly ancestors: readonly PolicyAncestor[];
}
