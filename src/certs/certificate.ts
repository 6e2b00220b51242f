import { createPrivateKey, X509Certificate } from "node:crypto";

/** What is known of a certificate in a Secret. No key: whoever signs takes it from the Secret at that moment. */
export interface ReadCertificate {
  /** PEM, one certificate. */
  readonly pem: string;
  readonly x509: X509Certificate;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** From 0 to 1, by the certificate's own bytes. */
  readonly spread: number;
}

/** @returns undefined when there is none that can be decoded, or the key does not belong to it */
export function readCertificate(pem: string | undefined, key: string | undefined): ReadCertificate | undefined {
  if (pem === undefined || key === undefined) return undefined;
  try {
    const x509 = new X509Certificate(pem);
    if (!x509.checkPrivateKey(createPrivateKey(key))) return undefined;
    return {
      pem: x509.toString(),
      x509,
      notBefore: x509.validFromDate.getTime(),
      notAfter: x509.validToDate.getTime(),
      spread: Number.parseInt(x509.fingerprint256.slice(0, 2), 16) / 255,
    };
  } catch {
    // OpenSSL's message says no more than "cannot be decoded" and must not be trusted to hold no part of a key.
    return undefined;
  }
}

/**
 * Whether an authority issued a leaf, by the names and key identifiers in both. The signature is not looked at: who can write
 * our Secrets needs no false one, and a thousand signatures would cost a tenth of a second.
 */
export function isIssuedBy(leaf: ReadCertificate, authority: ReadCertificate): boolean {
  return leaf.x509.checkIssued(authority.x509);
}
