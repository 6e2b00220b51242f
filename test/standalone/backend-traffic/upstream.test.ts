import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { startBackend } from "../../harness/backend.ts";
import { waitFor } from "../../harness/waiting.ts";
import { policyOfRoute, routeOf } from "../policy-objects.ts";
import { toYaml } from "../traffic-world.ts";
import { type Content, type TrafficCase, testTrafficCases } from "./world.ts";

/** What is seen of connections to backends, by how many there are and how they end. */

const PARALLEL = 8;
const failingOnce = { status: 503, times: 1 };
const retrying = { numRetries: 3, retryOn: { httpStatusCodes: [503] } };

/** A connection is kept for an hour unless the policy says otherwise. */
function closing(name: string, spec: Content): TrafficCase {
  return {
    name,
    spec,
    check: async ({ send, backends }) => {
      expect((await send()).status).toBe(200);
      await waitFor("no connection", async () => backends[0]?.connections === 0);
    },
  };
}

function notRetrying(name: string, circuitBreaker: Content): TrafficCase {
  return {
    name,
    spec: { retry: retrying, circuitBreaker },
    check: async ({ send, backends }) => {
      expect((await send({ behave: failingOnce })).status).toBe(503);
      expect(backends[0]?.received).toHaveLength(1);
    },
  };
}

const world = testTrafficCases([
  closing("timeout.http.connectionIdleTimeout", { timeout: { http: { connectionIdleTimeout: "300ms" } } }),
  closing("timeout.http.maxConnectionDuration", { timeout: { http: { maxConnectionDuration: "300ms" } } }),
  closing("circuitBreaker.maxRequestsPerConnection", { circuitBreaker: { maxRequestsPerConnection: 1 } }),
  notRetrying("circuitBreaker.maxParallelRetries", { maxParallelRetries: 0 }),
  notRetrying("circuitBreaker.retryBudget", { retryBudget: { percent: { numerator: 0 }, minRetryConcurrency: 0 } }),
  {
    name: "circuitBreaker.perEndpoint",
    spec: { circuitBreaker: { perEndpoint: { maxConnections: 1 } } },
    check: async ({ send, backends }) => {
      const answers = Promise.all(Array.from({ length: PARALLEL }, () => send({ behave: { delayMs: 200 } })));
      let most = 0;
      const watching = setInterval(() => {
        most = Math.max(most, backends[0]?.connections ?? 0);
      }, 10);
      await answers;
      clearInterval(watching);
      // Each of Envoy's threads may have one all the same.
      expect(most).toBeLessThan(PARALLEL / 2);
    },
  },
  {
    name: "http2.maxConcurrentStreams",
    spec: { useClientProtocol: true, http2: { maxConcurrentStreams: 1 } },
    protocol: "h2c",
    check: async ({ send, backends }) => {
      const slow = () => send({ http: "2", behave: { delayMs: 2_000 } });
      const answers = Promise.all(Array.from({ length: PARALLEL }, slow));
      await waitFor("a connection for each request", async () => backends[0]?.connections === PARALLEL);
      await answers;
    },
  },
  {
    name: "tcpKeepalive",
    spec: { tcpKeepalive: { idleTime: "7s", interval: "3s", probes: 2 } },
    check: async ({ send, backends }) => {
      expect((await send()).status).toBe(200);
      await waitFor("the timer of the keepalive", async () => timersTo(backends[0]?.port ?? 0).includes("02"));
    },
  },
]);

/** Timers of established connections to a port (`tr` of /proc/net/tcp; 02 is keepalive). */
function timersTo(port: number): readonly string[] {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , address = "", state]) => address.endsWith(remote) && state === "01")
    .map((columns) => columns[5]?.slice(0, 2) ?? "");
}

test("dns.lookupFamily", async () => {
  const { files, send, until } = world();
  const six = await startBackend({ name: "six", address: "::1" });
  const four = await startBackend({ name: "four", port: six.port });
  const group = "gateway.envoyproxy.io";
  const backend = {
    apiVersion: `${group}/v1alpha1`,
    kind: "Backend",
    metadata: { name: "named" },
    spec: { endpoints: [{ fqdn: { hostname: "backend.localhost", port: six.port } }] },
  };
  const families = { IPv4: "four", IPv6: "six" } as const;
  const objects = Object.entries(families).flatMap(([lookupFamily, name]) => [
    routeOf(name, `${name}.dns.test`, { backendRefs: [{ group, kind: "Backend", name: "named" }] }),
    policyOfRoute("BackendTrafficPolicy", name, { dns: { lookupFamily } }),
  ]);
  files.writeAtomically("dns.yaml", toYaml([backend, ...objects]));
  for (const name of Object.values(families)) {
    await until({ host: `${name}.dns.test` }, ({ received }) => received?.backend === name);
    expect((await send({ host: `${name}.dns.test` })).received?.backend).toBe(name);
  }
  await Promise.all([six.stop(), four.stop()]);
}, 30_000);

test("routingType", async () => {
  const { files, backend, until, send } = world();
  const { port } = await backend("proxied");
  // Nothing but its cluster address leads to the backend.
  const spec = { clusterIP: "127.0.0.1", ports: [{ port }] };
  const service = { apiVersion: "v1", kind: "Service", metadata: { name: "proxied" }, spec };
  const rule = { backendRefs: [{ name: "proxied", port }] };
  const hosts = { Service: "service.routing.test", Endpoint: "endpoint.routing.test" } as const;
  const objects = Object.entries(hosts).flatMap(([routingType, host]) => [
    routeOf(host, host, rule),
    policyOfRoute("BackendTrafficPolicy", host, { routingType }),
  ]);
  files.writeAtomically("routing.yaml", toYaml([service, ...objects]));
  await until({ host: hosts.Service }, ({ status }) => status === 200);
  expect((await send({ host: hosts.Endpoint })).status).toBe(503);
}, 30_000);
