import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import { createServer } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { type Backend, startBackend } from "./backend.ts";
import { startLoad } from "./load.ts";
import { percentile } from "./percentile.ts";
import { waitFor } from "./waiting.ts";

let backend: Backend | undefined;
afterEach(async () => {
  await backend?.stop();
  backend = undefined;
});

/** Announces the end of a connection without refusing what is on its way. */
const LAST_STREAM = 2 ** 31 - 1;
const targets = [{ host: "a.example", path: "/x" }];

test("every answer counts, on connections that are kept", async () => {
  backend = await startBackend();
  const load = await startLoad({ port: backend.port, targets, requestsPerSecond: 500, connections: 3 });
  await waitFor("30 requests", () => backend!.received.length >= 30);
  expect(backend.connections).toBeLessThanOrEqual(3);
  const report = await load.stop();
  expect(report.failed).toBe(0);
  expect(report.succeeded).toBe(report.requests);
  expect(report.succeeded).toBe(backend.received.length);
});

test("a load of new connections uses each for one request", async () => {
  const server = createHttpServer((_, response) => void response.end("ok"));
  let connections = 0;
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const load = await startLoad({ port, targets, style: "new-connections" });
  await waitFor("30 answers", async () => (await load.report()).succeeded >= 30);
  const report = await load.stop();
  server.close();
  expect(report.failures).toEqual([]);
  expect(connections).toBe(report.requests);
});

test("a load over HTTP/2 leaves a connection that the server is about to close, and counts a broken one", async () => {
  const sessions: ServerHttp2Session[] = [];
  let [leaves, breaks] = [false, false];
  const server = createHttp2Server((_, response) => {
    // Before the answer, so that the client knows before its next request.
    if (leaves) response.stream.session?.goaway(0, LAST_STREAM);
    leaves = false;
    if (breaks) response.stream.session?.destroy();
    else response.end("ok");
  });
  server.on("session", (session) => sessions.push(session));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const load = await startLoad({ port, targets, style: "http2", connections: 1 });
  try {
    await waitFor("30 answers", async () => (await load.report()).succeeded >= 30);
    expect(sessions).toHaveLength(1);
    leaves = true;
    await waitFor("60 answers", async () => (await load.report()).succeeded >= 60);
    expect(sessions).toHaveLength(2);
    expect((await load.report()).failures).toEqual([]);
    breaks = true;
    await waitFor("a failure", async () => (await load.report()).failed > 0);
  } finally {
    await load.stop();
    for (const session of sessions) session.destroy();
    server.close();
  }
});

test("a wrong status, a reset and a late answer are failures, once each", async () => {
  backend = await startBackend();
  backend.behave({ status: 503, times: 1 });
  backend.behave({ reset: true, times: 1 });
  backend.behave({ delayMs: 600, times: 1 });
  const load = await startLoad({ port: backend.port, targets, requestsPerSecond: 200, limitMs: 200 });
  await waitFor("three failures", async () => (await load.report()).failed >= 3);
  const report = await load.stop();
  expect(report.failures.map((failure) => failure.what).sort()).toEqual(["connection closed", "status 503", "timeout"]);
  expect(report.failed).toBe(3);
  expect(report.succeeded + report.failed).toBe(report.requests);
});

test("a server that is not there fails every request", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const load = await startLoad({ port, targets });
  await waitFor("a failure", async () => (await load.report()).failed > 0);
  const report = await load.stop();
  expect(report.succeeded).toBe(0);
  expect(report.failed).toBe(report.requests);
});

test("percentiles are ranks of the sorted values", () => {
  const values = Array.from({ length: 100 }, (_, i) => i + 1);
  expect([0.5, 0.9, 0.99, 1].map((share) => percentile(values, share))).toEqual([50, 90, 99, 100]);
  expect(percentile([7], 0.5)).toBe(7);
  expect(percentile([], 0.5)).toBe(0);
});
