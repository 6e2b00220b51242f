import assert from "node:assert/strict";
import fc from "fast-check";
import { CollectionNode } from "./collection-node.ts";
import { buildFamily, sourceNames } from "./family.test-support.ts";
import type { CommitReport, Source } from "./graph.ts";
import { Graph } from "./graph.ts";
import type { IndexNode } from "./grouping.ts";
import { ModelGraph, type ModelNode } from "./model-graph.test-support.ts";
import type { Node } from "./node.ts";

type Contents = Map<string, Map<string, unknown>>;
type Entry = readonly [string, unknown];

export type Step =
  | { readonly kind: "set"; readonly source: string; readonly key: string; readonly value: unknown }
  | { readonly kind: "delete"; readonly source: string; readonly key: string }
  | { readonly kind: "replaceAll"; readonly source: string; readonly entries: readonly Entry[] }
  | { readonly kind: "commit" }
  | { readonly kind: "slice"; readonly budget: number };

/** The model tells objects without a prototype from others, the engine does not. */
const plain = { noNullPrototype: true } as const;
const number = fc.integer({ min: 0, max: 5 });
const extra = fc.record({ n: number }, plain);
const keys = ["x0", "x1", "x2", "t0"].map((key) => fc.constant(key));
const extraEntry = fc.tuple(fc.oneof(...keys), extra);
/** Few keys, so that random steps meet each other. Some keys are in several sources, and refs to items that do not exist. */
const entries: Readonly<Record<(typeof sourceNames)[number], fc.Arbitrary<Entry>>> = {
  items: fc.tuple(
    fc.constantFrom("i0", "i1", "i2", "i3"),
    fc.record({ n: number, ref: fc.constantFrom("x0", "x1", "x2"), tags: fc.subarray(["t0", "t1", "t2"]) }, plain),
  ),
  extras: extraEntry,
  sparse: extraEntry,
  settings: fc.tuple(
    fc.constant("settings"),
    fc.record({ scale: fc.integer({ min: 1, max: 2 }), tag: fc.constantFrom("t0", "t1", "t9") }, plain),
  ),
};

const sourceName = fc.constantFrom("items", "items", "extras", "extras", "sparse", "settings" as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: sourceName.chain((source) =>
      entries[source].map(([key, value]): Step => ({ kind: "set", source, key, value })),
    ),
  },
  {
    weight: 2,
    arbitrary: sourceName.chain((source) => entries[source].map(([key]): Step => ({ kind: "delete", source, key }))),
  },
  {
    weight: 1,
    arbitrary: sourceName.chain((source) =>
      fc.array(entries[source], { maxLength: 4 }).map((list): Step => ({ kind: "replaceAll", source, entries: list })),
    ),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: "commit" }) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 6 }).map((budget): Step => ({ kind: "slice", budget })) },
);

/** Runs of the property test, within which it must also find each deliberate fault (`faults.test.ts`). */
export const runBudget = 1000;

export const simulation = fc.property(fc.array(step, { minLength: 1, maxLength: 40, size: "max" }), (steps) => {
  simulate(steps);
});

/** Throws where the engine does not do what the model does, or at the end differs from a fresh graph with the same content. */
export function simulate(steps: readonly Step[]): void {
  const world = new World();
  for (const each of steps) world.take(each);
  world.take({ kind: "commit" });
  world.compareWithFreshGraph();
  for (const source of sourceNames) world.take({ kind: "replaceAll", source, entries: [] });
  world.take({ kind: "commit" });
  world.checkThatNothingIsLeft();
}

/** An engine and a model that live through the same steps. */
class World {
  private readonly engine = instrumentedGraph();
  private readonly model = new ModelGraph();
  private readonly wanted: Contents = new Map(sourceNames.map((name) => [name, new Map()]));
  /** What a sliced commit that is under way has taken. */
  private taken: Contents | undefined;

  constructor() {
    buildFamily(this.model);
  }

  take(each: Step): void {
    if (each.kind === "commit") this.commit();
    else if (each.kind === "slice") this.slice(each.budget);
    else this.stage(each);
  }

  private stage(each: Exclude<Step, { kind: "commit" | "slice" }>): void {
    const source = this.engine.node(each.source) as unknown as Source<unknown>;
    const wanted = this.wanted.get(each.source) as Map<string, unknown>;
    if (each.kind === "set") {
      source.set(each.key, each.value);
      wanted.set(each.key, each.value);
    } else if (each.kind === "delete") {
      source.delete(each.key);
      wanted.delete(each.key);
    } else {
      source.replaceAll(each.entries);
      this.wanted.set(each.source, new Map(each.entries));
    }
  }

  private slice(budget: number): void {
    this.taken ??= copy(this.wanted);
    const report = this.engine.graph.commitSlice(budget);
    assert.deepEqual(report === undefined ? this.engine.takeNotices() : new Map(), new Map(), "told before settling");
    if (report === undefined) return;
    this.compare(report, [this.taken]);
    this.taken = undefined;
  }

  private commit(): void {
    const report = this.engine.graph.commit();
    this.compare(report, this.taken === undefined ? [this.wanted] : [this.taken, this.wanted]);
    this.taken = undefined;
  }

  private compare(report: CommitReport, commits: readonly Contents[]): void {
    const runs = new Map<string, number>();
    const changed = new Map<string, number>();
    const notices = new Map<string, unknown[]>();
    for (const contents of commits) {
      this.model.commit(copy(contents));
      for (const node of this.model.nodes.values()) {
        if (node.runs > 0) runs.set(node.name, (runs.get(node.name) ?? 0) + node.runs);
        if (node.changed.size === 0) continue;
        changed.set(node.name, (changed.get(node.name) ?? 0) + node.changed.size);
        if (this.engine.node(node.name) instanceof CollectionNode) {
          notices.set(node.name, [...(notices.get(node.name) ?? []), node.changed]);
        }
      }
    }
    for (const node of this.model.nodes.values()) {
      assert.deepEqual(valuesOf(this.engine.node(node.name)), node.values, node.name);
    }
    assert.deepEqual([...this.engine.graph.failures.keys()].sort(), this.model.failures(), "failures");
    assert.deepEqual(this.engine.takeNotices(), notices, "notices");
    assert.deepEqual(report.changed, changed, "changed");
    assert.deepEqual(report.runs, runs, "runs");
  }

  /** A key that throws has an output only because it had one before, so a graph with such keys has no fresh equal. */
  compareWithFreshGraph(): void {
    const fresh = instrumentedGraph();
    for (const [name, content] of this.wanted) (fresh.node(name) as unknown as Source<unknown>).replaceAll(content);
    fresh.graph.commit();
    const failures = [...fresh.graph.failures.keys()].sort();
    assert.deepEqual([...this.engine.graph.failures.keys()].sort(), this.model.failures());
    if (failures.some((key) => !key.endsWith("(several owners)") && !key.startsWith("merged/"))) return;
    for (const node of this.model.nodes.values()) {
      const ours = valuesOf(this.engine.node(node.name));
      const theirs = valuesOf(fresh.node(node.name));
      assert.deepEqual([...ours.keys()].sort(), [...theirs.keys()].sort(), `keys of ${node.name}`);
      for (const [key, value] of ours) assert.ok(isEqual(node, value, theirs.get(key)), `fresh ${node.name}/${key}`);
    }
  }

  checkThatNothingIsLeft(): void {
    for (const name of this.model.nodes.keys()) {
      const node = this.engine.node(name) as unknown as Readonly<Record<string, unknown>>;
      for (const field of ["readers", "runs", "claims", "claimants", "members", "memberships"]) {
        const kept = node[field];
        if (kept instanceof Map) assert.equal(kept.size, 0, `${name} keeps ${field}`);
      }
      assert.equal(node["wholeReaders"], undefined, `${name} keeps a reader of the whole`);
    }
  }
}

function isEqual(node: ModelNode, a: unknown, b: unknown): boolean {
  return node.equals(a as never, b as never);
}

function copy(contents: Contents): Contents {
  return new Map([...contents].map(([name, content]) => [name, new Map(content)]));
}

function valuesOf(node: Node): ReadonlyMap<string, unknown> {
  if (node instanceof CollectionNode) return new Map(node.entries());
  return new Map([...node.keys()].map((group) => [group, new Map((node as IndexNode<unknown>).group(group))]));
}

/** A graph of the family, synced, subscribed everywhere, whose clock ticks with each look at it. */
function instrumentedGraph() {
  let ticks = 0;
  const graph = new Graph({ now: () => (ticks += 1) });
  buildFamily(graph);
  const nodes = new Map((graph as unknown as { nodes: readonly Node[] }).nodes.map((node) => [node.name, node]));
  for (const name of sourceNames) (nodes.get(name) as unknown as Source<unknown>).markSynced();
  let notices = new Map<string, unknown[]>();
  for (const node of nodes.values()) {
    if (!(node instanceof CollectionNode)) continue;
    graph.subscribe(node, (changes) => {
      notices.set(node.name, [...(notices.get(node.name) ?? []), changes]);
    });
  }
  return {
    graph,
    node: (name: string): Node => nodes.get(name) as Node,
    takeNotices() {
      const taken = notices;
      notices = new Map();
      return taken;
    },
  };
}
