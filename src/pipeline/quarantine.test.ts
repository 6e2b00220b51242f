import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createWorld, type Places, TABLE } from "./quarantine.test-support.ts";

test("one bad route among many is found, the others are served, and the search is logarithmic", () => {
  const world = createWorld();
  for (let route = 0; route < 1000; route++) world.set(route, route === 617 ? "bad" : "good");
  world.settle();
  expect(world.rejected()).toEqual(["HTTPRoute/ns/617"]);
  expect(world.served().length).toBe(999);
  expect(world.envoy.pushes).toBeLessThanOrEqual(2 + 2 * 10);
});

test.each([[[0, 0]], [[1]], [[1, 3]]])("several Envoys say the same, %j rounds later: it counts once", (lags) => {
  const world = createWorld([0, ...lags].map((lag) => ({ refuses: "bad", lag })));
  for (let route = 0; route < 30; route++) world.set(route, route % 7 === 1 ? "bad" : "good");
  world.settle();
  expect(world.rejected()).toHaveLength(5);
  for (const envoy of world.envoys) expect(world.served(envoy)).toHaveLength(25);
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
  expect(world.served().length).toBe(29);
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

test("a route whose new SecurityPolicy is refused is not served without it", () => {
  const world = createWorld();
  for (let route = 0; route < 4; route++) world.set(route, "open");
  world.settle();
  world.guard(1, "bad");
  world.guard(2, "guarded");
  world.set(3, "bad");
  for (let round = 0; round < 20; round++) {
    world.step();
    const served = new Map(world.served());
    // Until the first commit reaches Envoy it has what it had.
    if (round > 1) expect([served.get(1), served.get(2)]).not.toContain("open");
  }
  const served = new Map(world.served());
  expect(served.get(1)).not.toMatch(/open|bad/);
  expect([served.get(0), served.get(2), served.get(3)]).toEqual(["open", "guarded", "open"]);
  world.guard(1, "mended");
  world.settle();
  expect(new Map(world.served()).get(1)).toBe("mended");
  // What was guarded already keeps its last good version.
  world.guard(1, "bad again");
  world.settle();
  expect(new Map(world.served()).get(1)).toBe("mended");
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

const buckets: Places = {
  inBuckets: true,
  // Two routes on each host, hosts in different buckets, and some in all.
  host: (route) => (route > 10 ? "*.example.com" : `${"abcdef"[route >> 1]}.example.com`),
};

test("in buckets a bad route costs the others of its bucket nothing, and those of other buckets are never held back", () => {
  const world = createWorld([{ refuses: "bad", lag: 1 }], buckets);
  for (let route = 0; route < 11; route++) world.set(route, route === 4 ? "bad" : "good");
  world.set(11, "good");
  for (let round = 0; round < 40; round++) {
    world.step();
    const others = world.published().filter(([route]) => route !== 11 && buckets.host(route) !== buckets.host(4));
    expect(others).toHaveLength(9);
  }
  world.settle();
  expect(world.rejected()).toEqual(["HTTPRoute/ns/4"]);
  expect(new Map(world.served()).get(11)).toBe("good");
  expect(new Map(world.served()).get(5)).toBe("good");
});

test("a bad route on a wildcard is refused in every bucket and counts once", () => {
  const world = createWorld([{ refuses: "bad", lag: 1 }], buckets);
  for (let route = 0; route < 12; route++) world.set(route, "good");
  world.settle();
  world.set(12, "bad");
  world.set(3, "better");
  world.settle();
  expect(world.rejected()).toEqual(["HTTPRoute/ns/12"]);
  expect(new Map(world.served()).get(3)).toBe("better");
});

test.each([false, true])(
  "(in buckets: %s) whatever is edited, the end is: good routes served as they are, bad ones rejected and never served",
  (inBuckets) => {
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
        const world = createWorld(of, inBuckets ? buckets : undefined);
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
      { numRuns: inBuckets ? 150 : 500 },
    );
  },
);
