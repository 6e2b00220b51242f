import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Backend } from "../harness/backend.ts";
import { createAuthority, type KeyPair } from "../harness/certificates.ts";
import { temporaryDirectory } from "../harness/directory.ts";
import { gatewayYaml, tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { startLoad } from "../harness/load.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";
import { serviceObjects, toYaml } from "./traffic-world.ts";
import { createWorld, routeYaml, type World } from "./world.ts";

/** TLS towards a Service that asks for a certificate in return, while authorities, certificates and policies change. */
const host = "policed.example.com";
const name = "tls.example.org";
const authority = createAuthority();
const other = createAuthority("other authority");
const system = temporaryDirectory();
let world: World;
let backend: Backend;
const ports = { tcp: 0, terminated: 0, passed: 0 };

beforeAll(async () => {
  const trustFile = join(system.path, "system.pem");
  writeFileSync(trustFile, other.certificate);
  world = await createWorld({ SSL_CERT_FILE: trustFile });
  for (const listener of ["tcp", "terminated", "passed"] as const) ports[listener] = await freePort();
  const listeners = `[
    {name: http, protocol: HTTP, port: ${world.port}},
    {name: tcp, protocol: TCP, port: ${ports.tcp}},
    {name: terminated, protocol: TLS, port: ${ports.terminated}, tls: {mode: Terminate, certificateRefs: [{name: server}]}},
    {name: passed, protocol: TLS, port: ${ports.passed}, tls: {mode: Passthrough}}]`;
  const gateway = gatewayYaml({ name: "web", listeners });
  const certificate = "tls: {backend: {clientCertificateRef: {name: client}}}";
  world.files.writeAtomically(
    "gateway.yaml",
    gateway.replace(/^( *)gatewayClassName:.*$/m, (line, indent) => `${line}\n${indent}${certificate}`),
  );
  const keyPair = authority.issue({ dnsNames: [name] });
  backend = await world.backend("mtls", { protocol: "tls", keyPair, clientAuthority: authority.certificate });
  // Each request has a connection of its own, so that each shows what is in force.
  backend.behave({ headers: { connection: "close" } });
  const systemPair = other.issue({ dnsNames: [name] });
  const signedByOther = await world.backend("system", { protocol: "tls", keyPair: systemPair });
  const plain = await world.backend("plain");
  world.files.writeAtomically(
    "services.yaml",
    toYaml(
      [
        serviceObjects("mtls", [backend.port]),
        serviceObjects("system", [signedByOther.port]),
        serviceObjects("plain", [plain.port]),
      ].flat(),
    ),
  );
  trust(authority.certificate);
  world.files.writeAtomically(
    "server.yaml",
    tlsSecretYaml({ name: "server", ...authority.issue({ dnsNames: [name] }) }),
  );
  show(issueClient("first"));
  police("mtls", "caCertificateRefs: [{group: '', kind: ConfigMap, name: authority}]");
  const rule = (service: string) =>
    `{matches: [{path: {value: /${service}}}], backendRefs: [{name: ${service}, port: 80}]}`;
  world.files.writeAtomically("route.yaml", routeYaml("route", host, `[${["mtls", "system", "plain"].map(rule)}]`));
  await until("/mtls", "mtls");
  await until("/plain", "plain");
}, 60_000);

afterAll(async () => {
  await world?.stop();
  system.discard();
}, 30_000);

const issueClient = (commonName: string) => authority.issue({ dnsNames: ["client.example.org"], commonName });
const show = (pair: KeyPair) => world.files.writeAtomically("client.yaml", tlsSecretYaml({ name: "client", ...pair }));
const trust = (pem: string) =>
  world.files.writeAtomically(
    "authority.yaml",
    toYaml([{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "authority" }, data: { "ca.crt": pem } }]),
  );

/** Writes the policy of a Service. */
function police(service: string, validation: string): void {
  world.files.writeAtomically(
    `policy-${service}.yaml`,
    `apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: ${service}}
spec:
  targetRefs: [{group: "", kind: Service, name: ${service}}]
  validation: {hostname: ${name}, ${validation}}
`,
  );
}

const until = (path: string, answering: string) =>
  world.until({ host, path }, ({ received }) => received?.backend === answering, 15_000);
const untilStatus = (path: string, wanted: number) =>
  world.until({ host, path }, ({ status }) => status === wanted, 15_000);
const untilSaid = (what: RegExp) =>
  waitFor(`a status that says ${what}`, async () => what.test(await world.gatehouse().statusText()));

async function clusterNames(): Promise<string[]> {
  const { admin } = await world.gatehouse().envoyAdmin();
  const lines = (await admin("/clusters")).split("\n").filter((line) => line.startsWith("service/"));
  return [...new Set(lines.map((line) => line.slice(0, line.indexOf("::"))))].sort();
}

test("authorities and the Gateway's certificate are renewed under load: same clusters, no request lost", async () => {
  const before = await clusterNames();
  const load = await startLoad({ port: world.port, host, path: "/mtls", requestsPerSecond: 100 });
  const untilShown = (commonName: string) =>
    world.until({ host, path: "/mtls" }, ({ received }) => received?.tls?.clientCommonName === commonName, 15_000);
  await untilShown("first");
  trust(`${other.certificate}\n${authority.certificate}`);
  show(issueClient("second"));
  await untilShown("second");
  show(issueClient("third"));
  await untilShown("third");
  const { failures, succeeded } = await load.stop();
  expect(failures).toEqual([]);
  expect(succeeded).toBeGreaterThan(0);
  expect(await clusterNames()).toEqual(before);
}, 60_000);

test("an authority that is trusted no more is refused at once, by the same cluster", async () => {
  const before = await clusterNames();
  trust(other.certificate);
  await untilStatus("/mtls", 503);
  expect(await clusterNames()).toEqual(before);
  trust(authority.certificate);
  await until("/mtls", "mtls");
}, 60_000);

test("authorities that are gone close the way to their Service alone, and are told", async () => {
  trust("nothing of the kind");
  await untilStatus("/mtls", 500);
  await untilSaid(
    /BackendTLSPolicy default\/mtls[\s\S]*Accepted=False \(NoValidCACertificate\)[\s\S]*ResolvedRefs=False \(InvalidCACertificateRef\)/,
  );
  await until("/plain", "plain");
  trust(authority.certificate);
  await until("/mtls", "mtls");
}, 60_000);

test("a certificate that is gone is shown to nobody, told, and costs only those who ask for it", async () => {
  world.files.remove("client.yaml");
  await untilStatus("/mtls", 503);
  await untilSaid(/Gateway default\/web[\s\S]*ResolvedRefs=False \(InvalidClientCertificateRef\)/);
  await until("/plain", "plain");
  show(issueClient("fourth"));
  await until("/mtls", "mtls");
}, 60_000);

test("the system's authorities are those of this host", async () => {
  police("system", "wellKnownCACertificates: System");
  const { received } = await until("/system", "system");
  expect(received?.tls).toMatchObject({ servername: name });
  // Without its policy the Service is spoken to as before, which a TLS server does not understand.
  world.files.remove("policy-system.yaml");
  await world.until({ host, path: "/system" }, ({ received }) => received === undefined, 15_000);
  police("mtls", "wellKnownCACertificates: System");
  await untilStatus("/mtls", 503);
}, 60_000);

test("connections of TCPRoutes and of TLSRoutes that end TLS are encrypted anew, those passed through are not", async () => {
  police("mtls", "caCertificateRefs: [{group: '', kind: ConfigMap, name: authority}]");
  police("system", "wellKnownCACertificates: System");
  const streamRoute = (kind: string, listener: string, service: string) => ({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind,
    metadata: { name: listener },
    spec: {
      parentRefs: [{ name: "web", sectionName: listener }],
      ...(kind === "TLSRoute" && { hostnames: [name] }),
      rules: [{ backendRefs: [{ name: service, port: 80 }] }],
    },
  });
  world.files.writeAtomically(
    "streams.yaml",
    toYaml([
      streamRoute("TCPRoute", "tcp", "mtls"),
      streamRoute("TLSRoute", "terminated", "mtls"),
      streamRoute("TLSRoute", "passed", "system"),
    ]),
  );
  const reaches = (port: number, answering: string, trusted?: string) =>
    world.until(
      { host, port, ...(trusted !== undefined && { tls: { servername: name, authority: trusted } }) },
      ({ received }) => received?.backend === answering && received.tls?.servername === name,
      15_000,
    );
  for (const answer of [
    await reaches(ports.tcp, "mtls"),
    await reaches(ports.terminated, "mtls", authority.certificate),
  ]) {
    expect(answer.received?.tls?.clientCommonName).toBe("fourth");
  }
  // The client sees the certificate of the backend itself.
  await reaches(ports.passed, "system", other.certificate);
}, 60_000);
