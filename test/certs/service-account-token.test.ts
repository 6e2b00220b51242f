import { status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { serverName, serverSubject } from "../../src/certs/identity.ts";
import { issueAuthority, issueLeaf, type KeyPair } from "../../src/certs/issue.ts";
import { authorizeByToken } from "../../src/certs/service-account-token.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { createResourceStore } from "../../src/xds/resource-store.ts";
import { createXdsServer, type XdsServer } from "../../src/xds/server.ts";
import type { Refusal } from "../../src/xds/stream.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { connectTo } from "../kube/input-world.ts";
import { createNamespace, service } from "./installation.ts";
import { createPodFolders, startSecuredEnvoy } from "./secured-envoy.ts";
import { attemptStream, type XdsAttempt } from "./xds-client.ts";

const AUDIENCE = serverName(service("gatehouse-system"));
const HOUR_MS = 3_600_000;
const [web, shop] = ["tenant/web", "other/web"];

let api: ApiServer;
let client: KubeClient;
let authority: KeyPair;
let server: XdsServer;
let address: string;
let now: number;
let reviews = 0;
const refusals: Refusal[] = [];
/** Tokens that streams showed, in order. */
const shown: string[] = [];
const attempts: XdsAttempt[] = [];

beforeAll(async () => {
  api = await startApiServer();
  client = connectTo({ url: api.url, token: api.adminToken, caCertificate: api.caCertificate });
  authority = await issueAuthority("authority", { notBefore: Date.now() - HOUR_MS, notAfter: Date.now() + HOUR_MS });
  for (const gateway of [web, shop]) {
    const [namespace = ""] = gateway.split("/");
    await createNamespace(api, namespace);
    for (const account of ["web", "somebody"]) {
      await post(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: account } });
    }
  }
}, 120_000);
afterAll(async () => {
  await client?.close();
  await api?.stop();
});

beforeEach(async () => {
  now = Date.now();
  reviews = 0;
  refusals.length = 0;
  shown.length = 0;
  await startServer("127.0.0.1:0");
});
afterEach(async () => {
  for (const made of attempts.splice(0)) made.close();
  await server.close({ graceMilliseconds: 100 });
});

async function startServer(at: string): Promise<void> {
  const store = createResourceStore();
  store.publish([]);
  const counting: Pick<KubeClient, "create"> = {
    create(...call) {
      reviews++;
      return client.create(...call);
    },
  };
  const authorize = authorizeByToken({
    client: counting,
    audience: AUDIENCE,
    serviceAccountOf: (gateway) => ([web, shop].includes(gateway) ? "web" : undefined),
    now: () => now,
  });
  server = createXdsServer({
    store,
    tls: { clientCertificates: false },
    authorize(call, node) {
      shown.push(String(call.metadata.get("authorization")[0]).replace("Bearer ", ""));
      return authorize(call, node);
    },
    onDenial: (refusal) => refusals.push(refusal),
    onAcknowledgement() {},
    onConnection() {},
  });
  address = await server.listen(at);
  const validity = { notBefore: Date.now() - HOUR_MS, notAfter: Date.now() + HOUR_MS };
  const pair = await issueLeaf(authority, serverSubject(service("gatehouse-system"), "cluster.local"), validity);
  server.setCertificates({ ...pair, authorities: authority.certificate });
}

function post<T>(path: string, body: object): Promise<T> {
  return api.rest.json<T>(path, { method: "POST", body });
}

const pods = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;

async function createPod(namespace: string, name: string, account = "web"): Promise<string> {
  const spec = { serviceAccountName: account, containers: [{ name: "envoy", image: "envoy" }] };
  const { metadata } = await post<{ metadata: { uid: string } }>(pods(namespace), { metadata: { name }, spec });
  return metadata.uid;
}

async function deletePod(namespace: string, name: string): Promise<void> {
  await api.rest.json(`${pods(namespace)}/${name}?gracePeriodSeconds=0`, { method: "DELETE" });
}

interface TokenOptions {
  readonly account?: string;
  readonly audience?: string;
  /** Default: a new one. Null: bound to no pod. */
  readonly pod?: { readonly name: string; readonly uid: string } | null;
}

let made = 0;

/** A token as kubelet mounts it. */
async function requestToken(namespace: string, options: TokenOptions = {}): Promise<{ token: string; pod: string }> {
  const { account = "web", audience = AUDIENCE } = options;
  const name = `pod-${++made}`;
  const pod = options.pod === undefined ? { name, uid: await createPod(namespace, name, account) } : options.pod;
  const spec = {
    audiences: [audience],
    expirationSeconds: 3600,
    ...(pod && { boundObjectRef: { kind: "Pod", apiVersion: "v1", ...pod } }),
  };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
  const answer = await post<{ status: { token: string } }>(path, { spec });
  return { token: answer.status.token, pod: pod?.name ?? "" };
}

function attempt(gateway: string, pod: string, bearerToken?: string): XdsAttempt {
  const node = { id: pod, cluster: gateway };
  const authorities = authority.certificate;
  const opened = attemptStream({
    address,
    authorities,
    serverName: AUDIENCE,
    node,
    ...(bearerToken && { bearerToken }),
  });
  attempts.push(opened);
  return opened;
}

const served = (opened: XdsAttempt) => waitFor("a response", () => opened.responses() > 0);
const refused = (opened: XdsAttempt) => waitFor("a refusal", () => opened.error());

test("the token of a gateway's pod opens its stream, and is looked at once for many", async () => {
  const { token, pod } = await requestToken("tenant");
  const opened = Array.from({ length: 20 }, () => attempt(web, pod, token));
  for (const each of opened) await served(each);
  expect(reviews).toBe(1);
  expect(server.counters).toMatchObject({ streams: 20, denials: 0 });
});

describe("refused with PERMISSION_DENIED", () => {
  const cases: [string, () => Promise<{ token?: string; pod: string }>, string, RegExp][] = [
    ["no token", async () => ({ pod: "x" }), web, /no bearer token/],
    ["something else than a token", async () => ({ token: "abc", pod: "x" }), web, /no bearer token/],
    ["a token for somebody else", () => requestToken("tenant", { audience: "vault" }), web, /not a valid one for/],
    ["another ServiceAccount of the namespace", () => requestToken("tenant", { account: "somebody" }), web, /somebody/],
    ["the same name in another namespace", () => requestToken("other"), web, /serviceaccount:other:web/],
    [
      "another pod's name",
      async () => ({ ...(await requestToken("tenant")), pod: "pod-of-another" }),
      web,
      /bound to pod/,
    ],
    ["a token without a pod", () => requestToken("tenant", { pod: null }), web, /bound to pod ""/],
    ["no gateway that there is", () => requestToken("tenant"), "tenant/unknown", /names no gateway/],
    ["no gateway at all", () => requestToken("tenant"), "", /names no gateway/],
    ["a class, which has no namespace", () => requestToken("tenant"), "web", /names no gateway/],
  ];
  test.each(cases)("%s", async (_name, credentials, claimed, why) => {
    const { token, pod } = await credentials();
    const { code, details } = await refused(attempt(claimed, pod, token));
    expect(code).toBe(status.PERMISSION_DENIED);
    expect(details).toMatch(why);
    expect(refusals).toEqual([{ peer: expect.any(String), why: details, node: { id: pod, cluster: claimed } }]);
    if (token !== undefined) expect(JSON.stringify(refusals)).not.toContain(token);
  });

  test("a forged token", async () => {
    const { token, pod } = await requestToken("tenant");
    const [head = "", body = "", signature = ""] = token.split(".");
    const claims = JSON.parse(Buffer.from(body, "base64url").toString());
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: "system:serviceaccount:other:web" })).toString(
      "base64url",
    );
    const { code, details } = await refused(attempt(web, pod, [head, forged, signature].join(".")));
    expect([code, details]).toEqual([status.PERMISSION_DENIED, "the API server does not accept the token"]);
  });
});

test("a token dies with its pod, and with its time", async () => {
  const { token, pod } = await requestToken("tenant");
  await served(attempt(web, pod, token));
  await deletePod("tenant", pod);
  now += 61_000;
  // The API server itself remembers a token for ten seconds.
  await waitFor("the token to be worth nothing", async () => {
    now += 61_000;
    await pause(1000);
    const opened = attempt(web, pod, token);
    await Promise.race([served(opened), refused(opened)]);
    return opened.error()?.details === "the API server does not accept the token";
  });
  const other = await requestToken("tenant");
  now += 2 * HOUR_MS;
  reviews = 0;
  expect((await refused(attempt(web, other.pod, other.token))).details).toMatch(/not a valid one/);
  expect(reviews).toBe(0);
}, 30_000);

test("while the API server is away a known token is good for a minute, an unknown one may come again", async () => {
  const [known, unknown] = [await requestToken("tenant"), await requestToken("tenant")];
  await served(attempt(web, known.pod, known.token));
  await api.down();
  await served(attempt(web, known.pod, known.token));
  const { code } = await refused(attempt(web, unknown.pod, unknown.token));
  expect(code).toBe(status.UNAVAILABLE);
  expect(refusals).toEqual([]);
  await api.up();
  await served(attempt(web, unknown.pod, unknown.token));
}, 60_000);

test("Envoy sends the token that is mounted at the moment, and knows the server by its name", async () => {
  const folders = createPodFolders(AUDIENCE, true);
  folders.mount("certificates", { "ca.crt": authority.certificate });
  const uid = await createPod("tenant", "envoy-1");
  const pod = { name: "envoy-1", uid };
  const first = await requestToken("tenant", { pod });
  folders.mount("token", { token: first.token });
  const envoy = await startSecuredEnvoy({ gateway: web, nodeId: "envoy-1", address, tls: folders.tls });
  try {
    await waitFor("Envoy's stream", () => server.counters.streams === 1);
    await server.close({ graceMilliseconds: 0 });
    // The same pod with a fresh token, as kubelet renews it; the old one is of no use any more.
    await deletePod("tenant", "envoy-1");
    const renewed = await requestToken("tenant", {
      pod: { name: "envoy-1", uid: await createPod("tenant", "envoy-1") },
    });
    folders.mount("token", { token: renewed.token });
    await startServer(address);
    await waitFor("Envoy's new stream", () => server.counters.streams === 1);
    expect([shown[0], shown.at(-1)]).toEqual([first.token, renewed.token]);
    expect(await envoy.admin("/config_dump")).not.toContain(renewed.token);
  } finally {
    await envoy.stop();
    folders.remove();
  }
}, 60_000);
