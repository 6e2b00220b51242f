import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Backend, ReceivedRequest } from "../harness/backend.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";
import { exchangeBytes } from "./exchange-bytes.ts";
import { toYaml } from "./traffic-world.ts";
import { type Answer, createWorld, type RequestOptions, type World } from "./world.ts";

/**
 * ClientTrafficPolicies on traffic: each case is a listener on a port of its own with a policy, and what is seen of the policy would not
 * be seen without it. All are served by one Envoy.
 */

type Content = Readonly<Record<string, unknown>>;

/** What a case has to look at its own port. */
interface Place {
  readonly port: number;
  send(options?: Partial<RequestOptions>): Promise<Answer>;
  /** Headers that the backend received. */
  received(options?: Partial<RequestOptions>): Promise<ReceivedRequest["headers"]>;
  /** All that comes back on a connection until the other side closes it. @param later written after a while */
  bytes(written: string, later?: string): Promise<string>;
}

interface Case {
  readonly name: string;
  readonly spec: Content;
  readonly check: (place: Place) => Promise<void>;
}

const HOST = "client.traffic.test";
const get = (lines: readonly string[] = [], path = "/") =>
  `${[`GET ${path} HTTP/1.1`, `host: ${HOST}`, ...lines].join("\r\n")}\r\n\r\n`;
const last = ["connection: close"];
const longHeader = "a".repeat(2_000);
const changes = {
  set: [{ name: "x-set", value: "new" }],
  add: [{ name: "x-add", value: "two" }],
  addIfAbsent: [
    { name: "x-absent", value: "here" },
    { name: "x-add", value: "never" },
  ],
  remove: ["x-remove"],
  removeOnMatch: [{ type: "Prefix", value: "X-Many-" }],
};
const before = { "x-set": "old", "x-add": "one", "x-remove": "1", "x-many-a": "1", "x-many-b": "1" };
const xff = (xForwardedFor: Content) => ({ clientIPDetection: { xForwardedFor } });

const cases: readonly Case[] = [
  {
    name: "headers.earlyRequestHeaders",
    spec: { headers: { earlyRequestHeaders: changes } },
    check: async ({ received }) => {
      const headers = await received({ headers: before });
      expect(headers).toMatchObject({ "x-set": "new", "x-absent": "here" });
      expect(String(headers["x-add"]).replaceAll(" ", "")).toBe("one,two");
      expect(Object.keys(headers).filter((name) => /x-(remove|many)/.test(name))).toEqual([]);
    },
  },
  {
    name: "headers.lateResponseHeaders, of answers of Envoy too",
    spec: { headers: { lateResponseHeaders: { ...changes, remove: ["x-backend"] } } },
    check: async ({ send }) => {
      for (const host of [HOST, "nobody.test"]) {
        const { headers, status } = await send({ host });
        expect(status).toBe(host === HOST ? 200 : 404);
        expect(headers).toMatchObject({ "x-set": "new", "x-add": "two", "x-absent": "here" });
        expect(headers["x-backend"]).toBeUndefined();
      }
    },
  },
  {
    name: "headers.withUnderscoresAction: Allow",
    spec: { headers: { withUnderscoresAction: "Allow" } },
    check: async ({ received }) => expect(await received({ headers: { x_under: "1" } })).toHaveProperty("x_under", "1"),
  },
  {
    name: "headers.withUnderscoresAction: DropHeader",
    spec: { headers: { withUnderscoresAction: "DropHeader" } },
    check: async ({ received }) => expect(await received({ headers: { x_under: "1" } })).not.toHaveProperty("x_under"),
  },
  {
    name: "headers.requestID: Disable",
    spec: { headers: { requestID: "Disable" } },
    check: async ({ received }) => {
      expect(await received()).not.toHaveProperty("x-request-id");
      expect(await received({ headers: { "x-request-id": "mine" } })).not.toHaveProperty("x-request-id");
    },
  },
  {
    name: "headers.requestID: Preserve",
    spec: { headers: { requestID: "Preserve" } },
    check: async ({ received }) => {
      expect(await received({ headers: { "x-request-id": "mine" } })).toHaveProperty("x-request-id", "mine");
      expect(await received()).not.toHaveProperty("x-request-id");
    },
  },
  {
    name: "headers.preserveXRequestID",
    spec: { headers: { preserveXRequestID: true } },
    check: async ({ received }) => {
      expect(await received({ headers: { "x-request-id": "mine" } })).toHaveProperty("x-request-id", "mine");
      expect(await received()).toHaveProperty("x-request-id");
    },
  },
  {
    name: "headers.enableEnvoyHeaders",
    spec: { headers: { enableEnvoyHeaders: true } },
    check: async ({ send }) => expect((await send()).headers).toHaveProperty("x-envoy-upstream-service-time"),
  },
  {
    name: "headers.xForwardedClientCert",
    spec: { headers: { xForwardedClientCert: { mode: "AlwaysForwardOnly" } } },
    check: async ({ received }) => {
      const headers = { "x-forwarded-client-cert": "By=spiffe://a" };
      expect(await received({ headers })).toMatchObject(headers);
    },
  },
  {
    name: "headers.maxRequestHeaderLimit",
    spec: { headers: { maxRequestHeaderLimit: "1Ki" } },
    check: async ({ send }) => expect((await send({ headers: { "x-long": longHeader } })).status).toBe(431),
  },
  {
    name: "headers.host.stripTrailingHostDot",
    spec: { headers: { host: { stripTrailingHostDot: true } } },
    check: async ({ send }) => expect((await send({ host: `${HOST}.` })).status).toBe(200),
  },
  {
    name: "path.mergeSlashes, a shorthand",
    spec: { path: { mergeSlashes: false } },
    check: async ({ send }) => expect((await send({ path: "/a//b" })).received?.path).toBe("/a//b"),
  },
  {
    name: "path.escapedSlashesAction: KeepUnchanged",
    spec: { path: { escapedSlashesAction: "KeepUnchanged" } },
    check: async ({ send }) => expect((await send({ path: "/a%2Fb" })).received?.path).toBe("/a%2Fb"),
  },
  {
    name: "path.escapedSlashesAction: RejectRequest",
    spec: { path: { escapedSlashesAction: "RejectRequest" } },
    check: async ({ send }) => expect((await send({ path: "/a%2Fb" })).status).toBe(400),
  },
  {
    name: "path.escapedSlashesAction: UnescapeAndForward",
    spec: { path: { escapedSlashesAction: "UnescapeAndForward" } },
    check: async ({ send }) => expect((await send({ path: "/a%2Fb" })).received?.path).toBe("/a/b"),
  },
  {
    name: "timeout.http.requestHeadersReceivedTimeout",
    spec: { timeout: { http: { requestHeadersReceivedTimeout: "300ms" } } },
    check: async ({ bytes }) => expect(await bytes("GET / HTTP/1.1\r\nhost: a")).toMatch(/^HTTP\/1.1 408/),
  },
  {
    name: "timeout.http.requestReceivedTimeout",
    spec: { timeout: { http: { requestReceivedTimeout: "300ms" } } },
    check: async ({ bytes }) => expect(await bytes(get(["content-length: 5"]))).toMatch(/^HTTP\/1.1 408/),
  },
  {
    name: "timeout.http.streamIdleTimeout",
    spec: { timeout: { http: { streamIdleTimeout: "300ms" } } },
    check: async ({ bytes }) => expect(await bytes(get(["content-length: 5"]))).toMatch(/^HTTP\/1.1 408/),
  },
  {
    name: "timeout.http.idleTimeout",
    spec: { timeout: { http: { idleTimeout: "300ms" } } },
    // The connection ends by itself: `bytes` fails when it stays.
    check: async ({ bytes }) => expect(await bytes(get())).toMatch(/^HTTP\/1.1 200/),
  },
  {
    name: "connection.connectionLimit.value",
    spec: { connection: { connectionLimit: { value: 1 } } },
    check: async ({ port, bytes, send }) => {
      const first = connect(port, "127.0.0.1");
      first.write(get());
      await new Promise((resolve) => first.once("data", resolve));
      expect(await bytes(get())).toBe("");
      first.destroy();
      await waitFor("the first connection to be gone", async () => (await send()).status === 200);
    },
  },
  {
    name: "connection.connectionLimit.maxConnectionDuration",
    spec: { connection: { connectionLimit: { maxConnectionDuration: "300ms" } } },
    // It stays until it has told the client.
    check: async ({ bytes }) => expect(await bytes(get(), get())).toMatch(/^HTTP\/1.1 200[\s\S]*connection: close/i),
  },
  {
    name: "http1.disableSafeMaxConnectionDuration",
    spec: {
      connection: { connectionLimit: { maxConnectionDuration: "300ms" } },
      http1: { disableSafeMaxConnectionDuration: true },
    },
    check: async ({ bytes }) => expect(await bytes(get())).toMatch(/^HTTP\/1.1 200/),
  },
  {
    name: "connection.connectionLimit.maxRequestsPerConnection",
    spec: { connection: { connectionLimit: { maxRequestsPerConnection: 1 } } },
    check: async ({ bytes }) => expect(await bytes(get())).toMatch(/connection: close/i),
  },
  {
    name: "connection.connectionLimit.maxStreamDuration",
    spec: { connection: { connectionLimit: { maxStreamDuration: "300ms" } } },
    check: async ({ bytes }) => expect(await bytes(get(["content-length: 5"]))).toMatch(/^HTTP\/1.1 408/),
  },
  {
    name: "clientIPDetection.xForwardedFor.numTrustedHops",
    spec: xff({ numTrustedHops: 2 }),
    check: async ({ received }) => {
      const headers = await received({ headers: { "x-forwarded-for": "6.6.6.6, 1.1.1.1, 2.2.2.2" } });
      expect(headers).toMatchObject({
        "x-envoy-external-address": "1.1.1.1",
        "x-forwarded-for": expect.stringMatching(/^6\.6\.6\.6, 1\.1\.1\.1, 2\.2\.2\.2,\S+$/),
      });
    },
  },
  {
    name: "clientIPDetection.xForwardedFor.trustedCIDRs, seen by a route's header",
    spec: xff({ trustedCIDRs: ["127.0.0.0/8", "2.2.0.0/16"], disableXForwardedForAppend: true }),
    check: async ({ received }) => {
      const headers = await received({ headers: { "x-forwarded-for": "1.1.1.1, 2.2.2.2" } });
      expect(headers).toMatchObject({ "x-client": "1.1.1.1", "x-forwarded-for": "1.1.1.1, 2.2.2.2" });
    },
  },
  {
    name: "clientIPDetection.customHeader",
    spec: { clientIPDetection: { customHeader: { name: "x-real-client", failClosed: true } } },
    check: async ({ received, send }) => {
      expect(await received({ headers: { "x-real-client": "3.3.3.3" } })).toHaveProperty("x-client", "3.3.3.3");
      expect((await send()).status).toBe(403);
    },
  },
  {
    name: "clientIPDetection.directSourceIP",
    spec: { clientIPDetection: { directSourceIP: {} } },
    check: async ({ received }) => {
      expect(await received({ headers: { "x-forwarded-for": "1.1.1.1" } })).toHaveProperty("x-client", "127.0.0.1");
    },
  },
  {
    name: "http1.ignoredUpgradeTypes",
    spec: { http1: { ignoredUpgradeTypes: [{ value: "magic" }] } },
    check: async ({ bytes }) => {
      expect(await bytes(get(["connection: upgrade, close", "upgrade: magic"]))).toMatch(/^HTTP\/1.1 200/);
    },
  },
  {
    name: "http2.maxConcurrentStreams and initialStreamWindowSize",
    spec: { http2: { maxConcurrentStreams: 7, initialStreamWindowSize: "128Ki" } },
    check: async ({ port }) => {
      const session = connectHttp2(`http://127.0.0.1:${port}`);
      const settings = await new Promise((resolve, reject) => {
        session.once("remoteSettings", resolve);
        session.once("error", reject);
      });
      session.destroy();
      expect(settings).toMatchObject({ maxConcurrentStreams: 7, initialWindowSize: 131_072 });
    },
  },
  {
    name: "healthCheck.path",
    spec: { healthCheck: { path: "/well" } },
    check: async ({ send }) => {
      expect(await send({ host: "nobody.test", path: "/well" })).toMatchObject({ status: 200, body: "" });
    },
  },
  {
    name: "proxyProtocol",
    spec: { proxyProtocol: {} },
    check: async ({ bytes }) => {
      expect(await bytes(`PROXY TCP4 9.9.9.9 127.0.0.1 1 2\r\n${get(last)}`)).toContain('"x-client":"9.9.9.9"');
      expect(await bytes(get(last))).toBe("");
    },
  },
  {
    name: "proxyProtocol.optional",
    spec: { proxyProtocol: { optional: true } },
    check: async ({ bytes, send }) => {
      expect(await bytes(`PROXY TCP4 9.9.9.9 127.0.0.1 1 2\r\n${get(last)}`)).toContain('"x-client":"9.9.9.9"');
      expect((await send()).status).toBe(200);
    },
  },
  {
    name: "enableProxyProtocol",
    spec: { enableProxyProtocol: true },
    check: async ({ bytes }) => {
      expect(await bytes(`PROXY TCP4 9.9.9.9 127.0.0.1 1 2\r\n${get(last)}`)).toContain('"x-client":"9.9.9.9"');
    },
  },
  {
    name: "tcpKeepalive",
    spec: { tcpKeepalive: { idleTime: "7s", interval: "3s", probes: 2 } },
    check: async ({ port }) => {
      const socket = connect(port, "127.0.0.1");
      socket.write(get());
      await new Promise((resolve) => socket.once("data", resolve));
      await waitFor("the timer of the keepalive", async () => timersOf(port).includes("02"));
      socket.destroy();
    },
  },
  {
    name: "timeout.tcp.connectionInspectionTimeout",
    spec: { proxyProtocol: {}, timeout: { tcp: { connectionInspectionTimeout: "500ms" } } },
    check: async ({ bytes }) => expect(await bytes("")).toBe(""),
  },
  {
    name: "a policy that cannot do what it says",
    spec: { http2: { onInvalidMessage: "Whatever" } },
    check: async ({ send }) => expect((await send()).status).toBe(500),
  },
];

/** Timers of established connections of a port (`tr` of /proc/net/tcp; 02 is keepalive). */
function timersOf(port: number): readonly string[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address = "", , state]) => address.endsWith(local) && state === "01")
    .map((columns) => columns[5]?.slice(0, 2) ?? "");
}

const group = "gateway.networking.k8s.io";

function policyOf(index: number, spec: Content): object {
  return {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "ClientTrafficPolicy",
    metadata: { name: `case-${index}` },
    spec: { targetRefs: [{ group, kind: "Gateway", name: "clients", sectionName: `case-${index}` }], ...spec },
  };
}

function objectsOf(ports: readonly number[]): object[] {
  return [
    {
      apiVersion: `${group}/v1`,
      kind: "Gateway",
      metadata: { name: "clients" },
      spec: {
        gatewayClassName: "gatehouse",
        listeners: ports.map((port, index) => ({ name: `case-${index}`, protocol: "HTTP", port })),
      },
    },
    {
      apiVersion: `${group}/v1`,
      kind: "HTTPRoute",
      metadata: { name: "all" },
      spec: {
        parentRefs: [{ name: "clients" }],
        hostnames: [HOST],
        rules: [
          {
            filters: [
              {
                type: "RequestHeaderModifier",
                requestHeaderModifier: {
                  set: [{ name: "x-client", value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" }],
                },
              },
            ],
            backendRefs: [{ group: "gateway.envoyproxy.io", kind: "Backend", name: "app" }],
          },
        ],
      },
    },
    ...cases.map(({ spec }, index) => policyOf(index, spec)),
  ];
}

let world: World;
let backend: Backend;
const places: Place[] = [];
/** All cases look at the same time: some of them wait for connections to end. */
let outcomes: readonly PromiseSettledResult<void>[] = [];

beforeAll(async () => {
  world = await createWorld();
  backend = await world.backend("app");
  for (const _ of cases) {
    const port = await freePort();
    const send: Place["send"] = (options = {}) => world.send({ port, host: HOST, ...options });
    const received: Place["received"] = async (options) => {
      const answer = await send(options);
      if (answer.received === undefined) throw new Error(`status ${answer.status}: ${answer.body}`);
      return answer.received.headers;
    };
    places.push({ port, send, received, bytes: (...written) => exchangeBytes(port, ...written) });
  }
  const app = {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "Backend",
    metadata: { name: "app" },
    spec: { endpoints: [{ ip: { address: "127.0.0.1", port: backend.port } }] },
  };
  world.files.writeAtomically("cases.yaml", toYaml([app, ...objectsOf(places.map(({ port }) => port))]));
  const lastPlace = places.at(-1) as Place;
  await waitFor("the last case to be served", async () => (await lastPlace.send()).status === 500);
  outcomes = await Promise.allSettled(cases.map(({ check }, index) => check(places[index] as Place)));
}, 90_000);

afterAll(() => world?.stop(), 30_000);

test.each(cases.map(({ name }, index) => ({ name, index })))("$name", ({ index }) => {
  const outcome = outcomes[index];
  if (outcome?.status !== "fulfilled") throw outcome?.reason ?? new Error("not looked at");
});
