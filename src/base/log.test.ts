import { PassThrough } from "node:stream";
import { expect, test } from "@jest/globals";
import { createLogger } from "./log.ts";

async function capture(write: (stream: PassThrough) => void): Promise<string> {
  const stream = new PassThrough();
  write(stream);
  await new Promise((resolve) => setImmediate(resolve));
  return String(stream.read() ?? "");
}

test("a stream that is no terminal gets one JSON object a line, with bound fields", async () => {
  const text = await capture((stream) => {
    const log = createLogger({ level: "info", stream }).with({ gateway: "ns/a" });
    log.info("started", { pid: 7 });
    log.debug("left out");
  });
  const lines = text.trim().split("\n");
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] as string)).toMatchObject({ level: "info", message: "started", gateway: "ns/a", pid: 7 });
});

test("text is for people", async () => {
  const text = await capture((stream) =>
    createLogger({ level: "debug", format: "text", stream }).warn("it died", { gateway: "ns/a", why: "no port left" }),
  );
  expect(text).toMatch(/^\d\d:\d\d:\d\d warn {2}it died gateway=ns\/a why="no port left"\n$/);
});
