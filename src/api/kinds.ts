import { type FieldProblem, isRecord } from "./field.ts";
import type { CollectionName, Kind, SupportedKind } from "./kind.ts";
import { kinds } from "./kind-list.ts";
import { readMetadata } from "./metadata.ts";
import type { KubernetesObject, ObjectMeta } from "./object.ts";

export type { CollectionName, SupportedKind } from "./kind.ts";

/** Every kind that Gatehouse reads. */
export const supportedKinds: readonly SupportedKind[] = kinds;

const byGroupKind: ReadonlyMap<string, Kind> = new Map(kinds.map((kind) => [`${kind.group}/${kind.kind}`, kind]));

function splitApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf("/");
  return slash < 0
    ? { group: "", version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** The kind of an object by its apiVersion and kind, whatever the version. */
export function kindOf(object: { readonly apiVersion: string; readonly kind: string }): SupportedKind | undefined {
  return byGroupKind.get(`${splitApiVersion(object.apiVersion).group}/${object.kind}`);
}

/** Name of the source collection that an object belongs to; undefined for kinds that Gatehouse does not read. */
export function collectionOf(object: KubernetesObject): CollectionName | undefined {
  return kindOf(object)?.collection;
}

export interface ValidationResult {
  /**
   * The object as an API server would store it: defaults filled in, metadata slimmed, status dropped. Absent if there is a problem,
   * other than unknown fields where these are dropped.
   */
  readonly object?: KubernetesObject;
  readonly problems: readonly FieldProblem[];
  /** True: nothing is wrong with the object, only that Gatehouse does not read its kind; the problem says so. */
  readonly unsupported?: boolean;
}

/**
 * Receives what a user wrote, as an API server with strict field validation would. O(size); about 10 to 20 µs for a route.
 *
 * @param unknownFields `drop`: leave them out and report them beside the object, for objects of API servers that are newer than
 * this program
 */
export function validateObject(raw: unknown, unknownFields: "refuse" | "drop" = "refuse"): ValidationResult {
  if (!isRecord(raw))
    return { problems: [{ path: [], message: "must be a Kubernetes object: apiVersion, kind, metadata …" }] };
  const { apiVersion, kind: kindName, metadata: rawMetadata, status: _, ...rawContent } = raw;
  const missing = (["apiVersion", "kind"] as const).filter(
    (field) => typeof raw[field] !== "string" || raw[field] === "",
  );
  if (typeof apiVersion !== "string" || typeof kindName !== "string" || missing.length > 0) {
    return { problems: missing.map((field) => ({ path: [field], message: "is required" })) };
  }
  const { group, version } = splitApiVersion(apiVersion);
  const kind = byGroupKind.get(`${group}/${kindName}`);
  if (kind === undefined) return { unsupported: true, problems: [unsupportedKind(apiVersion, kindName)] };
  if (!kind.versions.includes(version)) {
    const known = kind.versions.map((name) => (group === "" ? name : `${group}/${name}`)).join(" or ");
    return {
      problems: [{ path: ["apiVersion"], message: `must be ${known} for kind ${kindName} (it is ${apiVersion})` }],
    };
  }
  const { metadata, problems: metadataProblems } = readMetadata(rawMetadata, kind.nameRule);
  const head: KubernetesObject = {
    apiVersion: group === "" ? kind.versions[0]! : `${group}/${kind.versions[0]}`,
    kind: kindName,
    metadata: placed(metadata ?? { name: "unnamed" }, kind),
  };
  const { content, problems: contentProblems } = kind.validate(rawContent, head);
  const problems = [...metadataProblems, ...contentProblems];
  const usable = unknownFields === "drop" && problems.every((problem) => problem.unknownField);
  if (problems.length > 0 && !usable) return { problems };
  return { object: kind.complete({ ...head, ...content }), problems };
}

/** Namespaced objects that name no namespace are in `default`; others are in none. */
function placed({ namespace, ...metadata }: ObjectMeta, { namespaced }: SupportedKind): ObjectMeta {
  return namespaced ? { ...metadata, namespace: namespace || "default" } : metadata;
}

function unsupportedKind(apiVersion: string, kind: string): FieldProblem {
  const names = supportedKinds.map((supported) => supported.kind);
  const known = [...new Set(names)].join(", ");
  return { path: ["kind"], message: `${kind} of ${apiVersion} is not read by Gatehouse, which reads ${known}` };
}
