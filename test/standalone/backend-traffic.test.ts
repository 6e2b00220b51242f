import { createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Backend, BEHAVIOUR_HEADER, type Behaviour } from "../harness/backend.ts";
import { waitFor } from "../harness/waiting.ts";
import { webSocketEcho } from "../harness/websocket.ts";
import { serviceObjects, toYaml } from "./traffic-world.ts";
import { type Answer, createWorld, type RequestOptions, type World } from "./world.ts";

/**
 * BackendTrafficPolicies on traffic: each case is a host with a Service of its own and a policy on its route, and what is seen of the
 * policy would not be seen without it. All are served by one Envoy.
 */

type Content = Readonly<Record<string, unknown>>;

/** What a case has to look at its own host. */
interface Place {
  readonly backends: readonly Backend[];
  send(options?: Partial<RequestOptions> & { readonly behave?: Behaviour }): Promise<Answer>;
  /** Names of the backends that so many requests in a row reach. */
  reached(times: number, options?: Partial<RequestOptions>): Promise<ReadonlySet<string | undefined>>;
  /** Status of the answer to who wants a WebSocket; 101 when there is one. */
  upgrade(): Promise<number>;
}

interface Case {
  readonly name: string;
  readonly spec: Content;
  /** Of the Service; default 1. */
  readonly backends?: number;
  readonly protocol?: "h2c";
  /** More of the rule. */
  readonly rule?: Content;
  /** How backends answer, by their number. */
  readonly behave?: readonly Behaviour[];
  readonly check: (place: Place) => Promise<void>;
}

const slow = { delayMs: 3_000 };
const hash = (consistentHash: Content) => ({ loadBalancer: { type: "ConsistentHash", consistentHash } });
const REPEATS = 12;

/** Equal requests reach one backend, and others another. */
function expectHashed(vary: (value: string) => Partial<RequestOptions>): Case["check"] {
  return async ({ reached }) => {
    expect((await reached(REPEATS, vary("same"))).size).toBe(1);
    const all = new Set<string | undefined>();
    for (let value = 0; value < REPEATS; value++) for (const name of await reached(1, vary(`v${value}`))) all.add(name);
    expect(all.size).toBeGreaterThan(1);
  };
}

const cases: readonly Case[] = [
  {
    name: "requestTimeout",
    spec: { timeout: { http: { requestTimeout: "300ms" } } },
    check: async ({ send }) => expect((await send({ behave: slow })).status).toBe(504),
  },
  {
    name: "requestTimeout of a rule with a timeout of its own",
    spec: { timeout: { http: { requestTimeout: "300ms" } } },
    rule: { timeouts: { request: "10s" } },
    check: async ({ send }) => expect((await send({ behave: { delayMs: 1_000 } })).status).toBe(200),
  },
  {
    name: "streamIdleTimeout",
    spec: { timeout: { http: { streamIdleTimeout: "300ms" } } },
    check: async ({ send }) => expect((await send({ behave: slow })).status).toBe(504),
  },
  {
    name: "maxStreamDuration",
    spec: { timeout: { http: { maxStreamDuration: "300ms" } } },
    check: async ({ send }) => expect((await send({ behave: slow })).status).toBeGreaterThanOrEqual(400),
  },
  {
    name: "retry by status",
    spec: { retry: { numRetries: 3, retryOn: { httpStatusCodes: [418] } } },
    check: async ({ send, backends }) => {
      expect((await send({ behave: { status: 418, times: 3 } })).status).toBe(200);
      expect(backends[0]?.received).toHaveLength(4);
    },
  },
  {
    name: "retry no more often than numRetries",
    spec: { retry: { numRetries: 1, retryOn: { triggers: ["5xx"] } } },
    check: async ({ send, backends }) => {
      expect((await send({ behave: { status: 503, times: 2 } })).status).toBe(503);
      expect(backends[0]?.received).toHaveLength(2);
    },
  },
  {
    name: "retry after perRetry.timeout, written as a shorthand",
    spec: { retry: { perRetryTimeout: "300ms", retryOn: { triggers: ["gateway-error"] } } },
    check: async ({ send, backends }) => {
      expect((await send({ behave: { ...slow, times: 1 } })).status).toBe(200);
      expect(backends[0]?.received).toHaveLength(2);
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
    check: async (place) => {
      const cookie = String((await place.send()).headers["set-cookie"]);
      expect(cookie).toMatch(/^session="?\w+"?; Max-Age=3600;.*SameSite=Strict/);
      await expectHashed((value) => ({ headers: { cookie: `session=${value}` } }))(place);
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
  {
    name: "circuit breaker of requests",
    spec: { circuitBreaker: { maxConnections: 1, maxPendingRequests: 1 } },
    check: async ({ send }) => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => send({ behave: { delayMs: 500 } })));
      const refused = answers.filter(({ status }) => status === 503);
      expect(refused.length).toBeGreaterThan(0);
      expect(refused.length).toBeLessThan(8);
    },
  },
  {
    name: "preconnect",
    spec: { connection: { preconnect: { perEndpointPercent: 300 } } },
    check: async ({ send, backends }) => {
      await send();
      await waitFor("connections ahead", async () => (backends[0]?.connections ?? 0) > 1);
    },
  },
  {
    name: "useClientProtocol",
    spec: { useClientProtocol: true },
    protocol: "h2c",
    check: async ({ send }) => expect((await send({ http: "2" })).received?.httpVersion).toBe("2.0"),
  },
  {
    name: "active health check",
    spec: {
      healthCheck: {
        panicThreshold: 0,
        active: {
          type: "HTTP",
          interval: "200ms",
          unhealthyThreshold: 1,
          http: {
            path: "/health",
            method: "POST",
            requestBody: { type: "Text", text: "well?" },
            expectedStatuses: [201],
          },
        },
      },
    },
    backends: 2,
    behave: [{ status: 200 }, { status: 201 }],
    check: async ({ reached, backends }) => {
      await waitFor("the sick endpoint to be left out", async () => (await reached(REPEATS)).size === 1);
      const check = backends[1]?.received.find(({ path }) => path === "/health");
      expect(check).toMatchObject({ method: "POST", bodyBytes: 5, host: expect.stringContaining(".traffic.test") });
    },
  },
  {
    name: "passive health check",
    spec: {
      healthCheck: {
        panicThreshold: 0,
        passive: { consecutive5xxErrors: 1, interval: "200ms", baseEjectionTime: "60s", maxEjectionPercent: 50 },
      },
    },
    backends: 2,
    behave: [{ status: 500 }],
    check: async ({ send }) => {
      const wellAnswered = async () => {
        for (let time = 0; time < REPEATS; time++) if ((await send()).status !== 200) return false;
        return true;
      };
      await waitFor("the failing endpoint to be left out", wellAnswered);
    },
  },
  {
    name: "fault that aborts",
    spec: { faultInjection: { abort: { httpStatus: 418 } } },
    check: async ({ send, backends }) => {
      expect((await send()).status).toBe(418);
      expect(backends[0]?.received).toEqual([]);
    },
  },
  {
    name: "fault that delays",
    spec: { faultInjection: { delay: { fixedDelay: "3s" } }, timeout: { http: { requestTimeout: "10s" } } },
    check: async ({ send }) => {
      // It is still under way when the client has had enough.
      await expect(send({ limitMs: 700 })).rejects.toThrow();
    },
  },
  {
    name: "fault of none of the requests",
    spec: { faultInjection: { abort: { httpStatus: 418, percentage: 0 } } },
    check: async ({ reached }) => expect((await reached(REPEATS)).has(undefined)).toBe(false),
  },
  {
    name: "request buffer",
    spec: { requestBuffer: { limit: "1Ki" } },
    check: async ({ send, upgrade }) => {
      expect(await upgrade()).toBe(403);
      expect((await send({ method: "POST", body: "x".repeat(1_000) })).received?.bodyBytes).toBe(1_000);
      expect((await send({ method: "POST", body: "x".repeat(1_100) })).status).toBe(413);
    },
  },
  ...(["Gzip", "Brotli", "Zstd"] as const).map((type): Case => {
    const encoding = { Gzip: "gzip", Brotli: "br", Zstd: "zstd" }[type];
    return {
      name: `compression by ${type}`,
      spec: { compressor: [{ type }] },
      check: async ({ send }) => {
        const behave = { body: "a".repeat(500), headers: { "content-type": "text/plain" } };
        const compressed = await send({ behave, headers: { "accept-encoding": "gzip, br, zstd" } });
        expect([compressed.headers["content-encoding"], compressed.bytes.length < 100]).toEqual([encoding, true]);
        expect((await send({ behave })).headers["content-encoding"]).toBeUndefined();
      },
    };
  }),
  {
    name: "local rate limit",
    spec: {
      rateLimit: {
        type: "Local",
        local: {
          rules: [
            { limit: { requests: 3, unit: "Hour" } },
            {
              clientSelectors: [{ headers: [{ name: "x-plan", value: "free" }], methods: [{ value: "GET" }] }],
              limit: { requests: 2, unit: "Hour" },
            },
            {
              clientSelectors: [{ headers: [{ name: "x-user-id", type: "Distinct" }], path: { value: "/counted" } }],
              limit: { requests: 1, unit: "Hour" },
            },
            {
              clientSelectors: [
                { sourceCIDR: { value: "127.0.0.9/8" }, queryParams: [{ name: "from", value: "here" }] },
              ],
              limit: { requests: 4, unit: "Hour" },
            },
          ],
        },
      },
    },
    check: async ({ send }) => {
      const passing = async (options: Partial<RequestOptions>) => {
        let passed = 0;
        for (let time = 0; time < 6; time++) if ((await send(options)).status === 200) passed++;
        return passed;
      };
      expect(await passing({ headers: { "x-plan": "free" } })).toBe(2);
      for (const user of ["a", "b"]) {
        expect(await passing({ path: "/counted/x?y", headers: { "x-user-id": user } })).toBe(1);
      }
      expect(await passing({ path: "/?from=here" })).toBe(4);
      expect(await passing({ method: "POST", headers: { "x-plan": "free" } })).toBe(3);
      expect((await send()).status).toBe(429);
    },
  },
  {
    name: "local rate limits of the same addresses",
    spec: {
      rateLimit: {
        local: {
          rules: [
            { clientSelectors: [{ sourceCIDR: { value: "127.0.0.0/8" } }], limit: { requests: 9, unit: "Hour" } },
            { clientSelectors: [{ sourceCIDR: { value: "0.0.0.0/0" } }], limit: { requests: 5, unit: "Hour" } },
            {
              clientSelectors: [{ sourceCIDR: { type: "Distinct", value: "0.0.0.0/0" } }],
              limit: { requests: 3, unit: "Hour" },
            },
          ],
        },
      },
    },
    check: async ({ send }) => {
      const passed: number[] = [];
      for (const from of ["127.0.0.8", "127.0.0.9"]) {
        let count = 0;
        for (let time = 0; time < 4; time++) if ((await send({ from })).status === 200) count++;
        passed.push(count);
      }
      // Three of each address, five of both.
      expect(passed).toEqual([3, 2]);
    },
  },
  {
    name: "local rate limit with a cost",
    spec: {
      rateLimit: {
        local: {
          rules: [
            {
              clientSelectors: [{ path: { value: "/dear" } }],
              limit: { requests: 6, unit: "Hour" },
              cost: { request: { from: "Number", number: 3 } },
            },
          ],
        },
      },
    },
    check: async ({ send }) => {
      const statuses: number[] = [];
      for (let time = 0; time < 3; time++) statuses.push((await send({ path: "/dear" })).status);
      expect(statuses).toEqual([200, 200, 429]);
      expect((await send()).status).toBe(200);
    },
  },
  {
    name: "upgrades",
    spec: { httpUpgrade: [{ type: "other" }, { type: "Other" }] },
    check: async ({ upgrade }) => expect(await upgrade()).toBe(403),
  },
  {
    name: "upgrades, WebSocket among them",
    spec: { httpUpgrade: [{ type: "websocket" }, { type: "other" }] },
    check: async ({ upgrade }) => expect(await upgrade()).toBe(101),
  },
  {
    name: "bandwidth limit",
    spec: {
      bandwidthLimit: { response: { limit: { value: "1Ki", unit: "Second" }, responseTrailers: { prefix: "x" } } },
    },
    behave: [{ body: "x".repeat(2_500) }],
    check: async ({ send }) => {
      const { trailers } = await send({ http: "2" });
      const delays = Object.entries(trailers).filter(([name]) => /^x.*response-delay/.test(name));
      expect(delays.map(([, delay]) => Number(delay) > 0)).toContain(true);
    },
  },
  {
    name: "response override",
    spec: {
      responseOverride: [
        {
          match: { statusCodes: [{ value: 404 }, { type: "Range", range: { start: 480, end: 512 } }] },
          response: {
            statusCode: 299,
            contentType: "text/x-own; of=100%",
            body: { inline: "ours" },
            header: { set: [{ name: "x-percent", value: "100%" }] },
          },
        },
        {
          match: {
            statusCodes: [{ value: 401 }],
            responseHeaders: [{ name: "x-kind", value: { type: "Prefix", value: "a" } }],
          },
          redirect: {
            scheme: "https",
            hostname: "login.test",
            path: { type: "ReplaceFullPath", replaceFullPath: "/in" },
          },
        },
      ],
    },
    check: async ({ send }) => {
      for (const status of [404, 480, 500, 512]) {
        const answer = await send({ behave: { status } });
        expect([answer.status, answer.body, answer.headers["content-type"]]).toEqual([
          299,
          "ours",
          "text/x-own; of=100%",
        ]);
        expect(answer.headers["x-percent"]).toBe("100%");
      }
      expect((await send({ behave: { status: 479 } })).status).toBe(479);
      expect((await send({ behave: { status: 401 } })).status).toBe(401);
      const redirected = await send({ behave: { status: 401, headers: { "x-kind": "abc" } } });
      expect([redirected.status, redirected.headers["location"]]).toEqual([302, "https://login.test/in"]);
    },
  },
  {
    name: "statistics of routes",
    spec: { telemetry: { metrics: { routeStatName: "counted-%ROUTE_KIND%-%ROUTE_RULE_NUMBER%" } } },
    check: async ({ send }) => {
      await send();
      const envoy = await world.gatehouse().envoyAdmin();
      const stats = await envoy.admin("/stats?filter=counted-httproute-0.upstream_rq_completed");
      expect(stats).toMatch(/upstream_rq_completed: 1/);
    },
  },
  {
    name: "a policy that cannot do what it says",
    spec: { timeout: { tcp: { connectTimeout: "0s" } } },
    check: async ({ send, backends }) => {
      expect((await send()).status).toBe(500);
      expect(backends[0]?.received).toEqual([]);
    },
  },
];

const hostOf = (index: number) => `case-${index}.traffic.test`;
const group = "gateway.networking.k8s.io";

function objectsOf(index: number, ports: readonly number[], { spec, rule }: Pick<Case, "spec" | "rule">): object[] {
  const name = `case-${index}`;
  const route = {
    apiVersion: `${group}/v1`,
    kind: "HTTPRoute",
    metadata: { name },
    spec: {
      parentRefs: [{ name: "web" }],
      hostnames: [hostOf(index)],
      rules: [{ ...rule, backendRefs: [{ name, port: 80 }] }],
    },
  };
  return [...serviceObjects(name, ports), route, policyOf(name, spec)];
}

function policyOf(name: string, spec: Content): object {
  return {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "BackendTrafficPolicy",
    metadata: { name },
    spec: { targetRefs: [{ group, kind: "HTTPRoute", name }], ...spec },
  };
}

let world: World;
const places: Place[] = [];
/** Connections of the backend that looks at bytes, as they began. */
const greetings: string[] = [];
let bytes: Server;
const proxyCases = ["V1", "V2"] as const;

beforeAll(async () => {
  world = await createWorld();
  const objects: object[] = [];
  for (const [index, each] of cases.entries()) {
    const backends = await Promise.all(
      Array.from({ length: each.backends ?? 1 }, (_, number) =>
        world.backend(`${index}-${number}`, each.protocol && { protocol: each.protocol }),
      ),
    );
    for (const [number, behaviour] of (each.behave ?? []).entries()) backends[number]?.behave(behaviour);
    const send: Place["send"] = ({ behave, ...options } = {}) =>
      world.send({
        host: hostOf(index),
        ...options,
        headers: { ...options.headers, ...(behave && { [BEHAVIOUR_HEADER]: JSON.stringify(behave) }) },
      });
    const reached: Place["reached"] = async (times, options) => {
      const names = new Set<string | undefined>();
      for (let time = 0; time < times; time++) names.add((await send(options)).received?.backend);
      return names;
    };
    const upgrade: Place["upgrade"] = async () =>
      (await webSocketEcho({ port: world.port, host: hostOf(index), text: "hello" })).status;
    places.push({ backends, send, reached, upgrade });
    objects.push(
      ...objectsOf(
        index,
        backends.map(({ port }) => port),
        each,
      ),
    );
  }
  bytes = createServer(greet).listen(0, "127.0.0.1");
  await new Promise((resolve) => bytes.once("listening", resolve));
  const { port } = bytes.address() as { port: number };
  for (const [index, version] of proxyCases.entries()) {
    objects.push(...objectsOf(cases.length + index, [port], { spec: { proxyProtocol: { version } } }));
  }
  world.files.writeAtomically("cases.yaml", toYaml(objects));
  const last = places.at(-1) as Place;
  await waitFor("the last case to be served", async () => (await last.send()).status === 500);
}, 90_000);

afterAll(async () => {
  bytes?.close();
  await world?.stop();
}, 30_000);

function greet(socket: Socket): void {
  let text = "";
  socket.on("data", (data: Buffer) => {
    text += data.toString("latin1");
    if (!/ HTTP\/1\.1\r\n(.+\r\n)*\r\n$/.test(text)) return;
    greetings.push(text);
    socket.end("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
  });
  socket.on("error", () => socket.destroy());
}

test.each(cases.map((each, index) => ({ ...each, index })))(
  "$name",
  async ({ check, index }) => {
    await check(places[index] as Place);
  },
  30_000,
);

test("the PROXY protocol tells the client's address", async () => {
  for (const [index] of proxyCases.entries()) {
    expect((await world.send({ host: hostOf(cases.length + index) })).status).toBe(204);
  }
  expect(greetings).toEqual([
    expect.stringMatching(/^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\nGET \//),
    expect.stringMatching(/^\r\n\r\n\0\r\nQUIT\n/),
  ]);
}, 30_000);

test("an edit of a policy loses no request and changes no Listener", async () => {
  const index = cases.findIndex(({ name }) => name === "round robin");
  const { send } = places[index] as Place;
  const envoy = await world.gatehouse().envoyAdmin();
  const changedListeners = async () => {
    const text = await envoy.admin("/stats?filter=listener_manager.listener_(added|modified|removed)");
    return text.trim();
  };
  const before = await changedListeners();
  let done = false;
  const statuses = new Set<number>();
  const traffic = (async () => {
    while (!done) statuses.add((await send()).status);
  })();
  for (const [edit, spec] of [
    { timeout: { http: { requestTimeout: "9s" } } },
    { circuitBreaker: { maxConnections: 77 }, loadBalancer: { type: "Random" } },
    { retry: { numRetries: 1 } },
  ].entries()) {
    world.files.writeAtomically(`edit-${index}.yaml`, "");
    const name = `case-${index}`;
    const ports = (places[index] as Place).backends.map(({ port }) => port);
    const objects = cases.flatMap((each, other) =>
      other === index
        ? []
        : objectsOf(
            other,
            (places[other] as Place).backends.map(({ port }) => port),
            each,
          ),
    );
    world.files.writeAtomically("cases.yaml", toYaml([...objects, ...objectsOf(index, ports, { spec })]));
    const shown = ["9s", "Random", "numRetries"][edit] as string;
    const kinds = [/"timeout": "9s"/, /load_balancing_policies.random/, /"num_retries": 1/];
    await waitFor(`the edit ${shown} of ${name}`, async () => kinds[edit]?.test(await envoy.admin("/config_dump")));
  }
  done = true;
  await traffic;
  expect([...statuses]).toEqual([200]);
  expect(await changedListeners()).toBe(before);
}, 60_000);
