import { readLength } from "../attach/der.ts";

/** ASN.1 tags (X.690) of the fields that are looked at. */
const SEQUENCE = 0x30;
const ENUMERATED = 0x0a;

/**
 * Is this a complete, successful OCSP response (RFC 6960 section 4.2.1) that speaks of the certificate with this serial
 * number? Looks at the outer structure and for the serial number; signature and dates are for clients to judge.
 *
 * @param serialNumber hexadecimal, as node:crypto prints it
 */
export function isStapleOf(staple: Uint8Array, serialNumber: string): boolean {
  const bytes = Buffer.from(staple.buffer, staple.byteOffset, staple.byteLength);
  const outer = readLength(bytes, 1);
  if (bytes[0] !== SEQUENCE || outer === undefined || outer.end !== bytes.length) return false;
  const status = bytes.subarray(outer.start, outer.start + 3);
  if (status[0] !== ENUMERATED || status[1] !== 1 || status[2] !== 0) return false;
  const serial = Buffer.from(serialNumber.length % 2 === 0 ? serialNumber : `0${serialNumber}`, "hex");
  return bytes.includes(serial);
}
