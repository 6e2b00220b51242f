import type { EncodedResource } from "../envoy/resource.ts";
import type { Response } from "./next-response.ts";

/**
 * Responses as bytes, written by hand so that a resource is encoded once and only copied from then on: one allocation per
 * response, the resource's chunks go straight into it. The frame around a resource is about 120 bytes of lengths and names,
 * written in place: keeping it per resource would cost memory on every one to save little on few.
 *
 * Field numbers: envoy/service/discovery/v3/discovery.proto. The fields are in the order in which the generated encoder
 * writes them, so that the two can be compared byte by byte.
 */

/** Tags of length-delimited fields: field number × 8 + 2. */
const tags = {
  anyTypeUrl: 0x0a,
  anyValue: 0x12,
  resourceVersion: 0x0a,
  resourceAny: 0x12,
  resourceName: 0x1a,
  responseVersion: 0x0a,
  responseResource: 0x12,
  responseTypeUrl: 0x22,
  responseNonce: 0x2a,
  responseRemoved: 0x32,
} as const;

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

/** Responses of this size share memory: smaller ones cost nothing to speak of, larger ones are the start of a large gateway. */
const SHARED_BYTES_MIN = 64 * 1024;
const SHARED_BYTES_MAX = 4 * 1024 * 1024;

type Allocate = (size: number) => Buffer;

/**
 * Memory for the large responses of one stream, which writes one after the other: each is valid until the next is asked for.
 * A table of 2 MB at every edit would make V8 collect the whole heap after every ten.
 */
export function createResponseMemory(): Allocate {
  let shared: Buffer | undefined;
  return (size) => {
    if (size < SHARED_BYTES_MIN || size > SHARED_BYTES_MAX) return Buffer.allocUnsafe(size);
    // With room to grow: a table gets longer route by route.
    if (shared === undefined || shared.byteLength < size) shared = Buffer.allocUnsafeSlow(size + (size >> 3));
    return shared.subarray(0, size);
  };
}

/** A DeltaDiscoveryResponse. O(bytes). */
export function encodeDeltaResponse(
  { type, nonce, resources, removed }: Response,
  allocate: Allocate = Buffer.allocUnsafe,
): Buffer {
  let size = stringSize(type) + stringSize(nonce);
  const sizes = resources.map((resource) => deltaResourceSize(resource));
  for (const each of sizes) size += fieldSize(each);
  for (const name of removed) size += stringSize(name);
  const cursor: Cursor = { bytes: allocate(size), at: 0 };
  for (const [index, resource] of resources.entries()) {
    writeHead(cursor, tags.responseResource, sizes[index]!);
    writeString(cursor, tags.resourceName, resource.name);
    writeString(cursor, tags.resourceVersion, resource.version);
    writeHead(cursor, tags.resourceAny, anySize(resource));
    writeAny(cursor, resource);
  }
  writeString(cursor, tags.responseTypeUrl, type);
  for (const name of removed) writeString(cursor, tags.responseRemoved, name);
  writeString(cursor, tags.responseNonce, nonce);
  return finish(cursor);
}

/** A DiscoveryResponse (state of the world). O(bytes). */
export function encodeDiscoveryResponse(
  type: string,
  version: string,
  nonce: string,
  resources: readonly EncodedResource[],
): Buffer {
  let size = stringSize(version) + stringSize(type) + stringSize(nonce);
  for (const resource of resources) size += fieldSize(anySize(resource));
  const cursor: Cursor = { bytes: Buffer.allocUnsafe(size), at: 0 };
  writeString(cursor, tags.responseVersion, version);
  for (const resource of resources) {
    writeHead(cursor, tags.responseResource, anySize(resource));
    writeAny(cursor, resource);
  }
  writeString(cursor, tags.responseTypeUrl, type);
  writeString(cursor, tags.responseNonce, nonce);
  return finish(cursor);
}

function finish({ bytes, at }: Cursor): Buffer {
  // The buffer is not zeroed: a resource whose byteLength is wrong must not leak other memory to a client.
  if (at !== bytes.length) throw new Error(`an xDS response of ${at} bytes was planned as ${bytes.length}`);
  return bytes;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

function stringSize(text: string): number {
  return fieldSize(Buffer.byteLength(text));
}

function anySize({ type, byteLength }: EncodedResource): number {
  return stringSize(type) + (byteLength === 0 ? 0 : fieldSize(byteLength));
}

function deltaResourceSize(resource: EncodedResource): number {
  return stringSize(resource.name) + stringSize(resource.version) + fieldSize(anySize(resource));
}

function writeHead(cursor: Cursor, tag: number, length: number): void {
  const { bytes } = cursor;
  bytes[cursor.at++] = tag;
  let rest = length;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes[cursor.at++] = (rest % 0x80) + 0x80;
  bytes[cursor.at++] = rest;
}

function writeString(cursor: Cursor, tag: number, text: string): void {
  writeHead(cursor, tag, Buffer.byteLength(text));
  cursor.at += cursor.bytes.write(text, cursor.at);
}

function writeAny(cursor: Cursor, resource: EncodedResource): void {
  writeString(cursor, tags.anyTypeUrl, resource.type);
  if (resource.byteLength === 0) return;
  writeHead(cursor, tags.anyValue, resource.byteLength);
  for (const chunk of resource.chunks) {
    cursor.bytes.set(chunk, cursor.at);
    cursor.at += chunk.byteLength;
  }
}
