import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import type { KubeClient } from "../../src/kube/client.ts";
import type { KubeObject, ResourceType } from "../../src/kube/resource-type.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { waitFor } from "../harness/waiting.ts";
import { installCrds } from "./gateway-api.ts";
import { configMap, connectTo } from "./input-world.ts";
import { gateway } from "./objects.ts";

// A machine that does other things as well takes its time.
jest.setTimeout(60_000);

const configMaps: ResourceType = {
  group: "",
  version: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  namespaced: true,
};
const gateways: ResourceType = {
  group: "gateway.networking.k8s.io",
  version: "v1",
  kind: "Gateway",
  plural: "gateways",
  namespaced: true,
};
const ours = { fieldManager: "ours", force: false };

let server: ApiServer;
let client: KubeClient;
let stranger: KubeClient;

beforeAll(async () => {
  server = await startApiServer({ users: [{ name: "stranger", token: "stranger-token", groups: [] }] });
  await installCrds(server, "standard");
  const access = { url: server.url, caCertificate: server.caCertificate };
  client = connectTo({ ...access, token: server.adminToken });
  stranger = connectTo({ ...access, token: "stranger-token" });
}, 180_000);
afterAll(async () => {
  await client?.close();
  await stranger?.close();
  await server?.stop();
});

const target = (name: string) => ({ namespace: "default", name });
const asGateway = (name: string) => gateway(name) as KubeObject & { readonly spec: object };
const status = (message: string) => ({
  conditions: [
    { type: "Accepted", status: "True", reason: "Accepted", message, lastTransitionTime: "2026-01-01T00:00:00Z" },
  ],
});

test("applying merges by manager, and another's field is a conflict that names it", async () => {
  const first = await client.serverSideApply(configMaps, configMap("applied", "1"), ours);
  expect(first).toMatchObject({ ok: true, value: { kind: "ConfigMap", data: { value: "1" } } });
  const theirs = { ...ours, fieldManager: "theirs" };
  expect(await client.serverSideApply(configMaps, configMap("applied", "2"), theirs)).toMatchObject({
    error: {
      reason: "Conflict",
      status: 409,
      subject: "apply ConfigMap default/applied",
      causes: [{ reason: "FieldManagerConflict", field: ".data.value", message: 'conflict with "ours"' }],
    },
  });
  const forced = await client.serverSideApply(configMaps, configMap("applied", "2"), { ...theirs, force: true });
  expect(forced).toMatchObject({ value: { data: { value: "2" } } });
});

test("a status is applied or replaced apart from the object, and never creates one", async () => {
  const { metadata, ...rest } = asGateway("statused");
  expect(await client.applyStatus(gateways, { ...asGateway("nobody"), status: status("x") }, ours)).toMatchObject({
    error: { reason: "NotFound" },
  });
  await client.create(gateways, { metadata, ...rest });
  const { apiVersion, kind } = rest;
  const applied = await client.applyStatus(gateways, { apiVersion, kind, metadata, status: status("applied") }, ours);
  // Conditions are a map by type, and the CRD gives a new Gateway one of another type.
  const conditions = expect.arrayContaining(status("applied").conditions);
  expect(applied).toMatchObject({ value: { status: { conditions }, metadata: { generation: 1 } } });
  if (!applied.ok) throw new Error(applied.error.message);
  const fresh = applied.value as KubeObject & { readonly status: object };
  const replaced = await client.replaceStatus(gateways, { ...fresh, status: status("replaced") });
  expect(replaced).toMatchObject({ value: { status: status("replaced") } });
  // The version that was read is out of date now.
  expect(await client.replaceStatus(gateways, { ...fresh, status: status("late") })).toMatchObject({
    error: { reason: "Conflict", status: 409, subject: "replace status of Gateway default/statused", causes: [] },
  });
});

test("an object that the server refuses says which field is wrong", async () => {
  const bad = asGateway("bad");
  expect(await client.create(gateways, { ...bad, spec: { ...bad.spec, listeners: [] } })).toMatchObject({
    error: { reason: "Invalid", status: 422, causes: [{ reason: "FieldValueInvalid", field: "spec.listeners" }] },
  });
});

test("creating what exists, and patching in both ways", async () => {
  await client.create(configMaps, configMap("patched", "1"));
  expect(await client.create(configMaps, configMap("patched", "1"))).toMatchObject({
    error: { reason: "AlreadyExists" },
  });
  const merged = await client.patch(configMaps, target("patched"), { data: { more: "yes" } }, { kind: "merge" });
  expect(merged).toMatchObject({ value: { data: { value: "1", more: "yes" } } });
  const operations = [
    { op: "test", path: "/data/value", value: "1" },
    { op: "remove", path: "/data/more" },
  ];
  const patched = await client.patch(configMaps, target("patched"), operations, { kind: "json" });
  expect(patched).toMatchObject({ value: { data: { value: "1" } } });
  const stale = [{ op: "test", path: "/data/value", value: "2" }];
  expect(await client.patch(configMaps, target("patched"), stale, { kind: "json" })).toMatchObject({ ok: false });
});

test("deleting: only the very object that was meant, and finalizers hold it", async () => {
  const created = await client.create(configMaps, {
    ...configMap("deleted", "1"),
    metadata: { ...target("deleted"), finalizers: ["example.com/hold"] },
  });
  if (!created.ok) throw new Error(created.error.message);
  const { uid } = created.value.metadata;
  const another = { preconditions: { uid: "11111111-1111-1111-1111-111111111111" } };
  expect(await client.delete(configMaps, target("deleted"), another)).toMatchObject({ error: { reason: "Conflict" } });
  expect(await client.delete(configMaps, target("deleted"), { preconditions: { uid } })).toEqual({
    ok: true,
    value: "terminating",
  });
  await client.patch(configMaps, target("deleted"), { metadata: { finalizers: null } }, { kind: "merge" });
  expect(await client.get(configMaps, target("deleted"))).toMatchObject({ error: { reason: "NotFound", status: 404 } });
  expect(await client.delete(configMaps, target("deleted"))).toMatchObject({ error: { reason: "NotFound" } });
  await client.create(configMaps, configMap("deleted", "2"));
  expect(await client.delete(configMaps, target("deleted"))).toEqual({ ok: true, value: "deleted" });
});

test("a list has all pages, each object with its kind; a type without CRD is not found", async () => {
  const count = 7;
  for (let i = 0; i < count; i++) {
    const object = configMap(`listed-${i}`, "1");
    await client.create(configMaps, { ...object, metadata: { ...object.metadata, labels: { listed: "yes" } } });
  }
  const names: string[] = [];
  let next: string | undefined;
  let pages = 0;
  do {
    const page = await client.listPage(configMaps, {
      namespace: "default",
      labelSelector: "listed=yes",
      limit: 3,
      continue: next,
    });
    if (!page.ok) throw new Error(page.error.message);
    names.push(...page.value.items.map(({ kind, metadata }) => `${kind} ${metadata.name}`));
    next = page.value.continue;
    pages++;
  } while (next !== undefined);
  expect(pages).toBe(3);
  expect(names).toEqual(Array.from({ length: count }, (_, i) => `ConfigMap listed-${i}`));
  const all = await client.list(configMaps, { labelSelector: "listed=yes" });
  expect(all.ok && all.value.length).toBe(count);
  const absent = { ...gateways, group: "example.com", plural: "things" };
  expect(await client.list(absent)).toMatchObject({ error: { reason: "NotFound" } });
});

test("what one may not do is told with who and what", async () => {
  expect(await stranger.get(configMaps, target("applied"))).toMatchObject({
    error: {
      reason: "Forbidden",
      status: 403,
      message: expect.stringMatching(
        /cannot get ConfigMap default\/applied: .*"stranger" cannot get resource "configmaps"/,
      ),
    },
  });
  // Which kinds are served is not a secret; the operator needs no right for it.
  const served = await stranger.discovery();
  expect(served.ok).toBe(true);
  // Asked again, the server says that nothing has changed.
  expect((await stranger.discovery()) as object).toEqual({ ok: true, value: served.ok && served.value });
  expect(stranger.counters.calls.get("GET 304")).toBe(2);
  if (!served.ok) return;
  expect(served.value.versions("gateway.networking.k8s.io", "HTTPRoute")).toEqual(["v1", "v1beta1"]);
  expect(served.value.versions("", "Service")).toEqual(["v1"]);
  expect(served.value.versions("gateway.networking.k8s.io", "Nothing")).toEqual([]);
});

test("a deleted namespace says so when something is to be created there", async () => {
  const namespaces: ResourceType = {
    group: "",
    version: "v1",
    kind: "Namespace",
    plural: "namespaces",
    namespaced: false,
  };
  const created = await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "going" } });
  expect(created.ok).toBe(true);
  // Without controllers nothing ends it.
  expect(await client.delete(namespaces, { name: "going" })).toEqual({ ok: true, value: "terminating" });
  const late = await waitFor("a refusal", async () => {
    const answer = await client.create(configMaps, configMap(`late-${Date.now()}`, "1", "going"));
    return !answer.ok && answer.error;
  });
  expect(late).toMatchObject({ reason: "Forbidden", causes: [{ reason: "NamespaceTerminating" }] });
});

test("the server's certificate is checked", async () => {
  const blind = connectTo({ url: server.url, token: server.adminToken });
  expect(await blind.get(configMaps, target("applied"))).toMatchObject({
    error: { reason: "Unavailable", message: expect.stringMatching(/certificate/) },
  });
  await blind.close();
});

test("a change of one object is one line of a watch", async () => {
  const listed = await client.listPage(configMaps, { namespace: "default", limit: 1 });
  if (!listed.ok) throw new Error(listed.error.message);
  const ending = new AbortController();
  const { resourceVersion } = listed.value;
  const query = { namespace: "default", resourceVersion, timeoutSeconds: 60 };
  const opened = await client.openWatch(configMaps, query, { signal: ending.signal });
  if (!opened.ok) throw new Error(opened.error.message);
  let text = "";
  opened.value.on("data", (chunk: Buffer) => {
    text += chunk;
  });
  opened.value.on("error", () => {});
  await client.create(configMaps, configMap("watched", "1"));
  await waitFor("the event", () => text.includes('"name":"watched"'));
  expect(text.trim().split("\n")).toHaveLength(1);
  ending.abort();
  await waitFor("the stream to end", () => opened.value.destroyed);
});
