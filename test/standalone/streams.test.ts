import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createAuthority } from "../harness/certificates.ts";
import { send } from "../harness/client.ts";
import { backendYaml, joinDocuments, tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";
import {
  askDatagram,
  askStream,
  openStream,
  type StreamBackend,
  startDatagramBackend,
  startStreamBackend,
} from "./stream-backends.ts";
import { createWorld, toBackend, type World } from "./world.ts";

/** Listeners of TLS, TCP and UDP, and routes of connections and datagrams, with the real Envoy. */
let world: World;
let ports: { readonly tls: number; readonly tcp: number; readonly udp: number };
const backends: StreamBackend[] = [];
const authority = createAuthority();

/** Name, protocol and, where there is one, hostname: all but the last two share a port. */
const listeners: Readonly<Record<string, string>> = {
  web: 'protocol: HTTPS, hostname: "*.test", tls: {certificateRefs: [{name: opened}]}',
  passed: 'protocol: TLS, hostname: "*.passed.test", tls: {mode: Passthrough}',
  opened: 'protocol: TLS, hostname: "*.opened.test", tls: {mode: Terminate, certificateRefs: [{name: opened}]}',
  bytes: "protocol: TCP",
  datagrams: "protocol: UDP",
};

beforeAll(async () => {
  world = await createWorld();
  ports = { tls: await freePort(), tcp: await freePort(), udp: await freePort() };
  const issue = (name: string, ...dnsNames: string[]) => authority.issue({ dnsNames, commonName: name });
  const opened = issue("gateway", "*.opened.test", "*.web.test");
  world.files.writeAtomically("secret.yaml", tlsSecretYaml({ name: "opened", ...opened }));
  await backend("plain", startStreamBackend("plain"));
  await backend("other", startStreamBackend("other"));
  await backend("secure", startStreamBackend("secure", issue("backend", "*.passed.test")));
  await backend("datagram-a", startDatagramBackend("datagram-a"));
  await backend("datagram-b", startDatagramBackend("datagram-b"));
  const { port } = await world.backend("http");
  world.files.writeAtomically("http.yaml", backendYaml({ name: "http", port }));
  writeGateway(listeners);
  write("HTTPRoute", "web", "web", toBackend("http"));
  write("TLSRoute", "passed", "passed", toBackend("secure"), ["a.passed.test"]);
  write("TLSRoute", "opened", "opened", toBackend("plain"), ["*.opened.test"]);
  write("TCPRoute", "bytes", "bytes", toBackend("plain"));
  write("UDPRoute", "datagrams", "datagrams", toBackend("datagram-a"));
  await waitFor("the routes", async () => {
    expect(await Promise.all([askTls("a.passed.test"), askTls("b.opened.test")])).toEqual(["secure", "plain"]);
    expect([await askStream(ports.tcp), await askDatagram(ports.udp)]).toEqual(["plain", "datagram-a"]);
    return (await askHttps("www.web.test")) === 200;
  });
}, 60_000);

afterAll(async () => {
  await world.stop();
  await Promise.all(backends.map((one) => one.stop()));
}, 30_000);

async function backend(name: string, starting: Promise<StreamBackend>): Promise<void> {
  const started = await starting;
  backends.push(started);
  world.files.writeAtomically(`backend-${name}.yaml`, backendYaml({ name, port: started.port }));
}

const logPath = () => `${world.files.path}-access.log`;

function writeGateway(wanted: Readonly<Record<string, string>>): void {
  const entries = Object.entries(wanted).map(([name, text]) => {
    const port = text.includes("TCP") ? ports.tcp : text.includes("UDP") ? ports.udp : ports.tls;
    return `{name: ${name}, port: ${port}, ${text}}`;
  });
  const log = `{format: {text: "%REQUESTED_SERVER_NAME% %UPSTREAM_CLUSTER% %BYTES_RECEIVED%"}, sinks: [{type: File, file: {path: ${logPath()}}}]}`;
  world.files.writeAtomically(
    "streams.yaml",
    joinDocuments(
      `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: streams}
spec:
  gatewayClassName: gatehouse
  infrastructure: {parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: streams}}
  listeners: [${entries.join()}]`,
      `apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: streams}
spec: {telemetry: {accessLog: {settings: [${log}]}}}`,
    ),
  );
}

function write(kind: string, name: string, listener: string, backendRefs: string, hostnames?: string[], age = 1): void {
  const hosts = hostnames === undefined ? "" : `hostnames: ${JSON.stringify(hostnames)}, `;
  world.files.writeAtomically(
    `${kind}-${name}.yaml`,
    `apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: ${name}, creationTimestamp: "2026-01-0${age}T00:00:00Z"}
spec: {parentRefs: [{name: streams, sectionName: ${listener}}], ${hosts}rules: [{backendRefs: [${backendRefs}]}]}
`,
  );
}

const askMany = <T>(count: number, ask: () => Promise<T>) => Promise.all(Array.from({ length: count }, ask));
const askTls = (serverName: string) => askStream(ports.tls, serverName);

async function askHttps(host: string): Promise<number> {
  const tls = { servername: host, authority: authority.certificate };
  return (await send({ port: ports.tls, host, tls })).status;
}

test("HTTPS, passed and opened TLS share a port, each its own names, and nobody takes another's", async () => {
  const passed = await openStream(ports.tls, "a.passed.test");
  const opened = await openStream(ports.tls, "deep.b.opened.test");
  expect([passed.backend, passed.certificate]).toEqual(["secure", "backend"]);
  expect([opened.backend, opened.certificate]).toEqual(["plain", "gateway"]);
  expect(await opened.echo("hello")).toBe("hello");
  for (const one of [passed, opened]) one.close();
  expect(await askHttps("www.web.test")).toBe(200);
  // Of the hostname of a listener without a route for it, which a broader listener must not take, and of no listener at all.
  expect(await askTls("b.passed.test")).toBe("refused");
  expect(await askTls("www.example")).toBe("refused");
});

test("connections stay through whatever happens to other listeners, routes and tenants of their port", async () => {
  const open = await Promise.all([
    openStream(ports.tls, "a.passed.test"),
    openStream(ports.tls, "a.opened.test"),
    openStream(ports.tcp),
  ]);
  const steps: [string, () => void, () => Promise<boolean>][] = [
    [
      "a tenant's listener and route come",
      () => {
        const tenant = 'protocol: TLS, hostname: "tenant.test", tls: {mode: Passthrough}';
        writeGateway({ ...listeners, tenant });
        write("TLSRoute", "tenant", "tenant", toBackend("secure"), ["tenant.test"]);
      },
      async () => (await askTls("tenant.test")) === "secure",
    ],
    [
      "its route changes",
      () => write("TLSRoute", "tenant", "tenant", toBackend("plain"), ["tenant.test"]),
      async () => (await openStream(ports.tls, "tenant.test").catch(() => "no TLS there")) === "no TLS there",
    ],
    [
      "a route takes one of the names",
      () => write("TLSRoute", "named", "opened", toBackend("other"), ["named.opened.test"]),
      async () => (await askTls("named.opened.test")) === "other",
    ],
    [
      "both go",
      () => {
        world.files.remove("TLSRoute-tenant.yaml");
        world.files.remove("TLSRoute-named.yaml");
        writeGateway(listeners);
      },
      async () => (await askTls("named.opened.test")) === "plain",
    ],
  ];
  const { stats } = await world.gatehouse().envoyAdmin("default/streams");
  const before = await stats("listener_manager");
  for (const [what, act, isDone] of steps) {
    act();
    await waitFor(what, isDone);
    const echoes = await Promise.all(open.map((stream) => stream.echo(what)));
    expect(echoes).toEqual([what, what, what]);
  }
  const after = await stats("listener_manager");
  const grown = (name: string) =>
    (after.get(`listener_manager.${name}`) ?? 0) - (before.get(`listener_manager.${name}`) ?? 0);
  expect(grown("listener_in_place_updated")).toBeGreaterThanOrEqual(steps.length);
  expect([grown("listener_removed"), grown("listener_added"), grown("listener_modified")]).toEqual([
    0,
    0,
    grown("listener_in_place_updated"),
  ]);
  expect(open.map((stream) => stream.ended())).toEqual([undefined, undefined, undefined]);
  for (const stream of open) stream.close();
});

test("an older route has a port alone, and what is invalid or without weight loses its share", async () => {
  write("TCPRoute", "newer", "bytes", toBackend("other"), undefined, 2);
  write("TCPRoute", "bytes", "bytes", `${toBackend("plain", 3)}, ${toBackend("missing", 1)}, ${toBackend("other", 0)}`);
  await waitFor("a share that is refused", async () => (await askStream(ports.tcp)) === "refused");
  const answers = await askMany(100, () => askStream(ports.tcp));
  expect(new Set(answers)).toEqual(new Set(["plain", "refused"]));
  const refused = answers.filter((answer) => answer === "refused").length;
  expect(refused).toBeGreaterThan(5);
  expect(refused).toBeLessThan(50);
  world.files.remove("TCPRoute-bytes.yaml");
  await waitFor("the newer route", async () => (await askStream(ports.tcp)) === "other");
});

test("datagrams are shared by weight, and a session keeps its backend", async () => {
  write("UDPRoute", "datagrams", "datagrams", `${toBackend("datagram-a", 3)}, ${toBackend("datagram-b", 1)}`);
  await waitFor("the other backend", async () => (await askDatagram(ports.udp)) === "datagram-b");
  const answers = await askMany(200, () => askDatagram(ports.udp));
  const ofB = answers.filter((answer) => answer === "datagram-b").length;
  expect(answers.filter((answer) => answer === undefined)).toEqual([]);
  // A quarter of 200, five standard deviations either way.
  expect(ofB).toBeGreaterThan(20);
  expect(ofB).toBeLessThan(80);
  write("UDPRoute", "datagrams", "datagrams", toBackend("missing"));
  await waitFor("nobody to answer", async () => (await askDatagram(ports.udp, 200)) === undefined);
});

test("the access log of the port has each connection, with where it went", async () => {
  const lines = await waitFor("the access log", () => {
    const text = existsSync(logPath()) ? readFileSync(logPath(), "utf8") : "";
    return text.includes("a.passed.test") && text.includes("opened.test") && text.trim().split("\n");
  });
  const of = (name: string) => lines.find((line) => line.startsWith(`${name} `));
  expect(of("a.passed.test")).toMatch(/^a\.passed\.test backend\/default\/secure\/\w+ [1-9]\d*$/);
  expect(of("deep.b.opened.test")).toMatch(/^deep\.b\.opened\.test backend\/default\/plain\/\w+ 6$/);
  expect(lines.some((line) => line.startsWith("- backend/default/plain/"))).toBe(true);
  // A request is told by its own entry, not by that of its connection too.
  expect(
    lines.filter((line) => line.startsWith("www.web.test ")).every((line) => line.includes("backend/default/http")),
  ).toBe(true);
});
