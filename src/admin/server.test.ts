import { request } from "node:http";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { HttpServer } from "./http-server.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { createReadiness, type Readiness } from "./readiness.ts";
import { startAdminServer, startMetricsServer, startProbeServer } from "./server.ts";

let server: HttpServer;
let metrics: Metrics;
let readiness: Readiness;
const xds = { streams: 1, responses: 2, resources: 3, bytes: 4, acknowledgements: 5, refusals: 6, denials: 7 };
const views = () => ({
  missing: readiness.missing,
  status: async () => ({ objects: {} }),
  config: () => [{ gateway: "ns/a" }],
  metrics: metrics.registry,
});

beforeEach(async () => {
  readiness = createReadiness(["the objects", "the first commit"]);
  metrics = createMetrics({ xds: () => xds, connected: () => new Map([["ns/a", 2]]), failures: () => 1 });
  server = await startAdminServer(views(), 0);
});
afterEach(() => server.close());

const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init);

test("health, readiness and views", async () => {
  expect((await get("/healthz")).status).toBe(200);
  const unready = await get("/readyz");
  expect(unready.status).toBe(503);
  expect(await unready.text()).toBe("waiting for the objects\nwaiting for the first commit\n");
  readiness.explain("the first commit", () => "nothing listens");
  expect(await (await get("/readyz")).text()).toBe(
    "waiting for the objects\nwaiting for the first commit: nothing listens\n",
  );
  readiness.explain("the objects", () => undefined);
  readiness.arrived("the first commit");
  expect(await (await get("/readyz")).text()).toBe("waiting for the objects\n");
  readiness.arrived("the objects");
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

const askAs = (port: number, host: string) =>
  new Promise<number | undefined>((resolve, reject) => {
    request({ port, path: "/healthz", headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });

test("read-only, and on the loopback interface only under the names of this host", async () => {
  expect((await get("/status", { method: "POST" })).status).toBe(405);
  expect(await askAs(server.port, "evil.example:80")).toBe(403);
  expect(await askAs(server.port, `localhost:${server.port}`)).toBe(200);
});

test("on other addresses it is asked under the names that people have for them", async () => {
  const open = await startAdminServer(views(), { host: "0.0.0.0", port: 0 });
  expect(await askAs(open.port, "gatehouse.corp:19000")).toBe(200);
  await open.close();
});

test("probes and metrics have servers of their own, with nothing else on them", async () => {
  const probes = await startProbeServer(readiness.missing, { host: "0.0.0.0", port: 0 });
  const scraped = await startMetricsServer(metrics.registry, { host: "0.0.0.0", port: 0 });
  const codes = async (port: number) =>
    Promise.all(
      ["/healthz", "/readyz", "/metrics", "/status", "/toString"].map(
        async (path) => (await fetch(`http://127.0.0.1:${port}${path}`)).status,
      ),
    );
  expect(await codes(probes.port)).toEqual([200, 503, 404, 404, 404]);
  expect(await codes(scraped.port)).toEqual([404, 404, 200, 404, 404]);
  await Promise.all([probes.close(), scraped.close()]);
});

test("a port that is taken is an error that names the way out", async () => {
  const { port } = server;
  const at = { host: "127.0.0.1", port };
  await expect(startAdminServer(views(), port)).rejects.toThrow(/--admin-port/);
  await expect(startAdminServer(views(), at)).rejects.toThrow(/admin\.address/);
  await expect(startMetricsServer(metrics.registry, at)).rejects.toThrow(/telemetry\.metrics\.prometheus\.disable/);
});

test("a view that fails is an error of that request alone", async () => {
  const failing = await startAdminServer(
    {
      ...views(),
      status() {
        throw new Error("no status today");
      },
    },
    0,
  );
  const response = await fetch(`http://127.0.0.1:${failing.port}/status`);
  expect([response.status, await response.text()]).toEqual([500, "no status today\n"]);
  expect((await fetch(`http://127.0.0.1:${failing.port}/healthz`)).status).toBe(200);
  await failing.close();
});
