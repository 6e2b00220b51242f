import { availableParallelism } from "node:os";
import { expect } from "@jest/globals";
import type { Backend } from "../../harness/backend.ts";
import { pause, waitFor } from "../../harness/waiting.ts";
import type { RequestOptions } from "../world.ts";
import { type Content, REPEATS, type TrafficCase, type TrafficPlace, testTrafficCases } from "./world.ts";

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

/** Enough that chance shows itself as what it is. */
const PICKS = 200;
/** Until an endpoint gets its whole share; at first it gets a tenth. */
const SLOW_START_MS = 3_000;
const slowlyStarted: Backend[] = [];

/** Who answered, one request after the other. */
async function namesOf({ send }: TrafficPlace, times: number): Promise<string[]> {
  const names: string[] = [];
  for (let time = 0; time < times; time++) names.push((await send()).received?.backend ?? "");
  return names;
}

/** A half where chance alone decides; a quarter where it names two and the one with fewer requests is taken. */
const BETWEEN = 0.375;

/** Part of many requests, each begun while those before are under way, that the first backend gets, which is slow. */
async function shareOfSlow({ send, backends }: TrafficPlace): Promise<number> {
  const answers: Promise<unknown>[] = [];
  for (let time = 0; time < PICKS; time++) {
    answers.push(send());
    await pause(5);
  }
  await Promise.all(answers);
  return (backends[0]?.received.length ?? 0) / PICKS;
}

function longestRun(names: readonly string[]): number {
  let [longest, run] = [0, 0];
  for (const [index, name] of names.entries()) {
    run = name === names[index - 1] ? run + 1 : 1;
    longest = Math.max(longest, run);
  }
  return longest;
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
    backends: 2,
    // Each of Envoy's threads takes turns by itself.
    check: async (place) => expect(longestRun(await namesOf(place, PICKS))).toBeLessThanOrEqual(availableParallelism()),
  },
  {
    name: "random",
    spec: { loadBalancer: { type: "Random" } },
    backends: 2,
    behave: [{ delayMs: 2_000 }],
    check: async (place) => expect(await shareOfSlow(place)).toBeGreaterThan(BETWEEN),
  },
  {
    name: "least request",
    spec: { loadBalancer: { type: "LeastRequest" } },
    backends: 2,
    behave: [{ delayMs: 2_000 }],
    check: async (place) => expect(await shareOfSlow(place)).toBeLessThan(BETWEEN),
  },
  {
    name: "slow start",
    spec: { loadBalancer: { type: "RoundRobin", slowStart: { window: `${SLOW_START_MS}ms` } } },
    ports: () => slowlyStarted.map(({ port }) => port),
    check: async (place, world) => {
      slowlyStarted.push(await world.backend("old"));
      world.rewrite();
      await waitFor("the old one", async () => (await place.send()).status === 200);
      await pause(SLOW_START_MS);
      slowlyStarted.push(await world.backend("new"));
      world.rewrite();
      await waitFor("the new one", async () => (await place.reached(1)).has("new"));
      const names = await namesOf(place, 50);
      expect(names.filter((name) => name === "new").length).toBeLessThan(20);
    },
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
