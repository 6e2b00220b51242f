import { flatText } from "../../base/memory.ts";
import { contentHash } from "../../envoy/hash.ts";
import type { KubeObject } from "../../kube/resource-type.ts";

/** Groups whose objects are not custom resources. */
const builtInGroups: ReadonlySet<string> = new Set(["", "discovery.k8s.io"]);

/**
 * Tells whether two versions of an object differ in anything but their status: equal for those that do not. An API server counts
 * `metadata.generation` on with every change of a custom resource beside metadata and status; undefined where it does not, so that
 * every version counts as a change.
 */
export function revisionOf({ apiVersion, metadata }: KubeObject): string | undefined {
  const { uid, generation, deletionTimestamp, labels, annotations } = metadata;
  const isBuiltIn = builtInGroups.has(apiVersion.slice(0, Math.max(0, apiVersion.indexOf("/"))));
  if (isBuiltIn || uid === undefined || generation === undefined) return undefined;
  const noted = deletionTimestamp || labels || annotations;
  const notes = noted ? contentHash(JSON.stringify([deletionTimestamp, labels, annotations])) : "";
  return flatText(uid, " ", String(generation), " ", apiVersion, " ", notes);
}
