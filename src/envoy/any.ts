import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { compareStrings } from "../base/keys.ts";

/** What ts-proto generates for a message: its full protobuf name and its encoder. */
export interface MessageType<T> {
  readonly $type: string;
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
}

/** Shape of google.protobuf.Any as generated. */
export interface Any {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

const typeUrls = new Map<string, string>();

/** One text for each type, however many resources carry it. Bounded by the number of generated types. */
export function typeUrl({ $type }: { readonly $type: string }): string {
  const known = typeUrls.get($type);
  if (known !== undefined) return known;
  const url = `type.googleapis.com/${$type}`;
  typeUrls.set($type, url);
  return url;
}

/** One for all messages, which are encoded one after the other: a new one begins with little room and grows it step by step. */
let writer = new BinaryWriter();

/** The bytes of a message, in memory of their own. O(bytes). */
export function encodeMessage<T>(type: MessageType<T>, message: T): Uint8Array {
  try {
    return type.encode(message, writer).finish();
  } catch (error) {
    // It may have stopped in the middle of a message.
    writer = new BinaryWriter();
    throw error;
  }
}

/** Packs a message into an Any. The name comes from the generated type, so it cannot be mistyped. */
export function pack<T>(type: MessageType<T>, message: T): Any {
  return { typeUrl: typeUrl(type), value: encodeMessage(type, message) };
}

/**
 * A map field in canonical form: keys sorted by code unit. ts-proto writes map entries in insertion order, and the version
 * of a resource is the hash of its bytes, so two builds of the same map must insert in the same order.
 */
export function sortedMap<V>(entries: Iterable<readonly [string, V]>): Record<string, V> {
  return Object.fromEntries([...entries].sort(([a], [b]) => compareStrings(a, b)));
}
