import { createHash } from "node:crypto";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { sendHttp3 } from "../harness/http3.ts";
import { waitFor } from "../harness/waiting.ts";
import { walkClientCertificates } from "./client-certificates.ts";
import {
  authority,
  type PolicyAnswer,
  type PolicyRequest,
  type PolicyWorld,
  startPolicyWorld,
} from "./policies-world.ts";
import { START_LIMIT_MS, STEP_LIMIT_MS } from "./world.ts";

/** BackendTrafficPolicies, ClientTrafficPolicies and SecurityPolicies as guides show them do in a real cluster what they say. */

jest.setTimeout(STEP_LIMIT_MS);
const REPEATS = 12;

let world: PolicyWorld;
beforeAll(async () => {
  world = await startPolicyWorld();
}, START_LIMIT_MS);
afterAll(() => world?.cluster.stop(), START_LIMIT_MS);

const ask = (route: string, request?: PolicyRequest) => world.ask("public", route, request);
const times = (count: number, send: (time: number) => Promise<PolicyAnswer>) =>
  Array.from({ length: count }, (_, time) => time).reduce<Promise<PolicyAnswer[]>>(
    async (before, time) => [...(await before), await send(time)],
    Promise.resolve([]),
  );
const podsOf = (answers: readonly PolicyAnswer[]) => new Set(answers.map(({ seen }) => seen?.pod));
const statuses = (answers: readonly PolicyAnswer[]) => answers.map(({ status }) => status);

/** Its conditions, those of all ancestors. */
async function conditionsOf(policy: string, namespace: string) {
  const { status } = JSON.parse(await world.kubectl("get", policy, "-n", namespace, "-o", "json"));
  return (status?.ancestors ?? []).flatMap(
    ({ conditions }: { conditions: { type: string; status: string; reason: string; message: string }[] }) => conditions,
  );
}

/** Policy, and the fields of the catalogue that its Warning is to name. */
test.each([
  ["btp/per-user", []],
  ["btp/per-address", ["rateLimit.local.rules[0].clientSelectors[0].sourceCIDR.value"]],
  ["btp/by-header", []],
  ["btp/by-cookie", []],
  ["btp/breaker", ["circuitBreaker.maxParallelRequests", "circuitBreaker.maxParallelRetries"]],
  ["btp/attempts", ["timeout.http.requestTimeout", "retry.perRetry.timeout"]],
  ["btp/impatient", ["timeout.http.requestTimeout"]],
  ["btp/one-attempt", ["retry.perRetry.timeout"]],
  ["btp/asked", []],
  ["btp/observed", ["healthCheck.passive.consecutive5XxErrors"]],
  [
    "btp/pooled",
    [
      ...["maxConnections", "maxPendingRequests", "maxRequestsPerConnection"].map((field) => `circuitBreaker.${field}`),
      "timeout.http.connectionIdleTimeout",
    ],
  ],
  ["sp/pages", []],
  ["ctp/slow-clients", []],
  ["ctp/versions", []],
  ["ctp/hops", []],
  ["ctp/paths", ["path.disableMergeSlashes"]],
])("%s is accepted and warns of %j", async (policy, fields) => {
  const namespace = policy.startsWith("ctp") ? "edge" : "shop";
  const accepted = '{.status.ancestors[0].conditions[?(@.type=="Accepted")].status}';
  await world.kubectl("wait", policy, "-n", namespace, `--for=jsonpath=${accepted}=True`, "--timeout=30s");
  const warning = (await conditionsOf(policy, namespace)).find(({ type }: { type: string }) => type === "Warning");
  expect(warning).toMatchObject({
    status: "True",
    reason: fields.length > 0 ? "Warnings" : "DeprecatedField",
  });
  for (const field of ["targetRefs", ...fields]) expect(warning.message).toContain(`spec.${field}`);
});

test("a limit for each account, and one for each address", async () => {
  const account = (name: string) => ask("per-user", { headers: { "x-account": name } });
  expect(statuses(await times(3, () => account("ann")))).toEqual([200, 200, 429]);
  expect((await account("bob")).status).toBe(200);
  const address = (text: string) => ask("per-address", { headers: { "x-forwarded-for": text } });
  expect(statuses(await times(3, () => address("192.0.2.1")))).toEqual([200, 200, 429]);
  expect((await address("192.0.2.2")).status).toBe(200);
});

test("pages of some origins may read", async () => {
  const preflight = (origin: string) =>
    ask("pages", { method: "OPTIONS", headers: { origin, "access-control-request-method": "PUT" } });
  for (const origin of ["https://shop.test", "https://a.shop.test"]) {
    const { headers, seen } = await preflight(origin);
    expect([headers["access-control-allow-origin"], headers["access-control-max-age"]]).toEqual([origin, "86400"]);
    expect(seen).toBeUndefined();
  }
  expect((await preflight("https://evil.test")).headers["access-control-allow-origin"]).toBeUndefined();
});

test("users of a Secret that is missing, made, edited, badly written and deleted", async () => {
  const as = (user: string, password: string) => ({
    headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` },
  });
  const answers = (status: number, request?: PolicyRequest) =>
    waitFor(`an answer ${status}`, async () => (await ask("members", request)).status === status);
  const line = (user: string, password: string) =>
    `${user}:{SHA}${createHash("sha1").update(password).digest("base64")}`;
  const users = (...lines: string[]) => {
    const metadata = { name: "members", namespace: "shop" };
    const secret = { apiVersion: "v1", kind: "Secret", metadata, stringData: { ".htpasswd": lines.join("\n") } };
    return world.apply(JSON.stringify(secret));
  };
  const says = (text: string) =>
    waitFor(`a status with ${text}`, async () =>
      (await conditionsOf("sp/members", "shop")).some(({ message }: { message: string }) => message.includes(text)),
    );
  await says("names Secret shop/members, which does not exist");
  expect((await ask("members", as("ann", "first"))).status).toBe(500);
  await users(line("ann", "first"));
  await answers(200, as("ann", "first"));
  expect((await ask("members")).status).toBe(401);
  await users(line("ann", "second"), line("bob", "third"));
  await answers(200, as("bob", "third"));
  expect((await ask("members", as("ann", "first"))).status).toBe(401);
  expect((await ask("members", as("ann", "second"))).status).toBe(200);
  await users(line("ann", "second"), "bob:$apr1$x$y");
  await answers(500, as("ann", "second"));
  await says("whose .htpasswd has in line 2 an MD5 hash (apr1)");
  await users(line("ann", "second"));
  await answers(200, as("ann", "second"));
  await world.kubectl("delete", "secret", "members", "-n", "shop");
  await answers(500, as("ann", "second"));
  expect((await ask("plain")).status).toBe(200);
});

test("the proxy before tells the client's address", async () => {
  const { seen } = await ask("plain", { headers: { "x-forwarded-for": "203.0.113.9, 192.0.2.7" } });
  expect(seen?.headers["x-envoy-external-address"]).toBe("192.0.2.7");
});

test("one pod for an account", async () => {
  const account = (name: string) => ask("by-header", { headers: { "x-account": name } });
  expect(podsOf(await times(REPEATS, () => account("ann"))).size).toBe(1);
  expect(podsOf(await times(REPEATS, (time) => account(`account-${time}`))).size).toBe(2);
});

test("one pod for a basket, whose cookie Envoy sets", async () => {
  const first = await ask("by-cookie");
  const [cookie = ""] = first.headers["set-cookie"] ?? [];
  expect(cookie).toMatch(/^basket="?[^;]+; Max-Age=1800/);
  const headers = { cookie: cookie.replace(/;.*/, "") };
  expect(podsOf([first, ...(await times(REPEATS, () => ask("by-cookie", { headers })))]).size).toBe(1);
});

test("no more requests at a time than the breaker allows, and no more on a connection", async () => {
  const wish = { delayMs: 1_000 };
  const answers = statuses(await Promise.all(Array.from({ length: 8 }, () => ask("breaker", { wish }))));
  expect(answers).toContain(503);
  expect(answers.filter((status) => status === 200).length).toBeGreaterThanOrEqual(2);
  const connections = (await times(REPEATS, () => ask("breaker"))).map(({ seen }) => seen?.connection);
  expect(new Set(connections).size).toBeGreaterThanOrEqual(REPEATS / 2);
});

test("requests are tried again, and each attempt has its limit", async () => {
  for (const status of [500, 503, 409]) {
    const { seen, status: answered } = await ask("attempts", { wish: { status, times: 3 } });
    expect([answered, seen?.attempt]).toEqual([200, 4]);
  }
  expect((await ask("attempts", { wish: { status: 503, times: 4 } })).status).toBe(503);
  expect((await ask("attempts", { wish: { status: 418 } })).seen?.attempt).toBe(1);
  expect((await ask("attempts", { wish: { delayMs: 5_000 } })).status).toBe(504);
  for (const route of ["impatient", "one-attempt"]) {
    expect((await ask(route, { wish: { delayMs: 5_000 } })).status).toBe(504);
    expect((await ask(route)).status).toBe(200);
  }
});

test("pods that do not answer as a health check expects are left out", async () => {
  await waitFor("one pod", async () => podsOf(await times(REPEATS, () => ask("asked"))).size === 1);
  expect((await ask("asked", { wish: { showSickness: true } })).status).toBe(200);
});

test("pods that fail too often in a row are left out", async () => {
  const wish = { showSickness: true };
  await waitFor("answers of the other pod alone", async () =>
    (await times(REPEATS, () => ask("observed", { wish }))).every(({ status }) => status === 200),
  );
});

test("one connection, which lasts, and one request that waits for it", async () => {
  const wish = { delayMs: 1_000 };
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask("pooled", { wish })));
  expect(statuses(answers)).toEqual(expect.arrayContaining([200, 503]));
  const connections = (await times(REPEATS, () => ask("pooled"))).map(({ seen }) => seen?.connection);
  // Each of Envoy's threads may have one.
  expect(new Set(connections).size).toBeLessThan(REPEATS / 2);
});

test("a request that does not arrive is answered with 408", async () => {
  const socket = connect(80, await world.address("slow"));
  socket.write("POST / HTTP/1.1\r\nhost: plain.test\r\ncontent-length: 5\r\n\r\n");
  const answer = await new Promise((resolve, reject) => {
    socket.once("data", (bytes) => resolve(String(bytes)));
    socket.once("close", () => reject(new Error("closed without an answer")));
  });
  socket.destroy();
  expect(answer).toMatch(/^HTTP\/1.1 408/);
});

test("HTTP/2 connections have as many streams as there may be", async () => {
  const session = connectHttp2(`http://${await world.address("versions")}`);
  const settings = await new Promise((resolve, reject) => {
    session.once("remoteSettings", resolve);
    session.once("error", reject);
  });
  session.destroy();
  expect(settings).toMatchObject({ maxConcurrentStreams: 64 });
});

test("HTTPS is served over HTTP/3 as well, and says so", async () => {
  const server = { address: await world.address("versions"), port: 443, servername: "plain.test" };
  const host = "plain.test";
  const { headers } = await world.ask("versions", "plain", { port: 443, tls: { servername: host } });
  expect(headers["alt-svc"]).toMatch(/^h3=":443"/);
  const { status, body } = await sendHttp3({ ...server, host, path: "/quic", authority: authority.certificate });
  expect([status, JSON.parse(body).path]).toEqual([200, "/quic"]);
  await expect(sendHttp3({ ...server, address: await world.address("paths"), host, limitMs: 1_000 })).rejects.toThrow();
});

test("slashes are not merged, and escaped ones are unescaped", async () => {
  expect((await world.ask("paths", "plain", { path: "/a//b" })).seen?.path).toBe("/a//b");
  expect((await world.ask("paths", "plain", { path: "/a%2Fb" })).seen?.path).toBe("/a/b");
});

test("certificates of clients", () => walkClientCertificates(world));

const aborting = (name: string, rest: string, status: number) => `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata: {name: ${name}, namespace: shop}
spec: {${rest}, faultInjection: {abort: {httpStatus: ${status}}}}
`;
const untilStatus = (status: number, route: string) =>
  waitFor(`status ${status} of ${route}`, async () => (await ask(route)).status === status, STEP_LIMIT_MS);
const target = (kind: string, name: string) =>
  `targetRefs: [{group: gateway.networking.k8s.io, kind: ${kind}, name: ${name}}]`;

test("a policy that comes, is edited, goes and comes again; kubectl shows what became of it", async () => {
  const row = async (name: string) => {
    const [heads = "", line = ""] = (await world.kubectl("get", "btp", name, "-n", "shop", "-o", "wide")).split("\n");
    return [heads.split(/ {2,}/), line.split(/ {2,}/)];
  };
  for (const status of [418, 419, 418]) {
    await world.apply(aborting("aborting", target("HTTPRoute", "edited"), status));
    await untilStatus(status, "edited");
    if (status !== 419) continue;
    await world.kubectl("delete", "btp", "aborting", "-n", "shop");
    await untilStatus(200, "edited");
  }
  const condition = '{.status.ancestors[0].conditions[?(@.type=="Accepted")].observedGeneration}';
  await world.kubectl("wait", "btp/aborting", "-n", "shop", `--for=jsonpath=${condition}=1`, "--timeout=30s");
  const [heads, line] = await row("aborting");
  expect(heads).toEqual(["NAME", "STATUS", "USED BY", "AGE", "TARGET", "OVERRIDDEN", "WARNING", "MESSAGE"]);
  expect(line?.slice(0, 3)).toEqual(["aborting", "Accepted", "public"]);
  expect(line?.[4]).toBe("edited");
  expect(await world.kubectl("describe", "btp", "aborting", "-n", "shop")).toMatch(
    /in effect for Gateway edge\/public/,
  );
  // The older one stays.
  await world.apply(aborting("second", target("HTTPRoute", "edited"), 420));
  await waitFor("the conflict", async () => (await row("second"))[1]?.[1] === "Conflicted", STEP_LIMIT_MS);
  expect((await row("second"))[1]?.at(-1)).toContain("aborting");
  expect((await ask("edited")).status).toBe(418);
  await world.kubectl("delete", "btp", "aborting", "-n", "shop");
  await untilStatus(420, "edited");
  await waitFor("the younger one", async () => (await row("second"))[1]?.[1] === "Accepted", STEP_LIMIT_MS);
  await world.kubectl("delete", "btp", "second", "-n", "shop");
  await untilStatus(200, "edited");
});

test("selectors take routes of other namespaces where a ReferenceGrant lets them", async () => {
  const selectors =
    "targetSelectors: [{kind: HTTPRoute, matchLabels: {app: chosen}, namespaces: {from: Selector, selector: {matchLabels: {team: green}}}}]";
  await world.apply(aborting("selecting", selectors, 418));
  const statusOf = async () =>
    JSON.parse(await world.kubectl("get", "btp", "selecting", "-n", "shop", "-o", "json")).status;
  // Whatever comes after it has come with it.
  await world.apply(aborting("after", target("HTTPRoute", "chosen"), 419));
  await untilStatus(419, "chosen");
  expect((await ask("chosen.garden")).status).toBe(200);
  expect((await statusOf())?.ancestors ?? []).toEqual([]);
  await world.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: policies, namespace: garden}
spec:
  from: [{group: gateway.envoyproxy.io, kind: BackendTrafficPolicy, namespace: shop}]
  to: [{group: gateway.networking.k8s.io, kind: HTTPRoute}]
`);
  await untilStatus(418, "chosen.garden");
  await waitFor("its status", async () => (await statusOf())?.ancestors?.length === 1, STEP_LIMIT_MS);
  expect((await ask("chosen")).status).toBe(419);
  await world.kubectl("label", "namespace", "garden", "team=red", "--overwrite");
  await untilStatus(200, "chosen.garden");
  await waitFor("no status", async () => ((await statusOf())?.ancestors ?? []).length === 0, STEP_LIMIT_MS);
  await world.kubectl("delete", "btp", "after", "selecting", "-n", "shop");
});
