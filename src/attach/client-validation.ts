import { type Gateway, gatewayGroup } from "../api/gateway-api.ts";
import { type ObjectKey, objectKey, splitObjectKey } from "../base/keys.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import { type AuthorityFault, followAuthorities, type TlsReader } from "./authorities.ts";
import { type GrantReader, isGranted } from "./grants.ts";

/** What `spec.tls.frontend` of a Gateway says about one port, with defaults filled in. */
export interface FrontendValidation {
  /** Path in the Gateway, such as `spec.tls.frontend.default.validation`. */
  readonly field: string;
  readonly caCertificateRefs: readonly {
    readonly group: string;
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
  }[];
  /** Whether clients without a certificate that can be verified are refused, or served all the same. */
  readonly mode: "AllowValidOnly" | "AllowInsecureFallback";
}

/** What the TLS handshake of a listener asks of clients. */
export interface ClientValidation extends ClientIdentity {
  /** Clients without a certificate are refused. */
  readonly required: boolean;
  /** Certificates that do not pass are refused. */
  readonly verified: boolean;
  /** `configmap/ns/name` or `secret/ns/name` of objects with `ca.crt`: a client is verified by any of them. Sorted. */
  readonly trust: readonly string[];
  /** The same of objects with `ca.crl`: what they list is refused. */
  readonly revoked?: readonly string[];
  /** Lists are asked about the client's own certificate, not about authorities between. */
  readonly onlyLeafRevoked?: true;
  readonly expiredAllowed?: true;
}

/** A certificate is demanded, and no authority is named to the client. */
export function takesAnyone({ required, verified, trust }: ClientValidation): boolean {
  return required && !verified && trust.length === 0;
}

/** Which certificates it must be, beside being signed by an authority. */
export interface ClientIdentity {
  /** SHA-256 of certificates, in hex, and of public keys, in base64: it is one of either. */
  readonly certificateHashes?: readonly string[];
  readonly spkiHashes?: readonly string[];
  /** It has one of them. */
  readonly names?: readonly ClientName[];
}

export interface ClientName {
  readonly kind: "dnsNames" | "emailAddresses" | "ipAddresses" | "uris" | "otherNames";
  /** Of other names. */
  readonly oid?: string;
  readonly type: "Exact" | "Prefix" | "Suffix" | "RegularExpression";
  readonly value: string;
}

/**
 * The setting of a port, which replaces the default as a whole, even where it says nothing (Gateway API, FrontendTLSConfig). For
 * HTTPS listeners only, as the API says: others have no part in it.
 */
export function frontendValidation({ metadata, spec }: Gateway, port: number): FrontendValidation | undefined {
  const { frontend } = spec.tls ?? {};
  const index = frontend?.perPort?.findIndex((entry) => entry.port === port) ?? -1;
  const [field, config] =
    index < 0
      ? (["spec.tls.frontend.default.validation", frontend?.default] as const)
      : ([`spec.tls.frontend.perPort[${index}].tls.validation`, frontend?.perPort?.[index]?.tls] as const);
  if (config?.validation === undefined) return undefined;
  const { caCertificateRefs, mode = "AllowValidOnly" } = config.validation;
  return {
    field,
    caCertificateRefs: caCertificateRefs.map(({ group, kind, name, namespace }) => ({
      group,
      kind,
      namespace: namespace ?? metadata.namespace ?? "",
      name,
    })),
    mode,
  };
}

/** That clients of some port are not verified, which the API wants told wherever it is asked for. */
export function findInsecureFrontend({ spec }: Gateway): Problem | undefined {
  const { frontend } = spec.tls ?? {};
  const insecure = (config: { readonly validation?: { readonly mode?: string } } | undefined) =>
    config?.validation?.mode === "AllowInsecureFallback";
  const fields = [
    ...(insecure(frontend?.default) ? ["spec.tls.frontend.default.validation.mode"] : []),
    ...(frontend?.perPort ?? []).flatMap(({ tls }, index) =>
      insecure(tls) ? [`spec.tls.frontend.perPort[${index}].tls.validation.mode`] : [],
    ),
  ];
  const [field] = fields;
  if (field === undefined) return undefined;
  const message =
    `AllowInsecureFallback is the value of ${fields.join(" and of ")}: HTTPS clients are served there without a certificate, and with ` +
    "one that cannot be verified; write AllowValidOnly, unless backends find out by themselves who asks";
  return { condition: "InsecureFrontendValidationMode", reason: "ConfigurationChanged", field, message };
}

export interface ClientValidationReader extends TlsReader {
  readonly grants: GrantReader;
}

export interface ResolvedClientValidation {
  /** Undefined: nobody can be verified, so nobody may be served. */
  readonly validation?: ClientValidation;
  readonly problems: readonly Problem[];
}

/**
 * Follows the references to authorities. Bad ones are left out while one is good, so that fewer clients are let in, never more;
 * without a good one the listener is off (Gateway API, FrontendTLSValidation.caCertificateRefs).
 */
export function resolveClientValidation(
  gateway: ObjectKey,
  { field, caCertificateRefs, mode }: FrontendValidation,
  read: ClientValidationReader,
): ResolvedClientValidation {
  const trust = new Set<string>();
  const problems: Problem[] = [];
  for (const [index, reference] of caCertificateRefs.entries()) {
    const authority = followReference(gateway, reference, read);
    if (typeof authority === "string") trust.add(authority);
    else {
      const { reason, message } = authority;
      problems.push(problemAt("ResolvedRefs", reason, `${field}.caCertificateRefs[${index}]`, message));
    }
  }
  const verified = mode === "AllowValidOnly";
  if (trust.size > 0) return { validation: { required: verified, verified, trust: [...trust].sort() }, problems };
  const text =
    "leads to no authority by which a client could be verified, so the listener is off; correct its references";
  return { problems: [...problems, problemAt("Accepted", "NoValidCACertificate", `${field}.caCertificateRefs`, text)] };
}

function followReference(
  gateway: ObjectKey,
  reference: FrontendValidation["caCertificateRefs"][number],
  read: ClientValidationReader,
): string | { readonly reason: string; readonly message: string } {
  const { namespace } = splitObjectKey(gateway);
  if (!isGranted(read.grants, { group: gatewayGroup, kind: "Gateway", namespace }, reference)) {
    const key = objectKey(reference.namespace, reference.name);
    const message =
      `names ${reference.kind} ${key} of another namespace, and no ReferenceGrant there allows it; create one in namespace ` +
      `${reference.namespace} from Gateways of namespace ${namespace} to ${reference.kind}s`;
    return { reason: "RefNotPermitted", message };
  }
  const authority = followAuthorities(reference, reference.namespace, read);
  return typeof authority === "string" ? authority : { ...authority, reason: reasons[authority.reason] };
}

const reasons: Readonly<Record<AuthorityFault["reason"], string>> = {
  InvalidKind: "InvalidCACertificateKind",
  InvalidCACertificateRef: "InvalidCACertificateRef",
};
