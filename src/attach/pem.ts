import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/**
 * Reading of PEM as strictly as Envoy reads it, so that Envoy never refuses what passed here. No message holds any part of
 * what was read: keys stay out of statuses and logs.
 */

/** Certificates of a PEM text in their order, or what is wrong with it. */
export type ReadCertificates =
  | { readonly certificates: readonly X509Certificate[] }
  | { readonly fault: string; readonly certificates?: undefined };

/** More than any real chain or set of authorities; each costs Envoy memory in every cluster that trusts it. */
const MAX_CERTIFICATES = 500;

const beginCertificate = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g;
const certificateBlock =
  /-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----[\sA-Za-z0-9+/=]*-----END (X509 |TRUSTED )?CERTIFICATE-----/g;

export function readCertificates(pem: Buffer): ReadCertificates {
  const text = pem.toString("latin1");
  const blocks = text.match(certificateBlock) ?? [];
  if (blocks.length === 0) return { fault: "holds no certificate in PEM form" };
  if (blocks.length !== text.match(beginCertificate)?.length) return { fault: "holds a damaged PEM block" };
  if (blocks.length > MAX_CERTIFICATES) return { fault: `holds more than ${MAX_CERTIFICATES} certificates` };
  const certificates: X509Certificate[] = [];
  for (const [index, block] of blocks.entries()) {
    try {
      certificates.push(new X509Certificate(block));
    } catch {
      return { fault: `holds a certificate (number ${index + 1} of ${blocks.length}) that cannot be decoded` };
    }
  }
  return { certificates };
}

/** Smallest RSA key that Envoy loads. */
const MIN_RSA_BITS = 2048;
/** Curves of the ECDSA keys that Envoy loads, by OpenSSL's names. */
const ecdsaCurves: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);

/** Why Envoy could not use this key with this certificate; undefined = it can. */
export function findKeyFault(certificate: X509Certificate, pem: Buffer): string | undefined {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    return "holds no usable private key (PEM without a passphrase)";
  }
  const kindFault = findKindFault(key);
  if (kindFault !== undefined) return kindFault;
  return certificate.checkPrivateKey(key) ? undefined : "holds a private key that does not belong to the certificate";
}

function findKindFault(key: KeyObject): string | undefined {
  const details = key.asymmetricKeyDetails;
  switch (key.asymmetricKeyType) {
    case "rsa":
      return (details?.modulusLength ?? 0) >= MIN_RSA_BITS
        ? undefined
        : `holds an RSA key of fewer than ${MIN_RSA_BITS} bits, which Envoy refuses`;
    case "ec":
      return ecdsaCurves.has(details?.namedCurve ?? "")
        ? undefined
        : "holds a key on a curve other than P-256, P-384 and P-521, which Envoy refuses";
    case "ed25519":
      return undefined;
    default:
      return "holds a key that is neither RSA, ECDSA nor Ed25519, which Envoy refuses";
  }
}

/** DNS names of a certificate, lower case, sorted, each once; its common name when it has no alternative names. */
export function readDnsNames(certificate: X509Certificate): readonly string[] {
  const alternatives = certificate.subjectAltName;
  const names =
    alternatives === undefined
      ? [.../(?:^|\n)CN=(.+)/g[Symbol.matchAll](certificate.subject ?? "")].map(([, name]) => name)
      : alternatives.split(", ").flatMap((entry) => (entry.startsWith("DNS:") ? [entry.slice("DNS:".length)] : []));
  return [...new Set(names.flatMap((name) => (name === undefined ? [] : [name.toLowerCase()])))].sort();
}
