/**
 * Protobuf framing by hand, for messages that carry others already encoded: a route keeps its bytes, and every message around
 * it is a tag and a length in front of them. Only what these messages need: length-delimited fields.
 */

/** Wire type 2 of the protobuf encoding: a length and that many bytes. */
const LENGTH_DELIMITED = 2;

/** The tag of a length-delimited field. */
export function fieldTag(fieldNumber: number): number {
  return fieldNumber * 8 + LENGTH_DELIMITED;
}

/** Bytes of a whole field: tag, length and content. */
export function fieldSize(tag: number, contentLength: number): number {
  return varintSize(tag) + varintSize(contentLength) + contentLength;
}

/** Seven bits a byte. Written out because it runs twice for every route of a table. Up to 2 GiB, protobuf's own limit. */
function varintSize(value: number): number {
  return value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : value < 2 ** 28 ? 4 : 5;
}

/** Fills one buffer of a size that is known beforehand. The only mutable thing here, and it never leaves its function. */
export class FrameWriter {
  readonly #buffer: Buffer;
  #offset = 0;

  constructor(size: number) {
    // From Node's pool when small: ten thousand small messages without ten thousand allocations of their own.
    this.#buffer = Buffer.allocUnsafe(size);
  }

  /** Opens a field; its content must follow. */
  open(tag: number, contentLength: number): this {
    this.#varint(tag);
    this.#varint(contentLength);
    return this;
  }

  bytes(tag: number, content: Uint8Array): this {
    this.open(tag, content.byteLength);
    this.#buffer.set(content, this.#offset);
    this.#offset += content.byteLength;
    return this;
  }

  /** A whole field that is framed already, or nothing. */
  raw(field: Uint8Array): this {
    this.#buffer.set(field, this.#offset);
    this.#offset += field.byteLength;
    return this;
  }

  /** `byteLength` is that of the UTF-8 encoding. */
  text(tag: number, content: string, byteLength: number): this {
    this.open(tag, byteLength);
    this.#offset += this.#buffer.write(content, this.#offset, byteLength, "utf8");
    return this;
  }

  /** @throws Error when the size given was not the size written: a bug in a size computation must not reach Envoy. */
  finish(): Uint8Array {
    if (this.#offset !== this.#buffer.byteLength) {
      throw new Error(`framed ${this.#offset} bytes into a buffer of ${this.#buffer.byteLength}`);
    }
    return this.#buffer;
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) this.#buffer[this.#offset++] = (rest & 0x7f) | 0x80;
    this.#buffer[this.#offset++] = rest;
  }
}
