import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { freePort } from "../../harness/ports.ts";
import { type Redis, startRedis } from "../../harness/redis.ts";
import { waitFor } from "../../harness/waiting.ts";
import { policyOfRoute, routeOf } from "../policy-objects.ts";
import { toYaml } from "../traffic-world.ts";
import { backendYaml, createWorld, type RequestOptions, type World } from "../world.ts";

/**
 * Limits that the real rate limit service counts in a real Redis for two Envoys: each case has a host and a route that both serve. Limits
 * are for a year, so that no clock has a part in it.
 */

type Content = Readonly<Record<string, unknown>>;
type Options = Partial<RequestOptions>;

let redis: Redis;
let world: World;
let secondPort: number;

const year = (requests: number) => ({ limit: { requests, unit: "Year" } });
const global = (...rules: Content[]) => ({ rateLimit: { type: "Global", global: { rules } } });
const selecting = (selector: Content, requests: number, more: Content = {}) => ({
  ...year(requests),
  ...more,
  clientSelectors: [selector],
});
const costs = (number: number) => ({ from: "Number", number });

/** How many of so many requests pass, which go to the two Envoys in turn. */
async function passing(host: string, times: number, options: Options = {}): Promise<number> {
  let passed = 0;
  for (let time = 0; time < times; time++) {
    const port = time % 2 === 0 ? world.port : secondPort;
    const { status } = await world.send({ host, port, ...options });
    if (status === 200) passed++;
    else expect(status).toBe(429);
  }
  return passed;
}

interface Case {
  readonly name: string;
  readonly spec: Content;
  readonly check: (host: string) => Promise<void>;
}

const cases: readonly Case[] = [
  {
    name: "all requests",
    spec: global(year(3)),
    check: async (host) => expect(await passing(host, 6)).toBe(3),
  },
  {
    name: "nobody",
    spec: global(year(0)),
    check: async (host) => expect(await passing(host, 2)).toBe(0),
  },
  {
    name: "headers of a value, of each value, by expression, and of any other",
    spec: global(
      selecting({ headers: [{ name: "x-plan", value: "free" }], methods: [{ value: "GET" }] }, 2),
      selecting({ headers: [{ name: "x-user", type: "Distinct" }] }, 1),
      selecting({ headers: [{ name: "x-agent", type: "RegularExpression", value: "bot-.*" }] }, 4),
      selecting(
        {
          headers: [
            { name: "x-inside", value: "yes", invert: true },
            { name: "x-strict", value: "1" },
          ],
        },
        1,
      ),
    ),
    check: async (host) => {
      expect(await passing(host, 4, { headers: { "x-plan": "free" } })).toBe(2);
      expect(await passing(host, 4, { headers: { "x-plan": "free" }, method: "POST" })).toBe(4);
      for (const user of ["a", "b"]) expect(await passing(host, 3, { headers: { "x-user": user } })).toBe(1);
      expect(await passing(host, 6, { headers: { "x-agent": "bot-1" } })).toBe(4);
      expect(await passing(host, 2, { headers: { "x-strict": "1", "x-inside": "yes" } })).toBe(2);
      expect(await passing(host, 3, { headers: { "x-strict": "1", "x-inside": "no" } })).toBe(1);
      expect(await passing(host, 2)).toBe(2);
    },
  },
  {
    name: "each address, of whatever range",
    spec: global(selecting({ sourceCIDR: { type: "Distinct" } }, 2)),
    check: async (host) => {
      for (const from of ["127.0.0.8", "127.0.0.77"]) expect(await passing(host, 4, { from })).toBe(2);
    },
  },
  {
    name: "addresses, paths and query parameters",
    spec: global(
      selecting({ sourceCIDR: { type: "Distinct", value: "127.0.0.8/31" } }, 2),
      selecting({ path: { value: "/counted" }, queryParams: [{ name: "from", value: "here" }] }, 1),
      selecting({ path: { value: "/each" }, queryParams: [{ name: "id", type: "Distinct" }] }, 1),
    ),
    check: async (host) => {
      for (const from of ["127.0.0.8", "127.0.0.9"]) expect(await passing(host, 4, { from })).toBe(2);
      expect(await passing(host, 3, { path: "/counted/x?from=here" })).toBe(1);
      expect(await passing(host, 3, { path: "/counted/x?from=there" })).toBe(3);
      for (const id of [1, 2]) expect(await passing(host, 3, { path: `/each?id=${id}` })).toBe(1);
    },
  },
  {
    name: "costs of requests and of their answers",
    spec: global(
      selecting({ path: { value: "/dear" } }, 6, { cost: { request: costs(3) } }),
      selecting({ path: { value: "/answer" } }, 5, { cost: { request: costs(0), response: costs(5) } }),
    ),
    check: async (host) => {
      expect(await passing(host, 4, { path: "/dear" })).toBe(2);
      expect(await passing(host, 1, { path: "/answer" })).toBe(1);
      // What the answer costs is told to the service after the client has it.
      await waitFor("the cost of the answer", async () => (await world.send({ host, path: "/answer" })).status === 429);
    },
  },
  {
    name: "the example of the documentation",
    spec: readExample(),
    check: async (host) => {
      for (const user of ["a", "b"]) expect(await passing(host, 5, { headers: { "x-user-id": user } })).toBe(3);
      expect(await passing(host, 4, { path: "/reports/new", method: "POST" })).toBe(2);
      expect(await passing(host, 4, { path: "/reports/new" })).toBe(4);
    },
  },
  {
    name: "a limit that is tried out",
    spec: global({ ...year(1), shadowMode: true }),
    check: async (host) => expect(await passing(host, 4)).toBe(4),
  },
  {
    name: "headers that tell clients",
    spec: global(year(1)),
    check: async (host) => {
      const { headers } = await world.send({ host });
      expect(headers).toMatchObject({
        "x-ratelimit-limit": expect.stringContaining("1"),
        "x-ratelimit-remaining": "0",
      });
    },
  },
  {
    name: "no headers that tell clients",
    spec: global({ ...year(1), xRateLimitHeaders: "Off" }),
    check: async (host) =>
      expect(Object.keys((await world.send({ host })).headers).join()).not.toContain("x-ratelimit"),
  },
];

/** The example of docs/policies/backendtrafficpolicy.md. */
function readExample(): Content {
  const page = readFileSync(new URL("../../../docs/policies/backendtrafficpolicy.md", import.meta.url), "utf8");
  const example = /```yaml\n([^`]*name: fair-use[^`]*)```/.exec(page)?.[1] ?? "";
  const { targetRefs: _, ...spec } = (parse(example) as { readonly spec: Content }).spec;
  return spec;
}

const hostOf = (name: string) => `case-${cases.findIndex((each) => each.name === name)}.limits.test`;

function routeOfBoth(name: string, host: string): object {
  const route = routeOf(name, host, {
    backendRefs: [{ group: "gateway.envoyproxy.io", kind: "Backend", name: "service" }],
  }) as { spec: object };
  return { ...route, spec: { ...route.spec, parentRefs: [{ name: "web" }, { name: "second" }] } };
}

function policyOfBoth(name: string, routes: readonly string[], spec: Content): object {
  const group = "gateway.networking.k8s.io";
  const targetRefs = routes.map((route) => ({ group, kind: "HTTPRoute", name: route }));
  return { ...policyOfRoute("BackendTrafficPolicy", name, spec), spec: { targetRefs, ...spec } };
}

const gateway = (name: string, port: number) => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: { name },
  spec: { gatewayClassName: "gatehouse", listeners: [{ name: "http", protocol: "HTTP", port }] },
});

const pairs = ["shared", "apart"] as const;

beforeAll(async () => {
  redis = await startRedis();
  secondPort = await freePort();
  world = await createWorld({}, ["--rate-limit-redis", `127.0.0.1:${redis.port}`]);
  const backend = await world.backend("service");
  const objects = [
    gateway("second", secondPort),
    ...cases.flatMap(({ spec }, index) => [
      routeOfBoth(`case-${index}`, `case-${index}.limits.test`),
      policyOfRoute("BackendTrafficPolicy", `case-${index}`, spec),
    ]),
    ...pairs.flatMap((name) => [
      routeOfBoth(`${name}-1`, `${name}-1.limits.test`),
      routeOfBoth(`${name}-2`, `${name}-2.limits.test`),
      policyOfBoth(name, [`${name}-1`, `${name}-2`], global({ ...year(3), shared: name === "shared" })),
    ]),
  ];
  world.files.writeAtomically("limits.yaml", `${backendYaml("service", backend.port)}---\n${toYaml(objects)}`);
  // The service is sent all limits at once: whoever sees one of them sees the others.
  for (const port of [world.port, secondPort]) {
    await world.until({ host: hostOf("nobody"), port }, ({ status }) => status === 429);
  }
}, 90_000);
afterAll(async () => {
  await world?.stop();
  await redis?.stop();
}, 30_000);

test.each(cases)("$name", ({ name, check }) => check(hostOf(name)), 30_000);

test("a shared limit is one for all routes of the policy, and others are for each", async () => {
  for (const name of pairs) {
    const passed = [await passing(`${name}-1.limits.test`, 2), await passing(`${name}-2.limits.test`, 4)];
    expect(passed).toEqual(name === "shared" ? [2, 1] : [2, 3]);
  }
});

test("an edited limit counts on from what was counted, and a service that is killed is there again", async () => {
  const host = "edited.limits.test";
  const write = (requests: number) =>
    world.files.writeAtomically(
      "edited.yaml",
      toYaml([routeOfBoth("edited", host), policyOfRoute("BackendTrafficPolicy", "edited", global(year(requests)))]),
    );
  write(0);
  for (const port of [world.port, secondPort]) await world.until({ host, port }, ({ status }) => status === 429);
  write(1_000_000);
  await world.until({ host }, ({ status }) => status === 200);
  write(1);
  await world.until({ host }, ({ status }) => status === 429);
  const pidOfService = (): number => {
    const state = world.gatehouse().env["XDG_STATE_HOME"] ?? "";
    const files = readdirSync(state, { recursive: true, encoding: "utf8" });
    const record = files.find((path) => path.endsWith("rate-limit.json")) ?? "";
    return (JSON.parse(readFileSync(join(state, record), "utf8")) as { readonly pid: number }).pid;
  };
  const killed = pidOfService();
  process.kill(killed, "SIGKILL");
  await waitFor("another service", async () => pidOfService() !== killed);
  // Nobody counts until it runs again, and then it knows its limits by itself.
  await world.until({ host }, ({ status }) => status === 429);
  expect(await passing(host, 2)).toBe(0);
}, 60_000);

test.each([
  ["closed", ["--rate-limit-fail-closed"], 500],
  ["open", [], 200],
] as const)(
  "without an answer of the service it fails %s",
  async (_, args, status) => {
    const dead = await createWorld({}, ["--rate-limit-address", `127.0.0.1:${await freePort()}`, ...args]);
    try {
      const backend = await dead.backend("service");
      const route = { backendRefs: [{ group: "gateway.envoyproxy.io", kind: "Backend", name: "service" }] };
      const objects = [
        routeOf("limited", "limited.test", route),
        policyOfRoute("BackendTrafficPolicy", "limited", global(year(0))),
        routeOf("free", "free.test", route),
      ];
      dead.files.writeAtomically("limits.yaml", `${backendYaml("service", backend.port)}---\n${toYaml(objects)}`);
      await dead.until({ host: "free.test" }, (answer) => answer.status === 200);
      expect((await dead.send({ host: "limited.test" })).status).toBe(status);
    } finally {
      await dead.stop();
    }
  },
  60_000,
);
