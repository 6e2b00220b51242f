import { request } from "node:http";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createMetrics, type Metrics } from "./metrics.ts";
import { type AdminServer, startAdminServer } from "./server.ts";

let server: AdminServer;
let metrics: Metrics;
let ready: boolean;
const xds = { streams: 1, responses: 2, resources: 3, bytes: 4, acknowledgements: 5, refusals: 6 };

beforeEach(async () => {
  ready = false;
  metrics = createMetrics({ xds: () => xds, connected: () => new Map([["ns/a", 2]]), failures: () => 1 });
  server = await startAdminServer(
    {
      ready: () => ready,
      status: async () => ({ objects: {} }),
      config: () => [{ gateway: "ns/a" }],
      metrics: metrics.registry,
    },
    0,
  );
});
afterEach(() => server.close());

const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init);

test("health, readiness and views", async () => {
  expect((await get("/healthz")).status).toBe(200);
  expect((await get("/readyz")).status).toBe(503);
  ready = true;
  expect((await get("/readyz")).status).toBe(200);
  expect(await (await get("/status")).json()).toEqual({ objects: {} });
  expect(await (await get("/config")).json()).toEqual([{ gateway: "ns/a" }]);
  expect((await get("/nothing")).status).toBe(404);
});

test("metrics are read at the moment of the scrape", async () => {
  metrics.committed({ milliseconds: 3, runs: new Map([["endpoints", 2]]) });
  await get("/metrics");
  const text = await (await get("/metrics")).text();
  expect(text).toContain("gatehouse_xds_resources_sent_total 3");
  expect(text).toContain('gatehouse_connected_envoys{gateway="ns/a"} 2');
  expect(text).toContain('gatehouse_transform_runs_total{node="endpoints"} 2');
  expect(text).toContain('gatehouse_commit_seconds_bucket{le="0.005"} 1');
  expect(text).toContain("gatehouse_translation_failures 1");
});

test("read-only, and only under the names of this host", async () => {
  expect((await get("/status", { method: "POST" })).status).toBe(405);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    request({ port: server.port, path: "/status", headers: { host: "evil.example:80" } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
  expect(status).toBe(403);
});

test("a port that is taken is an error that names the way out", async () => {
  const views = { ready: () => true, status: () => ({}), config: () => ({}), metrics: metrics.registry };
  await expect(startAdminServer(views, server.port)).rejects.toThrow(/--admin-port/);
});
