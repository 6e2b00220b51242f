import { Readable } from "node:stream";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { readWatch, type WatchEnd, type WatchEvent } from "./watch-events.ts";

const never = new AbortController().signal;

async function read(chunks: readonly Buffer[]): Promise<{ readonly events: WatchEvent[]; readonly end: WatchEnd }> {
  const events: WatchEvent[] = [];
  const end = await readWatch(Readable.from(chunks), { idleMilliseconds: 1000, signal: never }, (more) => {
    events.push(...more);
    return true;
  });
  return { events, end };
}

const event = (name: string): WatchEvent => ({
  type: "ADDED",
  object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name, resourceVersion: "1" } },
});

test("however the bytes are cut, the events are the same, and half a line at the end is none", async () => {
  const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(name, { maxLength: 5 }),
      name,
      fc.array(fc.nat(40), { maxLength: 20 }),
      async (names, last, cuts) => {
        const whole = names.map((each) => `${JSON.stringify(event(each))}\n`).join("");
        const bytes = Buffer.from(whole + JSON.stringify(event(last)).slice(0, -1), "utf8");
        const chunks: Buffer[] = [];
        let from = 0;
        for (const length of cuts) {
          chunks.push(bytes.subarray(from, from + length));
          from += length;
        }
        const { events, end } = await read([...chunks, bytes.subarray(from)].filter((chunk) => chunk.length > 0));
        expect(events).toEqual(names.map(event));
        expect(end).toEqual({ by: "server" });
      },
    ),
  );
});

test.each([
  ["no JSON", "<html>"],
  ["an unknown type", JSON.stringify({ ...event("a"), type: "RENAMED" })],
  ["no object", JSON.stringify({ type: "ADDED" })],
  ["no name", JSON.stringify({ type: "ADDED", object: { metadata: { resourceVersion: "1" } } })],
  ["no resourceVersion", JSON.stringify({ type: "DELETED", object: { metadata: { name: "a" } } })],
])("a whole line with %s ends the watch, after what came before it", async (_, line) => {
  const { events, end } = await read([
    Buffer.from(`${JSON.stringify(event("a"))}\n${line}\n${JSON.stringify(event("b"))}\n`),
  ]);
  expect(events).toEqual([event("a")]);
  expect(end).toMatchObject({ by: "garbage" });
});

test("who takes the events can end the watch", async () => {
  const lines = ["a", "b"].map((name) => Buffer.from(`${JSON.stringify(event(name))}\n`));
  const taken: string[] = [];
  const end = await readWatch(Readable.from(lines), { idleMilliseconds: 1000, signal: never }, (events) => {
    for (const { object } of events) taken.push(object.metadata.name);
    return false;
  });
  expect(taken).toEqual(["a"]);
  expect(end).toEqual({ by: "caller" });
});
