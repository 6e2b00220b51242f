import { describe, expect, test } from "@jest/globals";
import { Graph, type Source } from "./graph.ts";

function start<V>(): { graph: Graph; source: Source<V> } {
  const graph = new Graph();
  const source = graph.source<V>("source");
  source.markSynced();
  return { graph, source };
}

function failures(graph: Graph): Record<string, string> {
  return Object.fromEntries([...graph.failures].map(([key, error]) => [key, error.message]));
}

describe("map", () => {
  test("leaves out a key whose function returns undefined", () => {
    const { graph, source } = start<number>();
    const even = graph.map("even", source, (value) => (value % 2 === 0 ? value : undefined));
    source.set("a", 2);
    source.set("b", 3);
    graph.commit();
    expect([...even.entries()]).toEqual([["a", 2]]);
    source.set("a", 1);
    source.set("b", 4);
    graph.commit();
    expect([...even.entries()]).toEqual([["b", 4]]);
  });

  test("stops at its own equality", () => {
    const { graph, source } = start<number>();
    const coarse = graph.map("coarse", source, (value) => value, { equals: (a, b) => a % 10 === b % 10 });
    graph.map("after", coarse, (value) => value);
    source.set("a", 1);
    graph.commit();
    source.set("a", 11);
    expect(graph.commit().runs).toEqual(new Map([["coarse", 1]]));
    expect(coarse.get("a")).toBe(1);
  });

  test("forgets what the run before read and this one did not", () => {
    const { graph, source } = start<string>();
    const other = graph.source<number>("other");
    other.markSynced();
    graph.map("follow", source, (target, _key, read) => read.get(other, target));
    source.set("a", "x");
    other.set("x", 1);
    other.set("y", 1);
    graph.commit();
    source.set("a", "y");
    graph.commit();
    other.set("x", 2);
    expect(graph.commit().runs).toEqual(new Map());
    other.set("y", 2);
    expect(graph.commit().runs).toEqual(new Map([["follow", 1]]));
  });

  test("runs a key once when both its input and what it reads change", () => {
    const { graph, source } = start<number>();
    const double = graph.map("double", source, (value) => value * 2);
    const seen: string[] = [];
    graph.map("both", source, (value, key, read) => seen.push(`${value} ${read.get(double, key)}`));
    source.set("a", 1);
    graph.commit();
    source.set("a", 2);
    graph.commit();
    expect(seen).toEqual(["1 2", "2 4"]);
  });
});

describe("flatMap", () => {
  test("takes back what an input no longer gives", () => {
    const { graph, source } = start<readonly string[]>();
    const flat = graph.flatMap("flat", source, (list, key) => list.map((each) => [each, key] as const));
    source.set("a", ["1", "2"]);
    source.set("b", ["3"]);
    graph.commit();
    source.set("a", ["2", "4"]);
    source.delete("b");
    const report = graph.commit();
    expect(Object.fromEntries(flat.entries())).toEqual({ 2: "a", 4: "a" });
    expect(report.changed.get("flat")).toBe(3);
  });

  test("moves a key from one input to another without a change in between", () => {
    const { graph, source } = start<readonly string[]>();
    const flat = graph.flatMap("flat", source, (list) => list.map((each) => [each, "same"] as const));
    source.set("a", ["key"]);
    source.set("b", []);
    graph.commit();
    source.set("a", []);
    source.set("b", ["key"]);
    expect(graph.commit().changed.get("flat")).toBeUndefined();
    expect(flat.get("key")).toBe("same");
    expect(graph.failures.size).toBe(0);
  });

  test("gives a key of several inputs to the smallest input, whatever came first", () => {
    const { graph, source } = start<readonly string[]>();
    const flat = graph.flatMap("flat", source, (list, key) => list.map((each) => [each, key] as const));
    source.set("b", ["key"]);
    graph.commit();
    source.set("c", ["key"]);
    source.set("a", ["key"]);
    graph.commit();
    expect(flat.get("key")).toBe("a");
    expect(failures(graph)).toEqual({
      "flat/key (several owners)": "flat: the inputs a, b, c all give the key key; a has it",
    });
    source.delete("a");
    graph.commit();
    expect(flat.get("key")).toBe("b");
    source.delete("b");
    graph.commit();
    expect(flat.get("key")).toBe("c");
    expect(graph.failures.size).toBe(0);
  });

  test("refuses one key twice from one input", () => {
    const { graph, source } = start<readonly string[]>();
    const flat = graph.flatMap("flat", source, (list, key) => list.map((each) => [each, key] as const));
    source.set("a", ["x"]);
    graph.commit();
    source.set("a", ["y", "y"]);
    graph.commit();
    expect(failures(graph)).toEqual({ "flat/a": "flat gives the key y twice for the input a" });
    expect([...flat.entries()]).toEqual([["x", "a"]]);
  });

  test("keeps all of the last good result when a lazy one breaks half way", () => {
    const { graph, source } = start<number>();
    const flat = graph.flatMap("flat", source, function* (value) {
      yield ["first", value] as const;
      if (value === 2) throw new Error("broken");
      yield ["second", value] as const;
    });
    source.set("a", 1);
    graph.commit();
    source.set("a", 2);
    graph.commit();
    expect(Object.fromEntries(flat.entries())).toEqual({ first: 1, second: 1 });
    expect(failures(graph)).toEqual({ "flat/a": "broken" });
  });
});

describe("index", () => {
  test("follows a value from group to group", () => {
    const { graph, source } = start<readonly string[]>();
    const index = graph.index("index", source, (groups) => groups);
    const size = graph.reduce("size", index, (_group, members) => members.size);
    source.set("a", ["x", "y", "x"]);
    source.set("b", ["y"]);
    graph.commit();
    expect(Object.fromEntries(size.entries())).toEqual({ x: 1, y: 2 });
    source.set("a", ["y", "z"]);
    expect(graph.commit().runs).toEqual(
      new Map([
        ["index", 1],
        ["size", 2],
      ]),
    );
    expect(Object.fromEntries(size.entries())).toEqual({ y: 2, z: 1 });
    expect(index.group("x").size).toBe(0);
    expect(index.group("y").get("a")).toEqual(["y", "z"]);
  });

  test("takes a bare string as one group", () => {
    const { graph, source } = start<string>();
    const index = graph.index("index", source, (value) => value);
    source.set("a", "group");
    graph.commit();
    expect([...index.group("group").keys()]).toEqual(["a"]);
    expect(index.group("g").size).toBe(0);
  });

  test("tells the readers of old and new groups, of empty ones too, and no others", () => {
    const { graph, source } = start<string>();
    const readers = graph.source<string>("readers");
    readers.markSynced();
    const index = graph.index("index", source, (value) => value);
    const sizes = graph.map("sizes", readers, (group, _key, read) => read.lookup(index, group).size);
    for (const group of ["x", "y", "z"]) readers.set(group, group);
    graph.commit();
    source.set("a", "x");
    expect(graph.commit().runs.get("sizes")).toBe(1);
    source.set("a", "y");
    expect(graph.commit().runs.get("sizes")).toBe(2);
    expect(Object.fromEntries(sizes.entries())).toEqual({ x: 0, y: 1, z: 0 });
  });

  test("leaves a value as and where it was when its function throws", () => {
    const { graph, source } = start<string>();
    const index = graph.index("index", source, (value) => {
      if (value === "bad") throw new Error("no group");
      return value;
    });
    source.set("a", "x");
    graph.commit();
    source.set("a", "bad");
    graph.commit();
    expect(index.group("x").get("a")).toBe("x");
    expect(failures(graph)).toEqual({ "index/a": "no group" });
    source.set("a", "y");
    graph.commit();
    expect(index.group("x").size).toBe(0);
    expect(index.group("y").get("a")).toBe("y");
    expect(graph.failures.size).toBe(0);
  });
});

describe("reduce", () => {
  test("runs a group once however many members change, and drops an empty group without a run", () => {
    const { graph, source } = start<number>();
    const index = graph.index("index", source, () => "all");
    const sum = graph.reduce("sum", index, (_group, members) => [...members.values()].reduce((a, b) => a + b, 0));
    for (let i = 0; i < 10; i += 1) source.set(`${i}`, i);
    expect(graph.commit().runs.get("sum")).toBe(1);
    expect(sum.get("all")).toBe(45);
    source.replaceAll([]);
    expect(graph.commit().runs.size).toBe(0);
    expect(sum.size).toBe(0);
  });
});

describe("union", () => {
  test("gives the value of the input that is named first and says so", () => {
    const { graph, source } = start<number>();
    const other = graph.source<number>("other");
    other.markSynced();
    const union = graph.union("union", source, other);
    other.set("a", 2);
    other.set("b", 2);
    graph.commit();
    source.set("a", 1);
    graph.commit();
    expect(Object.fromEntries(union.entries())).toEqual({ a: 1, b: 2 });
    expect(failures(graph)).toEqual({ "union/a": "union: source, other all have the key a; source gives the value" });
    source.delete("a");
    graph.commit();
    expect(union.get("a")).toBe(2);
    expect(graph.failures.size).toBe(0);
  });

  test("does not change when a key moves to another input with an equal value", () => {
    const { graph, source } = start<{ n: number }>();
    const other = graph.source<{ n: number }>("other");
    other.markSynced();
    graph.union("union", source, other);
    source.set("a", { n: 1 });
    graph.commit();
    source.delete("a");
    other.set("a", { n: 1 });
    expect(graph.commit().changed.has("union")).toBe(false);
  });
});
