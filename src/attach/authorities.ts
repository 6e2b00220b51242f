import type { ConfigMap, Secret } from "../api/core.ts";
import { type ObjectKey, objectKey } from "../base/keys.ts";
import { objectBytes } from "./object-data.ts";
import { readCertificates } from "./pem.ts";

/** What is read to follow references to certificates. */
export interface TlsReader {
  secret(key: ObjectKey): Secret | undefined;
  configMap(key: ObjectKey): ConfigMap | undefined;
}

export interface AuthorityReference {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
}

/** Why no authorities come of a reference; `message` completes a sentence that begins with its field. */
export interface AuthorityFault {
  readonly reason: "InvalidKind" | "InvalidCACertificateRef";
  readonly message: string;
}

/** Follows a reference to authorities in `ca.crt` of an object in `namespace`: an entry of `UpstreamTls.trust`, or why not. */
export function followAuthorities(
  { group, kind, name }: AuthorityReference,
  namespace: string,
  read: TlsReader,
): string | AuthorityFault {
  if (group !== "" || (kind !== "ConfigMap" && kind !== "Secret")) {
    const message = `names a ${kind}, and authorities come from a ConfigMap or Secret of the core group; name one`;
    return { reason: "InvalidKind", message };
  }
  const key = objectKey(namespace, name);
  const object = kind === "Secret" ? read.secret(key) : read.configMap(key);
  const invalid = (message: string): AuthorityFault => ({ reason: "InvalidCACertificateRef", message });
  if (object === undefined) {
    return invalid(`names ${kind} ${key}, which does not exist; create it or correct the reference`);
  }
  const problem = checkAuthorities(object);
  if (problem !== undefined) return invalid(`names ${kind} ${key}, which ${problem}; correct it or name another`);
  return `${kind.toLowerCase()}/${key}`;
}

const authorityChecks = new WeakMap<Secret | ConfigMap, { readonly fault: string | undefined }>();

/** Many routes reach backends that trust one bundle, and decoding a bundle of 150 certificates costs some milliseconds. */
function checkAuthorities(object: Secret | ConfigMap): string | undefined {
  let check = authorityChecks.get(object);
  if (check === undefined) {
    const pem = objectBytes(object, "ca.crt");
    const read = pem === undefined ? undefined : readCertificates(pem);
    const fault = read === undefined ? "has no key ca.crt" : "fault" in read ? `${read.fault} in ca.crt` : undefined;
    check = { fault };
    authorityChecks.set(object, check);
  }
  return check.fault;
}
