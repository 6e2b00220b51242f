import { splitObjectKey } from "../base/keys.ts";
import type { KubeObject } from "../kube/resource-type.ts";
import type { Authority } from "./authorities.ts";
import type { ReadCertificate } from "./certificate.ts";
import type { Leaf } from "./leaves.ts";
import { type ConfigMapObject, readAuthority, readPair, roleOf, type SecretObject } from "./objects.ts";

/** A Secret of ours, its certificate read once. */
export interface HeldSecret {
  readonly object: SecretObject;
  readonly certificate: ReadCertificate | undefined;
}

/** What the cluster has of ours, as far as it was told. */
export interface CertificateState {
  /** By name; all are in the controller's namespace. */
  readonly secrets: Map<string, HeldSecret>;
  /** Authorities that Envoys trust, by the namespace of the ConfigMap. */
  readonly trust: Map<string, ConfigMapObject>;
}

export function emptyState(): CertificateState {
  return { secrets: new Map(), trust: new Map() };
}

export function holdSecret({ secrets }: CertificateState, name: string, object: SecretObject | undefined): void {
  if (object === undefined) secrets.delete(name);
  else secrets.set(name, { object, certificate: readPair(object) });
}

export function holdTrust({ trust }: CertificateState, namespace: string, object: ConfigMapObject | undefined): void {
  if (object === undefined) trust.delete(namespace);
  else trust.set(namespace, object);
}

/**
 * Takes what a watch handed on: keys are `namespace/name`. The news of a version that came before our own write may arrive after
 * its answer, and must not undo it.
 */
export function holdChanges(
  state: CertificateState,
  kind: string,
  changes: Iterable<readonly [string, KubeObject | undefined]>,
): void {
  for (const [key, object] of changes) {
    const { namespace, name } = splitObjectKey(key);
    const held = kind === "Secret" ? state.secrets.get(name)?.object : state.trust.get(namespace);
    if (object !== undefined && held !== undefined && isOlder(object, held)) continue;
    if (kind === "Secret") holdSecret(state, name, object);
    else holdTrust(state, namespace, object);
  }
}

export function authoritiesOf({ secrets }: CertificateState): Authority[] {
  return [...secrets.values()].flatMap(({ object, certificate }) => {
    const authority = roleOf(object) === "authority" ? readAuthority(object, certificate) : undefined;
    return authority === undefined ? [] : [authority];
  });
}

export function leavesOf({ secrets }: CertificateState): ReadonlyMap<string, Leaf> {
  const leaves = [...secrets].filter(([, { object }]) => roleOf(object) === "leaf");
  return new Map(
    leaves.map(([secretName, { certificate }]) => [secretName, { secretName, ...(certificate && { certificate }) }]),
  );
}

/** Of the same object; resourceVersions are decimal numbers and grow. */
function isOlder({ metadata: a }: KubeObject, { metadata: b }: KubeObject): boolean {
  const [one, other] = [a.resourceVersion ?? "", b.resourceVersion ?? ""];
  if (a.uid !== b.uid || !/^\d+$/.test(one) || !/^\d+$/.test(other)) return false;
  return BigInt(one) < BigInt(other);
}
