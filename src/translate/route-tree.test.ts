import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { compareEntries, type RouteEntry, type RoutePath } from "./route-order.ts";
import { planRouteTree } from "./route-tree.ts";

/** Entries in a random order of precedence: the tree must be right for every order, not for the usual one alone. */
const paths: fc.Arbitrary<RoutePath> = fc.oneof(
  { weight: 8, arbitrary: segmentsOf("PathPrefix") },
  { weight: 4, arbitrary: segmentsOf("Exact") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("/a.*", ".*b", "/ab/?").map((value) => ({ type: "RegularExpression" as const, value })),
  },
);

function segmentsOf(type: "PathPrefix" | "Exact"): fc.Arbitrary<RoutePath> {
  return fc
    .array(fc.constantFrom("a", "b", "ab", "abc"), { maxLength: 3 })
    .chain((segments) => fc.boolean().map((slash) => ({ segments, slash })))
    .map(({ segments, slash }) => {
      const value = `/${segments.join("/")}`;
      return { type, value: type === "Exact" && slash && value !== "/" ? `${value}/` : value };
    });
}

const rules = fc.array(fc.record({ path: paths, conditional: fc.boolean(), rank: fc.nat(1_000) }), {
  minLength: 1,
  maxLength: 60,
});

function toEntries(list: readonly { path: RoutePath; conditional: boolean; rank: number }[]): RouteEntry[] {
  return list.map(({ path, conditional, rank }, sequence) => ({
    order: { rank, tie: "", sequence },
    path,
    conditional,
    bytes: new Uint8Array(),
    clusters: [],
    matchKey: "",
    matchHash: sequence,
    origin: "",
    hash: "",
  }));
}

function matchesPath({ type, value }: RoutePath, path: string): boolean {
  switch (type) {
    case "Exact":
      return path === value;
    case "RegularExpression":
      return new RegExp(`^(?:${value})$`).test(path);
    case "PathPrefix":
      return value === "/" ? path.startsWith("/") : path === value || path.startsWith(`${value}/`);
  }
}

/** First route that takes the request; `met` are the routes whose further conditions the request meets. */
function firstMatch(routes: readonly RouteEntry[], path: string, met: ReadonlySet<RouteEntry>): RouteEntry | undefined {
  return routes.find((route) => matchesPath(route.path, path) && (!route.conditional || met.has(route)));
}

test("the list of the longest key gives what the whole ordered list gives", () => {
  const request = fc.record({
    path: fc.oneof(
      fc
        .array(fc.constantFrom("/", "a", "b", "ab", "/a", "/ab/", "c"), { maxLength: 6 })
        .map((parts) => `/${parts.join("")}`),
      fc.constant("*"),
    ),
    query: fc.constantFrom("", "?x=1", "?x=/a/b"),
    luck: fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
  });
  fc.assert(
    fc.property(
      rules,
      fc.integer({ min: 1, max: 8 }),
      fc.array(request, { minLength: 20 }),
      (list, limit, requests) => {
        const entries = toEntries(list);
        const ordered = [...entries].sort(compareEntries);
        const tree = planRouteTree(entries, limit);
        for (const { path, query, luck } of requests) {
          const met = new Set(entries.filter((_, index) => luck[index]));
          const leaf = tree.leaves.findLast(({ key }) => `${path}${query}`.startsWith(key));
          const longest =
            tree.leaves.filter(({ key }) => `${path}${query}`.startsWith(key)).length === 0
              ? tree.others
              : leaf?.routes;
          expect(firstMatch(longest ?? [], path, met)).toBe(firstMatch(ordered, path, met));
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("leaves hold few routes of their own and keys are unique", () => {
  const entries = toEntries(
    Array.from({ length: 2_000 }, (_, i) => ({
      path: { type: "PathPrefix" as const, value: `/foo/${i}` },
      conditional: false,
      rank: 1_000,
    })),
  );
  const tree = planRouteTree(entries, 32);
  expect(Math.max(...tree.leaves.map(({ routes }) => routes.length))).toBeLessThanOrEqual(32);
  expect(new Set(tree.leaves.map(({ key }) => key)).size).toBe(tree.leaves.length);
  expect(tree.size).toBe(2_000);
});

test("many conditional routes above do not multiply", () => {
  const above = Array.from({ length: 500 }, () => ({
    path: { type: "PathPrefix" as const, value: "/" },
    conditional: true,
    rank: 1,
  }));
  const below = Array.from({ length: 2_000 }, (_, i) => ({
    path: { type: "PathPrefix" as const, value: `/foo/${i}` },
    conditional: false,
    rank: 2,
  }));
  expect(planRouteTree(toEntries([...above, ...below]), 32).size).toBeLessThan(3 * 2_500);
});

test("a thousand regular expressions do not multiply", () => {
  const list = Array.from({ length: 3_000 }, (_, i) => ({
    path: { type: i % 3 === 0 ? ("RegularExpression" as const) : ("PathPrefix" as const), value: `/foo/${i}` },
    conditional: false,
    rank: 1,
  }));
  expect(planRouteTree(toEntries(list), 32).size).toBeLessThan(3 * 3_000);
});
