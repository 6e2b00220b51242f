import { describe, expect, test } from "@jest/globals";
import { type Collection, Graph, type Reader } from "./graph.ts";

/** A clock that ticks with each look at it: a slice of n milliseconds runs about n keys. */
function tickingGraph(): Graph {
  let ticks = 0;
  return new Graph({
    now: () => {
      ticks += 1;
      return ticks;
    },
  });
}

describe("readiness", () => {
  test("nothing runs before every source has synced", () => {
    const graph = new Graph();
    const a = graph.source<number>("a");
    const b = graph.source<number>("b");
    const copy = graph.map("copy", a, (value) => value);
    a.set("x", 1);
    a.markSynced();
    expect(graph.commit()).toEqual({
      runs: new Map(),
      changed: new Map(),
      milliseconds: 0,
      isFresh: false,
      isLagging: false,
    });
    expect(graph.commitSlice(1)).toBeDefined();
    expect([graph.ready, graph.pending, copy.size, a.synced, b.synced]).toEqual([false, true, 0, true, false]);
    b.markSynced();
    graph.commit();
    expect([graph.ready, graph.pending, copy.size]).toEqual([true, false, 1]);
  });
});

describe("failures", () => {
  test("a key that throws keeps its last good output and heals by what the failed run read", () => {
    const graph = new Graph();
    const source = graph.source<number>("source");
    const limits = graph.source<number>("limits");
    source.markSynced();
    limits.markSynced();
    const checked = graph.map("checked", source, (value, _key, read) => {
      if (value > (read.get(limits, "limit") ?? 10)) throw new Error("too much");
      return value;
    });
    source.set("a", 1);
    source.set("b", 2);
    source.set("new", 99);
    graph.commit();
    source.set("a", 50);
    source.set("b", 3);
    graph.commit();
    expect(Object.fromEntries(checked.entries())).toEqual({ a: 1, b: 3 });
    expect([...graph.failures.keys()].sort()).toEqual(["checked/a", "checked/new"]);
    limits.set("limit", 60);
    graph.commit();
    expect(checked.get("a")).toBe(50);
    source.delete("new");
    graph.commit();
    expect(graph.failures.size).toBe(0);
  });

  test("a reduce that throws is listed under its group, and what is no Error becomes one", () => {
    const graph = new Graph();
    const source = graph.source<string>("source");
    source.markSynced();
    const index = graph.index("index", source, (value) => value);
    graph.reduce("reduce", index, () => {
      throw "text";
    });
    source.set("a", "group");
    graph.commit();
    expect(graph.failures.get("reduce/group")).toEqual(new Error("text"));
  });

  test("an equality that throws means different and is listed", () => {
    const graph = new Graph();
    const source = graph.source<number>("source");
    source.markSynced();
    const copy = graph.map("copy", source, (value) => value, {
      equals: () => {
        throw new Error("no equality");
      },
    });
    source.set("a", 1);
    graph.commit();
    source.set("a", 2);
    graph.commit();
    expect(copy.get("a")).toBe(2);
    expect(graph.failures.get("copy/a")?.message).toBe("no equality");
  });

  test("a subscriber that throws stops neither the others nor the next commit", () => {
    const graph = new Graph();
    const source = graph.source<number>("source");
    source.markSynced();
    let told = 0;
    graph.subscribe(source, (changes) => {
      if (changes.get("a") === 1) throw new Error("subscriber");
    });
    graph.subscribe(source, () => {
      told += 1;
    });
    source.set("a", 1);
    graph.commit();
    expect(told).toBe(1);
    expect(graph.failures.get("source/(subscriber)")?.message).toBe("subscriber");
    source.set("a", 2);
    graph.commit();
    expect(told).toBe(2);
    expect(graph.failures.size).toBe(0);
  });
});

describe("slices", () => {
  function start() {
    const graph = tickingGraph();
    const source = graph.source<number>("source");
    source.markSynced();
    const copy = graph.map("copy", source, (value) => value);
    const told: number[] = [];
    graph.subscribe(copy, (changes) => told.push(changes.size));
    for (let i = 0; i < 20; i += 1) source.set(`${i}`, i);
    return { graph, source, copy, told };
  }

  test("a sliced commit settles in the end, tells once and counts everything", () => {
    const { graph, copy, told } = start();
    let report = graph.commitSlice(5);
    let slices = 1;
    while (report === undefined) {
      expect([told.length, graph.pending]).toEqual([0, true]);
      report = graph.commitSlice(5);
      slices += 1;
    }
    expect(slices).toBeGreaterThan(5);
    expect(told).toEqual([20]);
    expect([copy.size, graph.pending]).toEqual([20, false]);
    expect(report.runs).toEqual(new Map([["copy", 20]]));
  });

  test("a slice without any budget still makes progress", () => {
    const { graph, copy } = start();
    for (let i = 0; i < 50 && graph.commitSlice(0) === undefined; i += 1);
    expect(copy.size).toBe(20);
  });

  test("changes staged in between go to the next commit", () => {
    const { graph, source, copy } = start();
    expect(graph.commitSlice(5)).toBeUndefined();
    source.set("19", 100);
    source.set("more", 1);
    while (graph.commitSlice(5) === undefined);
    expect([copy.get("19"), copy.get("more"), graph.pending]).toEqual([19, undefined, true]);
    graph.commit();
    expect([copy.get("19"), copy.get("more")]).toEqual([100, 1]);
  });

  test("a full commit ends the sliced one and takes what is staged", () => {
    const { graph, source, copy, told } = start();
    graph.commitSlice(5);
    source.replaceAll([["more", 1]]);
    const report = graph.commit();
    expect([...copy.entries()]).toEqual([["more", 1]]);
    expect(told).toEqual([20, 21]);
    expect(report.runs).toEqual(new Map([["copy", 21]]));
    expect(graph.pending).toBe(false);
  });
});

describe("subscriptions", () => {
  test("a subscriber sees everything settled and may stage for the next commit", () => {
    const graph = new Graph();
    const source = graph.source<number>("source");
    const answers = graph.source<number>("answers");
    source.markSynced();
    answers.markSynced();
    const last = graph.map(
      "last",
      graph.map("copy", source, (value) => value),
      (value) => value + 1,
    );
    const seen: (number | undefined)[] = [];
    graph.subscribe(source, (changes) => {
      for (const key of changes.keys()) {
        seen.push(last.get(key));
        answers.set(key, 1);
      }
    });
    source.set("a", 1);
    graph.commit();
    expect([seen, answers.size, graph.pending]).toEqual([[2], 0, true]);
    graph.commit();
    expect(answers.size).toBe(1);
  });

  test("a subscriber may not commit", () => {
    const graph = new Graph();
    const source = graph.source<number>("source");
    source.markSynced();
    graph.subscribe(source, () => graph.commit());
    source.set("a", 1);
    graph.commit();
    expect(graph.failures.get("source/(subscriber)")?.message).toMatch(/commits its own graph/);
  });
});

describe("wrong use", () => {
  function failureOf(use: (graph: Graph, read: Reader, source: Collection<number>) => void): string | undefined {
    const graph = new Graph();
    const source = graph.source<number>("source");
    source.markSynced();
    graph.map("user", source, (value, _key, read) => {
      use(graph, read, source);
      return value;
    });
    later.set(
      graph,
      graph.map("later", source, (value) => value),
    );
    source.set("a", 1);
    graph.commit();
    return graph.failures.get("user/a")?.message;
  }
  const later = new Map<Graph, Collection<number>>();

  test.each<[string, Parameters<typeof failureOf>[0], RegExp]>([
    [
      "reading what was created later",
      (graph, read) => read.get(later.get(graph) as Collection<number>, "a"),
      /user reads later, which was not created before it/,
    ],
    [
      "reading another graph",
      (_graph, read) => read.all(new Graph().source<number>("foreign")),
      /user reads foreign, which is in another graph/,
    ],
    [
      "staging",
      (_graph, _read, source) => (source as ReturnType<Graph["source"]>).delete("a"),
      /a transform changes the source source/,
    ],
    ["committing", (graph) => graph.commit(), /commits its own graph/],
    ["creating a node", (graph) => graph.source("new"), /new is created by a transform/],
    ["looking up in no index", (_graph, read, source) => read.lookup(source as never, "a"), /source is not an index/],
  ])("%s in a transform", (_name, use, message) => {
    expect(failureOf(use)).toMatch(message);
  });

  test("reading after the transform has returned", () => {
    let kept: Reader | undefined;
    failureOf((_graph, read) => {
      kept = read;
    });
    expect(() => kept?.get(new Graph().source("any"), "a")).toThrow("any was read after the transform had returned");
  });

  test("two nodes with one name, and inputs of another graph", () => {
    const graph = new Graph();
    const source = graph.source<string>("source");
    const foreign = new Graph();
    expect(() => graph.source("source")).toThrow("there are two nodes named source");
    expect(() => foreign.map("map", source, (value) => value)).toThrow(
      /uses source, which is not part of the same graph/,
    );
    const index = graph.index("index", source, (value) => value);
    expect(() => foreign.reduce("reduce", index, () => 1)).toThrow(
      "reduce uses index, which is not part of the same graph",
    );
  });
});
