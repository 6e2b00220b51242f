import { type MergeType, mergeObjects } from "../../attach/object-merge.ts";
import type { KubeObject } from "../../kube/resource-type.ts";
import { GATEWAY_ANNOTATION } from "./identity.ts";

const pod: readonly (readonly [string, string])[] = [
  ["containers", "name"],
  ["initContainers", "name"],
  ["ephemeralContainers", "name"],
  ["volumes", "name"],
  ["imagePullSecrets", "name"],
  ["hostAliases", "ip"],
  ["topologySpreadConstraints", "topologyKey"],
  ["schedulingGates", "name"],
  ["resourceClaims", "name"],
  ...["containers[]", "initContainers[]", "ephemeralContainers[]"].flatMap((container) => [
    [`${container}.env`, "name"] as const,
    [`${container}.ports`, "containerPort"] as const,
    [`${container}.volumeMounts`, "mountPath"] as const,
    [`${container}.volumeDevices`, "devicePath"] as const,
  ]),
];

/** Lists that Kubernetes merges by a field (`patchMergeKey` of its types), for the kinds that are rendered here. */
const mergeKeys = new Map<string, string>([
  ["metadata.ownerReferences", "uid"],
  ["spec.ports", "port"],
  ...pod.map(([path, key]) => [`spec.template.spec.${path}`, key] as const),
]);

export interface ObjectPatch {
  readonly type?: string;
  readonly value: unknown;
}

/** The object as a user's patch changes it. Kind, name, namespace and the labels that make it ours stay. */
export function patchObject<T extends KubeObject>(object: T, patch: ObjectPatch | undefined): T {
  if (patch === undefined) return object;
  const type: MergeType = patch.type === "JSONMerge" ? "JSONMerge" : "StrategicMerge";
  const patched = mergeObjects(object, patch.value, type, mergeKeys) as T;
  const { name, namespace, labels, annotations } = object.metadata;
  const { metadata } = patched;
  return {
    ...patched,
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      ...metadata,
      name,
      namespace,
      labels: { ...metadata?.labels, ...labels },
      annotations: { ...metadata?.annotations, ...pick(annotations, GATEWAY_ANNOTATION) },
    },
  };
}

function pick(values: Readonly<Record<string, string>> = {}, name: string): Record<string, string> {
  return values[name] === undefined ? {} : { [name]: values[name] };
}
