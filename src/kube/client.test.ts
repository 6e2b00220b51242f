import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "@jest/globals";
import { KubeConfig } from "@kubernetes/client-node";
import { createKubeClient, type KubeClient, type KubeClientOptions } from "./client.ts";
import type { ResourceType } from "./resource-type.ts";

/*
 * What a real API server does is tested in test/kube. Here a server of a few lines gives answers that a real one gives only on
 * bad days.
 */

const gateways: ResourceType = {
  group: "gateway.networking.k8s.io",
  version: "v1",
  kind: "Gateway",
  plural: "gateways",
  namespaced: true,
};
const web = { namespace: "prod", name: "web" };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function startServer(handle: Handler): Promise<string> {
  const server: Server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function connect(server: string, options: Partial<KubeClientOptions> = {}, tokenFile?: string): KubeClient {
  const config = new KubeConfig();
  const authProvider = { name: "tokenFile", config: { tokenFile } };
  config.loadFromClusterAndUser(
    { name: "test", server, skipTLSVerify: true },
    { name: "test", ...(tokenFile && { authProvider }) },
  );
  const client = createKubeClient({ config, ...options });
  closers.push(() => client.close());
  return client;
}

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Handler {
  return (_request, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };
}

test.each([
  [404, "NotFound", "NotFound"],
  [409, "AlreadyExists", "AlreadyExists"],
  [409, "Conflict", "Conflict"],
  [403, "Forbidden", "Forbidden"],
  [410, "Expired", "Expired"],
  [422, "Invalid", "Invalid"],
  [500, "InternalError", "Unavailable"],
])("status %i with reason %s is %s", async (code, serverReason, reason) => {
  const status = { kind: "Status", message: "so it is", reason: serverReason, code };
  const client = connect(await startServer(answer(code, status)));
  expect(await client.get(gateways, web)).toEqual({
    ok: false,
    error: {
      reason,
      status: code,
      subject: "get Gateway prod/web",
      message: `cannot get Gateway prod/web: so it is (status ${code})`,
      causes: [],
    },
  });
});

test("an answer that is no JSON is told as it is", async () => {
  const client = connect(await startServer((_request, response) => response.writeHead(502).end("bad gateway\n")));
  expect(await client.get(gateways, web)).toMatchObject({
    error: { reason: "Unavailable", message: "cannot get Gateway prod/web: bad gateway (status 502)" },
  });
});

test("429 says how long to wait, but not for ever", async () => {
  let wait = "7";
  const client = connect(
    await startServer((_request, response) => answer(429, {}, { "retry-after": wait })(_request, response)),
  );
  expect(await client.get(gateways, web)).toMatchObject({
    error: { reason: "TooManyRequests", retryAfterMilliseconds: 7000 },
  });
  wait = "99999";
  expect(await client.get(gateways, web)).toMatchObject({ error: { retryAfterMilliseconds: 300_000 } });
});

test("conflicts of field managers name the fields", async () => {
  const causes = [{ reason: "FieldManagerConflict", field: ".spec.replicas", message: 'conflict with "hpa"' }];
  const client = connect(await startServer(answer(409, { kind: "Status", reason: "Conflict", details: { causes } })));
  const object = { apiVersion: "gateway.networking.k8s.io/v1", kind: "Gateway", metadata: web };
  expect(await client.serverSideApply(gateways, object, { fieldManager: "x", force: false })).toMatchObject({
    error: { reason: "Conflict", causes },
  });
});

test("a refused token is read again at once, and a second refusal is an error", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-token-"));
  closers.push(() => rm(folder, { recursive: true }));
  const file = join(folder, "token");
  let valid = "one";
  const server = await startServer((request, response) => {
    const accepted = request.headers.authorization === `Bearer ${valid}`;
    answer(accepted ? 200 : 401, accepted ? { kind: "Gateway" } : {})(request, response);
  });
  await writeFile(file, "one\n");
  const client = connect(server, {}, file);
  expect((await client.get(gateways, web)).ok).toBe(true);
  valid = "two";
  expect(await client.get(gateways, web)).toMatchObject({ error: { reason: "Unauthorized", status: 401 } });
  await writeFile(file, "two\n");
  expect((await client.get(gateways, web)).ok).toBe(true);
});

test("silence, a reset, a refused connection and a caller who gives up are errors of their own", async () => {
  const silent = connect(await startServer(() => {}));
  expect(await silent.get(gateways, web, { timeoutMilliseconds: 50 })).toMatchObject({ error: { reason: "Timeout" } });
  const giveUp = new AbortController();
  const given = silent.get(gateways, web, { signal: giveUp.signal });
  setTimeout(() => giveUp.abort(), 20);
  expect(await given).toMatchObject({ error: { reason: "Aborted" } });
  const resetting = connect(await startServer((request) => request.socket.resetAndDestroy()));
  expect(await resetting.get(gateways, web)).toMatchObject({ error: { reason: "Unavailable", status: 0 } });
  const absent = connect("http://127.0.0.1:1");
  expect(await absent.get(gateways, web)).toMatchObject({ error: { reason: "Unavailable" } });
});

test("an answer that is no list does not read as an empty list", async () => {
  const client = connect(await startServer(answer(200, { hello: "captive portal" })));
  expect(await client.list(gateways)).toMatchObject({ error: { reason: "Unavailable" } });
});

test("a list that expires between its pages is begun again, its items complete and once each", async () => {
  let calls = 0;
  const item = (name: string) => ({ metadata: { name } });
  const server = await startServer((request, response) => {
    calls++;
    const token = new URL(request.url ?? "", "http://x").searchParams.get("continue");
    if (token === null) {
      answer(200, { metadata: { resourceVersion: "5", continue: "next" }, items: [item("a")] })(request, response);
    } else if (calls < 3) answer(410, { kind: "Status", reason: "Expired", code: 410 })(request, response);
    else answer(200, { metadata: { resourceVersion: "5" }, items: [item("b")] })(request, response);
  });
  const all = await connect(server).list(gateways);
  expect(all.ok && all.value.map((object) => [object.kind, object.metadata.name])).toEqual([
    ["Gateway", "a"],
    ["Gateway", "b"],
  ]);
});

test("calls are held to rate and connections; urgent ones pass", async () => {
  let open = 0;
  let most = 0;
  const server = await startServer((request, response) => {
    most = Math.max(most, ++open);
    setTimeout(() => {
      open--;
      answer(200, {})(request, response);
    }, 20);
  });
  const client = connect(server, { rate: { queriesPerSecond: 50, burst: 10 }, connectionsMax: 3 });
  const begin = performance.now();
  const calls = Array.from({ length: 30 }, () => client.get(gateways, web));
  await client.get(gateways, web, { urgent: true });
  const urgentMs = performance.now() - begin;
  expect((await Promise.all(calls)).every((call) => call.ok)).toBe(true);
  // 10 go at once, 20 wait for a turn of 20 ms each.
  expect(performance.now() - begin).toBeGreaterThan(380);
  expect(urgentMs).toBeLessThan(380);
  expect(most).toBeLessThanOrEqual(3);
});
