import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createAuthority } from "../harness/certificates.ts";
import { backendYaml, joinDocuments, tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";
import { exchangeBytes } from "./exchange-bytes.ts";
import { type StreamBackend, startStreamBackend } from "./stream-backends.ts";
import { toYaml } from "./traffic-world.ts";
import { createWorld, type World } from "./world.ts";

/**
 * What ClientTrafficPolicies say of old HTTP and of connections, with the real Envoy: each listener has a port, and mostly a policy, of its
 * own.
 */

type Content = Readonly<Record<string, unknown>>;

const HOST = "old.traffic.test";
const https = { protocol: "HTTPS", tls: { certificateRefs: [{ name: "pair" }] } };

/** Listeners, and what the policy of each says; undefined: it has none. */
const listeners: Readonly<Record<string, { readonly listener: Content; readonly spec?: Content }>> = {
  http10: { listener: { protocol: "HTTP" }, spec: { http1: { http10: {} } } },
  "default-host": {
    listener: { protocol: "HTTP", hostname: HOST },
    spec: { http1: { http10: { useDefaultHost: true } } },
  },
  "keeps-case": { listener: { protocol: "HTTP" }, spec: { http1: { preserveHeaderCase: true } } },
  "lower-case": { listener: { protocol: "HTTP" } },
  idle: { listener: { protocol: "TCP" }, spec: { timeout: { tcp: { idleTimeout: "300ms" } } } },
  handshake: { listener: https, spec: { timeout: { tcp: { tlsHandshakeTimeout: "300ms" } } } },
  "handshake-streams": {
    listener: { ...https, protocol: "TLS" },
    spec: { timeout: { tcp: { tlsHandshakeTimeout: "300ms" } } },
  },
};

const ports: Record<string, number> = {};
let world: World;
let streams: StreamBackend;
/** Answers with the names of the request's headers, as they came. */
const cased = createHttpServer(({ rawHeaders }, response) => {
  response.writeHead(200, { "X-From-Backend": "1", connection: "close" }).end(rawHeaders.join(" "));
});

const group = "gateway.networking.k8s.io";

function route(kind: string, name: string, sections: readonly string[], backend: string, spec: Content = {}): object {
  return {
    apiVersion: `${group}/${kind === "HTTPRoute" ? "v1" : "v1alpha2"}`,
    kind,
    metadata: { name },
    spec: {
      parentRefs: sections.map((sectionName) => ({ name: "clients", sectionName })),
      ...spec,
      rules: [{ backendRefs: [{ group: "gateway.envoyproxy.io", kind: "Backend", name: backend }] }],
    },
  };
}

beforeAll(async () => {
  world = await createWorld();
  streams = await startStreamBackend("greeting");
  await new Promise<void>((done) => cased.listen(0, "127.0.0.1", done));
  for (const name of Object.keys(listeners)) ports[name] = await freePort();
  const pair = createAuthority().issue({ dnsNames: [HOST], commonName: "clients" });
  const gateway = {
    apiVersion: `${group}/v1`,
    kind: "Gateway",
    metadata: { name: "clients" },
    spec: {
      gatewayClassName: "gatehouse",
      listeners: Object.entries(listeners).map(([name, { listener }]) => ({ name, port: ports[name], ...listener })),
    },
  };
  const policies = Object.entries(listeners).flatMap(([name, { spec }]) =>
    spec === undefined
      ? []
      : {
          apiVersion: "gateway.envoyproxy.io/v1alpha1",
          kind: "ClientTrafficPolicy",
          metadata: { name },
          spec: { targetRefs: [{ group, kind: "Gateway", name: "clients", sectionName: name }], ...spec },
        },
  );
  const { port: app } = await world.backend("app");
  world.files.writeAtomically(
    "clients.yaml",
    joinDocuments(
      tlsSecretYaml({ name: "pair", ...pair }),
      backendYaml({ name: "app", port: app }),
      backendYaml({ name: "cased", port: (cased.address() as AddressInfo).port }),
      backendYaml({ name: "greeting", port: streams.port }),
      toYaml([
        gateway,
        ...policies,
        route("HTTPRoute", "app", ["http10", "default-host", "handshake"], "app", { hostnames: [HOST] }),
        route("HTTPRoute", "cased", ["keeps-case", "lower-case"], "cased", { hostnames: [HOST] }),
        route("TCPRoute", "idle", ["idle"], "greeting"),
        route("TLSRoute", "handshake", ["handshake-streams"], "greeting", { hostnames: [HOST] }),
      ]),
    ),
  );
  const served = (port: number, options: Content = {}) =>
    world.until({ port, host: HOST, ...options }, ({ status }) => status === 200);
  await served(portOf("lower-case"));
  await served(portOf("keeps-case"));
  await served(portOf("handshake"), { tls: { servername: HOST } });
  await waitFor("a greeting", () => exchangeBytes(portOf("idle"), "").then((text) => text === "greeting\n"));
}, 60_000);

afterAll(async () => {
  cased.close();
  await streams?.stop();
  await world?.stop();
}, 30_000);

function portOf(name: string): number {
  return ports[name] as number;
}

test("http1.http10: what names a host is served, and what names none is refused", async () => {
  expect(await exchangeBytes(portOf("http10"), `GET / HTTP/1.0\r\nhost: ${HOST}\r\n\r\n`)).toMatch(/^HTTP\/1\.\d 200/);
  expect(await exchangeBytes(portOf("http10"), "GET / HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.\d 40[04]/);
  expect(await exchangeBytes(portOf("lower-case"), `GET / HTTP/1.0\r\nhost: ${HOST}\r\n\r\n`)).toMatch(/ 426 /);
});

test("http1.http10.useDefaultHost: the listener's hostname is taken", async () => {
  const answer = await exchangeBytes(portOf("default-host"), "GET / HTTP/1.0\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1\.\d 200/);
  expect(answer).toContain(`"host":"${HOST}"`);
});

test("http1.preserveHeaderCase: of requests and of answers, and of its own listener alone", async () => {
  const request = `GET / HTTP/1.1\r\nHost: ${HOST}\r\nX-From-Client: 1\r\nConnection: close\r\n\r\n`;
  const kept = await exchangeBytes(portOf("keeps-case"), request);
  expect(kept).toMatch(/X-From-Backend: 1[\s\S]*X-From-Client 1/);
  const lowered = await exchangeBytes(portOf("lower-case"), request);
  expect(lowered).toMatch(/x-from-backend: 1[\s\S]*x-from-client 1/);
});

test("timeout.tcp.idleTimeout: a connection on which nothing passes is closed", async () => {
  expect(await exchangeBytes(portOf("idle"), "")).toBe("greeting\n");
});

test("timeout.tcp.tlsHandshakeTimeout: a handshake that is begun and left alone is closed", async () => {
  const hello = await recordClientHello();
  for (const name of ["handshake", "handshake-streams"]) {
    // A server's hello and its end, on a connection that `exchangeBytes` would not wait for much longer.
    expect(await exchangeBytes(portOf(name), hello)).not.toBe("");
  }
});

/** What a client sends first. */
function recordClientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) =>
      socket.once("data", (data) => {
        socket.destroy();
        server.close();
        resolve(data);
      }),
    );
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      connectTls({ port, host: "127.0.0.1", servername: HOST }).once("error", () => {});
    });
  });
}
