/** The part of metadata that Gatehouse keeps of every object (sources are slimmed: no managedFields, no last-applied). */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly generation?: number;
  /** RFC 3339, seconds. Absent in files; then ties are broken by namespace and name alone. */
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly resourceVersion?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Any object as read: what all kinds share. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** A generated model type with its metadata as Gatehouse keeps it. */
export type Kept<T> = Omit<T, "metadata"> & { readonly metadata: ObjectMeta };
