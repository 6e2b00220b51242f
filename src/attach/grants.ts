import type { ReferenceGrant } from "../api/gateway-api.ts";

/** ReferenceGrants of one namespace, in any order. */
export type GrantReader = (namespace: string) => Iterable<ReferenceGrant>;

export interface GrantOrigin {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
}

export interface GrantTarget {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/**
 * Whether objects of kind `from` may refer to the object `to`. Inside one namespace always; across namespaces when a
 * ReferenceGrant in the namespace of the target has an entry for both ends (Gateway API, ReferenceGrant). Whether the target
 * exists does not matter, so that nobody can find out about objects of other namespaces.
 */
export function isGranted(grants: GrantReader, from: GrantOrigin, to: GrantTarget): boolean {
  if (from.namespace === to.namespace) return true;
  for (const { spec } of grants(to.namespace)) {
    const fromMatches = spec?.from.some(
      ({ group, kind, namespace }) => group === from.group && kind === from.kind && namespace === from.namespace,
    );
    if (!fromMatches) continue;
    const toMatches = spec?.to.some(
      ({ group, kind, name }) =>
        group === to.group && kind === to.kind && (name === undefined || name === "" || name === to.name),
    );
    if (toMatches) return true;
  }
  return false;
}
