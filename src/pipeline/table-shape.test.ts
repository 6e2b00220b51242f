import { expect, test } from "@jest/globals";
import type { EncodedVirtualHost } from "../translate/virtual-host.ts";
import { chooseShape } from "./table-shape.ts";

const inBuckets = { inBuckets: true } as const;
const wildcards = (count: number, byteLength = 100, counts?: true) =>
  Array.from({ length: count }, () => ({ byteLength, ...(counts && { counts }) }) as EncodedVirtualHost);

test.each([
  ["few hosts", 1_499, wildcards(0), undefined, undefined],
  ["many hosts", 1_500, wildcards(0), undefined, inBuckets],
  ["fewer again", 1_000, wildcards(0), inBuckets, inBuckets],
  ["too few to stay", 999, wildcards(0), inBuckets, undefined],
  ["some wildcards", 10_000, wildcards(78), undefined, inBuckets],
  ["more wildcards than a bucket has hosts", 10_000, wildcards(79), undefined, undefined],
  ["a few more, once it is", 10_000, wildcards(156), inBuckets, inBuckets],
  ["one large wildcard", 10_000, wildcards(1, 100_000), undefined, undefined],
  ["one large wildcard, once it is", 10_000, wildcards(1, 100_000), inBuckets, inBuckets],
  ["a wildcard with a limit of requests", 10_000, wildcards(1, 100, true), inBuckets, undefined],
] as const)("%s: %i hosts", (_what, hosts, of, before, expected) => {
  expect(chooseShape(hosts, of, before)).toEqual(expected);
});
