import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { buildPathTrie, entriesIn, type PathTrie, updatePathTrie } from "./path-trie.ts";
import type { RouteEntry, RoutePath } from "./route-order.ts";
import { type EncodedVirtualHost, type RouteGroup, translateVirtualHost } from "./virtual-host.ts";

const path: fc.Arbitrary<RoutePath> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .array(fc.constantFrom("a", "b", "ab", "abc", "/"), { maxLength: 5 })
      .map((parts) => ({ type: "PathPrefix" as const, value: `/${parts.join("")}` })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("/a.*", ".*b").map((value) => ({ type: "RegularExpression" as const, value })),
  },
);

let made = 0;
function entry(routePath: RoutePath, rank = 0): RouteEntry {
  const sequence = made++;
  return {
    order: { rank, tie: "", sequence },
    path: routePath,
    conditional: sequence % 3 === 0,
    bytes: Buffer.from(`route ${sequence}`),
    clusters: [],
    matchKey: `${sequence}`,
    matchHash: sequence,
    origin: "",
    hash: `${sequence}`,
  };
}

/** Everything that the shape consists of; the order of lists means nothing. */
function shapeOf({ key, size, here, children }: PathTrie): unknown {
  const below = [...(children ?? [])]
    .sort(([a], [b]) => a - b)
    .map(([character, child]) => [character, shapeOf(child)]);
  return { key, size, here: here.map(({ hash }) => hash).sort(), below: children && below };
}

/** A step takes some of what is there (by position) and adds others. */
const steps = fc.array(
  fc.record({ taken: fc.array(fc.nat(), { maxLength: 6 }), added: fc.array(path, { maxLength: 6 }) }),
  { minLength: 1, maxLength: 25 },
);

test("a trie that was updated has the shape of one that is made of the same routes", () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 5 }), (history, limit) => {
      const isPlaced = ({ type }: RoutePath) => type !== "RegularExpression";
      let present: RouteEntry[] = [];
      let trie = buildPathTrie([], limit);
      for (const { taken, added } of history) {
        const gone = new Set(
          present.filter((_, index) => taken.some((position) => position % present.length === index)),
        );
        const come = added.filter(isPlaced).map((one) => entry(one));
        present = [...present.filter((one) => !gone.has(one)), ...come];
        trie = updatePathTrie(trie, gone, come, limit);
        expect(shapeOf(trie)).toEqual(shapeOf(buildPathTrie(present, limit)));
        expect(new Set(entriesIn(trie))).toEqual(new Set(present));
      }
    }),
    { numRuns: 500 },
  );
});

test("a virtual host that was updated has the bytes of one that is made of the same routes", () => {
  const limits = { listRoutesMax: 3, leafRoutesMax: 2, growthMax: 100 };
  const bytesOf = ({ field }: EncodedVirtualHost) => Buffer.concat(field).toString("latin1");
  fc.assert(
    fc.property(steps, (history) => {
      let groups: RouteGroup[] = [];
      let host: EncodedVirtualHost | undefined;
      for (const { taken, added } of history) {
        const kept = groups.filter((_, index) => !taken.some((position) => position % groups.length === index));
        groups = [...kept, ...added.map((one, index) => [entry(one, index % 3), entry(one, 1)])];
        host = translateVirtualHost("t", "*", groups, { limits, ...(host && { before: host }) });
        const fresh = translateVirtualHost("t", "*", groups, { limits });
        expect(bytesOf(host)).toBe(bytesOf(fresh));
        expect(host.hash).toBe(fresh.hash);
      }
    }),
    { numRuns: 300 },
  );
});

test("an update of one route among thousands makes one leaf anew", () => {
  const limits = { listRoutesMax: 100, leafRoutesMax: 32, growthMax: 8 };
  const groups = Array.from({ length: 5_000 }, (_, index) => [entry({ type: "PathPrefix", value: `/foo/${index}` })]);
  const host = translateVirtualHost("t", "*", groups, { limits });
  const edited = groups.with(1_234, [entry({ type: "PathPrefix", value: "/foo/1234" })]);
  const next = translateVirtualHost("t", "*", edited, { limits, before: host });
  // The head carries the lengths; every other chunk but one is the very same object.
  expect(next.field.slice(1).filter((chunk) => !host.field.includes(chunk))).toHaveLength(1);
});
