import { PassThrough } from "node:stream";
import { expect, test } from "@jest/globals";
import { createLogger, type LogThreshold } from "./log.ts";

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

test("each component has a level of its own, which may change while it runs", async () => {
  let status: LogThreshold = "warn";
  const text = await capture((stream) => {
    const log = createLogger({ level: (component) => (component === "status" ? status : "info"), stream });
    const component = log.with({ component: "status" });
    log.debug("1");
    log.info("2");
    component.info("3");
    component.with({ gateway: "ns/a" }).warn("4");
    status = "debug";
    component.debug("5");
    status = "off";
    component.error("6");
  });
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { message: string; component?: string });
  expect(lines.map(({ message, component }) => [message, component])).toEqual([
    ["2", undefined],
    ["4", "status"],
    ["5", "status"],
  ]);
});
