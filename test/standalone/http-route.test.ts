import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { backendYaml, createWorld, routeYaml, toBackend, type World } from "./world.ts";

/** What HTTPRoutes promise, asked of the real Envoy. One gateway for all: each test has a host of its own. */
let world: World;

beforeAll(async () => {
  world = await createWorld();
  const backends = await Promise.all(["one", "two", "three"].map((name) => world.backend(name)));
  world.files.writeAtomically("backends.yaml", backends.map(({ name, port }) => backendYaml(name, port)).join("---\n"));
}, 60_000);

afterAll(() => world.stop(), 30_000);

let routes = 0;
async function serve(rules: string): Promise<string> {
  const host = `r${routes++}.example.com`;
  world.files.writeAtomically(`${host}.yaml`, routeYaml(host.replaceAll(".", "-"), host, rules));
  // A host that is not programmed yet answers 404 with an empty body; every route below carries this probe.
  await world.until({ host, path: "/probe/ready" }, (answer) => answer.received?.path === "/probe/ready");
  return host;
}

const probe = `{matches: [{path: {type: Exact, value: /probe/ready}}], backendRefs: [${toBackend("one")}]}`;
const rule = (fields: string) => `[${probe}, {${fields}}]`;
const one = `backendRefs: [${toBackend("one")}]`;

test("path matches: exact, prefix on element borders, regular expression, and their order", async () => {
  const match = (type: string, value: string, backend: string) =>
    `{matches: [{path: {type: ${type}, value: "${value}"}}], backendRefs: [${toBackend(backend)}]}`;
  const host = await serve(
    `[${probe}, ${match("PathPrefix", "/a", "one")}, ${match("Exact", "/a/b", "two")}, ${match("PathPrefix", "/a/b", "three")}]`,
  );
  const backendOf = async (path: string) => {
    const answer = await world.send({ host, path });
    return answer.received?.backend ?? answer.status;
  };
  expect(await backendOf("/a")).toBe("one");
  expect(await backendOf("/a/")).toBe("one");
  expect(await backendOf("/ab")).toBe(404);
  expect(await backendOf("/a/b")).toBe("two");
  expect(await backendOf("/a/b?q=/a")).toBe("two");
  expect(await backendOf("/a/b/c")).toBe("three");
  expect(await backendOf("/a/bc")).toBe("one");
  const regex = await serve(`[${probe}, ${match("RegularExpression", "/v[0-9]+/x", "two")}]`);
  expect((await world.send({ host: regex, path: "/v12/x" })).received?.backend).toBe("two");
  expect((await world.send({ host: regex, path: "/v12/xy" })).status).toBe(404);
});

test("headers, query parameters and methods match together", async () => {
  const host = await serve(
    rule(
      `matches: [{method: POST, headers: [{name: X-Color, value: blue}], queryParams: [{name: size, type: RegularExpression, value: "[0-9]+"}]}], ${one}`,
    ),
  );
  const full = { host, path: "/x?size=12", method: "POST", headers: { "x-color": "blue" } };
  expect((await world.send(full)).status).toBe(200);
  expect((await world.send({ ...full, method: "GET" })).status).toBe(404);
  expect((await world.send({ ...full, path: "/x?size=big" })).status).toBe(404);
  expect((await world.send({ ...full, headers: { "x-color": "red" } })).status).toBe(404);
});

test("request and response headers are set, added and removed", async () => {
  const host = await serve(
    rule(
      `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-set, value: new}], add: [{name: x-add, value: more}], remove: [x-gone]}}, {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-answer, value: "42"}], remove: [content-type]}}], ${one}`,
    ),
  );
  const answer = await world.send({ host, headers: { "x-set": "old", "x-add": "first", "x-gone": "here" } });
  expect(answer.received?.headers).toMatchObject({ "x-set": "new", "x-add": "first, more" });
  expect(answer.received?.headers["x-gone"]).toBeUndefined();
  expect(answer.headers["x-answer"]).toBe("42");
  expect(answer.headers["content-type"]).toBeUndefined();
});

test.each([
  ["{scheme: https}", "https://HOST/p/q?x=1", 302],
  ["{scheme: https, port: 8443, statusCode: 308}", "https://HOST:8443/p/q?x=1", 308],
  ["{hostname: other.example.com, scheme: http, statusCode: 301}", "http://other.example.com/p/q?x=1", 301],
  ["{path: {type: ReplaceFullPath, replaceFullPath: /z}, statusCode: 303}", "http://HOST:PORT/z?x=1", 303],
  ["{path: {type: ReplacePrefixMatch, replacePrefixMatch: /z}, statusCode: 307}", "http://HOST:PORT/z/q?x=1", 307],
])("redirect %s", async (redirect, location, status) => {
  const host = await serve(
    rule(`matches: [{path: {value: /p}}], filters: [{type: RequestRedirect, requestRedirect: ${redirect}}]`),
  );
  const answer = await world.send({ host, path: "/p/q?x=1" });
  expect(answer.status).toBe(status);
  expect(answer.headers["location"]).toBe(location.replace("HOST", host).replace("PORT", String(world.port)));
});

test.each([
  ["/foo", "/xyz", "/foo/bar", "/xyz/bar"],
  ["/foo", "/xyz/", "/foo/bar", "/xyz/bar"],
  ["/foo/", "/xyz", "/foo/bar", "/xyz/bar"],
  ["/foo", "/xyz", "/foo", "/xyz"],
  ["/foo", "/xyz/", "/foo/", "/xyz/"],
  ["/foo", "/", "/foo/bar", "/bar"],
  ["/foo", "/", "/foo", "/"],
  ["/foo", "/xyz", "/foo/bar?q=/foo", "/xyz/bar?q=/foo"],
])("prefix %s replaced by %s: %s becomes %s", async (prefix, replacement, path, expected) => {
  const host = await serve(
    rule(
      `matches: [{path: {value: ${prefix}}}], filters: [{type: URLRewrite, urlRewrite: {hostname: up.example.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: ${replacement}}}}], ${one}`,
    ),
  );
  const answer = await world.send({ host, path });
  expect(answer.received?.path).toBe(expected);
  expect(answer.received?.headers["host"]).toBe("up.example.com");
});

test("weights: zero takes nothing, an invalid reference answers 500 for its share", async () => {
  const host = await serve(
    rule(`backendRefs: [${toBackend("one", 2)}, ${toBackend("two", 0)}, ${toBackend("absent", 1)}]`),
  );
  const seen = new Map<string, number>();
  for (let i = 0; i < 120; i++) {
    const answer = await world.send({ host });
    const who = answer.received?.backend ?? String(answer.status);
    seen.set(who, (seen.get(who) ?? 0) + 1);
  }
  expect([...seen.keys()].sort()).toEqual(["500", "one"]);
  expect(seen.get("500")).toBeGreaterThan(15);
  expect(seen.get("one")).toBeGreaterThan(50);
});

test("no endpoint answers 503, no backend 500, nothing matched 404", async () => {
  world.files.writeAtomically("closed.yaml", backendYaml("closed", 1));
  const host = await serve(
    `[${probe}, {matches: [{path: {value: /closed}}], backendRefs: [${toBackend("closed")}]}, {matches: [{path: {value: /none}}]}]`,
  );
  expect((await world.send({ host, path: "/closed" })).status).toBe(503);
  expect((await world.send({ host, path: "/none" })).status).toBe(500);
  expect((await world.send({ host, path: "/else" })).status).toBe(404);
  expect((await world.send({ host: "unknown.example.org" })).status).toBe(404);
});

test("timeouts and retries", async () => {
  const flaky = await world.backend("flaky");
  world.files.writeAtomically("flaky.yaml", backendYaml("flaky", flaky.port));
  const host = await serve(
    rule(
      `timeouts: {request: 5s}, retry: {codes: [503], attempts: 3, backoff: 10ms}, backendRefs: [${toBackend("flaky")}]`,
    ),
  );
  flaky.forget();
  flaky.behave({ status: 503, times: 2 });
  expect((await world.send({ host })).status).toBe(200);
  expect(flaky.received.length).toBe(3);
});

test("mirrors get a copy, the client the answer of the backend", async () => {
  const mirror = await world.backend("mirror");
  world.files.writeAtomically("mirror.yaml", backendYaml("mirror", mirror.port));
  const host = await serve(
    rule(
      `filters: [{type: RequestMirror, requestMirror: {backendRef: {group: gateway.envoyproxy.io, kind: Backend, name: mirror}}}], ${one}`,
    ),
  );
  expect((await world.send({ host, path: "/copied" })).received?.backend).toBe("one");
  await world.until({ host, path: "/again" }, () => mirror.received.some(({ path }) => path === "/copied"));
});

test("CORS preflight is answered by the gateway", async () => {
  const host = await serve(
    rule(
      `filters: [{type: CORS, cors: {allowOrigins: ["https://app.example.com"], allowMethods: [GET, PUT], allowHeaders: [x-token], maxAge: 60}}], ${one}`,
    ),
  );
  const preflight = (origin: string) =>
    world.send({ host, method: "OPTIONS", headers: { origin, "access-control-request-method": "PUT" } });
  const allowed = await preflight("https://app.example.com");
  expect(allowed.headers["access-control-allow-origin"]).toBe("https://app.example.com");
  expect(allowed.headers["access-control-max-age"]).toBe("60");
  expect((await preflight("https://evil.example.com")).headers["access-control-allow-origin"]).toBeUndefined();
});

test("HTTPRouteFilter: direct response, regex rewrite, cookies", async () => {
  world.files.writeAtomically(
    "filters.yaml",
    `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: HTTPRouteFilter
metadata: {name: teapot}
spec: {directResponse: {statusCode: 418, contentType: text/plain, body: {type: Inline, inline: "short and stout"}}}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: HTTPRouteFilter
metadata: {name: swap}
spec: {urlRewrite: {path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: "^/(.*)/(.*)$", substitution: "/\\\\2/\\\\1"}}}}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: HTTPRouteFilter
metadata: {name: canary}
spec: {matches: [{cookies: [{name: canary, value: "yes"}]}]}
`,
  );
  const extension = (name: string) =>
    `filters: [{type: ExtensionRef, extensionRef: {group: gateway.envoyproxy.io, kind: HTTPRouteFilter, name: ${name}}}]`;
  const host = await serve(
    `[${probe}, {matches: [{path: {value: /tea}}], ${extension("teapot")}}, {matches: [{path: {value: /swap}}], ${extension("swap")}, ${one}}, {matches: [{path: {value: /who}}], ${extension("canary")}, backendRefs: [${toBackend("two")}]}]`,
  );
  expect(await world.send({ host, path: "/tea" })).toMatchObject({ status: 418, body: "short and stout" });
  expect((await world.send({ host, path: "/swap/x" })).received?.path).toBe("/x/swap");
  expect((await world.send({ host, path: "/who", headers: { cookie: "a=b; canary=yes" } })).received?.backend).toBe(
    "two",
  );
  expect((await world.send({ host, path: "/who" })).status).toBe(404);
});
