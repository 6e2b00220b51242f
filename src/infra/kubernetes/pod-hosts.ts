import type { ObjectKey } from "../../base/keys.ts";
import { compareStrings } from "../../base/keys.ts";
import type { ObjectChanges } from "../../kube/list-watch.ts";
import type { KubeObject } from "../../kube/resource-type.ts";
import { owningGateway } from "./identity.ts";

interface PodFields {
  readonly status?: {
    readonly hostIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** On which nodes Envoys of each gateway are ready: there its node ports answer, whatever the Service's traffic policy. */
export interface PodHosts {
  /** Returns the gateways whose nodes may be others now. */
  observe(pods: ObjectChanges): ReadonlySet<ObjectKey>;
  /** Addresses of nodes, each once, sorted. O(pods of the gateway). */
  of(gateway: ObjectKey): readonly string[];
}

export function createPodHosts(): PodHosts {
  const gatewayOfPod = new Map<string, ObjectKey>();
  const hostsByGateway = new Map<ObjectKey, Map<string, string>>();

  function forget(pod: string): ObjectKey | undefined {
    const gateway = gatewayOfPod.get(pod);
    if (gateway === undefined) return undefined;
    gatewayOfPod.delete(pod);
    const hosts = hostsByGateway.get(gateway);
    hosts?.delete(pod);
    if (hosts?.size === 0) hostsByGateway.delete(gateway);
    return gateway;
  }

  return {
    observe(pods) {
      const changed = new Set<ObjectKey>();
      for (const [key, pod] of pods) {
        const before = forget(key);
        if (before !== undefined) changed.add(before);
        const gateway = pod && owningGateway(pod);
        const host = pod && readyHost(pod);
        if (gateway === undefined || host === undefined) continue;
        gatewayOfPod.set(key, gateway);
        hostsByGateway.set(gateway, (hostsByGateway.get(gateway) ?? new Map()).set(key, host));
        changed.add(gateway);
      }
      return changed;
    },
    of: (gateway) => [...new Set(hostsByGateway.get(gateway)?.values())].sort(compareStrings),
  };
}

function readyHost(pod: KubeObject): string | undefined {
  const { hostIP, conditions = [] } = (pod as PodFields).status ?? {};
  const ready = conditions.some(({ type, status }) => type === "Ready" && status === "True");
  return ready && pod.metadata.deletionTimestamp === undefined ? hostIP : undefined;
}
