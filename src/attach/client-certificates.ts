import { isIP } from "node:net";
import type { ConfigMap, Secret } from "../api/core.ts";
import { type AuthorityReference, followAuthorities } from "./authorities.ts";
import type { ClientTrafficSettings } from "./client-traffic.ts";
import type { ClientIdentity, ClientName, ClientValidation, ClientValidationReader } from "./client-validation.ts";
import { parseTrust } from "./cluster-spec.ts";
import { isGranted } from "./grants.ts";
import type { PolicyFinding } from "./policy-model.ts";
import { findRegexFault } from "./regex.ts";
import { findUnlisted, followRevocations } from "./revocation.ts";

type Context = NonNullable<NonNullable<ClientTrafficSettings["tls"]>["clientValidation"]>;
type Mode = NonNullable<Context["mode"]>;
type Reference = NonNullable<Context["caCertificateRefs"]>[number];
type Report = (field: string, text: string | undefined) => void;

export interface PlannedClientValidation {
  /** To be used only where nothing is found. */
  readonly validation: ClientValidation;
  readonly findings: readonly PolicyFinding[];
  readonly warnings: readonly PolicyFinding[];
}

const FIELD = "spec.tls.clientValidation";

const modes: Readonly<Record<Mode, Pick<ClientValidation, "required" | "verified">>> = {
  Request: { required: false, verified: false },
  RequireAny: { required: true, verified: false },
  VerifyIfGiven: { required: false, verified: true },
  RequireAndVerify: { required: true, verified: true },
};

/**
 * What `spec.tls.clientValidation` of a ClientTrafficPolicy in `namespace` asks of clients. Unlike those of a Gateway its references are
 * all good or none is: the policy names what it relies upon.
 */
export function planClientValidation(
  context: Context,
  namespace: string,
  read: ClientValidationReader,
): PlannedClientValidation {
  const findings: PolicyFinding[] = [];
  const report: Report = (field, text) => {
    if (text !== undefined) findings.push({ field: field === "" ? FIELD : `${FIELD}.${field}`, text });
  };
  const { optional, mode = optional ? "VerifyIfGiven" : "RequireAndVerify", caCertificateRefs = [], crl } = context;
  const trust = new Set<string>();
  for (const [index, reference] of caCertificateRefs.entries()) {
    const found = follow(reference, namespace, read, followAuthorities);
    if (typeof found === "string") trust.add(found);
    else report(`caCertificateRefs[${index}]`, found.message);
  }
  const revoked = new Set<string>();
  for (const [index, reference] of (crl?.refs ?? []).entries()) {
    const found = follow(reference, namespace, read, followRevocations);
    if (typeof found === "string") revoked.add(found);
    else report(`crl.refs[${index}]`, found.message);
  }
  const unlisted =
    findings.length === 0 && revoked.size > 0 && !crl?.onlyVerifyLeafCertificate
      ? findUnlisted(objectsOf(trust, read), objectsOf(revoked, read))
      : undefined;
  const names = namesOf(context);
  judgeHashes(context, report);
  judgeNames(context, report);
  judgeTogether(context, mode, names, report);
  return {
    validation: {
      ...modes[mode],
      trust: [...trust].sort(),
      ...identityOf(context, names),
      ...(revoked.size > 0 && { revoked: [...revoked].sort() }),
      ...(crl?.onlyVerifyLeafCertificate && { onlyLeafRevoked: true }),
      // Without authorities nothing looks at the time.
      ...(context.allowExpiredCertificate && trust.size > 0 && { expiredAllowed: true }),
    },
    findings,
    warnings: [...findDemand(context, mode, names), ...(unlisted === undefined ? [] : [lackList(unlisted)])],
  };
}

function objectsOf(keys: Iterable<string>, read: ClientValidationReader): readonly (Secret | ConfigMap)[] {
  return [...keys].map(parseTrust).flatMap(({ source, key }) => {
    return (source === "secret" ? read.secret(key) : read.configMap(key)) ?? [];
  });
}

function lackList(authority: string): PolicyFinding {
  const text = `has no list of ${authority}, an authority of caCertificateRefs, so that Envoy refuses every client whose chain it is in; add its list, or write onlyVerifyLeafCertificate`;
  return { field: `${FIELD}.crl.refs`, text, reason: "MissingRevocationList" };
}

/** Envoy compares names and hashes with nothing where no certificate is, and finds that they differ. */
function findDemand(context: Context, mode: Mode, names: readonly ClientName[]): readonly PolicyFinding[] {
  const [field] = identifyingFields(context, names);
  if (mode !== "VerifyIfGiven" || field === undefined) return [];
  const text = `has clients without a certificate refused, whom mode ${mode} would serve; remove it, or write mode RequireAndVerify`;
  return [{ field: `${FIELD}.${field}`, text, reason: "NoEffect" }];
}

/** Of a reference that is not allowed nothing else is told: it does not show whether the object exists. */
function follow<T extends { readonly message: string }>(
  { group = "", kind = "Secret", namespace = "", name }: Reference,
  own: string,
  read: ClientValidationReader,
  at: (reference: AuthorityReference, namespace: string, read: ClientValidationReader) => string | T,
): string | { readonly message: string } {
  const place = namespace === "" ? own : namespace;
  const origin = { group: "gateway.envoyproxy.io", kind: "ClientTrafficPolicy", namespace: own };
  if (isGranted(read.grants, origin, { group, kind, namespace: place, name })) {
    return at({ group, kind, name }, place, read);
  }
  const message =
    `names ${kind} ${place}/${name} of another namespace, and no ReferenceGrant there allows it; create one in namespace ` +
    `${place} from ClientTrafficPolicies (group gateway.envoyproxy.io) of namespace ${own} to ${kind}s`;
  return { message };
}

/** Colons between bytes, or none. */
const CERTIFICATE_HASH = /^([0-9a-fA-F]{64}|[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){31})$/;
const KEY_HASH = /^[A-Za-z0-9+/]{43}=$/;

function judgeHashes({ certificateHashes = [], spkiHashes = [] }: Context, report: Report): void {
  for (const [index, hash] of certificateHashes.entries()) {
    if (CERTIFICATE_HASH.test(hash)) continue;
    report(`certificateHashes[${index}]`, `is "${hash}", which is no SHA-256 in hex; write 64 digits of 0 to f`);
  }
  for (const [index, hash] of spkiHashes.entries()) {
    if (KEY_HASH.test(hash)) continue;
    report(`spkiHashes[${index}]`, `is "${hash}", which is no SHA-256 in base64; write 43 characters and "="`);
  }
}

const OBJECT_IDENTIFIER = /^([01]\.[1-3]?[0-9]|2\.[0-9]{1,9})(\.[0-9]{1,9})*$/;

function judgeNames({ subjectAltNames }: Context, report: Report): void {
  for (const { kind, index, name } of eachName(subjectAltNames)) {
    const field = `subjectAltNames.${kind}[${index}]`;
    if (name.type === "RegularExpression") report(`${field}.value`, findRegexFault(name.value));
    if (kind === "ipAddresses" && name.type === "Exact" && isIP(name.value) === 0) {
      report(`${field}.value`, `is "${name.value}", which is no IP address; write one such as 192.0.2.1`);
    }
    if (name.oid !== undefined && !OBJECT_IDENTIFIER.test(name.oid)) {
      report(
        `${field}.oid`,
        `is "${name.oid}", which is no object identifier; write one such as 1.3.6.1.4.1.311.20.2.3`,
      );
    }
  }
}

/** What of the fields cannot stand beside another, or without it. */
function judgeTogether(context: Context, mode: Mode, names: readonly ClientName[], report: Report): void {
  const { caCertificateRefs = [], certificateHashes = [], spkiHashes = [], crl } = context;
  const demanding = [...identifyingFields(context, names), ...(crl === undefined ? [] : ["crl"])];
  if (!modes[mode].verified) {
    const verifying = mode === "Request" ? "VerifyIfGiven" : "RequireAndVerify";
    for (const field of demanding) {
      report(
        field,
        `is for nothing where mode is ${mode}, which takes any certificate; write mode ${verifying}, or leave it out`,
      );
    }
    return;
  }
  if (caCertificateRefs.length > 0) return;
  const needing = demanding.filter((field) => field === "subjectAltNames" || field === "crl");
  for (const field of needing) {
    report(field, "is looked at in certificates of known authorities only; name these in caCertificateRefs");
  }
  if (certificateHashes.length + spkiHashes.length > 0 || needing.length > 0) return;
  report(
    "",
    `has mode ${mode} and nothing to verify certificates by; name authorities in caCertificateRefs, or hashes`,
  );
}

/** Fields that say which certificates it must be. */
function identifyingFields(
  { certificateHashes = [], spkiHashes = [] }: Context,
  names: readonly ClientName[],
): readonly string[] {
  return [
    ...(certificateHashes.length > 0 ? ["certificateHashes"] : []),
    ...(spkiHashes.length > 0 ? ["spkiHashes"] : []),
    ...(names.length > 0 ? ["subjectAltNames"] : []),
  ];
}

function identityOf(
  { certificateHashes = [], spkiHashes = [] }: Context,
  names: readonly ClientName[],
): ClientIdentity {
  return {
    ...(certificateHashes.length > 0 && { certificateHashes }),
    ...(spkiHashes.length > 0 && { spkiHashes }),
    ...(names.length > 0 && { names }),
  };
}

function namesOf({ subjectAltNames }: Context): readonly ClientName[] {
  return [...eachName(subjectAltNames)].map(({ name }) => name);
}

function* eachName(
  names: Context["subjectAltNames"],
): Generator<{ readonly kind: ClientName["kind"]; readonly index: number; readonly name: ClientName }> {
  for (const kind of ["dnsNames", "emailAddresses", "ipAddresses", "uris"] as const) {
    for (const [index, { type = "Exact", value }] of (names?.[kind] ?? []).entries()) {
      yield { kind, index, name: { kind, type, value } };
    }
  }
  for (const [index, { oid, type = "Exact", value }] of (names?.otherNames ?? []).entries()) {
    yield { kind: "otherNames", index, name: { kind: "otherNames", oid, type, value } };
  }
}
