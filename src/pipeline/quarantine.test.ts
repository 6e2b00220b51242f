import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Graph, type Source } from "../dataflow/graph.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { RouteEntry } from "../translate/route-order.ts";
import { createQuarantine } from "./quarantine.ts";
import type { HostEntries } from "./routes.ts";
import { createSources } from "./sources.ts";

const TABLE = "ns/gw/http";

const GATEWAY = "ns/gw";

/** One Envoy: which texts it refuses, and after how many rounds it answers a version that it was sent. */
interface EnvoyKind {
  readonly refuses: string;
  readonly lag: number;
}

interface Envoy extends EnvoyKind {
  readonly node: string;
  accepted: ReadonlyMap<string, string>;
  /** Version that it has, sent last, and may not be sent again. */
  version: string;
  sent: { readonly version: string; readonly table: ReadonlyMap<string, string>; readonly round: number } | undefined;
  readonly refused: Set<string>;
  pushes: number;
}

/**
 * Envoys that refuse a table as long as any route in it is bad for them, behind the same graph shape as the pipeline's. Like
 * the xDS server it has one push of a table under way for each Envoy, sends the newest then, and none that was refused.
 */
function createWorld(kinds: readonly EnvoyKind[] = [{ refuses: "bad", lag: 0 }]) {
  const graph = new Graph();
  const sources = createSources(graph, { controllerNames: [], hostInfrastructure: true, privilegedPortOffset: 0 });
  const edits: Source<HostEntries> = graph.source("edits");
  for (const source of [...Object.values(sources), edits]) source.markSynced();
  const served = graph.map("servedEntries", edits, (entries, key, read) => {
    const held = read.get(sources.heldEntries, key);
    return held === undefined ? entries : held.replacement;
  });
  const quarantine = createQuarantine(sources, { current: (key) => edits.get(key) });
  let staged = false;
  graph.subscribe(edits, (changes) => {
    staged = quarantine.edited(changes) || staged;
  });
  graph.subscribe(served, (changes) => quarantine.served(changes));
  const envoys: Envoy[] = [];
  let names = 0;
  let now = 0;
  let published = "";

  const contents = () => new Map([...served.entries()].map(([key, entries]) => [key, entries.entries[0]!.hash]));
  const versionOf = (table: ReadonlyMap<string, string>) => JSON.stringify([...table].sort());

  function connect(kind: EnvoyKind): Envoy {
    const node = `envoy-${names++}`;
    const envoy = {
      ...kind,
      node,
      accepted: new Map(),
      version: "",
      sent: undefined,
      refused: new Set<string>(),
      pushes: 0,
    };
    envoys.push(envoy);
    return envoy;
  }

  function answer(envoy: Envoy): void {
    const { version, table, round } = envoy.sent!;
    if (round + envoy.lag > now) return;
    envoy.sent = undefined;
    const accepted = ![...table.values()].some((text) => text.startsWith(envoy.refuses));
    if (accepted) Object.assign(envoy, { accepted: table, version });
    else envoy.refused.add(version);
    const verdict = accepted ? { accepted } : { accepted, error: `invalid, says ${envoy.node}` };
    const what = { gateway: GATEWAY, node: envoy.node, type: resourceTypes.route, name: TABLE, version };
    staged = quarantine.answered({ ...what, ...verdict }) || staged;
  }

  /** One commit and what the Envoys make of it. */
  function step(): void {
    staged = false;
    graph.commit();
    now++;
    const table = contents();
    const version = versionOf(table);
    if (version !== published) {
      published = version;
      staged = quarantine.published(TABLE, version) || staged;
    }
    staged = quarantine.committed() || staged;
    for (const envoy of envoys) {
      if (envoy.sent === undefined && version !== envoy.version && !envoy.refused.has(version)) {
        envoy.sent = { version, table, round: now };
        envoy.pushes++;
        quarantine.sent(GATEWAY, envoy.node, TABLE);
      }
    }
    for (const envoy of envoys) if (envoy.sent !== undefined) answer(envoy);
  }

  /** Goes on until nothing moves. Bounded, since a search must end. */
  function settle(): void {
    // A release that changes nothing shows one commit later.
    for (let round = 0, quiet = 0; quiet < 3; round++) {
      if (round === 2000) throw new Error("the search did not end");
      step();
      quiet = staged || envoys.some(({ sent }) => sent !== undefined) ? 0 : quiet + 1;
    }
  }

  const first = connect(kinds[0]!);
  for (const kind of kinds.slice(1)) connect(kind);
  const entriesOf = (route: number, text: string): HostEntries => ({
    table: TABLE,
    host: "host",
    route: `HTTPRoute/ns/${route}`,
    entries: [{ hash: text } as RouteEntry],
  });
  return {
    quarantine,
    envoy: first,
    envoys,
    settle,
    step,
    connect,
    disconnect(envoy: Envoy) {
      envoys.splice(envoys.indexOf(envoy), 1);
      quarantine.left(GATEWAY, envoy.node);
    },
    set: (route: number, text: string) => edits.set(`${TABLE}|host|HTTPRoute/ns/${route}`, entriesOf(route, text)),
    remove: (route: number) => edits.delete(`${TABLE}|host|HTTPRoute/ns/${route}`),
    rejections: () => [...sources.rejections.entries()].map(([, rejection]) => rejection),
    rejected: () => [...sources.rejections.entries()].map(([, rejection]) => rejection.route).sort(),
    published: () => [...contents()].map(([key, text]) => [Number(key.slice(key.lastIndexOf("/") + 1)), text] as const),
    served: (envoy: Envoy = first) =>
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
  const world = createWorld([0, ...lags].map((lag) => ({ refuses: "bad", lag })));
  for (let route = 0; route < 30; route++) world.set(route, route % 7 === 1 ? "bad" : "good");
  world.settle();
  expect(world.rejected()).toHaveLength(5);
  for (const { accepted } of world.envoys) expect(accepted.size).toBe(25);
});

test("what one Envoy takes and another refuses is held back, with the words of the one that refused", () => {
  const world = createWorld([
    { refuses: "bad", lag: 0 },
    { refuses: "new", lag: 4 },
  ]);
  for (let route = 0; route < 30; route++) world.set(route, "good");
  world.settle();
  world.set(7, "new");
  world.set(8, "better");
  world.settle();
  expect(world.rejections()).toEqual([
    { route: "HTTPRoute/ns/7", table: TABLE, host: "host", error: "invalid, says envoy-1" },
  ]);
  for (const envoy of world.envoys) {
    expect(new Map(world.served(envoy)).get(7)).toBe("good");
    expect(new Map(world.served(envoy)).get(8)).toBe("better");
  }
});

test("a good route that is edited while a bad one is on trial is not blamed for it", () => {
  const world = createWorld([{ refuses: "bad", lag: 2 }]);
  for (let route = 0; route < 8; route++) world.set(route, "good");
  world.settle();
  world.set(1, "bad");
  world.set(2, "better");
  for (let round = 0; round < 40; round++) {
    if (round % 2 === 1) world.set(5, `edit ${round}`);
    world.step();
  }
  world.settle();
  expect(world.rejected()).toEqual(["HTTPRoute/ns/1"]);
  expect(new Map(world.served()).get(5)).toBe("edit 39");
});

test("when nobody is left to ask, nothing stays held back on suspicion", () => {
  const world = createWorld([{ refuses: "bad", lag: 0 }]);
  for (let route = 0; route < 8; route++) world.set(route, "good");
  world.settle();
  for (let route = 0; route < 8; route++) world.set(route, route === 3 ? "bad" : "better");
  for (let round = 0; round < 3; round++) world.step();
  expect(world.published().filter(([, text]) => text === "good").length).toBeGreaterThan(0);
  world.disconnect(world.envoy);
  world.settle();
  expect(new Set(world.published().map(([, text]) => text))).toEqual(new Set(["bad", "better"]));
  const next = world.connect({ refuses: "bad", lag: 1 });
  world.settle();
  expect(world.rejected()).toEqual(["HTTPRoute/ns/3"]);
  expect(new Map(world.served(next)).get(3)).toBe("good");
});

test("a group on trial that was deleted meanwhile does not end the search", () => {
  const world = createWorld();
  for (let route = 0; route < 8; route++) world.set(route, route === 7 ? "bad" : "good");
  world.step();
  world.step();
  for (let route = 0; route < 7; route++) if (route !== 5) world.remove(route);
  world.settle();
  expect(world.rejected()).toEqual(["HTTPRoute/ns/7"]);
  expect(world.published()).toEqual([[5, "good"]]);
});

test("replicas share what they found: the same is served by one that never saw the refusal", () => {
  const [here, there] = [createWorld(), createWorld()];
  there.disconnect(there.envoy);
  for (const world of [here, there]) {
    for (let route = 0; route < 8; route++) world.set(route, "good");
    world.settle();
  }
  for (const [table, version] of here.quarantine.accepted()) there.quarantine.acceptedElsewhere(table, version);
  for (const world of [here, there]) {
    world.set(3, "bad");
    world.set(4, "better");
    world.settle();
  }
  expect(new Map(there.published()).get(3)).toBe("bad");
  for (const verdict of here.quarantine.verdicts()) there.quarantine.adopt(JSON.parse(JSON.stringify(verdict)));
  there.settle();
  expect(there.published().sort()).toEqual(here.published().sort());
  expect(there.rejections()).toEqual(here.rejections());
  // It knows what Envoys had before, so an Envoy that comes with the next bad route costs no other route.
  for (const [table, version] of here.quarantine.accepted()) there.quarantine.acceptedElsewhere(table, version);
  for (const world of [here, there]) world.set(6, "bad too");
  there.settle();
  const envoy = there.connect({ refuses: "bad", lag: 0 });
  there.step();
  there.step();
  expect(there.published().map(([, text]) => text)).toHaveLength(8);
  there.settle();
  expect(new Map(there.served(envoy)).get(6)).toBe("good");
  // Edited, both try it again.
  for (const world of [here, there]) world.set(3, "mended");
  here.settle();
  there.settle();
  expect(new Map(there.served(envoy)).get(3)).toBe("mended");
  expect(here.rejected()).not.toContain("HTTPRoute/ns/3");
});

test("a control plane that starts anew tries what an earlier one had found, and no other route is missing for a moment", () => {
  const world = createWorld([{ refuses: "bad", lag: 1 }]);
  for (let route = 0; route < 30; route++) world.set(route, route % 10 === 3 ? `bad ${route}` : "good");
  for (const route of [3, 13, 23]) world.quarantine.suspect(`HTTPRoute/ns/${route}`, true);
  for (let round = 0; round < 40; round++) {
    world.step();
    expect(world.published().filter(([, text]) => text === "good")).toHaveLength(27);
  }
  world.settle();
  expect(world.rejected()).toEqual(["HTTPRoute/ns/13", "HTTPRoute/ns/23", "HTTPRoute/ns/3"]);
  expect(world.quarantine.suspecting).toBe(false);
});

test("an earlier suspicion that is wrong or not all does no harm", () => {
  const world = createWorld([{ refuses: "bad", lag: 1 }]);
  for (let route = 0; route < 30; route++) world.set(route, route === 7 ? "bad" : "good");
  world.quarantine.suspect("HTTPRoute/ns/3", true);
  world.settle();
  expect(world.rejected()).toEqual(["HTTPRoute/ns/7"]);
  expect(world.envoy.accepted.size).toBe(29);
  expect(world.quarantine.suspecting).toBe(false);
});

test("a verdict on what is not read yet waits for it", () => {
  const [here, there] = [createWorld(), createWorld()];
  there.disconnect(there.envoy);
  here.set(3, "bad");
  here.settle();
  for (const verdict of here.quarantine.verdicts()) there.quarantine.adopt(verdict);
  there.set(3, "older");
  there.settle();
  expect(there.rejected()).toEqual([]);
  there.set(3, "bad");
  there.settle();
  expect(there.rejected()).toEqual(["HTTPRoute/ns/3"]);
  expect(there.published()).toEqual([]);
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

test("what an Envoy was never asked about is not served in place of what another refuses", () => {
  // The first is slow, and is sent the second version only, which it takes; the other takes the first version and not the second.
  const world = createWorld([
    { refuses: "new", lag: 4 },
    { refuses: "bad", lag: 3 },
  ]);
  for (let round = 0; round < 2; round++) world.step();
  world.set(5, "new");
  for (let round = 0; round < 3; round++) world.step();
  world.set(5, "bad");
  world.settle();
  expect(world.rejected()).toEqual(["HTTPRoute/ns/5"]);
  for (const envoy of world.envoys) expect(world.served(envoy)).toEqual([]);
});

test("whatever is edited, the end is: good routes served as they are, bad ones rejected and never served", () => {
  const edit = fc.record({
    route: fc.integer({ min: 0, max: 12 }),
    text: fc.option(fc.constantFrom("good", "fine", "bad", "bad too", "new")),
    settle: fc.boolean(),
    steps: fc.nat(3),
  });
  const kind = fc.record({ refuses: fc.constantFrom("bad", "new"), lag: fc.nat(4) });
  const kinds = fc.array(kind, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 40 }), kinds, (edits, of) => {
      const world = createWorld(of);
      const wanted = new Map<number, string>();
      const isBad = (text: string) => of.some(({ refuses }) => text.startsWith(refuses));
      for (const { route, text, settle, steps } of edits) {
        if (text === null) {
          world.remove(route);
          wanted.delete(route);
        } else {
          world.set(route, text);
          wanted.set(route, text);
        }
        for (let step = 0; step < steps; step++) world.step();
        if (settle) world.settle();
      }
      world.settle();
      for (const envoy of world.envoys) {
        const served = new Map(world.served(envoy));
        for (const [route, text] of wanted) if (!isBad(text)) expect(served.get(route)).toBe(text);
        for (const [route, text] of served) {
          expect(isBad(text)).toBe(false);
          expect(wanted.has(route)).toBe(true);
        }
      }
      const bad = [...wanted].filter(([, text]) => isBad(text)).map(([route]) => `HTTPRoute/ns/${route}`);
      expect(world.rejected()).toEqual(bad.sort());
    }),
    { numRuns: 500 },
  );
});
