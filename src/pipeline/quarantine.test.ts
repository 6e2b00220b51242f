import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Graph, type Source } from "../dataflow/graph.ts";
import { type Acknowledgement, resourceTypes } from "../envoy/resource.ts";
import { createQuarantine } from "./quarantine.ts";
import type { HostEntries } from "./routes.ts";
import { createSources } from "./sources.ts";

const TABLE = "ns/gw/http";

/**
 * An Envoy that refuses a table as long as any route in it is bad, behind the same graph shape as the pipeline's.
 * @param lags one for each further Envoy of the Gateway: rounds after which it answers a version
 */
function createWorld(lags: readonly number[] = []) {
  const graph = new Graph();
  const sources = createSources(graph, { controllerNames: [], hostInfrastructure: true, privilegedPortOffset: 0 });
  const edits: Source<HostEntries> = graph.source("edits");
  for (const source of [...Object.values(sources), edits]) source.markSynced();
  const served = graph.map("servedEntries", edits, (entries, key, read) => {
    const held = read.get(sources.heldEntries, key);
    return held === undefined ? entries : held.replacement;
  });
  const quarantine = createQuarantine(sources);
  let staged = false;
  graph.subscribe(edits, (changes) => {
    staged = quarantine.edited(changes) || staged;
  });
  graph.subscribe(served, (changes) => quarantine.served(changes));
  const envoy = { accepted: new Map<string, string>(), version: "", pushes: 0 };

  const others = lags.map((lag) => ({ lag, version: "" }));
  const late: { readonly round: number; readonly answer: Acknowledgement }[] = [];
  let now = 0;

  const contents = () => new Map([...served.entries()].map(([key, entries]) => [key, entries.host]));
  const versionOf = (table: ReadonlyMap<string, string>) => JSON.stringify([...table].sort());

  /** Commits and lets Envoy answer until nothing moves. Bounded, since a search must end. */
  function settle(): void {
    for (let round = 0; round < 400; round++) {
      graph.commit();
      now++;
      for (const { answer } of late.filter(({ round }) => round <= now)) staged = quarantine.answered(answer) || staged;
      late.splice(0, late.length, ...late.filter(({ round }) => round > now));
      const table = contents();
      const version = versionOf(table);
      staged = quarantine.published(TABLE, version) || staged;
      const bad = [...table.values()].some((text) => text.startsWith("bad"));
      const verdict = bad ? { accepted: false, error: "invalid regex" } : { accepted: true };
      const answer = { gateway: "ns/gw", type: resourceTypes.route, name: TABLE, version, ...verdict };
      if (version !== envoy.version) {
        envoy.pushes++;
        if (!bad) Object.assign(envoy, { accepted: table, version });
        staged = quarantine.answered(answer) || staged;
      }
      for (const other of others.filter((one) => one.version !== version)) {
        other.version = version;
        late.push({ round: now + other.lag, answer });
      }
      if (!staged && late.length === 0) return;
      staged = false;
    }
    throw new Error("the search did not end");
  }

  return {
    envoy,
    settle,
    set: (route: number, text: string) =>
      edits.set(`${TABLE}|host|HTTPRoute/ns/${route}`, {
        table: TABLE,
        host: text,
        route: `HTTPRoute/ns/${route}`,
        entries: [],
      }),
    remove: (route: number) => edits.delete(`${TABLE}|host|HTTPRoute/ns/${route}`),
    rejected: () => [...sources.rejections.entries()].map(([, rejection]) => rejection.route).sort(),
    served: () =>
      [...envoy.accepted].map(([key, text]) => [Number(key.slice(key.lastIndexOf("/") + 1)), text] as const),
  };
}

test("one bad route among many is found, the others are served, and the search is logarithmic", () => {
  const world = createWorld();
  for (let route = 0; route < 1000; route++) world.set(route, route === 617 ? "bad" : "good");
  world.settle();
  expect(world.rejected()).toEqual(["HTTPRoute/ns/617"]);
  expect(world.envoy.accepted.size).toBe(999);
  expect(world.envoy.pushes).toBeLessThanOrEqual(2 + 2 * 10);
});

test.each([[[0, 0]], [[1]], [[1, 3]]])("several Envoys say the same, %j rounds later: it counts once", (lags) => {
  const world = createWorld(lags);
  for (let route = 0; route < 30; route++) world.set(route, route % 7 === 1 ? "bad" : "good");
  world.settle();
  expect(world.rejected()).toHaveLength(5);
  expect(world.envoy.accepted.size).toBe(25);
});

test("a route that turns bad keeps its last accepted version until it is mended", () => {
  const world = createWorld();
  world.set(1, "good");
  world.set(2, "good");
  world.settle();
  world.set(1, "bad");
  world.set(2, "better");
  world.settle();
  expect(new Map(world.served())).toEqual(
    new Map([
      [1, "good"],
      [2, "better"],
    ]),
  );
  expect(world.rejected()).toEqual(["HTTPRoute/ns/1"]);
  world.set(1, "mended");
  world.settle();
  expect(new Map(world.served())).toEqual(
    new Map([
      [1, "mended"],
      [2, "better"],
    ]),
  );
  expect(world.rejected()).toEqual([]);
});

test("whatever is edited, the end is: good routes served as they are, bad ones rejected and never served", () => {
  const edit = fc.record({
    route: fc.integer({ min: 0, max: 12 }),
    text: fc.option(fc.constantFrom("good", "fine", "bad", "bad too")),
    settle: fc.boolean(),
  });
  const lags = fc.array(fc.nat(4), { maxLength: 2 });
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 40 }), lags, (edits, rounds) => {
      const world = createWorld(rounds);
      const wanted = new Map<number, string>();
      for (const { route, text, settle } of edits) {
        if (text === null) {
          world.remove(route);
          wanted.delete(route);
        } else {
          world.set(route, text);
          wanted.set(route, text);
        }
        if (settle) world.settle();
      }
      world.settle();
      const served = new Map(world.served());
      for (const [route, text] of wanted) {
        if (!text.startsWith("bad")) expect(served.get(route)).toBe(text);
      }
      for (const [route, text] of served) {
        expect(text).not.toMatch(/^bad/);
        expect(wanted.has(route)).toBe(true);
      }
      const bad = [...wanted].filter(([, text]) => text.startsWith("bad")).map(([route]) => `HTTPRoute/ns/${route}`);
      expect(world.rejected()).toEqual(bad.sort());
    }),
    { numRuns: 300 },
  );
});
