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
