import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { compareEntries, type PathSpecificity, type RouteEntry, rankMatch, tieOf } from "./route-order.ts";

interface Candidate {
  readonly routeHostname: string;
  readonly specificity: PathSpecificity;
  readonly hasMethod: boolean;
  readonly headers: number;
  readonly cookies: number;
  readonly queryParams: number;
  readonly created: string | undefined;
  readonly namespace: string;
  readonly name: string;
  readonly rule: number;
}

const httpPath = fc.record({
  kind: fc.constant("http" as const),
  path: fc.record({
    type: fc.constantFrom("Exact" as const, "PathPrefix" as const, "RegularExpression" as const),
    value: fc.constantFrom("/", "/a", "/b", "/a/b", `/${"x".repeat(1023)}`),
  }),
});
const grpcPath = fc.record({
  kind: fc.constant("grpc" as const),
  service: fc.constantFrom(0, 1, 5, 1024),
  method: fc.constantFrom(0, 1, 5, 1024),
});

function candidate(specificity: fc.Arbitrary<PathSpecificity>): fc.Arbitrary<Candidate> {
  return fc.record({
    routeHostname: fc.constantFrom("*", "*.example.com", "*.a.example.com", "x.a.example.com", "example.com"),
    specificity,
    hasMethod: fc.boolean(),
    headers: fc.nat(3).map((count) => (count === 3 ? 16 : count)),
    cookies: fc.nat(1),
    queryParams: fc.nat(3).map((count) => (count === 3 ? 16 : count)),
    created: fc.constantFrom(undefined, "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
    namespace: fc.constantFrom("a", "a-b"),
    name: fc.constantFrom("r", "s"),
    rule: fc.nat(1),
  });
}

/** The rules as the Gateway API writes them: the first difference decides, more or longer goes first. */
function specCompare(a: Candidate, b: Candidate): number {
  const exactLength = ({ routeHostname }: Candidate) => (routeHostname.startsWith("*") ? 0 : routeHostname.length);
  const difference =
    exactLength(b) - exactLength(a) ||
    b.routeHostname.length - a.routeHostname.length ||
    specComparePaths(a.specificity, b.specificity) ||
    Number(b.hasMethod) - Number(a.hasMethod) ||
    b.headers - a.headers ||
    b.cookies - a.cookies ||
    b.queryParams - a.queryParams;
  if (difference !== 0) return difference;
  const [left, right] = [Date.parse(a.created ?? "1970-01-01"), Date.parse(b.created ?? "1970-01-01")];
  if (left !== right) return left - right;
  const [nameA, nameB] = [`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`];
  return nameA === nameB ? a.rule - b.rule : nameA < nameB ? -1 : 1;
}

function specComparePaths(a: PathSpecificity, b: PathSpecificity): number {
  if (a.kind === "grpc" && b.kind === "grpc") return b.service - a.service || b.method - a.method;
  if (a.kind === "http" && b.kind === "http") {
    const order = ["Exact", "RegularExpression", "PathPrefix"];
    return order.indexOf(a.path.type) - order.indexOf(b.path.type) || b.path.value.length - a.path.value.length;
  }
  throw new Error("one kind only");
}

function entryOf(candidate: Candidate): RouteEntry {
  const { created, namespace, name, rule } = candidate;
  const order = { rank: rankMatch(candidate), tie: tieOf("HTTPRoute", namespace, name, created), sequence: rule };
  return { order } as RouteEntry;
}

test.each([
  ["HTTPRoutes", httpPath],
  ["GRPCRoutes", grpcPath],
])("%s are ordered as the Gateway API orders them", (_name, paths) => {
  fc.assert(
    fc.property(candidate(paths), candidate(paths), (a, b) => {
      expect(Math.sign(compareEntries(entryOf(a), entryOf(b)))).toBe(Math.sign(specCompare(a, b)));
    }),
    { numRuns: 2_000 },
  );
});

test("a mixture of both kinds has one order, whatever the order of the input", () => {
  const mixture = fc.array(candidate(fc.oneof(httpPath, grpcPath)), { maxLength: 12 });
  fc.assert(
    fc.property(mixture, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (candidates, random) => {
      const entries = candidates.map(entryOf);
      const shuffled = entries.map((entry) => [random.next().value, entry] as const).sort(([a], [b]) => a - b);
      const orders = (list: readonly RouteEntry[]) => [...list].sort(compareEntries).map(({ order }) => order);
      expect(orders(shuffled.map(([, entry]) => entry))).toEqual(orders(entries));
    }),
  );
});

test("every field of a rank has room: the largest values stay apart and exact", () => {
  const largest: Candidate = {
    routeHostname: "x".repeat(253),
    specificity: { kind: "grpc", service: 1024, method: 1024 },
    hasMethod: true,
    headers: 16,
    cookies: 16,
    queryParams: 16,
    created: undefined,
    namespace: "a",
    name: "r",
    rule: 0,
  };
  const rank = rankMatch(largest);
  expect(Number.isSafeInteger(rank)).toBe(true);
  expect(rank - rankMatch({ ...largest, queryParams: 15 })).toBe(1);
});
