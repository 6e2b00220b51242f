import { splitObjectKey } from "../base/keys.ts";
import type { KubeObject } from "../kube/resource-type.ts";
import type { Authority } from "./authorities.ts";
import type { CertificateObject, IssuerObject } from "./cert-manager-objects.ts";
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
  /** cert-manager's, by name; empty without it. */
  readonly certificates: Map<string, CertificateObject>;
  readonly issuers: Map<string, IssuerObject>;
}

export function emptyState(): CertificateState {
  return { secrets: new Map(), trust: new Map(), certificates: new Map(), issuers: new Map() };
}

export function holdSecret({ secrets }: CertificateState, name: string, object: SecretObject | undefined): void {
  if (object === undefined) secrets.delete(name);
  else secrets.set(name, { object, certificate: readPair(object) });
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
    if (kind === "Secret") {
      if (!isOlder(object, state.secrets.get(name)?.object)) holdSecret(state, name, object);
    } else if (kind === "ConfigMap") hold(state.trust, namespace, object);
    else if (kind === "Certificate") hold(state.certificates, name, object as CertificateObject | undefined);
    else hold(state.issuers, name, object as IssuerObject | undefined);
  }
}

export function hold<T extends KubeObject>(held: Map<string, T>, key: string, object: T | undefined): void {
  if (object === undefined) held.delete(key);
  else if (!isOlder(object, held.get(key))) held.set(key, object);
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
function isOlder(object: KubeObject | undefined, held: KubeObject | undefined): boolean {
  if (object === undefined || held === undefined || object.metadata.uid !== held.metadata.uid) return false;
  const [one, other] = [object.metadata.resourceVersion ?? "", held.metadata.resourceVersion ?? ""];
  return /^\d+$/.test(one) && /^\d+$/.test(other) && BigInt(one) < BigInt(other);
}
