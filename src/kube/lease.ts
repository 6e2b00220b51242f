import type { KubeObject, ResourceType } from "./resource-type.ts";

export const leases: ResourceType = {
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
};

/** The part of `coordination.k8s.io/v1` Lease that elections are held by. */
export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number | null;
    readonly acquireTime?: string | null;
    readonly renewTime?: string | null;
    readonly leaseTransitions?: number | null;
  };
}

/** Who takes or renews a lease, and for how long. */
export interface Holder {
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  readonly leaseMilliseconds: number;
}

/**
 * The lease as its next holder, or the same one again, writes it.
 *
 * @param before as the server has it; undefined: there is none
 * @param wall milliseconds since 1970
 */
export function nextLease(
  { namespace, name, identity, leaseMilliseconds }: Holder,
  before: Lease | undefined,
  wall: number,
): Lease {
  const now = microTime(wall);
  const mine = before?.spec?.holderIdentity === identity;
  const transitions = before?.spec?.leaseTransitions ?? 0;
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { ...before?.metadata, name, namespace },
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: Math.max(1, Math.ceil(leaseMilliseconds / 1000)),
      acquireTime: mine ? (before?.spec?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: mine || before === undefined ? transitions : transitions + 1,
    },
  };
}

/** Whether two states of the lease show that its holder did nothing in between. */
export function sameHold(a: Lease, b: Lease): boolean {
  return (
    a.metadata.uid === b.metadata.uid &&
    a.spec?.holderIdentity === b.spec?.holderIdentity &&
    a.spec?.renewTime === b.spec?.renewTime &&
    a.spec?.leaseTransitions === b.spec?.leaseTransitions
  );
}

/** RFC 3339 with the six digits that a MicroTime needs. */
function microTime(wall: number): string {
  return new Date(wall).toISOString().replace("Z", "000Z");
}
