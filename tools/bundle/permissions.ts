import type { Manifest } from "./source.ts";

interface Reference {
  readonly kind: string;
  readonly name: string;
}

/** Rules that one ServiceAccount gets, as a ClusterServiceVersion lists them. */
export interface Permission {
  readonly serviceAccountName: string;
  readonly rules: readonly unknown[];
}

/**
 * The rules of all roles that are bound to each ServiceAccount.
 *
 * @param binding `RoleBinding`: where the operator works; `ClusterRoleBinding`: everywhere
 */
export function permissionsOf(
  manifests: readonly Manifest[],
  binding: "RoleBinding" | "ClusterRoleBinding",
): Permission[] {
  const rules = new Map<string, unknown[]>();
  for (const manifest of manifests.filter(({ kind }) => kind === binding)) {
    const role = manifest["roleRef"] as Reference;
    const found = manifests.find(({ kind, metadata }) => kind === role.kind && metadata.name === role.name);
    if (found === undefined) throw new Error(`${binding} ${manifest.metadata.name} names no role of config/bundle`);
    for (const { kind, name } of manifest["subjects"] as readonly Reference[]) {
      if (kind !== "ServiceAccount") throw new Error(`${binding} ${manifest.metadata.name} names a ${kind}`);
      rules.set(name, [...(rules.get(name) ?? []), ...(found["rules"] as readonly unknown[])]);
    }
  }
  return [...rules].map(([serviceAccountName, its]) => ({ serviceAccountName, rules: its }));
}
