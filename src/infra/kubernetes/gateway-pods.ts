import type { ObjectKey } from "../../base/keys.ts";
import { compareStrings } from "../../base/keys.ts";
import type { ObjectChanges } from "../../kube/list-watch.ts";
import { owningGateway } from "./identity.ts";
import { describePodTrouble, type PodFields } from "./waits.ts";

/**
 * What is to be known of the pods of each gateway. The status of a workload would not do: a DaemonSet counts the oldest pod of a node
 * alone, which at the end of a replacement is the one that goes.
 */
export interface GatewayPods {
  /** Returns the gateways of which something else is known now. */
  observe(pods: ObjectChanges): ReadonlySet<ObjectKey>;
  /**
   * Addresses of the nodes on which pods are ready, each once, sorted: there node ports answer, whatever the Service's traffic policy.
   * O(pods of the gateway).
   */
  readyHosts(gateway: ObjectKey): readonly string[];
  /** What hinders the newest pod that something hinders; undefined: they run or start. O(pods of the gateway). */
  trouble(gateway: ObjectKey): string | undefined;
}

interface PodFacts {
  readonly created: string;
  readonly readyHost?: string;
  readonly trouble?: string;
}

export function createGatewayPods(): GatewayPods {
  const gatewayOfPod = new Map<string, ObjectKey>();
  const podsByGateway = new Map<ObjectKey, Map<string, PodFacts>>();

  function forget(pod: string): ObjectKey | undefined {
    const gateway = gatewayOfPod.get(pod);
    if (gateway === undefined) return undefined;
    gatewayOfPod.delete(pod);
    const pods = podsByGateway.get(gateway);
    pods?.delete(pod);
    if (pods?.size === 0) podsByGateway.delete(gateway);
    return gateway;
  }

  return {
    observe(pods) {
      const changed = new Set<ObjectKey>();
      for (const [key, pod] of pods) {
        const before = forget(key);
        if (before !== undefined) changed.add(before);
        const gateway = pod && owningGateway(pod);
        // One that goes takes no new connections.
        if (pod === undefined || gateway === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
        gatewayOfPod.set(key, gateway);
        podsByGateway.set(gateway, (podsByGateway.get(gateway) ?? new Map()).set(key, describePod(pod)));
        changed.add(gateway);
      }
      return changed;
    },
    readyHosts(gateway) {
      const pods = [...(podsByGateway.get(gateway)?.values() ?? [])];
      return [...new Set(pods.flatMap(({ readyHost }) => readyHost ?? []))].sort(compareStrings);
    },
    trouble(gateway) {
      const pods = [...(podsByGateway.get(gateway)?.values() ?? [])];
      const hindered = pods.filter(({ trouble }) => trouble !== undefined);
      return hindered.sort((one, other) => compareStrings(other.created, one.created))[0]?.trouble;
    },
  };
}

function describePod(pod: PodFields): PodFacts {
  const { hostIP, conditions = [] } = pod.status ?? {};
  const ready = conditions.some(({ type, status }) => type === "Ready" && status === "True");
  const trouble = describePodTrouble(pod);
  return {
    created: pod.metadata.creationTimestamp ?? "",
    ...(ready && hostIP !== undefined && { readyHost: hostIP }),
    ...(trouble !== undefined && { trouble }),
  };
}
