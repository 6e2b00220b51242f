import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { HTTPRoute, HTTPRouteRule } from "../../src/api/gateway-api.ts";
import type { HTTPRouteFilter } from "../../src/api/httproutefilter.ts";
import type { AttachedListener, ClusterSpec, ResolvedRule } from "../../src/attach/model.ts";
import { translateHttpRoute } from "../../src/translate/http-route.ts";
import { translateRouteTable } from "../../src/translate/route-table.ts";
import { translateVirtualHost } from "../../src/translate/virtual-host.ts";
import type { ReceivedRequest } from "../harness/backend.ts";
import { type Answer, ECHO_CLUSTER, startTableEnvoy, type TableEnvoy } from "./table-envoy.ts";

/** What golden files cannot show: that the real Envoy does with translated routes what the Gateway API asks for. */
const host = "www.example.com";
const listener: AttachedListener = { listener: "web", routeTable: "t", port: 8080, scheme: "http", hostnames: [] };
const echo: ClusterSpec = {
  name: ECHO_CLUSTER,
  reach: { kind: "Service", key: "default/echo", port: 80, portName: "" },
  protocol: "http1",
};

/** HTTPPathModifier.replacePrefixMatch: prefix, replacement, path of the request, path wanted. */
const prefixTable = [
  ["/p0", "/xyz", "/p0/bar", "/xyz/bar"],
  ["/p1", "/xyz/", "/p1/bar", "/xyz/bar"],
  ["/p2/", "/xyz", "/p2/bar", "/xyz/bar"],
  ["/p3/", "/xyz/", "/p3/bar", "/xyz/bar"],
  ["/p4", "/xyz", "/p4", "/xyz"],
  ["/p5", "/xyz", "/p5/", "/xyz/"],
  ["/p6", "", "/p6/bar", "/bar"],
  ["/p7", "", "/p7/", "/"],
  ["/p8", "", "/p8", "/"],
  ["/p9", "/", "/p9/", "/"],
  ["/p10", "/", "/p10", "/"],
  ["/p11.x", "/", "/p11.x/bar/?a=/p11.x", "/bar/?a=/p11.x"],
  ["/p12", "/xyz", "/p12?a=1", "/xyz?a=1"],
  ["/", "/xyz", "/other", "/xyz/other"],
] as const;

interface Given {
  readonly rule: HTTPRouteRule;
  readonly resolved?: Partial<ResolvedRule>;
}

const prefix = (value: string): HTTPRouteRule["matches"] => [{ path: { type: "PathPrefix", value } }];

function extension(spec: HTTPRouteFilter["spec"], body?: string): Partial<ResolvedRule> {
  return { extensions: [{ filterIndex: 0, filter: spec, body }] };
}

const setHeader = (value: string): NonNullable<HTTPRouteRule["filters"]>[number] => ({
  type: "RequestHeaderModifier",
  requestHeaderModifier: { set: [{ name: "x-level", value }] },
});

const largeBody = "x".repeat(200_000);

const features: readonly Given[] = [
  {
    rule: { matches: prefix("/cookie") },
    resolved: extension({ matches: [{ cookies: [{ name: "group", value: "beta.1" }] }] }),
  },
  {
    rule: {
      matches: prefix("/cors"),
      filters: [
        {
          type: "CORS",
          cors: { allowOrigins: ["https://*.example.com"], allowMethods: ["*"], allowCredentials: true },
        },
      ],
    },
  },
  {
    rule: {
      matches: prefix("/percent"),
      filters: [
        {
          type: "RequestHeaderModifier",
          requestHeaderModifier: {
            set: [
              { name: "x-a", value: "50%" },
              { name: "x-b", value: "%PROTOCOL%" },
            ],
          },
        },
      ],
    },
  },
  {
    rule: { matches: prefix("/direct") },
    resolved: extension({ directResponse: { statusCode: 503, contentType: "text/x-note" } }, largeBody),
  },
  {
    rule: { matches: prefix("/half") },
    resolved: {
      backends: [
        { weight: 1, target: echo, extensions: [] },
        { weight: 1, extensions: [] },
      ],
    },
  },
  { rule: { matches: prefix("/zero") }, resolved: { backends: [{ weight: 0, target: echo, extensions: [] }] } },
  {
    rule: { matches: prefix("/host"), filters: [{ type: "URLRewrite", urlRewrite: { hostname: "internal.example" } }] },
  },
  {
    rule: { matches: prefix("/host-of-endpoint") },
    resolved: extension({ urlRewrite: { hostname: { type: "Backend" }, appendXForwardedHost: false } }),
  },
  {
    rule: {
      matches: prefix("/levels"),
      filters: [setHeader("rule")],
      backendRefs: [{ name: "echo", filters: [setHeader("backend")] }],
    },
  },
  {
    rule: {
      matches: prefix("/redirect"),
      filters: [
        {
          type: "RequestRedirect",
          requestRedirect: {
            scheme: "https",
            path: { type: "ReplaceFullPath", replaceFullPath: "/there" },
            statusCode: 308,
          },
        },
      ],
    },
  },
];

function entriesOf(name: string, given: readonly Given[]) {
  const route: HTTPRoute = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name, namespace: "default" },
    spec: { rules: given.map(({ rule }) => rule) },
  };
  const backends = [{ weight: 1, target: echo, extensions: [] }];
  const rules = given.map(({ resolved }) => ({ backends, mirrors: [], extensions: [], ...resolved }));
  const resolved = { routeKind: "HTTPRoute", key: `default/${name}`, problems: [], rules } as const;
  return translateHttpRoute(route, resolved, listener, { host, routeHostname: host });
}

const replace = (replacement: string) => ({ type: "ReplacePrefixMatch", replacePrefixMatch: replacement }) as const;

let envoy: TableEnvoy;

beforeAll(async () => {
  const rewrites = prefixTable.map(([value, replacement]) => ({
    rule: {
      matches: prefix(value),
      filters: [{ type: "URLRewrite" as const, urlRewrite: { path: replace(replacement) } }],
    },
  }));
  const redirects = prefixTable.map(([value, replacement]) => ({
    rule: {
      matches: prefix(value),
      filters: [{ type: "RequestRedirect" as const, requestRedirect: { path: replace(replacement) } }],
    },
  }));
  const tables = [rewrites, redirects, features].map((given) => {
    const hosts = [
      translateVirtualHost("t", host, [entriesOf("features", given)]),
      translateVirtualHost("t", "*", [entriesOf("others", [{ rule: { matches: prefix("/") } }])]),
    ];
    return { table: translateRouteTable("t", hosts, ["*.empty.example"]), normalizes: true };
  });
  envoy = await startTableEnvoy(tables);
}, 60_000);

afterAll(() => envoy?.stop(), 30_000);

const [REWRITES, REDIRECTS, FEATURES] = [0, 1, 2] as const;

function ask(path: string, headers: object = {}, method = "GET"): Promise<Answer> {
  return envoy.ask(FEATURES, { path, host, headers, method });
}

function received({ status, body }: Answer): ReceivedRequest {
  expect(status).toBe(200);
  return JSON.parse(body) as ReceivedRequest;
}

describe("ReplacePrefixMatch", () => {
  test.each(prefixTable)("%s with %p: %s becomes %s", async (_prefix, _replacement, path, wanted) => {
    expect(received(await envoy.ask(REWRITES, { path, host })).path).toBe(wanted);
    const redirect = await envoy.ask(REDIRECTS, { path, host });
    expect([redirect.status, redirect.headers.location]).toEqual([302, `http://${host}:8080${wanted}`]);
  });
});

describe("hosts", () => {
  test("a port in Host is no part of the host, and the backend sees it", async () => {
    const answer = await envoy.ask(FEATURES, { path: "/host-of-nobody", host: `${host}:1234` });
    expect(answer.status).toBe(404);
    expect(received(await envoy.ask(FEATURES, { path: "/levels", host: `${host}:1234` })).host).toBe(`${host}:1234`);
  });

  test("a listener's hostname without routes answers 404, any other host falls to the broader one", async () => {
    expect((await envoy.ask(FEATURES, { path: "/", host: "a.empty.example" })).status).toBe(404);
    expect((await envoy.ask(FEATURES, { path: "/", host: "unknown.example" })).status).toBe(200);
  });
});

describe("filters", () => {
  test.each([
    ["group=beta.1", 200],
    ["a=1; group=beta.1", 200],
    ["a=1;group=beta.1; b=2", 200],
    ["group=beta-1", 404],
    ["group=beta.12", 404],
    ["mygroup=beta.1", 404],
    ["a=group=beta.1", 404],
  ])("cookie match: %s is answered with %d", async (cookie, status) => {
    expect((await ask("/cookie", { cookie })).status).toBe(status);
  });

  test("CORS: preflights are answered here, with the method asked for when all are allowed", async () => {
    const preflight = (origin: string) => ask("/cors", { origin, "access-control-request-method": "PUT" }, "OPTIONS");
    const allowed = await preflight("https://app.example.com");
    expect([allowed.status, allowed.body]).toEqual([200, ""]);
    expect(allowed.headers).toMatchObject({
      "access-control-allow-origin": "https://app.example.com",
      "access-control-allow-methods": "PUT",
      "access-control-allow-credentials": "true",
      "access-control-max-age": "5",
    });
    const other = await preflight("https://example.com.evil.org");
    expect([other.body, other.headers["access-control-allow-origin"]]).toEqual(["", undefined]);
  });

  test("a percent sign is sent as it is, a command of Envoy is carried out", async () => {
    expect(received(await ask("/percent")).headers).toMatchObject({ "x-a": "50%", "x-b": "HTTP/1.1" });
  });

  test("direct response with a body beyond Envoy's own limit", async () => {
    const answer = await ask("/direct");
    expect([answer.status, answer.headers["content-type"], answer.body]).toEqual([503, "text/x-note", largeBody]);
  });

  test("an invalid backend's share is answered with 500, and so is a rule whose weights are all zero", async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask("/half")));
    const statuses = answers.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 500]));
    expect((await ask("/zero")).status).toBe(500);
  });

  test("hosts are rewritten to a name and to the endpoint's own", async () => {
    const rewritten = received(await ask("/host"));
    expect([rewritten.host, rewritten.headers["x-forwarded-host"]]).toEqual(["internal.example", host]);
    const endpoint = received(await ask("/host-of-endpoint"));
    expect([endpoint.host, endpoint.headers["x-forwarded-host"]]).toEqual(["endpoint.internal", undefined]);
  });

  test("a header set on a backendRef wins over the one set on its rule", async () => {
    expect(received(await ask("/levels")).headers["x-level"]).toBe("backend");
  });

  test("redirect to another scheme and path keeps the query and writes no well-known port", async () => {
    const { status, headers } = await ask("/redirect/from?a=1");
    expect([status, headers.location]).toEqual([308, `https://${host}/there?a=1`]);
  });
});
