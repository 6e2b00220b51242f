import { HOST_BUCKETS } from "../translate/host-buckets.ts";
import type { EncodedVirtualHost } from "../translate/virtual-host.ts";

/** A table is served in buckets. */
export interface TableShape {
  readonly inBuckets: true;
}

interface Limits {
  /** From so many hosts on. */
  readonly hosts: number;
  /** Bytes of wildcards, of which every bucket has a copy. */
  readonly wildcardBytes: number;
  /** Copies of wildcards for each host. */
  readonly copies: number;
}

/** Envoy's main thread takes 25 µs for each virtual host of a table that changes: 40 ms, and then buckets are the lesser effort. */
export const toBegin: Limits = { hosts: 1_500, wildcardBytes: 64 * 1024, copies: 1 };
/** So that a table near the first limits does not go to and fro. */
export const toStay: Limits = { hosts: 1_000, wildcardBytes: 128 * 1024, copies: 2 };

/**
 * Whether a table is served in buckets. One that stands between the limits stays as it is, and after a restart is one table.
 * O(wildcards), bounded by the smaller of the limits.
 *
 * @param hosts all, wildcards too
 */
export function chooseShape(
  hosts: number,
  wildcards: Iterable<EncodedVirtualHost>,
  before: TableShape | undefined,
): TableShape | undefined {
  const limits = before === undefined ? toBegin : toStay;
  if (hosts < limits.hosts) return undefined;
  let [bytes, count] = [0, 0];
  for (const { byteLength, counts } of wildcards) {
    // A limit would count for each bucket by itself.
    if (counts) return undefined;
    bytes += byteLength;
    count++;
    if (bytes > limits.wildcardBytes || count * HOST_BUCKETS > hosts * limits.copies) return undefined;
  }
  return before ?? { inBuckets: true };
}
