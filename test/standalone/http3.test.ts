import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createAuthority } from "../harness/certificates.ts";
import { send } from "../harness/client.ts";
import { openHttp3, sendHttp3 } from "../harness/http3.ts";
import { gatewayYaml, joinDocuments, tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { openRawTlsConnection, type RawConnection, rawRequest } from "../harness/raw-connection.ts";
import { waitFor } from "../harness/waiting.ts";
import { toYaml } from "./traffic-world.ts";
import { backendYaml, createWorld, toBackend, type World } from "./world.ts";

/** HTTP/3 that ClientTrafficPolicies ask for, with the real Envoy and a client that speaks nothing else. */
let world: World;
let port: number;
const authority = createAuthority();

/** Listeners of the one port, and their hostnames; each has a route to the backend of its name, and a certificate of its own. */
const hostnames = { one: "one.test", wild: "*.wild.test", plain: "plain.wild.test" } as const;
type Name = keyof typeof hostnames;

beforeAll(async () => {
  world = await createWorld();
  port = await freePort();
  const documents: string[] = [];
  for (const name of Object.keys(hostnames) as Name[]) {
    const backend = await world.backend(name);
    const pair = authority.issue({ dnsNames: [hostnames[name]], keyType: name === "one" ? "rsa" : "ec" });
    world.files.writeAtomically(`secret-${name}.yaml`, tlsSecretYaml({ name, ...pair }));
    documents.push(
      backendYaml(name, backend.port),
      `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}}
spec: {parentRefs: [{name: web, sectionName: ${name}}], rules: [{backendRefs: [${toBackend(name)}]}]}`,
    );
  }
  world.files.writeAtomically("routes.yaml", joinDocuments(...documents));
  writeGateway();
  writePolicies(["one", "wild"]);
  await waitFor("HTTP/3", async () => (await ask("one.test")).status === 200);
}, 60_000);

afterAll(() => world.stop(), 30_000);

/** @param first listeners before the others; the first of a port gives its Envoy Listeners their names */
function writeGateway(...first: readonly string[]): void {
  const entries = (Object.keys(hostnames) as Name[]).map(
    (name) =>
      `{name: ${name}, protocol: HTTPS, port: ${port}, hostname: "${hostnames[name]}", tls: {certificateRefs: [{name: ${name}}]}}`,
  );
  const clear = `{name: clear, protocol: HTTP, port: ${world.port}}`;
  const listeners = `[${[...first, ...entries, clear].join()}]`;
  world.files.writeAtomically("gateway.yaml", gatewayYaml({ name: "web", listeners }));
}

/** All that a chain can have of a policy. */
const everything = {
  clientIPDetection: { xForwardedFor: { numTrustedHops: 1 } },
  connection: {
    connectionLimit: { value: 100, closeDelay: "1s", maxConnectionDuration: "1h", maxStreamDuration: "1m" },
  },
  grpc: { enableWeb: false },
  headers: {
    requestID: "Preserve",
    maxRequestHeaderLimit: "10Ki",
    lateResponseHeaders: { set: [{ name: "x-late", value: "yes" }] },
  },
  healthCheck: { path: "/well" },
  http1: { http10: {}, preserveHeaderCase: true, enableTrailers: true },
  http2: { maxConcurrentStreams: 5 },
  path: { escapedSlashesAction: "RejectRequest" },
  proxyProtocol: { optional: true },
  scheme: "MatchBackend",
  tcpKeepalive: { probes: 2 },
  tls: { alpnProtocols: ["h2"], ciphers: ["ECDHE-RSA-AES256-GCM-SHA384"], fingerprints: ["JA4"] },
  timeout: { http: { idleTimeout: "1m", requestReceivedTimeout: "10s" }, tcp: { tlsHandshakeTimeout: "5s" } },
};

/** HTTP/3 for listeners; of `one` with all else. */
function writePolicies(listeners: readonly Name[]): void {
  const policies = (Object.keys(hostnames) as Name[]).map((name) => ({
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "ClientTrafficPolicy",
    metadata: { name },
    spec: {
      targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "web", sectionName: name }],
      ...(listeners.includes(name) && { http3: {} }),
      ...(name === "one" && everything),
    },
  }));
  world.files.writeAtomically("policies.yaml", toYaml(policies));
}

const ask = (host: string, options: { path?: string; headers?: Record<string, string>; limitMs?: number } = {}) =>
  sendHttp3({ port, host, servername: host, authority: authority.certificate, ...options });
/** Nobody answers who has no certificate for the name. */
const isServed = (host: string) =>
  ask(host, { limitMs: 1_000 }).then(
    () => true,
    () => false,
  );
const overTcp = (host: string, headers: Record<string, string> = {}) =>
  send({ port, host, headers, http: "2", tls: { servername: host, authority: authority.certificate } });
const backendOf = ({ body }: { readonly body: string }) => (JSON.parse(body) as { backend: string }).backend;

test("each server name has its own listener, certificate and routes", async () => {
  expect(backendOf(await ask("one.test"))).toBe("one");
  expect(backendOf(await ask("a.wild.test"))).toBe("wild");
  expect(await isServed("nobody.test")).toBe(false);
});

test("what the policy says of requests counts over HTTP/3, too", async () => {
  expect((await ask("one.test", { path: "/a%2Fb" })).status).toBe(400);
  expect(await ask("one.test", { path: "/well" })).toMatchObject({ status: 200, body: "" });
  const { headers, body } = await ask("one.test", { headers: { "x-forwarded-for": "1.1.1.1" } });
  expect(headers).toMatchObject({ "x-late": "yes" });
  expect(JSON.parse(body)).toMatchObject({ headers: { "x-forwarded-proto": "https" } });
  await expect(ask("a.wild.test", { headers: { x_under: "1" } })).rejects.toThrow("stream reset");
});

test("a session can be resumed, and no request is taken before hands are shaken again", async () => {
  expect(new Set((await ask("a.wild.test")).tickets)).toEqual(new Set([0]));
});

test("answers over TCP tell of it, with the port that clients see; what a backend says of its own is replaced", async () => {
  const announced = `h3=":${port}"; ma=86400`;
  const own = { "x-behave": JSON.stringify({ headers: { "alt-svc": 'h3=":9"' } }) };
  expect((await overTcp("one.test")).headers["alt-svc"]).toBe(announced);
  expect((await overTcp("one.test", own)).headers["alt-svc"]).toBe(announced);
  expect((await overTcp("plain.wild.test")).headers["alt-svc"]).toBeUndefined();
  expect((await world.send({ host: "one.test" })).headers["alt-svc"]).toBeUndefined();
});

test("the host of a listener without HTTP/3 is misdirected on a connection of a broader one", async () => {
  const connection = await openHttp3({ port, servername: "a.wild.test", authority: authority.certificate });
  expect((await connection.ask({ host: "plain.wild.test" })).status).toBe(421);
  expect(backendOf(await connection.ask({ host: "b.wild.test" }))).toBe("wild");
  connection.close();
});

test("HTTP/3 comes and goes, and connections of TCP and of other listeners stay", async () => {
  const { connection: tcp } = await openRawTlsConnection(port, "plain.wild.test");
  const quic = await openHttp3({ port, servername: "one.test", authority: authority.certificate });
  const stays = async () => {
    expect(await askRaw(tcp, "plain.wild.test")).toBe(200);
    expect(backendOf(await quic.ask({ host: "one.test" }))).toBe("one");
  };
  await stays();
  writePolicies(["one", "wild", "plain"]);
  await waitFor("HTTP/3 of one more", async () => backendOf(await ask("plain.wild.test")) === "plain");
  expect((await overTcp("plain.wild.test")).headers["alt-svc"]).toBe(`h3=":${port}"; ma=86400`);
  await stays();
  writePolicies(["one"]);
  await waitFor("HTTP/3 to be gone", async () => !(await isServed("plain.wild.test")));
  await stays();
  writePolicies([]);
  await waitFor("all of it to be gone", async () => !(await isServed("one.test")));
  expect(await askRaw(tcp, "plain.wild.test")).toBe(200);
  quic.close();
  tcp.destroy();
});

test("the example of the documentation serves all HTTPS listeners so, and leaves plain HTTP as it is", async () => {
  const page = readFileSync(new URL("../../docs/policies/clienttrafficpolicy.md", import.meta.url), "utf8");
  const example = /## HTTP\/3[\s\S]*?```yaml\n([\s\S]*?)```/.exec(page)?.[1];
  world.files.writeAtomically("policies.yaml", example ?? "");
  for (const host of ["one.test", "a.wild.test", "plain.wild.test"]) {
    await waitFor(`HTTP/3 of ${host}`, async () => (await ask(host, { limitMs: 2_000 })).status === 200);
  }
  expect((await world.send({ host: "one.test" })).status).toBe(404);
  expect(await world.gatehouse().statusText()).not.toContain("Warning");
});

test("a renewed certificate is shown, and the connections there are stay", async () => {
  const connection = await openHttp3({ port, servername: "a.wild.test", authority: authority.certificate });
  const successor = createAuthority();
  const pair = successor.issue({ dnsNames: [hostnames.wild] });
  world.files.writeAtomically("secret-wild.yaml", tlsSecretYaml({ name: "wild", ...pair }));
  const server = { port, servername: "a.wild.test", host: "a.wild.test", authority: successor.certificate };
  await waitFor("the new one", async () => backendOf(await sendHttp3(server)) === "wild");
  expect(backendOf(await connection.ask({ host: "b.wild.test" }))).toBe("wild");
  connection.close();
});

test("Listeners of other names take the port over, of TCP and of UDP", async () => {
  writeGateway(
    `{name: zero, protocol: HTTPS, port: ${port}, hostname: zero.test, tls: {certificateRefs: [{name: one}]}}`,
  );
  const zero = { servername: "zero.test" };
  await waitFor("the new one", async () => (await send({ port, host: "zero.test", tls: zero })).status === 404);
  await waitFor("HTTP/3", async () => (await sendHttp3({ port, host: "zero.test", ...zero })).status === 404);
  expect(backendOf(await ask("one.test"))).toBe("one");
  expect(backendOf(await overTcp("one.test"))).toBe("one");
});

function askRaw(connection: RawConnection, host: string): Promise<number | string> {
  return new Promise((resolve) => {
    connection.send(rawRequest(host, "/"), (answer) => resolve(typeof answer === "string" ? answer : answer.status));
  });
}
