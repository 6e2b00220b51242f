import { hash } from "node:crypto";

/** Bytes of a version: a collision is out of reach of accident, and a reconnect lists every version (22 characters). */
const VERSION_BYTES = 16;

/** Content hash used as xDS version and wherever "equal hash ends the propagation". O(bytes). */
export function contentHash(bytes: Uint8Array | string): string {
  // Not a slice of the whole digest's text, which V8 would keep in memory behind it.
  return hash("sha256", bytes, "buffer").toString("base64url", 0, VERSION_BYTES);
}

/** Short lower-case hexadecimal hash for names that people read, such as cluster names. */
export function nameHash(text: string): string {
  return hash("sha256", text, "hex").slice(0, 8);
}
