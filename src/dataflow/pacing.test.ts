import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Graph } from "./graph.ts";

const SHARE = 3;

/** Items with a revision of their own that take over one limit, three with each commit, and what two others make of each. */
function build() {
  const graph = new Graph();
  const items = graph.source<number>("items");
  const limits = graph.source<number>("limits");
  const news = graph.source<number>("news", { isBackground: true });
  for (const source of [items, limits, news]) source.markSynced();
  const limited = graph.pacedMap(
    "limited",
    items,
    (revision, _key, read) => ({ revision, limit: read.get(limits, "limit"), extra: read.get(news, "extra") }),
    { behind: [limits], keys: SHARE },
  );
  const left = graph.map("left", limited, (value) => value);
  const right = graph.map("right", items, (revision, key, read) => ({ revision, ...read.get(limited, key) }));
  const byLimit = graph.index("byLimit", left, ({ limit }) => String(limit));
  const table = graph.map("table", items, (_item, _key, read) => read.lookup(byLimit, "1").size, { isPatient: true });
  const own = graph.map("own", items, (_item, key, read) => read.get(limited, key)?.limit ?? 0, { isPatient: true });
  const limitsSeen = () => [...left.entries()].map(([key, { limit }]) => `${key}${limit ?? "-"}`).sort();
  return { graph, items, limits, news, limited, left, right, table, own, limitsSeen };
}

function loaded(count: number) {
  const world = build();
  for (let index = 0; index < count; index += 1) world.items.set(String.fromCharCode(97 + index), 0);
  world.graph.commit();
  return world;
}

const slice = (graph: Graph) => {
  const report = graph.commitSlice(Infinity)!;
  return [report.runs.get("limited") ?? 0, report.isFresh, report.isLagging];
};

test("keys that something concerns which all of them read follow one share after the other", () => {
  const { graph, limits, limitsSeen } = loaded(7);
  limits.set("limit", 1);
  // The commit that brings the edit is not held up.
  expect(slice(graph)).toEqual([0, true, true]);
  expect(graph.pending).toBe(true);
  expect(slice(graph)).toEqual([3, false, true]);
  expect(limitsSeen()).toEqual(["a1", "b1", "c1", "d-", "e-", "f-", "g-"]);
  expect(slice(graph)).toEqual([3, false, true]);
  expect(slice(graph)).toEqual([1, false, false]);
  expect(graph.pending).toBe(false);
  expect(slice(graph)).toEqual([0, false, false]);
});

test("a few keys are a commit's own work", () => {
  const { graph, limits } = loaded(SHARE);
  limits.set("limit", 1);
  expect(slice(graph)).toEqual([3, true, false]);
});

test("changes of the input, and of what is not waited for, take effect at once, with all that is new", () => {
  const { graph, limits, items, news, limited } = loaded(7);
  limits.set("limit", 1);
  slice(graph);
  items.set("g", 1);
  // Every second commit takes its share: the first edit went ahead, and this one comes with the others.
  expect(slice(graph)).toEqual([4, true, true]);
  expect(limited.get("g")).toEqual({ revision: 1, limit: 1 });
  items.set("f", 1);
  expect(slice(graph)).toEqual([3, true, false]);
  news.set("extra", 5);
  expect(slice(graph)).toEqual([7, false, false]);
});

test("a key that is deleted while it waits is not computed", () => {
  const { graph, limits, items } = loaded(7);
  limits.set("limit", 1);
  slice(graph);
  for (const key of ["a", "b", "c", "d"]) items.delete(key);
  expect(slice(graph)).toEqual([0, true, true]);
  expect(slice(graph)).toEqual([3, false, false]);
});

test("a commit that is not sliced does all of it", () => {
  const { graph, limits, limitsSeen } = loaded(7);
  limits.set("limit", 1);
  slice(graph);
  expect(graph.commit().runs.get("limited")).toBe(7);
  limits.set("limit", 2);
  expect(graph.commit().runs.get("limited")).toBe(7);
  expect(limitsSeen()).toEqual(["a2", "b2", "c2", "d2", "e2", "f2", "g2"]);
});

test("a patient node runs with edits and at the end", () => {
  const { graph, limits, items, table, own } = loaded(7);
  limits.set("limit", 1);
  slice(graph);
  slice(graph);
  expect(table.get("a")).toBe(0);
  items.set("z", 1);
  slice(graph);
  // Of the edit itself; that which the share before it changed waits on.
  expect([own.get("z"), own.get("a"), table.get("a")]).toEqual([1, 0, 4]);
  while (graph.pending) slice(graph);
  expect(own.get("a")).toBe(1);
  expect(table.get("a")).toBe(8);
});

test("what is made of a key is never of two times, and the end is that of a fresh graph", () => {
  const key = fc.constantFrom(..."abcdefgh");
  const step = fc.oneof(
    fc.record({ kind: fc.constant("set" as const), key, value: fc.nat(3) }),
    fc.record({ kind: fc.constant("delete" as const), key }),
    fc.record({ kind: fc.constantFrom("limit" as const, "news" as const), value: fc.nat(3) }),
    fc.record({ kind: fc.constantFrom("slice" as const, "commit" as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      const world = build();
      const { graph, items, limits, news, left, right } = world;
      const wanted = new Map<string, number>();
      for (const each of steps) {
        if (each.kind === "set") items.set(each.key, each.value);
        if (each.kind === "set") wanted.set(each.key, each.value);
        if (each.kind === "delete") items.delete(each.key);
        if (each.kind === "delete") wanted.delete(each.key);
        if (each.kind === "limit") limits.set("limit", each.value);
        if (each.kind === "news") news.set("extra", each.value);
        if (each.kind === "slice") graph.commitSlice(Infinity);
        if (each.kind === "commit") graph.commit();
        if (each.kind === "slice" || each.kind === "commit") {
          expect(Object.fromEntries(right.entries())).toEqual(Object.fromEntries(left.entries()));
        }
      }
      let commits = 0;
      while (graph.pending) {
        graph.commitSlice(Infinity);
        commits += 1;
      }
      expect(commits).toBeLessThan(6);
      const fresh = build();
      for (const [name, value] of wanted) fresh.items.set(name, value);
      for (const name of ["limit", "extra"] as const) {
        const value = name === "limit" ? limits.get("limit") : news.get("extra");
        if (value !== undefined) (name === "limit" ? fresh.limits : fresh.news).set(name, value);
      }
      fresh.graph.commit();
      for (const node of ["limited", "left", "right", "table", "own"] as const) {
        expect(Object.fromEntries(world[node].entries())).toEqual(Object.fromEntries(fresh[node].entries()));
      }
    }),
    { numRuns: 300 },
  );
});
