import type { KubeObject } from "../../kube/resource-type.ts";
import { differs } from "./comparison.ts";
import { idOf } from "./managed-kinds.ts";
import { isWorkload } from "./waits.ts";

export interface Work {
  /** In this order. */
  readonly apply: readonly KubeObject[];
  readonly remove: readonly KubeObject[];
  /** Objects that are only still there because what takes their place is not ready. */
  readonly waiting: readonly KubeObject[];
}

/**
 * What to do so that a gateway has the objects that it should and no others. Pods of another Deployment or DaemonSet go only when
 * those of the new one serve (`impatient`: or when that has taken too long).
 *
 * @param live all objects of the gateway, by {@link idOf}
 * @param stored of `differs`, by {@link idOf}
 */
export function planWork(
  desired: readonly KubeObject[],
  live: ReadonlyMap<string, KubeObject>,
  stored: ReadonlyMap<string, unknown>,
  impatient: boolean,
): Work {
  const apply = desired.filter((object) => differs(object, live.get(idOf(object)), stored.get(idOf(object))));
  const wanted = new Set(desired.map(idOf));
  const leftovers = [...live].filter(([id]) => !wanted.has(id)).map(([, object]) => object);
  const successor = desired.find(isWorkload);
  const ready = successor === undefined || impatient || serves(live.get(idOf(successor)));
  const [waiting, remove] = ready
    ? [[], leftovers]
    : [leftovers.filter(isWorkload), leftovers.filter((object) => !isWorkload(object))];
  return {
    apply,
    remove: remove.filter(({ metadata }) => metadata.deletionTimestamp === undefined),
    waiting: waiting.filter(({ metadata }) => metadata.deletionTimestamp === undefined),
  };
}

interface WorkloadStatus {
  readonly observedGeneration?: number;
  readonly availableReplicas?: number;
  readonly numberAvailable?: number;
  readonly desiredNumberScheduled?: number;
}

/** At least one pod is available; of a DaemonSet all, since each serves its own node. */
function serves(object: KubeObject | undefined): boolean {
  const { status } = (object ?? {}) as { status?: WorkloadStatus };
  if (object === undefined || status === undefined) return false;
  if (object.kind === "Deployment") return (status.availableReplicas ?? 0) > 0;
  const { numberAvailable = 0, desiredNumberScheduled = 0 } = status;
  return numberAvailable > 0 && numberAvailable >= desiredNumberScheduled;
}
