import { hash } from "node:crypto";

/** Characters of a version: 128 bits in base64url. A collision is out of reach of accident, and a reconnect lists every version. */
const VERSION_LENGTH = 22;

/** Content hash used as xDS version and wherever "equal hash ends the propagation". O(bytes). */
export function contentHash(bytes: Uint8Array | string): string {
  return hash("sha256", bytes, "base64url").slice(0, VERSION_LENGTH);
}

/** Short lower-case hexadecimal hash for names that people read, such as cluster names. */
export function nameHash(text: string): string {
  return hash("sha256", text, "hex").slice(0, 8);
}
