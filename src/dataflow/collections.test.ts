import { describe, expect, test } from "@jest/globals";
import { type Collection, Graph, type Source } from "./graph.ts";

interface Box {
  readonly text: string;
}

/** Each kind of collection, built so that it holds what the source is fed, under the same keys. */
const kinds: Readonly<Record<string, (graph: Graph, source: Source<Box>) => Collection<Box>>> = {
  source: (_graph, source) => source,
  map: (graph, source) => graph.map("kind", source, (value) => ({ ...value })),
  flatMap: (graph, source) => graph.flatMap("kind", source, (value, key) => [[key, { ...value }]]),
  reduce: (graph, source) => {
    const index = graph.index("index", source, (_value, key) => [key]);
    return graph.reduce("kind", index, (group, members) => ({ text: members.get(group)?.text ?? "" }));
  },
  union: (graph, source) =>
    graph.union(
      "kind",
      source,
      graph.map("empty", source, (): Box | undefined => undefined),
    ),
};

describe.each(Object.entries(kinds))("a %s", (_name, build) => {
  function start() {
    const graph = new Graph();
    const source = graph.source<Box>("source");
    const settings = graph.source<string>("settings");
    const collection = build(graph, source);
    source.markSynced();
    settings.markSynced();
    const told: Record<string, Box | undefined>[] = [];
    const end = graph.subscribe(collection, (changes) => told.push(Object.fromEntries(changes)));
    return { graph, source, settings, collection, told, end };
  }

  test("holds what was committed, and nothing that is only staged", () => {
    const { graph, source, collection } = start();
    source.set("a", { text: "1" });
    expect(collection.get("a")).toBeUndefined();
    expect(collection.size).toBe(0);
    graph.commit();
    source.set("a", { text: "2" });
    source.set("b", { text: "3" });
    expect([...collection.entries()]).toEqual([["a", { text: "1" }]]);
    graph.commit();
    expect(collection.get("a")).toEqual({ text: "2" });
    expect(collection.size).toBe(2);
  });

  test("tells subscribers once per commit, with the net changes", () => {
    const { graph, source, told, end } = start();
    source.set("a", { text: "1" });
    source.set("b", { text: "1" });
    source.set("gone", { text: "1" });
    source.delete("gone");
    graph.commit();
    source.set("a", { text: "2" });
    source.set("a", { text: "1" });
    source.set("c", { text: "1" });
    source.delete("b");
    source.delete("never there");
    graph.commit();
    graph.commit();
    expect(told).toEqual([
      { a: { text: "1" }, b: { text: "1" } },
      { b: undefined, c: { text: "1" } },
    ]);
    end();
    source.delete("c");
    graph.commit();
    expect(told).toHaveLength(2);
  });

  test("keeps the old object when an equal one comes", () => {
    const { graph, source, collection, told } = start();
    source.set("a", { text: "1" });
    graph.commit();
    const before = collection.get("a");
    source.set("a", { text: "1" });
    const report = graph.commit();
    expect(collection.get("a")).toBe(before);
    expect(report.changed.size).toBe(0);
    expect(told).toHaveLength(1);
  });

  test("becomes what a relist says", () => {
    const { graph, source, collection } = start();
    source.set("a", { text: "1" });
    source.set("b", { text: "1" });
    graph.commit();
    source.set("staged", { text: "1" });
    source.replaceAll([
      ["b", { text: "2" }],
      ["c", { text: "3" }],
    ]);
    graph.commit();
    expect(Object.fromEntries(collection.entries())).toEqual({ b: { text: "2" }, c: { text: "3" } });
  });

  test("runs those who read a key, an absent key or the whole, and no others", () => {
    const { graph, source, settings, collection } = start();
    graph.map("one", settings, (_value, key, read) => (key === "one" ? read.get(collection, "a")?.text : undefined));
    graph.map("all", settings, (_value, key, read) => (key === "all" ? read.all(collection).size : undefined));
    for (const key of ["one", "all", "none"]) settings.set(key, key);
    graph.commit();
    const runs = () => {
      const report = graph.commit();
      return [report.runs.get("one") ?? 0, report.runs.get("all") ?? 0];
    };
    source.set("a", { text: "1" });
    expect(runs()).toEqual([1, 1]);
    source.set("b", { text: "1" });
    expect(runs()).toEqual([0, 1]);
    source.set("a", { text: "1" });
    expect(runs()).toEqual([0, 0]);
    source.delete("a");
    expect(runs()).toEqual([1, 1]);
  });

  test("feeds an index, a map and a union that are created late", () => {
    const { graph, source, collection } = start();
    source.set("a", { text: "1" });
    graph.commit();
    const index = graph.index("late index", collection, (value) => value.text);
    const copy = graph.map("late map", collection, (value) => value.text);
    const union = graph.union("late union", collection);
    graph.commit();
    expect([...index.group("1").keys()]).toEqual(["a"]);
    expect(copy.get("a")).toBe("1");
    expect(union.get("a")).toEqual({ text: "1" });
  });
});
