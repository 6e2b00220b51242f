import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createStatusQueue, type LaneName, lanes } from "./writer-queue.ts";

const laneNames = lanes.map(({ name }) => name);
const rankOf = (name: LaneName) => laneNames.indexOf(name);
const never = new AbortController().signal;

type Step =
  | { readonly do: "add"; readonly key: string; readonly lane: LaneName }
  | { readonly do: "take" }
  | { readonly do: "done" | "remove"; readonly key: string };

const key = fc.constantFrom("a", "b", "c", "d", "e");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("add" as const), key, lane: fc.constantFrom(...laneNames) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("take" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("done" as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), key }) },
);

interface Expected {
  readonly lane: LaneName;
  readonly since: number;
}

/** What the queue promises, as two plain maps. */
function createModel() {
  const waiting = new Map<string, Expected>();
  const out = new Map<string, Expected | undefined>();
  return {
    waiting,
    out,
    add(name: string, lane: LaneName, now: number) {
      const place = out.has(name) ? out : waiting;
      const before = place.get(name);
      const urgent = before !== undefined && rankOf(before.lane) < rankOf(lane) ? before.lane : lane;
      place.set(name, { lane: urgent, since: before?.since ?? now });
    },
    done(name: string) {
      const again = out.get(name);
      out.delete(name);
      if (again) waiting.set(name, again);
    },
    remove(name: string) {
      waiting.delete(name);
      if (out.has(name)) out.set(name, undefined);
    },
  };
}

test("each key waits once and is out once, and nothing that was added is lost", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = createStatusQueue();
      const model = createModel();
      steps.forEach((current, now) => {
        if (current.do === "add") {
          queue.add(current.key, current.lane, now);
          model.add(current.key, current.lane, now);
        } else if (current.do === "take") {
          const turn = queue.take();
          expect(turn === undefined).toBe(model.waiting.size === 0);
          if (turn === undefined) return;
          expect({ lane: turn.lane, since: turn.since }).toEqual(model.waiting.get(turn.key));
          expect(model.out.has(turn.key)).toBe(false);
          model.waiting.delete(turn.key);
          model.out.set(turn.key, undefined);
        } else {
          queue[current.do](current.key);
          model[current.do](current.key);
        }
        const total = Object.values(queue.depths()).reduce((sum, depth) => sum + depth, 0);
        expect(total).toBe(model.waiting.size);
      });
    }),
    { numRuns: 500 },
  );
});

test("a fresh change waits for a few turns behind a backlog, whichever lane either is in", () => {
  for (const fresh of laneNames) {
    const queue = createStatusQueue();
    for (const lane of laneNames) for (let i = 0; i < 10_000; i++) queue.add(`${lane}/${i}`, lane, 0);
    queue.add("fresh", fresh, 1);
    let turns = 1;
    while (queue.take()?.key !== "fresh") turns++;
    // Of 19 turns the lane with the least weight has one, and every second one is for the newest.
    expect(turns).toBeLessThanOrEqual(fresh === "edited" ? 6 : 40);
  }
});

test("the oldest is not starved by what keeps arriving", () => {
  const queue = createStatusQueue();
  queue.add("oldest", "routes", 0);
  for (let i = 0; i < 10; i++) {
    queue.add(`new/${i}/a`, "routes", 1);
    queue.add(`new/${i}/b`, "edited", 1);
    if (queue.take()?.key === "oldest") return;
  }
  throw new Error("the oldest key did not get a turn");
});

test("a lane that alone has something gets every turn", () => {
  const queue = createStatusQueue();
  for (let i = 0; i < 100; i++) queue.add(`backend/${i}`, "others", 0);
  for (let i = 0; i < 100; i++) expect(queue.take()).toBeDefined();
  expect(queue.take()).toBeUndefined();
});

test("keys that are added again and again take no memory", () => {
  const queue = createStatusQueue();
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 500_000; i++) queue.add(`key/${i % 10}`, i < 10 ? "routes" : "edited", 0);
  collectGarbage();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(8 << 20);
  expect(queue.depths()).toMatchObject({ edited: 10, routes: 0 });
});

test("sleepers wake when something waits and when they are told to leave", async () => {
  const queue = createStatusQueue();
  const leaving = new AbortController();
  const first = queue.filled(never);
  const second = queue.filled(leaving.signal);
  queue.add("a", "routes", 0);
  expect(await first).toBe(true);
  expect(await queue.filled(never)).toBe(true);
  queue.take();
  leaving.abort();
  expect(await second).toBe(false);
  expect(await queue.filled(leaving.signal)).toBe(false);
});

test("after clear nothing comes back", () => {
  const queue = createStatusQueue();
  queue.add("a", "routes", 0);
  queue.take();
  queue.add("a", "routes", 0);
  queue.add("b", "gateways", 0);
  queue.clear();
  queue.done("a");
  expect(queue.take()).toBeUndefined();
  queue.add("b", "routes", 2);
  expect(queue.take()).toEqual({ key: "b", lane: "routes", since: 2 });
});
