import type { ConfigMap, Secret } from "../api/core.ts";
import { objectKey } from "../base/keys.ts";
import type { AuthorityReference, TlsReader } from "./authorities.ts";
import { elementsOf } from "./der.ts";
import { objectBytes } from "./object-data.ts";
import { readCertificates } from "./pem.ts";

/** Where an object keeps its lists of revoked certificates, in PEM. */
export const CRL_KEY = "ca.crl";

/** Follows a reference to lists in `ca.crl` of an object in `namespace`: `<kind>/<key>` as of authorities, or why not. */
export function followRevocations(
  { group, kind, name }: AuthorityReference,
  namespace: string,
  read: TlsReader,
): string | { readonly message: string } {
  if (group !== "" || (kind !== "ConfigMap" && kind !== "Secret")) {
    const message = `names a ${kind}, and lists of revoked certificates come from a ConfigMap or Secret of the core group; name one`;
    return { message };
  }
  const key = objectKey(namespace, name);
  const object = kind === "Secret" ? read.secret(key) : read.configMap(key);
  if (object === undefined) {
    return { message: `names ${kind} ${key}, which does not exist; create it or correct the reference` };
  }
  const { fault } = readLists(object);
  return fault === undefined
    ? `${kind.toLowerCase()}/${key}`
    : { message: `names ${kind} ${key}, which ${fault}; correct it or name another` };
}

interface Lists {
  /** Why they cannot be used. */
  readonly fault?: string;
  /** Names of those who issued them, each DER in base64. */
  readonly issuers: readonly string[];
}

const read = new WeakMap<Secret | ConfigMap, Lists>();

/** A list can be long, and many policies may name it. */
function readLists(object: Secret | ConfigMap): Lists {
  let lists = read.get(object);
  if (lists === undefined) {
    const pem = objectBytes(object, CRL_KEY);
    lists = pem === undefined ? { fault: `has no key ${CRL_KEY}`, issuers: [] } : decodeLists(pem.toString("latin1"));
    read.set(object, lists);
  }
  return lists;
}

const beginList = /-----BEGIN X509 CRL-----/g;
const listBlock = /-----BEGIN X509 CRL-----([\sA-Za-z0-9+/=]*)-----END X509 CRL-----/g;

/** One that is out of date passes: there is no clock here. */
function decodeLists(text: string): Lists {
  const blocks = [...text.matchAll(listBlock)].map(([, content = ""]) => content);
  const fail = (fault: string): Lists => ({ fault: `${fault} in ${CRL_KEY}`, issuers: [] });
  if (blocks.length === 0) return fail("holds no list of revoked certificates in PEM form (X509 CRL)");
  if (blocks.length !== text.match(beginList)?.length) return fail("holds a damaged PEM block");
  const issuers = blocks.map((content) => issuerOf(Buffer.from(content, "base64")));
  const bad = issuers.indexOf(undefined);
  if (bad >= 0) return fail(`holds a list (number ${bad + 1} of ${blocks.length}) that cannot be decoded`);
  return { issuers: issuers as string[] };
}

/** Tags of ASN.1. */
const SEQUENCE = 0x30;
const INTEGER = 0x02;
const BIT_STRING = 0x03;

/**
 * Of a CertificateList (RFC 5280 section 5.1), which is looked at from outside: what was signed, how, and the signature. Its entries,
 * which may be a million, are for Envoy to read. Undefined: it is none. O(1).
 */
function issuerOf(bytes: Buffer): string | undefined {
  const [outer, ...beyond] = elementsOf(bytes, 0, bytes.length);
  if (outer?.tag !== SEQUENCE || outer.end !== bytes.length || beyond.length > 0) return undefined;
  const parts = [...elementsOf(bytes, outer.contentStart, outer.end)];
  const [signed] = parts;
  if (parts.map(({ tag }) => tag).join() !== [SEQUENCE, SEQUENCE, BIT_STRING].join()) return undefined;
  if (parts.at(-1)?.end !== outer.end || signed === undefined) return undefined;
  // A version, then the algorithm, then the issuer.
  const [first, second, third] = elementsOf(bytes, signed.contentStart, signed.end);
  const issuer = first?.tag === INTEGER ? third : second;
  return issuer?.tag === SEQUENCE ? bytes.toString("base64", issuer.start, issuer.end) : undefined;
}

/** Of a certificate (RFC 5280 section 4.1): behind version, serial number, algorithm, issuer and dates. */
function subjectOf(bytes: Buffer): string | undefined {
  const [outer] = elementsOf(bytes, 0, bytes.length);
  const [signed] = outer ? elementsOf(bytes, outer.contentStart, outer.end) : [];
  if (signed === undefined) return undefined;
  const parts = [...elementsOf(bytes, signed.contentStart, signed.end)];
  const subject = parts[parts[0]?.tag === INTEGER ? 4 : 5];
  return subject && bytes.toString("base64", subject.start, subject.end);
}

/**
 * An authority without a list among these, by its subject: its clients are all refused where Envoy looks every certificate of a chain up.
 * Undefined: there is none. O(authorities + lists).
 */
export function findUnlisted(
  authorities: readonly (Secret | ConfigMap)[],
  revoked: readonly (Secret | ConfigMap)[],
): string | undefined {
  const issuers = new Set(revoked.flatMap((object) => readLists(object).issuers));
  const unlisted = authorities.flatMap(readSubjects).find(({ der }) => !issuers.has(der));
  return unlisted?.text;
}

interface Subject {
  /** In base64. */
  readonly der: string;
  readonly text: string;
}

const subjects = new WeakMap<Secret | ConfigMap, readonly Subject[]>();

/** Decoding a bundle of 150 certificates costs some milliseconds, and it changes less often than lists. */
function readSubjects(object: Secret | ConfigMap): readonly Subject[] {
  let found = subjects.get(object);
  if (found === undefined) {
    const { certificates = [] } = readCertificates(objectBytes(object, "ca.crt") ?? Buffer.alloc(0));
    found = certificates.flatMap(({ raw, subject = "" }) => {
      const der = subjectOf(raw);
      return der === undefined ? [] : { der, text: subject.replaceAll("\n", ", ") };
    });
    subjects.set(object, found);
  }
  return found;
}
