import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createAuthority, type KeyPair } from "../harness/certificates.ts";
import { send } from "../harness/client.ts";
import { gatewayYaml, tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";
import { backendYaml, createWorld, routeYaml, toBackend, type World } from "./world.ts";

/** `spec.tls.frontend` of a Gateway: whom its HTTPS listeners serve. */
let world: World;
let ports: Readonly<Record<"strict" | "other" | "fallback" | "open", number>>;

const HOST = "a.example.com";
const server = createAuthority();
const [mine, theirs] = [createAuthority("clients one"), createAuthority("clients two")];
const client = (authority: typeof mine) => authority.issue({ dnsNames: ["client.test"], usage: "clientAuth" });
const [myClient, theirClient] = [client(mine), client(theirs)];
/** Of the right authority, and good for servers only. */
const wrongUsage = mine.issue({ dnsNames: ["client.test"], usage: "serverAuth" });

beforeAll(async () => {
  world = await createWorld();
  ports = { strict: await freePort(), other: await freePort(), fallback: await freePort(), open: await freePort() };
  trust("mine", mine);
  trust("theirs", theirs);
  world.files.writeAtomically("secret.yaml", tlsSecretYaml({ name: "web", ...server.issue({ dnsNames: [HOST] }) }));
  const validation = (name: string, mode = "AllowValidOnly") =>
    `{validation: {mode: ${mode}, caCertificateRefs: [{group: "", kind: ConfigMap, name: ${name}}]}}`;
  const perPort = [
    `{port: ${ports.other}, tls: ${validation("theirs")}}`,
    `{port: ${ports.fallback}, tls: ${validation("mine", "AllowInsecureFallback")}}`,
    `{port: ${ports.open}, tls: {}}`,
  ];
  const listeners = Object.entries(ports).map(
    ([name, port]) => `{name: ${name}, protocol: HTTPS, port: ${port}, tls: {certificateRefs: [{name: web}]}}`,
  );
  const gateway = gatewayYaml({
    name: "web",
    listeners: `[{name: plain, protocol: HTTP, port: ${world.port}}, ${listeners.join()}]`,
  });
  world.files.writeAtomically(
    "gateway.yaml",
    `${gateway}\n  tls: {frontend: {default: ${validation("mine")}, perPort: [${perPort.join()}]}}\n`,
  );
  world.files.writeAtomically("backend.yaml", backendYaml("one", (await world.backend("one")).port));
  world.files.writeAtomically("route.yaml", routeYaml("all", HOST, `[{backendRefs: [${toBackend("one")}]}]`));
  for (const [port, pair] of [
    ["strict", myClient],
    ["other", theirClient],
    ["fallback", undefined],
    ["open", undefined],
  ] as const) {
    await waitFor(`port ${port}`, async () => (await ask(port, pair)) === 200);
  }
}, 60_000);

afterAll(() => world.stop(), 30_000);

function trust(name: string, ...authorities: readonly KeyPair[]): void {
  const pem = authorities
    .map(({ certificate }) => certificate)
    .join("")
    .trim()
    .replaceAll("\n", "\n    ");
  const text = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata:\n  ca.crt: |\n    ${pem}\n`;
  world.files.writeAtomically(`authorities-${name}.yaml`, text);
}

/** The status that a client gets over a connection of its own; `refused` when there is no connection for it. */
async function ask(port: keyof typeof ports, keyPair: KeyPair | undefined, http: "1.1" | "2" = "2") {
  const tls = { servername: HOST, authority: server.certificate, ...(keyPair && { keyPair }) };
  try {
    return (await send({ port: ports[port], host: HOST, http, tls })).status;
  } catch {
    return "refused" as const;
  }
}

test.each<[keyof typeof ports, (number | string)[]]>([
  ["strict", [200, "refused", "refused", "refused"]],
  ["other", ["refused", 200, "refused", "refused"]],
  ["fallback", [200, 200, 200, 200]],
  ["open", [200, 200, 200, 200]],
])(
  "port %s takes a client of one authority, of another, of the wrong usage, and without certificate",
  async (port, answers) => {
    for (const http of ["1.1", "2"] as const) {
      const found = [];
      for (const pair of [myClient, theirClient, wrongUsage, undefined]) found.push(await ask(port, pair, http));
      expect(found).toEqual(answers);
    }
  },
);

test("what runs is told: serving listeners, and that not all clients are verified", async () => {
  const text = await world.gatehouse().statusText();
  expect(text).toMatch(/InsecureFrontendValidationMode=True \(ConfigurationChanged\)/);
});

test("authorities that change: new handshakes follow, no open connection ends, and no session outlives its authority", async () => {
  const idle = await openSession(myClient);
  const ticket = await takeTicket(myClient);
  expect(await resumes(ticket, myClient)).toBe(true);
  trust("mine", mine, theirs);
  await waitFor("the second authority", async () => (await ask("strict", theirClient)) === 200);
  expect(await ask("strict", myClient)).toBe(200);
  trust("mine", theirs);
  await waitFor("the end of the first", async () => (await ask("strict", myClient)) === "refused");
  expect(await ask("strict", theirClient)).toBe(200);
  expect(await resumes(ticket, myClient)).toBe(false);
  expect(await idle.ask()).toBe(200);
  idle.close();
  trust("mine", mine);
  await waitFor("the first again", async () => (await ask("strict", myClient)) === 200);
}, 30_000);

test("authorities that are gone close the port to everybody and cost no other, until they are back", async () => {
  world.files.remove("authorities-mine.yaml");
  await waitFor("the status", async () =>
    /listener strict: .*Accepted=False \(NoValidCACertificate\)/.test(await world.gatehouse().statusText()),
  );
  await waitFor("the end of the port", async () => (await ask("strict", myClient)) === "refused");
  expect(await ask("strict", undefined)).toBe("refused");
  expect(await ask("fallback", undefined)).toBe("refused");
  expect(await ask("other", theirClient)).toBe(200);
  expect(await ask("open", undefined)).toBe(200);
  trust("mine", mine);
  await waitFor("the port again", async () => (await ask("strict", myClient)) === 200);
  expect(await ask("strict", undefined)).toBe("refused");
}, 30_000);

/** An HTTP/2 connection to port `strict` that stays open. */
async function openSession({ certificate: cert, key }: KeyPair) {
  const options = { ca: server.certificate, servername: HOST, cert, key };
  const session: ClientHttp2Session = connectHttp2(`https://127.0.0.1:${ports.strict}`, options).on("error", () => {});
  const ask = () =>
    new Promise<number>((resolve, reject) => {
      const stream = session.request({ ":path": "/", ":authority": HOST }).once("error", reject);
      stream.once("response", (headers) => resolve(headers[":status"] ?? 0));
      stream.resume().end();
    });
  expect(await ask()).toBe(200);
  return { ask, close: () => session.destroy() };
}

function openTls({ certificate: cert, key }: KeyPair, session?: Buffer): TLSSocket {
  return connectTls({
    port: ports.strict,
    servername: HOST,
    ca: server.certificate,
    cert,
    key,
    ...(session && { session }),
  });
}

/** A session that can be taken up again. */
function takeTicket(pair: KeyPair): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = openTls(pair);
    socket.once("error", reject);
    socket.once("session", (session) => {
      socket.destroy();
      resolve(session);
    });
    socket.write(`GET / HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`);
  });
}

/** Whether the session is taken up and a request on it answered. */
function resumes(session: Buffer, pair: KeyPair): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = openTls(pair, session);
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("data", (data) => {
      resolve(socket.isSessionReused() && data.toString("latin1").startsWith("HTTP/1.1 200"));
      socket.destroy();
    });
    socket.write(`GET / HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`);
  });
}
