import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { translateRouteTable } from "../../src/translate/route-table.ts";
import { translateVirtualHost } from "../../src/translate/virtual-host.ts";
import { pick, type Random, type RandomRequest, randomEntries, randomRequest, seededRandom } from "./random-rules.ts";
import { type Answer, ROUTE_HEADER, startTableEnvoy, type TableEnvoy } from "./table-envoy.ts";

/**
 * The tree of route lists against the plain ordered list, both through the real Envoy: each request must get the same answer
 * from both. `ROUTE_TREE_SEED` repeats a run, `ROUTE_TREE_HOSTS` and `ROUTE_TREE_REQUESTS` (per host) make it longer.
 */
const seed = Number(process.env["ROUTE_TREE_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const hostCount = Number(process.env["ROUTE_TREE_HOSTS"] ?? 80);
const requestsPerHost = Number(process.env["ROUTE_TREE_REQUESTS"] ?? 50);
const LEAF_ROUTES_MAX = 16;
const CONCURRENT_HOSTS = 4;
const TEST_LIMIT_MS = 120_000 + hostCount * requestsPerHost * 10;

/** Indexes of the tables: list and tree, with paths as they come and with paths normalized. */
const pairs = [
  { list: 0, tree: 1 },
  { list: 2, tree: 3 },
] as const;

const random = seededRandom(seed);
const hosts = Array.from({ length: hostCount }, (_, index) => {
  const host = `h${index}.example.com`;
  return { host, entries: randomEntries(random, host), leafRoutesMax: 1 + Math.floor(random() * LEAF_ROUTES_MAX) };
});

let envoy: TableEnvoy;

beforeAll(async () => {
  const limitless = Number.POSITIVE_INFINITY;
  const lists = hosts.map(({ host, entries }) =>
    translateVirtualHost("t", host, [entries], {
      limits: { listRoutesMax: limitless, leafRoutesMax: 0, growthMax: 0 },
    }),
  );
  const trees = hosts.map(({ host, entries, leafRoutesMax }) =>
    translateVirtualHost("t", host, [entries], { limits: { listRoutesMax: 0, leafRoutesMax, growthMax: limitless } }),
  );
  envoy = await startTableEnvoy(
    [false, true].flatMap((normalizes) =>
      [lists, trees].map((shape) => ({ table: translateRouteTable("t", shape, []), normalizes })),
    ),
  );
}, TEST_LIMIT_MS);

afterAll(() => envoy?.stop());

test(
  `tree and list answer alike (ROUTE_TREE_SEED=${seed})`,
  async () => {
    const found = new Map<string, number>();
    const differences: object[] = [];
    let compared = 0;
    const remaining = hosts.map((host) => ({ ...host, random: seededRandom(Math.floor(random() * 2 ** 32)) }));
    const work = async () => {
      for (let next = remaining.pop(); next !== undefined; next = remaining.pop()) {
        for (let count = 0; count < requestsPerHost; count++) {
          const request = randomRequest(next.random, next.entries);
          const [list, tree] = await askBoth(next.random, next.host, request);
          compared++;
          found.set(list.kind, (found.get(list.kind) ?? 0) + 1);
          if (JSON.stringify(list) !== JSON.stringify(tree)) differences.push({ host: next.host, request, list, tree });
        }
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT_HOSTS }, work));
    expect(differences.slice(0, 3)).toEqual([]);
    expect(compared).toBe(hostCount * requestsPerHost);
    // The comparison would be worth nothing if hardly a request met a route.
    for (const kind of ["forwarded", "redirected"]) expect(found.get(kind) ?? 0).toBeGreaterThan(compared / 20);
  },
  TEST_LIMIT_MS,
);

async function askBoth(from: Random, host: string, request: RandomRequest): Promise<[Outcome, Outcome]> {
  const { list, tree } = pick(from, pairs);
  const [a, b] = await Promise.all([envoy.ask(list, { ...request, host }), envoy.ask(tree, { ...request, host })]);
  return [describe(a), describe(b)];
}

interface Outcome {
  readonly kind: "forwarded" | "redirected" | "refused";
  readonly status: number;
  readonly route: unknown;
  readonly location: unknown;
  /** As the backend saw it. */
  readonly upstreamPath: unknown;
}

function describe({ status, headers, body }: Answer): Outcome {
  const kind = status === 200 ? "forwarded" : status === 302 ? "redirected" : "refused";
  const upstreamPath = kind === "forwarded" ? (JSON.parse(body) as { path: string }).path : undefined;
  return { kind, status, route: headers[ROUTE_HEADER], location: headers.location, upstreamPath };
}
