import { expect } from "@jest/globals";
import type { RequestOptions } from "../world.ts";
import { type Content, REPEATS, type TrafficCase, testTrafficCases } from "./world.ts";

const hash = (consistentHash: Content) => ({ loadBalancer: { type: "ConsistentHash", consistentHash } });

/** Equal requests reach one backend, and others another. */
function expectHashed(vary: (value: string) => Partial<RequestOptions>): TrafficCase["check"] {
  return async ({ reached }) => {
    expect((await reached(REPEATS, vary("same"))).size).toBe(1);
    const all = new Set<string | undefined>();
    for (let value = 0; value < REPEATS; value++) for (const name of await reached(1, vary(`v${value}`))) all.add(name);
    expect(all.size).toBeGreaterThan(1);
  };
}

testTrafficCases([
  {
    name: "consistent hash of a header",
    spec: hash({ type: "Header", header: { name: "x-user" } }),
    backends: 3,
    check: expectHashed((value) => ({ headers: { "x-user": value } })),
  },
  {
    name: "consistent hash of headers",
    spec: hash({ type: "Headers", headers: [{ name: "x-a" }, { name: "x-b" }], tableSize: 1009 }),
    backends: 3,
    check: expectHashed((value) => ({ headers: { "x-a": "1", "x-b": value } })),
  },
  {
    name: "consistent hash of a query parameter",
    spec: hash({ type: "QueryParams", queryParams: [{ name: "user" }] }),
    backends: 3,
    check: expectHashed((value) => ({ path: `/?user=${value}` })),
  },
  {
    name: "consistent hash of a cookie, which Envoy sets",
    spec: hash({ type: "Cookie", cookie: { name: "session", ttl: "1h", attributes: { SameSite: "Strict" } } }),
    backends: 3,
    check: async (place, world) => {
      const cookie = String((await place.send()).headers["set-cookie"]);
      expect(cookie).toMatch(/^session="?\w+"?; Max-Age=3600;.*SameSite=Strict/);
      await expectHashed((value) => ({ headers: { cookie: `session=${value}` } }))(place, world);
    },
  },
  {
    name: "consistent hash of the client's address",
    spec: hash({ type: "SourceIP" }),
    backends: 3,
    check: async ({ reached }) => expect((await reached(REPEATS)).size).toBe(1),
  },
  {
    name: "endpointOverride",
    spec: { loadBalancer: { type: "RoundRobin", endpointOverride: { extractFrom: [{ header: "x-endpoint" }] } } },
    backends: 3,
    check: async ({ reached, backends }) => {
      for (const { name, port } of backends) {
        const headers = { "x-endpoint": `127.0.0.1:${port}` };
        expect([...(await reached(REPEATS, { headers }))]).toEqual([name]);
      }
      expect((await reached(REPEATS)).size).toBe(3);
    },
  },
  {
    name: "round robin",
    spec: { loadBalancer: { type: "RoundRobin" } },
    backends: 3,
    check: async ({ reached }) => expect((await reached(REPEATS)).size).toBe(3),
  },
  {
    name: "backend utilization",
    spec: { loadBalancer: { type: "BackendUtilization", backendUtilization: { keepResponseHeaders: false } } },
    backends: 2,
    check: async ({ reached, send }) => {
      expect((await reached(REPEATS)).size).toBe(2);
      const reports = { "endpoint-load-metrics": "TEXT cpu_utilization=0.5", "x-kept": "yes" };
      const { headers } = await send({ behave: { headers: reports } });
      expect([headers["endpoint-load-metrics"], headers["x-kept"]]).toEqual([undefined, "yes"]);
    },
  },
]);
