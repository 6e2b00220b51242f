import type { ConfigMap, Secret } from "../api/core.ts";
import { objectKey } from "../base/keys.ts";
import type { AuthorityReference, TlsReader } from "./authorities.ts";
import { readLength } from "./der.ts";
import { objectBytes } from "./object-data.ts";

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
  const fault = checkRevocations(object);
  return fault === undefined
    ? `${kind.toLowerCase()}/${key}`
    : { message: `names ${kind} ${key}, which ${fault}; correct it or name another` };
}

const checks = new WeakMap<Secret | ConfigMap, { readonly fault: string | undefined }>();

/** A list can be long, and many policies may name it. */
function checkRevocations(object: Secret | ConfigMap): string | undefined {
  let check = checks.get(object);
  if (check === undefined) {
    const pem = objectBytes(object, CRL_KEY);
    check = { fault: pem === undefined ? `has no key ${CRL_KEY}` : findListFault(pem.toString("latin1")) };
    checks.set(object, check);
  }
  return check.fault;
}

const beginList = /-----BEGIN X509 CRL-----/g;
const listBlock = /-----BEGIN X509 CRL-----([\sA-Za-z0-9+/=]*)-----END X509 CRL-----/g;

/** One that is out of date passes: there is no clock here. */
function findListFault(text: string): string | undefined {
  const blocks = [...text.matchAll(listBlock)].map(([, content = ""]) => content);
  if (blocks.length === 0) return `holds no list of revoked certificates in PEM form (X509 CRL) in ${CRL_KEY}`;
  if (blocks.length !== text.match(beginList)?.length) return `holds a damaged PEM block in ${CRL_KEY}`;
  const bad = blocks.findIndex((content) => !isList(Buffer.from(content, "base64")));
  if (bad < 0) return undefined;
  return `holds a list (number ${bad + 1} of ${blocks.length}) that cannot be decoded in ${CRL_KEY}`;
}

/** Tags of ASN.1. */
const SEQUENCE = 0x30;
const BIT_STRING = 0x03;

/**
 * A CertificateList (RFC 5280 section 5.1) from outside: what was signed, how, and the signature. Its entries, which may be a million,
 * are for Envoy to read. O(1).
 */
function isList(bytes: Buffer): boolean {
  const outer = readLength(bytes, 1);
  if (bytes[0] !== SEQUENCE || outer?.end !== bytes.length) return false;
  let at = outer.start;
  for (const tag of [SEQUENCE, SEQUENCE, BIT_STRING]) {
    const part = readLength(bytes, at + 1);
    if (bytes[at] !== tag || part === undefined) return false;
    at = part.end;
  }
  return at === outer.end;
}
