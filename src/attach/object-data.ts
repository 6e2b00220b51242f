import type { ConfigMap, Secret } from "../api/core.ts";

/** Bytes of a key of a Secret; `stringData` wins as the API server lets it (only files can still have it). */
export function secretBytes(secret: Secret, key: string): Buffer | undefined {
  const plain = secret.stringData?.[key];
  if (plain !== undefined) return Buffer.from(plain, "utf8");
  const encoded = secret.data?.[key];
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64");
}

/** Bytes of a key of a ConfigMap, text or binary. */
export function configMapBytes(configMap: ConfigMap, key: string): Buffer | undefined {
  const plain = configMap.data?.[key];
  if (plain !== undefined) return Buffer.from(plain, "utf8");
  const encoded = configMap.binaryData?.[key];
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64");
}

/** Bytes of a key of whichever of the two it is. */
export function objectBytes(object: Secret | ConfigMap, key: string): Buffer | undefined {
  return object.kind === "Secret" ? secretBytes(object, key) : configMapBytes(object, key);
}

/** A value of one line: `echo value | base64` leaves a line feed. */
export function lineOf(bytes: Buffer): string {
  return bytes.toString("latin1").replace(/[\r\n]+$/, "");
}
