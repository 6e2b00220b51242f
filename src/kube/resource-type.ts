/** A kind of object as an API server serves it: what it takes to write its URL. */
export interface ResourceType {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** Metadata as far as writers and readers of objects need it. */
export interface KubeMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
}

/** Any object, read or written. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: KubeMeta;
}

/** Names one object of a type; no namespace for cluster-scoped types. */
export interface Target {
  readonly namespace?: string;
  readonly name: string;
}

/** `group/version`, or `version` in the core group: what an object of the type has as its apiVersion. */
export function apiVersionOf(type: ResourceType): string {
  return type.group === "" ? type.version : `${type.group}/${type.version}`;
}

/** `Kind namespace/name`: how errors and logs name an object. */
export function describeTarget(type: ResourceType, { namespace, name }: Partial<Target>): string {
  const place = namespace === undefined || namespace === "" ? "" : `${namespace}/`;
  return name === undefined ? `${type.plural}${place && ` in ${namespace}`}` : `${type.kind} ${place}${name}`;
}

/**
 * Path of one object, or of a collection when no name is given. A namespaced type without a namespace is the collection of all
 * namespaces.
 */
export function resourcePath(type: ResourceType, { namespace, name }: Partial<Target>, subresource?: "status"): string {
  const root = type.group === "" ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const inNamespace = type.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  const object = name === undefined ? "" : `/${encodeURIComponent(name)}`;
  return `${root}${inNamespace}/${type.plural}${object}${subresource ? `/${subresource}` : ""}`;
}

/**
 * Whether one version of an object is newer than another. Kubernetes promises that resourceVersions of a kind are decimal numbers
 * that grow (KEP-5504), and has always kept to it.
 */
export function isNewer(one: KubeObject, other: KubeObject): boolean {
  return BigInt(one.metadata.resourceVersion ?? 0) > BigInt(other.metadata.resourceVersion ?? 0);
}
