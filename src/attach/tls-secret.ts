import type { Secret } from "../api/core.ts";
import { secretBytes } from "./object-data.ts";
import { findKeyFault, readCertificates, readDnsNames } from "./pem.ts";

/** What the content of a TLS Secret comes to. */
export interface TlsSecretCheck {
  /** Why Envoy could not serve it: completes a sentence that begins with the Secret. */
  readonly fault?: string;
  /** DNS names of the certificate, lower case, sorted. Empty with a fault. */
  readonly dnsNames: readonly string[];
}

const tlsSecretType = "kubernetes.io/tls";

/** Many listeners and Backends may name one Secret, and checking a key pair costs about a quarter of a millisecond. */
const checks = new WeakMap<Secret, TlsSecretCheck>();

/**
 * Checks certificate and key of a Secret of type `kubernetes.io/tls`. An expired certificate passes: clients see it and say
 * so, and refusing it would turn a warning into an outage (and there is no clock here).
 */
export function checkTlsSecret(secret: Secret): TlsSecretCheck {
  let check = checks.get(secret);
  if (check === undefined) {
    check = inspect(secret);
    checks.set(secret, check);
  }
  return check;
}

function inspect(secret: Secret): TlsSecretCheck {
  if (secret.type !== tlsSecretType) {
    return { fault: `is of type ${secret.type ?? "Opaque"} and not ${tlsSecretType}`, dnsNames: [] };
  }
  const chain = secretBytes(secret, "tls.crt");
  const key = secretBytes(secret, "tls.key");
  if (chain === undefined || chain.length === 0) return { fault: "has no tls.crt", dnsNames: [] };
  if (key === undefined || key.length === 0) return { fault: "has no tls.key", dnsNames: [] };
  const read = readCertificates(chain);
  if (read.certificates === undefined) return { fault: `${read.fault} in tls.crt`, dnsNames: [] };
  const [leaf] = read.certificates;
  if (leaf === undefined) return { fault: "has no certificate in tls.crt", dnsNames: [] };
  const fault = findKeyFault(leaf, key);
  return fault === undefined ? { dnsNames: readDnsNames(leaf) } : { fault: `${fault} (tls.key)`, dnsNames: [] };
}
