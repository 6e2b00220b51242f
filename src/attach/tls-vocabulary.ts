/**
 * Words that Envoy (BoringSSL) takes in its TLS parameters, tried one by one on Envoy 1.40. It refuses a whole cluster for one
 * unknown word, so these are checked before.
 */

export const cipherSuites: ReadonlySet<string> = new Set([
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-PSK-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-SHA256",
  "ECDHE-RSA-AES128-SHA256",
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-PSK-AES128-CBC-SHA",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-RSA-AES256-SHA",
  "ECDHE-PSK-AES256-CBC-SHA",
  "AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-SHA",
  "PSK-AES128-CBC-SHA",
  "AES256-SHA",
  "PSK-AES256-CBC-SHA",
  "DES-CBC3-SHA",
]);

/** Is it a cipher suite, or a group of equally preferred ones such as `[A|B]`? */
export function isCipher(word: string): boolean {
  const group = /^\[([^[\]]+)\]$/.exec(word)?.[1];
  return group === undefined ? cipherSuites.has(word) : group.split("|").every((name) => cipherSuites.has(name));
}

export const ecdhCurves: ReadonlySet<string> = new Set([
  "X25519",
  "X25519MLKEM768",
  "P-256",
  "P-384",
  "P-521",
  "MLKEM1024",
  "x25519",
  "prime256v1",
  "secp384r1",
  "secp521r1",
]);

export const signatureAlgorithms: ReadonlySet<string> = new Set([
  "ecdsa_secp256r1_sha256",
  "ecdsa_secp384r1_sha384",
  "ecdsa_secp521r1_sha512",
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "ed25519",
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512",
  "rsa_pkcs1_sha256_legacy",
  "rsa_pkcs1_sha1",
  "ecdsa_sha1",
]);
