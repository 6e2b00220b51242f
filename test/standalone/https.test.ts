import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { Agent, request } from "node:https";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Authority, createAuthority, type KeyPair } from "../harness/certificates.ts";
import { type ClientAnswer, send } from "../harness/client.ts";
import { gatewayYaml, tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { backendYaml, createWorld, routeYaml, toBackend, type World } from "./world.ts";

/** TLS at the gateway: which certificate a client sees, and what becomes of the clients when it changes. */
let world: World;
let authority: Authority;
/** Two listeners, for a.example.com (an EC and an RSA certificate) and b.example.com. */
let namedPort: number;
/** One listener for every name, with the certificates of both. */
let anyPort: number;

const CERTIFICATE_LIMIT_MS = 1_000;

beforeAll(async () => {
  authority = createAuthority();
  world = await createWorld();
  [namedPort, anyPort] = [await freePort(), await freePort()];
  publish("a", issue("a.example.com"));
  publish("a-rsa", authority.issue({ dnsNames: ["a.example.com"], keyType: "rsa" }));
  publish("b", issue("b.example.com"));
  const https = (name: string, port: number, more: string, ...secrets: string[]) =>
    `{name: ${name}, protocol: HTTPS, port: ${port}${more}, tls: {certificateRefs: [${secrets.map((secret) => `{name: ${secret}}`).join()}]}}`;
  const listeners = [
    `{name: http, protocol: HTTP, port: ${world.port}}`,
    https("a", namedPort, ", hostname: a.example.com", "a", "a-rsa"),
    https("b", namedPort, ", hostname: b.example.com", "b"),
    https("any", anyPort, "", "a", "b"),
  ];
  world.files.writeAtomically("gateway.yaml", gatewayYaml({ name: "web", listeners: `[${listeners.join()}]` }));
  world.files.writeAtomically("backend.yaml", backendYaml("one", (await world.backend("one")).port));
  world.files.writeAtomically(
    "route.yaml",
    routeYaml("all", "*.example.com", `[{backendRefs: [${toBackend("one")}]}]`),
  );
  for (const [port, host] of [
    [namedPort, "a.example.com"],
    [namedPort, "b.example.com"],
    [anyPort, "a.example.com"],
  ] as const) {
    await waitFor(`an answer on ${host}:${port}`, async () => (await get(port, host)).status === 200);
  }
}, 60_000);

afterAll(() => world.stop(), 30_000);

function issue(name: string): KeyPair {
  return authority.issue({ dnsNames: [name] });
}

function publish(secret: string, pair: KeyPair): void {
  world.files.writeAtomically(`secret-${secret}.yaml`, tlsSecretYaml({ name: secret, ...pair }));
}

/** Over a connection of its own that trusts the authority. */
function get(port: number, host: string, http: "1.1" | "2" = "1.1"): Promise<ClientAnswer> {
  return send({ port, host, http, tls: { servername: host, authority: authority.certificate } });
}

const statusText = () => world.gatehouse().statusText();

test("the client's server name chooses the certificate, and ALPN the version of HTTP", async () => {
  for (const port of [namedPort, anyPort]) {
    for (const host of ["a.example.com", "b.example.com"]) {
      for (const http of ["1.1", "2"] as const) {
        const answer = await get(port, host, http);
        expect({ status: answer.status, alpn: answer.tls?.alpn }).toEqual({
          status: 200,
          alpn: http === "2" ? "h2" : "http/1.1",
        });
        expect(answer.tls?.certificate.subjectAltName).toBe(`DNS:${host}`);
      }
    }
  }
  await expect(get(namedPort, "c.example.com")).rejects.toThrow();
  const unnamed = await send({ port: anyPort, host: "a.example.com", tls: {} });
  expect(unnamed.status).toBe(200);
});

test("of two certificates for one name a client gets the one that it can verify", async () => {
  const keyTypeOf = (sigalgs: string) =>
    new Promise<string | undefined>((resolve, reject) => {
      const options = { port: namedPort, servername: "a.example.com", ca: authority.certificate, sigalgs };
      const socket = connectTls(options, () => {
        resolve(socket.getPeerX509Certificate()?.publicKey.asymmetricKeyType);
        socket.destroy();
      }).once("error", reject);
    });
  expect(await keyTypeOf("ECDSA+SHA256")).toBe("ec");
  expect(await keyTypeOf("RSA-PSS+SHA256:ECDSA+SHA384")).toBe("rsa");
});

test("an HTTP port takes HTTP/1.1 and, of clients that know, HTTP/2 without TLS", async () => {
  for (const http of ["1.1", "2"] as const) {
    expect((await world.send({ host: "plain.example.com", http })).status).toBe(200);
  }
});

test("a certificate that changes under traffic: new handshakes see it, nothing fails, connections survive", async () => {
  const host = "a.example.com";
  const idle = keepConnections(anyPort, host);
  await idle.ask();
  const traffic = startHandshakes(anyPort, host);
  await pause(300);
  const renewed = issue(host);
  const changedAt = performance.now();
  publish("a", renewed);
  await pause(CERTIFICATE_LIMIT_MS + 500);
  const { failures, handshakes } = await traffic.stop();
  expect(failures).toEqual([]);
  const late = handshakes.filter(({ beganAt }) => beganAt > changedAt + CERTIFICATE_LIMIT_MS);
  expect(late.length).toBeGreaterThan(10);
  const { serialNumber } = (await get(anyPort, host)).tls!.certificate;
  expect(new Set(late.map(({ serial }) => serial))).toEqual(new Set([serialNumber]));
  expect(new Set(handshakes.map(({ serial }) => serial)).size).toBe(2);
  await idle.ask();
  expect(idle.opened()).toBe(2);
  idle.close();
}, 30_000);

test("a certificate that breaks is told, costs only its own listeners, and heals", async () => {
  const good = issue("b.example.com");
  const idle = keepConnections(namedPort, "a.example.com");
  await idle.ask();
  publish("b", { ...good, key: issue("b.example.com").key });
  await waitFor("the status", async () => {
    const text = await statusText();
    return (
      /listener b: .*Programmed=False \(Invalid\).*private key that does not belong to the certificate/.test(text) &&
      /listener any: ResolvedRefs=False \(PartiallyInvalidCertificateRef\)/.test(text)
    );
  });
  await waitFor("the listener to close", () =>
    get(namedPort, "b.example.com").then(
      () => false,
      () => true,
    ),
  );
  expect((await get(namedPort, "a.example.com")).status).toBe(200);
  expect((await get(anyPort, "a.example.com")).status).toBe(200);

  publish("b", good);
  await waitFor("the listener to be back", async () => (await get(namedPort, "b.example.com")).status === 200);
  expect(await statusText()).not.toMatch(/PROBLEM/);

  world.files.remove("secret-b.yaml");
  await waitFor("the status", async () =>
    /listener b: .*Secret default\/b, which does not exist/.test(await statusText()),
  );
  publish("b", good);
  await waitFor("the listener to be back", async () => (await get(namedPort, "b.example.com")).status === 200);
  await idle.ask();
  expect(idle.opened()).toBe(2);
  idle.close();
}, 60_000);

test("a file that no longer says what the Secret is leaves the last good certificate in use", async () => {
  const before = (await get(namedPort, "b.example.com")).tls?.certificate.serialNumber;
  world.files.writeAtomically(
    "secret-b.yaml",
    "apiVersion: v1\nkind: Secret\nmetadata: {name: b}\ndata: {tls.crt: '!'}\n",
  );
  await waitFor("the report", () =>
    /secret-b\.yaml:4[^\n]*tls\.crt[^\n]*previous version/.test(world.gatehouse().log()),
  );
  expect((await get(namedPort, "b.example.com")).tls?.certificate.serialNumber).toBe(before);
  publish("b", issue("b.example.com"));
  await waitFor(
    "the new certificate",
    async () => (await get(namedPort, "b.example.com")).tls?.certificate.serialNumber !== before,
  );
}, 30_000);

/** One HTTP/1.1 and one HTTP/2 connection that stay open. */
function keepConnections(port: number, host: string) {
  const tls = { servername: host, ca: authority.certificate };
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ...tls });
  const session: ClientHttp2Session = connectHttp2(`https://127.0.0.1:${port}`, tls).on("error", () => {});
  const sockets = new Set<unknown>([session.socket]);
  const askHttp1 = () =>
    new Promise<number>((resolve, reject) => {
      request({ agent, host: "127.0.0.1", port, headers: { host } }, (answer) => {
        answer.resume().once("end", () => resolve(answer.statusCode ?? 0));
      })
        .once("socket", (socket) => sockets.add(socket))
        .once("error", reject)
        .end();
    });
  const askHttp2 = () =>
    new Promise<number>((resolve, reject) => {
      const stream = session.request({ ":path": "/", ":authority": host }).once("error", reject);
      stream.once("response", (headers) => resolve(headers[":status"] ?? 0));
      stream.resume().end();
    });
  return {
    async ask() {
      expect(await Promise.all([askHttp1(), askHttp2()])).toEqual([200, 200]);
    },
    opened: () => sockets.size,
    close() {
      agent.destroy();
      session.destroy();
    },
  };
}

interface Handshake {
  readonly beganAt: number;
  readonly serial: string | undefined;
}

/** One connection after the other, as fast as they go, each with a request. */
function startHandshakes(port: number, host: string) {
  const handshakes: Handshake[] = [];
  const failures: string[] = [];
  let stopped = false;
  const run = async () => {
    while (!stopped) {
      const beganAt = performance.now();
      try {
        const { status, tls } = await get(port, host, handshakes.length % 2 === 0 ? "1.1" : "2");
        if (status !== 200) failures.push(`status ${status}`);
        handshakes.push({ beganAt, serial: tls?.certificate.serialNumber });
      } catch (error) {
        failures.push(String(error));
      }
    }
  };
  const runs = [run(), run()];
  return {
    async stop() {
      stopped = true;
      await Promise.all(runs);
      return { handshakes, failures };
    },
  };
}
