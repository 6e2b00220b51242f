import type { Secret } from "../../api/core.ts";
import { objectKey } from "../../base/keys.ts";
import { isGranted } from "../grants.ts";
import type { FollowContext, FollowFault } from "./model.ts";

export interface SecretReference {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
}

/** How much of a Secret goes into each route that it protects, at most. */
export const SECRET_BYTES_MAX = 64 * 1024;

export function isFault(followed: unknown): followed is FollowFault {
  return typeof followed === "object" && followed !== null && "fault" in followed;
}

/**
 * The Secret that a policy refers to. Where it may not be referred to, nothing is said of whether it exists (Gateway API,
 * ReferenceGrant). Texts complete a sentence that begins with the field, and never hold what a Secret holds.
 */
export function followSecret(
  { group = "", kind = "Secret", name, namespace: written }: SecretReference,
  { namespace, read }: FollowContext,
): Secret | FollowFault {
  if (group !== "" || kind !== "Secret") {
    return { fault: `names a ${group === "" ? kind : `${kind} of group ${group}`}; only a Secret can be named here` };
  }
  const to = { group, kind, namespace: written ?? namespace, name };
  const from = { group: "gateway.envoyproxy.io", kind: "SecurityPolicy", namespace };
  const key = objectKey(to.namespace, name);
  if (!isGranted(read.grants, from, to)) {
    return {
      fault: `names Secret ${key}, and no ReferenceGrant of namespace ${to.namespace} lets SecurityPolicies of namespace ${namespace} refer to it; add one, or name a Secret of namespace ${namespace}`,
    };
  }
  return read.secret(key) ?? { fault: `names Secret ${key}, which does not exist; create it, or name another` };
}
