import type { ResourceType } from "./resource-type.ts";

/** What an API server serves now. */
export interface Served {
  /** The type with this version and plural, as the server describes it; undefined when it is not served. */
  find(group: string, version: string, kind: string): ResourceType | undefined;
  /** Versions in which a kind is served, the server's preferred one first. Empty: its CRD is not installed. */
  versions(group: string, kind: string): readonly string[];
  /** Groups whose server did not answer (aggregated APIs): nothing is known about their types. */
  readonly stale: ReadonlySet<string>;
  /** Equal when the same types are served. */
  readonly identity: string;
}

/** Media types of the aggregated discovery document; the second for servers before 1.30. */
export const DISCOVERY_ACCEPT = ["v2", "v2beta1"]
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join(",");

/** `APIGroupDiscoveryList`, as far as it is used. */
export interface GroupDiscoveryList {
  readonly items: readonly {
    readonly metadata?: { readonly name?: string };
    readonly versions: readonly {
      readonly version: string;
      readonly freshness?: string;
      readonly resources?: readonly {
        readonly resource: string;
        readonly scope: string;
        readonly responseKind?: { readonly kind?: string };
      }[];
    }[];
  }[];
}

/** Reads aggregated discovery documents (`/api` and `/apis`). */
export function readDiscovery(lists: readonly GroupDiscoveryList[]): Served {
  const types = new Map<string, ResourceType[]>();
  const stale = new Set<string>();
  for (const { metadata, versions } of lists.flatMap((list) => list.items)) {
    const group = metadata?.name ?? "";
    for (const { version, freshness, resources } of versions) {
      if (freshness === "Stale") stale.add(group);
      for (const { resource: plural, scope, responseKind } of resources ?? []) {
        const kind = responseKind?.kind ?? "";
        const type = { group, version, kind, plural, namespaced: scope === "Namespaced" };
        const key = `${group}/${kind}`;
        const known = types.get(key);
        if (known === undefined) types.set(key, [type]);
        else known.push(type);
      }
    }
  }
  return {
    find: (group, version, kind) => types.get(`${group}/${kind}`)?.find((type) => type.version === version),
    versions: (group, kind) => types.get(`${group}/${kind}`)?.map((type) => type.version) ?? [],
    stale,
    identity: [...types.values()]
      .flat()
      .map(({ group, version, plural }) => `${group}/${version}/${plural}`)
      .sort()
      .join(),
  };
}
