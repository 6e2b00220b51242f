/** Reads a DER length (X.690) at an offset: where the content starts and ends. Undefined: there is none that makes sense. */
export function readLength(
  bytes: Buffer,
  offset: number,
): { readonly start: number; readonly end: number } | undefined {
  const first = bytes[offset];
  if (first === undefined) return undefined;
  if (first < 0x80) return { start: offset + 1, end: offset + 1 + first };
  const count = first & 0x7f;
  if (count === 0 || count > 4 || offset + 1 + count > bytes.length) return undefined;
  const start = offset + 1 + count;
  return { start, end: start + bytes.readUIntBE(offset + 1, count) };
}

/** An element of DER: its tag, where it stands, and its content. */
export interface DerElement {
  readonly tag: number;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

/** The elements of a content, as far as they make sense. O(elements that are asked for). */
export function* elementsOf(bytes: Buffer, start: number, end: number): Generator<DerElement> {
  for (let at = start; at < end; ) {
    const length = readLength(bytes, at + 1);
    const tag = bytes[at];
    if (tag === undefined || length === undefined || length.end > end) return;
    yield { tag, start: at, contentStart: length.start, end: length.end };
    at = length.end;
  }
}
