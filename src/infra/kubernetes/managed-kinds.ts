import { infrastructureLabels } from "../../attach/infrastructure-name.ts";
import type { FollowedKind } from "../../kube/kind-follower.ts";
import type { KubeObject, ResourceType } from "../../kube/resource-type.ts";

const kinds = [
  ["", "v1", "ServiceAccount", "serviceaccounts"],
  ["", "v1", "ConfigMap", "configmaps"],
  ["apps", "v1", "Deployment", "deployments"],
  ["apps", "v1", "DaemonSet", "daemonsets"],
  ["", "v1", "Service", "services"],
  ["autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"],
  ["policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"],
] as const;

/** Every kind that is made for a gateway, in the order in which objects are applied. */
export const managedTypes: readonly ResourceType[] = kinds.map(([group, version, kind, plural]) => ({
  group,
  version,
  kind,
  plural,
  namespaced: true,
}));

/** The same kinds as they are watched: objects with our label alone. */
export function managedKinds(labelSelector: string): FollowedKind[] {
  return managedTypes.map(({ group, version, kind, plural }) => ({
    group,
    kind,
    plural,
    namespaced: true,
    versions: [version],
    collection: kind,
    labelSelector,
  }));
}

/** The names of Gateways in their own namespaces, where these are not those of their Envoys. */
export function aliasKinds(labelSelector: string): FollowedKind[] {
  return managedKinds(`${labelSelector},${infrastructureLabels.gatewayName}`).filter(({ kind }) => kind === "Service");
}

/** Pods of Envoy: not ours to write, but they tell on which nodes a gateway is. */
export function podKind(labelSelector: string): FollowedKind {
  return { group: "", kind: POD, plural: "pods", namespaced: true, versions: ["v1"], collection: POD, labelSelector };
}

export const POD = "Pod";

export function typeOf({ kind }: KubeObject): ResourceType {
  const type = managedTypes.find((managed) => managed.kind === kind);
  if (type === undefined) throw new Error(`${kind} is none of the kinds that run a gateway`);
  return type;
}

/** Names an object among all kinds: `Service ns/name`. */
export function idOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
}
