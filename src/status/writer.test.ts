import { afterEach, expect, test } from "@jest/globals";
import { type Bench, createBench, entry, OTHER, OURS } from "./writer.test-support.ts";

let bench: Bench;
afterEach(() => bench.writer.stop());

/** Routes with a status to write, observed and started. */
function startWith(names: readonly string[], options?: Parameters<typeof createBench>[0]): Bench {
  bench = createBench(options);
  for (const name of names) {
    bench.server.put(name, {});
    bench.observe(name);
    bench.desired.set(name, "first");
  }
  bench.writer.start();
  return bench;
}

test("a first status is written without reading, and after a restart nothing is", async () => {
  const names = Array.from({ length: 50 }, (_, i) => `r${i}`);
  const { server, settled, standing } = startWith(names);
  await settled();
  expect(names.flatMap(standing)).toEqual(names.map(() => "first"));
  expect(server.calls).toHaveLength(50);

  const again = createBench();
  for (const name of names) {
    again.writer.observe(`HTTPRoute/ns/${name}`, server.get(name));
    again.desired.set(name, "first");
  }
  again.writer.start();
  await again.settled();
  expect(again.server.calls).toEqual([]);
  expect(again.writer.figures()).toMatchObject({ writes: 0, skipped: 50 });
  await again.writer.stop();
});

test("before the start nothing is written", async () => {
  bench = createBench();
  bench.server.put("r", {});
  bench.observe("r");
  bench.change("r", "first");
  await bench.settled();
  expect(bench.server.calls).toEqual([]);
});

test("one write in flight per object, and the newest status wins", async () => {
  const gate = Promise.withResolvers<void>();
  const { server, change, settled, standing } = startWith(["r"]);
  server.fault = async () => void (await gate.promise);
  await tick();
  for (let i = 0; i < 10; i++) {
    change("r", `edit ${i}`);
    await tick();
  }
  expect(server.calls).toEqual(["replace r"]);
  gate.resolve();
  await settled();
  expect(standing("r")).toEqual(["edit 9"]);
  expect(server.calls).toEqual(["replace r", "get r", "replace r"]);
});

test("after a conflict the object is read again, and what others wrote stays", async () => {
  const { server, settled, standing, writer } = startWith([]);
  server.put("r", {});
  bench.observe("r");
  server.put("r", { parents: [entry(OTHER, "theirs")] });
  bench.change("r", "ours");
  await settled();
  expect(standing("r")).toEqual(["ours"]);
  expect(server.get("r")?.status).toMatchObject({ parents: [entry(OTHER, "theirs"), entry(OURS, "ours")] });
  expect(server.calls).toEqual(["replace r", "get r", "replace r"]);
  expect(writer.figures().conflicts).toBe(1);
});

test("somebody who writes all the time delays us but does not hold us in a loop", async () => {
  const { server, settled, standing } = startWith([], { limits: { refused: { first: 30, max: 30 } } });
  server.put("r", {});
  bench.observe("r");
  let theirs = 0;
  server.fault = (call) => {
    if (call === "replace r" && theirs < 20) server.put("r", { parents: [entry(OTHER, `theirs ${theirs++}`)] });
    return undefined;
  };
  bench.change("r", "ours");
  await settled();
  expect(standing("r")).toEqual(["ours"]);
  expect(theirs).toBe(20);
});

test("our entry leaves when we have nothing to say any more, and goes with nobody else's", async () => {
  const { server, settled, change } = startWith([]);
  server.put("r", { parents: [entry(OTHER, "theirs"), entry(OURS, "old")] });
  bench.observe("r");
  change("r", undefined);
  await settled();
  expect(server.get("r")?.status).toEqual({ parents: [entry(OTHER, "theirs")] });
});

test("an entry that is left over from before the start is removed", async () => {
  bench = createBench();
  bench.server.put("r", { parents: [entry(OURS, "left over")] });
  bench.observe("r");
  bench.writer.start();
  await bench.settled();
  expect(bench.standing("r")).toEqual([]);
});

test("what somebody else does to our entry is repaired", async () => {
  const { server, settled, standing, observe } = startWith(["r"]);
  await settled();
  server.put("r", { parents: [entry(OURS, "vandalised")] });
  observe("r");
  await settled();
  expect(standing("r")).toEqual(["first"]);
});

test("a fight over our entry is fought ever more slowly", async () => {
  const { server, settled, observe } = startWith(["r"], { limits: { repair: { first: 10, max: 10_000 } } });
  await settled();
  const start = performance.now();
  let fights = 0;
  while (performance.now() - start < 700) {
    if (bench.standing("r")[0] === "first") {
      fights++;
      server.put("r", { parents: [entry(OURS, "vandalised")] });
      observe("r");
    }
    await tick();
  }
  // Repaired after 10, 30, 70, 150, 310, 630 ms.
  expect(fights).toBeGreaterThan(3);
  expect(fights).toBeLessThanOrEqual(8);
});

test("an event that arrives during a write leads to another look", async () => {
  const { server, settled, standing, observe } = startWith(["r"]);
  server.fault = (call) => {
    if (call !== "replace r" || server.calls.length > 1) return undefined;
    // The answer to our write comes after the event of somebody's write that followed it.
    return new Promise((resolve) => {
      setTimeout(() => {
        resolve(undefined);
        queueMicrotask(() =>
          queueMicrotask(() => {
            server.put("r", { parents: [entry(OURS, "vandalised")] });
            observe("r");
          }),
        );
      }, 5);
    });
  };
  await settled();
  expect(standing("r")).toEqual(["first"]);
});

test("lack of permission is told once for a kind and namespace, asks rarely, and ends by itself", async () => {
  const names = Array.from({ length: 200 }, (_, i) => `r${i}`);
  const { server, settled, logged, standing, writer } = startWith(names, {
    limits: { forbidden: { first: 40, max: 100 }, concurrency: 4 },
  });
  server.fault = () => ({ status: 403 });
  await sleep(150);
  expect(logged).toEqual(["statuses of HTTPRoute in namespace ns may not be written: allow it in the role"]);
  expect(server.calls.length).toBeLessThanOrEqual(16);
  expect(writer.figures().postponed).toBeGreaterThan(190);
  server.fault = () => undefined;
  await settled();
  expect(names.flatMap(standing)).toHaveLength(200);
});

test("a refused status is told once and waits longer each time, and holds nobody up", async () => {
  const { server, logged, change, standing } = startWith(["bad"], { limits: { refused: { first: 20, max: 10_000 } } });
  server.fault = (call) => (call.endsWith(" bad") ? { status: 422 } : undefined);
  server.put("good", {});
  bench.observe("good");
  change("good", "fine");
  await sleep(200);
  expect(standing("good")).toEqual(["fine"]);
  expect(logged).toEqual(["the API server refuses a status"]);
  // At 0, 20, 60, 140 ms.
  expect(server.calls.filter((call) => call.endsWith(" bad")).length).toBeLessThanOrEqual(5);
  server.put("bad", undefined);
  bench.observe("bad");
  await bench.settled();
});

test("while the server is away few calls are made, and after it everything arrives", async () => {
  const names = Array.from({ length: 100 }, (_, i) => `r${i}`);
  const { server, settled, logged, standing } = startWith(names, {
    limits: { server: { first: 30, max: 60 }, concurrency: 4 },
  });
  server.fault = () => ({ status: 503 });
  await sleep(250);
  expect(server.calls.length).toBeLessThanOrEqual(4 * 8);
  server.fault = () => undefined;
  await settled();
  expect(names.flatMap(standing)).toHaveLength(100);
  expect(logged).toEqual(["the API server does not take statuses; they wait", "the API server takes statuses again"]);
});

test("a server that asks to wait is left alone for so long", async () => {
  const { server, settled } = startWith(["a"], { limits: { concurrency: 1 } });
  server.fault = () => (server.calls.length === 1 ? { status: 429, retryAfterSeconds: 1 } : undefined);
  const start = performance.now();
  await settled();
  expect(performance.now() - start).toBeGreaterThan(990);
  expect(server.calls).toEqual(["replace a", "replace a"]);
});

test("an object that is gone is forgotten", async () => {
  const { server, settled, observe, writer } = startWith(["r"], { limits: { refused: { first: 20, max: 20 } } });
  server.put("r", undefined);
  await sleep(50);
  expect(writer.figures().failures).toEqual({});
  observe("r");
  await settled();
  const calls = server.calls.length;
  await sleep(50);
  expect(server.calls).toHaveLength(calls);
});

test("stop waits for the write that is under way, and none begins after it", async () => {
  const gate = Promise.withResolvers<void>();
  const { server, writer } = startWith(["a", "b"], { limits: { concurrency: 1 } });
  server.fault = async () => void (await gate.promise);
  await tick();
  let stopped = false;
  const stopping = writer.stop().then(() => {
    stopped = true;
  });
  await sleep(20);
  expect(stopped).toBe(false);
  gate.resolve();
  await stopping;
  expect(server.calls).toHaveLength(1);
});

test("stop gives up a call that hangs", async () => {
  const { server, writer } = startWith(["a"], { limits: { stopGraceMilliseconds: 30 } });
  server.fault = (_call, { signal }) =>
    new Promise((resolve) => {
      signal?.addEventListener("abort", () => resolve({ status: 0 }));
    });
  await tick();
  await writer.stop();
  expect(server.calls).toHaveLength(1);
});

test("a leader that leads again writes what changed meanwhile", async () => {
  const { settled, writer, change, standing } = startWith(["r"]);
  await settled();
  await writer.stop();
  change("r", "second");
  await settled();
  expect(standing("r")).toEqual(["first"]);
  writer.start();
  await settled();
  expect(standing("r")).toEqual(["second"]);
});

test("a status that cannot be rendered stays as it is", async () => {
  const { settled, writer, server, logged } = startWith(["r"], {
    render() {
      throw new Error("a bug");
    },
  });
  await settled();
  expect(server.calls).toEqual([]);
  expect(logged).toEqual(["a status cannot be rendered and stays as it is; this is a bug in Gatehouse"]);
  expect(writer.figures().skipped).toBe(1);
});

test("what the server drops from a status is not written again and again", async () => {
  const { settled, server, observe, change } = startWith(["r"], {
    render: () => ({ parents: [{ ...entry(OURS, "first"), unknownToTheServer: 1 }] }),
  });
  await settled();
  server.put("r", { parents: [entry(OURS, "first")] });
  observe("r");
  await settled();
  const calls = server.calls.length;
  change("r", "first");
  await settled();
  expect(server.calls).toHaveLength(calls);
});

test("an object that a user has just edited goes before a backlog", async () => {
  const names = Array.from({ length: 2_000 }, (_, i) => `r${i}`);
  const { server, change, observe, standing } = startWith(names, {
    limits: { rate: { queriesPerSecond: 200, burst: 1 } },
  });
  server.put("r1999", { generation: 2 });
  observe("r1999");
  change("r1999", "edited");
  const start = performance.now();
  while (standing("r1999")[0] !== "edited") await tick();
  expect(performance.now() - start).toBeLessThan(300);
  expect(server.calls.length).toBeLessThan(100);
});

test("a status that changes all the time is written at a bounded pace, unless a user edits it", async () => {
  const { server, change, observe, standing } = startWith(["r"], { limits: { rest: { first: 50, max: 200 } } });
  const start = performance.now();
  for (let i = 0; performance.now() - start < 700; i++) {
    change("r", `change ${i}`);
    await sleep(2);
  }
  // At 0, 50, 150, 350, 550 ms.
  expect(server.calls.filter((call) => call === "replace r").length).toBeLessThanOrEqual(7);
  server.put("r", { ...(server.get("r")?.status as object), generation: 2 });
  observe("r");
  change("r", "edited");
  await sleep(20);
  expect(standing("r")).toEqual(["edited"]);
});

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const tick = () => sleep(1);
