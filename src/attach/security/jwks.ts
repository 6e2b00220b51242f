import { createPublicKey, type JsonWebKey } from "node:crypto";
import { isRecord } from "../../api/field.ts";
import { sortKeys } from "../connection-settings.ts";
import type { FollowFault } from "./model.ts";

/** How much of a key set goes into each route that it protects, at most. */
export const JWKS_BYTES_MAX = 64 * 1024;
const KEYS_MAX = 100;
const KEY_ID_LENGTH_MAX = 1024;

/** Lengths of RSA keys: shorter ones may not be used (RFC 7518, section 3.3), longer ones Envoy does not take. */
const RSA_BITS_MIN = 2048;
const RSA_BITS_MAX = 8192;
const EXPONENT_MAX = 2n ** 32n;

/** What Envoy checks signatures of, by the key's curve: the names of the algorithms (RFC 7518, section 3.1, and RFC 8037). */
const algorithmsOfCurves: ReadonlyMap<unknown, RegExp> = new Map([
  ["P-256", /^ES256$/],
  ["P-384", /^ES384$/],
  ["P-521", /^ES512$/],
  ["Ed25519", /^EdDSA$/],
]);
const algorithmsOfRsa = /^[RP]S(256|384|512)$/;
const control = /\p{Cc}/u;

/**
 * The keys of a JSON Web Key Set (RFC 7517) that Envoy can check signatures with, as text: it refuses all of a route table for a key that it
 * cannot read. Other keys are left out, as RFC 7517 (section 5) has it; a set without any other is at fault. Symmetric keys are among
 * those: they are secrets, and neither policies nor ConfigMaps are where secrets are kept. Faults repeat nothing of the text.
 */
export function readJwks(text: string): string | FollowFault {
  if (Buffer.byteLength(text) > JWKS_BYTES_MAX) {
    return { fault: `has more than ${JWKS_BYTES_MAX} bytes; use fewer keys` };
  }
  const keys = parseKeys(text);
  if (keys === undefined) return { fault: 'is no JSON Web Key Set; write a JSON object with the list "keys"' };
  if (keys.length > KEYS_MAX) return { fault: `has more than ${KEYS_MAX} keys; use fewer` };
  const usable = keys.map(readKey).filter((key) => key !== undefined);
  if (usable.length > 0) return JSON.stringify({ keys: usable.map(sortKeys) });
  return {
    fault: `has no public key that Envoy can check signatures with; add one of kind RSA (${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits), EC or OKP (Ed25519), not of kind oct, which is a secret`,
  };
}

function parseKeys(text: string): readonly unknown[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const keys = isRecord(parsed) ? parsed["keys"] : undefined;
    return Array.isArray(keys) ? keys : undefined;
  } catch {
    return undefined;
  }
}

/** The public part of a key in its usual spelling, and by which name and for what it is known. */
function readKey(key: unknown): JsonWebKey | undefined {
  if (!isRecord(key) || (key["use"] !== undefined && key["use"] !== "sig")) return undefined;
  const { kid, alg } = key;
  if (kid !== undefined && !isKeyId(kid)) return undefined;
  const found = parseKey(key);
  const algorithms = found && (found.kty === "RSA" ? algorithmsOfRsa : algorithmsOfCurves.get(found.crv));
  if (algorithms === undefined) return undefined;
  if (alg !== undefined && !(typeof alg === "string" && algorithms.test(alg))) return undefined;
  return { ...found, ...(kid !== undefined && { kid }), ...(alg !== undefined && { alg }) };
}

function isKeyId(kid: unknown): kid is string {
  return typeof kid === "string" && kid.length <= KEY_ID_LENGTH_MAX && kid.isWellFormed() && !control.test(kid);
}

function parseKey(key: Readonly<Record<string, unknown>>): JsonWebKey | undefined {
  try {
    const parsed = createPublicKey({ key, format: "jwk" });
    const { modulusLength, publicExponent: exponent } = parsed.asymmetricKeyDetails ?? {};
    const written = parsed.export({ format: "jwk" });
    if (modulusLength === undefined || exponent === undefined) return written;
    const isOdd = ((Buffer.from(written.n ?? "", "base64url").at(-1) ?? 0) & 1) === 1;
    const isSound = isOdd && exponent % 2n === 1n && exponent > 1n && exponent < EXPONENT_MAX;
    return isSound && modulusLength >= RSA_BITS_MIN && modulusLength <= RSA_BITS_MAX ? written : undefined;
  } catch {
    // The library throws for what is no key, and only for that.
    return undefined;
  }
}
