import type { Backend, BackendTls } from "../api/backend.ts";
import { type ObjectKey, objectKey } from "../base/keys.ts";
import { followAuthorities, type TlsReader } from "./authorities.ts";
import type { BackendFault } from "./backend.ts";
import type { UpstreamTls } from "./model.ts";
import type { TlsDefaults } from "./routing-settings.ts";
import { findChoiceFaults } from "./tls-choices.ts";
import { checkTlsSecret } from "./tls-secret.ts";

/** Faults of `spec.tls` that can be seen without following references. */
export function findTlsSettingsFault(tls: BackendTls): BackendFault | undefined {
  if (tls.wellKnownCACertificates !== undefined && !["", "System"].includes(tls.wellKnownCACertificates)) {
    return fault(
      "wellKnownCACertificates",
      `is ${tls.wellKnownCACertificates}, and only System is known; write that, or set caCertificateRefs`,
    );
  }
  if (tls.fingerprints !== undefined && tls.fingerprints.length > 0) {
    return fault("fingerprints", "are of clients, and Envoy makes none of a backend; leave it out");
  }
  if (tls.sni !== undefined && tls.autoSNIFromEndpointHostname) {
    return fault("sni", "stands beside autoSNIFromEndpointHostname, which sets it too; keep one of them");
  }
  const [choice] = findChoiceFaults(tls);
  return choice && fault(choice.field, choice.text);
}

function fault(field: string, message: string): BackendFault {
  return { reason: "InvalidBackendTLS", field: `spec.tls.${field}`, message };
}

export type ResolvedTls = { readonly tls: UpstreamTls; readonly fault?: undefined } | { readonly fault: BackendFault };

/**
 * Follows the references of `spec.tls` of a Backend without faults of its own.
 *
 * @param policed a BackendTLSPolicy says whom to trust, so the Backend need not
 */
export function resolveBackendTls(backend: Backend, tls: BackendTls, policed: boolean, read: TlsReader): ResolvedTls {
  const namespace = backend.metadata.namespace ?? "";
  const insecureSkipVerify = tls.insecureSkipVerify === true;
  const trust = insecureSkipVerify || policed ? ("None" as const) : resolveTrust(tls, namespace, read);
  if (typeof trust === "object" && "reason" in trust) return { fault: trust };
  const client =
    tls.clientCertificateRef && resolveClientCertificate(tls.clientCertificateRef, namespace, "Backend", read);
  if (typeof client === "object") return { fault: client };
  return {
    tls: {
      ...(tls.sni !== undefined && { sni: tls.sni }),
      autoSniFromEndpointHostname: tls.autoSNIFromEndpointHostname === true,
      insecureSkipVerify,
      trust,
      ...(client !== undefined && { clientCertificate: client }),
      ...tlsChoices(tls),
    },
  };
}

/** What the two ends negotiate, as far as it is said. */
export function tlsChoices(tls: BackendTls): Partial<UpstreamTls> {
  return {
    ...bound("minVersion", tls.minVersion),
    ...bound("maxVersion", tls.maxVersion),
    ...words("ciphers", tls.ciphers),
    ...words("ecdhCurves", tls.ecdhCurves),
    ...words("signatureAlgorithms", tls.signatureAlgorithms),
    ...words("alpnProtocols", tls.alpnProtocols),
  };
}

function bound(name: "minVersion" | "maxVersion", version: string | undefined): Partial<UpstreamTls> {
  return version === undefined || version === "Auto" ? {} : { [name]: version };
}

function words(name: keyof UpstreamTls, list: readonly string[] | undefined): Partial<UpstreamTls> {
  return list === undefined || list.length === 0 ? {} : { [name]: [...list] };
}

/** What a backend says itself stands; a range of versions is taken as a whole, since halves of two need not fit together. */
export function completeTls(tls: UpstreamTls, defaults: TlsDefaults | undefined): UpstreamTls {
  if (defaults === undefined) return tls;
  const { minVersion, maxVersion, ...others } = defaults;
  const ownVersions = tls.minVersion !== undefined || tls.maxVersion !== undefined;
  return { ...others, ...(!ownVersions && { minVersion, maxVersion }), ...withoutUndefined(tls) };
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

function resolveTrust(
  tls: BackendTls,
  namespace: string,
  read: TlsReader,
): "System" | readonly string[] | BackendFault {
  if (tls.wellKnownCACertificates === "System") return "System";
  const references = tls.caCertificateRefs ?? [];
  if (references.length === 0) {
    return {
      reason: "InvalidBackendTLS",
      field: "spec.tls",
      message:
        "names no authorities to trust; set caCertificateRefs or wellKnownCACertificates (or, for tests, insecureSkipVerify)",
    };
  }
  const trust: string[] = [];
  for (const [index, reference] of references.entries()) {
    const authority = followAuthorities(reference, namespace, read);
    if (typeof authority !== "string") return fault(`caCertificateRefs[${index}]`, authority.message);
    trust.push(authority);
  }
  return trust;
}

/** @param owner kind of the object in `namespace` that has the reference */
export function resolveClientCertificate(
  reference: NonNullable<BackendTls["clientCertificateRef"]>,
  namespace: string,
  owner: "Backend" | "EnvoyProxy",
  read: TlsReader,
): ObjectKey | BackendFault {
  const { group = "", kind = "Secret", name } = reference;
  if (group !== "" || kind !== "Secret") {
    return fault("clientCertificateRef", `names a ${kind}, and a client certificate comes from a Secret; name one`);
  }
  if (reference.namespace !== undefined && reference.namespace !== namespace) {
    return fault(
      "clientCertificateRef.namespace",
      `is ${reference.namespace}, and the Secret must be in the namespace of the ${owner}; move it to ${namespace}`,
    );
  }
  const key = objectKey(namespace, name);
  const secret = read.secret(key);
  if (secret === undefined)
    return fault(
      "clientCertificateRef",
      `names Secret ${key}, which does not exist; create it or correct the reference`,
    );
  const check = checkTlsSecret(secret);
  return check.fault === undefined
    ? key
    : fault("clientCertificateRef", `names Secret ${key}, which ${check.fault}; correct it or name another`);
}
