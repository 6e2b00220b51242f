import { ANY_HOST } from "../attach/hostname.ts";
import { pack } from "../envoy/any.ts";
import { HeaderValueOption_HeaderAppendAction } from "../envoy/generated/envoy/config/core/v3/base.ts";
import type { TypedExtensionConfig } from "../envoy/generated/envoy/config/core/v3/extension.ts";
import { HeaderMutation } from "../envoy/generated/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.ts";

/**
 * A large route table is served in parts, so that a change of one host costs Envoy its part and not the table: each host belongs
 * to one of so many buckets, and Envoy computes the bucket of a request's host by the same rule. Every text has one.
 */
export const HOST_BUCKETS = 128;

/** Name of the RouteConfiguration of one bucket of a table, and of its scope. */
export function bucketName(table: string, bucket: number | string): string {
  return `${table}#${bucket}`;
}

export function bucketNames(table: string): string[] {
  return Array.from({ length: HOST_BUCKETS }, (_, bucket) => bucketName(table, bucket));
}

/** Wildcards are in every bucket: which of them is the best for a host is Envoy's to find. */
export function isInEveryBucket(host: string): boolean {
  return host.startsWith(ANY_HOST);
}

/** In which Envoy tells itself the part of the table. Clients' own are removed, and backends never see it. */
export const BUCKET_HEADER = "x-gatehouse-route-table";

/**
 * Bit i of a bucket is set when a host has an even number of characters of the i-th set. A parity is what Envoy can compute: its
 * inline expressions have regular expressions and sums, and no hash. Any sets give the same answers; these spread names with numbers best of
 * 4,000 random choices. Part of every large Listener: another choice makes all of them new.
 */
const PARITY_SETS = [
  "cdehjnpsvwy1234589",
  "bcdfhijlopruvxy158",
  "acdfhikrtvy0124678",
  "abdefglntuvwz23468",
  "dilmnoruwyz2345679",
  "dfhjklorstvw012679",
  "aciklnqrtuvxy01247",
] as const;

/** By character code, the bits that a character turns over. */
const turns = new Uint8Array(128);
PARITY_SETS.forEach((set, bit) => {
  for (const character of set) {
    const code = character.charCodeAt(0);
    turns[code]! |= 1 << bit;
    turns[character.toUpperCase().charCodeAt(0)] = turns[code]!;
  }
});

/**
 * 0 to {@link HOST_BUCKETS} - 1. Upper and lower case, a port and a trailing dot make no difference. For names that a listener or route can
 * have; what else a client may send as its host has some bucket as well, in which only wildcards are looked for. O(length).
 */
export function bucketOf(host: string): number {
  let odd = 0;
  for (let i = 0; i < host.length; i++) {
    const code = host.charCodeAt(i);
    if (code === COLON) break;
    odd ^= turns[code] ?? 0;
  }
  return HOST_BUCKETS - 1 - odd;
}

const HOST_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.-";
const COLON = 58;

/** Writes `<prefix><bucket>` of the request's host into {@link BUCKET_HEADER}. */
export function buildBucketHeader(prefix: string): TypedExtensionConfig {
  const value = `${prefix}%CEL(${bucketExpression})%`;
  const config: HeaderMutation = {
    mutations: [
      // First: where nothing can be computed the client's own value would stay.
      { remove: BUCKET_HEADER },
      {
        append: {
          header: { key: BUCKET_HEADER, value },
          appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
        },
      },
    ],
  };
  return {
    name: "envoy.http.early_header_mutation.header_mutation",
    typedConfig: pack(HeaderMutation, config),
  };
}

/**
 * Envoy allows a regular expression few instructions. Only characters that a hostname can have stand in these, so that a class takes few; a
 * host with any other is no exact one, and any bucket will do.
 */
const bucketExpression = PARITY_SETS.map((set, bit) => {
  const others = `[${HOST_CHARACTERS.replaceAll(new RegExp(`[${set}]`, "g"), "")}]*`;
  const pair = `${others}[${set}]`.repeat(2);
  return `(request.host.matches('(?i)^(?:${pair})*${others}(?::[0-9]*)?$')?${1 << bit}:0)`;
}).join("+");
