import { availableParallelism } from "node:os";
import { afterAll, beforeAll, expect } from "@jest/globals";
import type { Backend } from "../../harness/backend.ts";
import { pause, waitFor } from "../../harness/waiting.ts";
import { type Collector, startCollector } from "../collector.ts";
import type { RequestOptions } from "../world.ts";
import { type Content, REPEATS, type TrafficCase, type TrafficPlace, testTrafficCases } from "./world.ts";

const hashWith = (consistentHash: Content, zoneAware?: Content) => ({
  loadBalancer: { type: "ConsistentHash", consistentHash, ...(zoneAware && { zoneAware }) },
});
const hash = (consistentHash: Content) => hashWith(consistentHash);

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

/** Ways of choosing, each with shares of zones. */
const choices: readonly Content[] = [
  ...["RoundRobin", "LeastRequest", "Random"].map((type) => ({ type })),
  { type: "ConsistentHash", consistentHash: { type: "Header", header: { name: "x-user" } } },
  { type: "BackendUtilization", backendUtilization: {} },
];

/** Requests that differ, so that hashes do too. */
async function spread({ reached }: TrafficPlace): Promise<readonly (string | undefined)[]> {
  const names = new Set<string | undefined>();
  for (let user = 0; user < 2 * REPEATS; user++) {
    for (const name of await reached(1, { headers: { "x-user": `u${user}` } })) names.add(name);
  }
  return [...names].sort();
}

/** Where Envoy asks for reports of load. */
let collector: Collector;
const reports = "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics";

beforeAll(async () => {
  collector = await startCollector();
});

afterAll(() => {
  collector?.stop();
});

testTrafficCases([
  ...choices.map(
    (choice): TrafficCase => ({
      name: `weighted zones of ${choice["type"]}`,
      spec: {
        loadBalancer: {
          ...choice,
          zoneAware: {
            weightedZones: [
              { zone: "a", weight: 0 },
              { zone: "b", weight: 1 },
            ],
          },
        },
      },
      backends: 3,
      // A zone that is not named has the weight 1.
      zones: ["a", "b", "c"],
      check: async (place) => expect(await spread(place)).toEqual(place.backends.slice(1).map(({ name }) => name)),
    }),
  ),
  {
    name: "weighted zones where endpoints have none",
    spec: hashWith({ type: "Header", header: { name: "x-user" } }, { weightedZones: [{ zone: "a", weight: 5 }] }),
    backends: 2,
    check: async (place) => expect(await spread(place)).toHaveLength(2),
  },
  {
    name: "reports of load that Envoy asks for",
    spec: () => ({
      loadBalancer: {
        type: "BackendUtilization",
        backendUtilization: {
          blackoutPeriod: "1ms",
          outOfBand: { port: collector.port, authority: "load.test", reportingPeriod: "7s" },
        },
      },
    }),
    check: async ({ send }) => {
      expect((await send()).status).toBe(200);
      // An OrcaLoadReportRequest with an interval of 7 s.
      await waitFor("a request for reports", () => collector.received.get(reports)?.includes("\n\x02\b\x07") ?? false);
      expect(collector.headers.get(reports)).toHaveProperty([":authority"], "load.test");
    },
  },
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
