import { connect } from "node:tls";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { authorizeByCertificate } from "../../src/certs/client-certificate.ts";
import { gatewaySubject, type Subject, serverName, serverSubject } from "../../src/certs/identity.ts";
import { issueAuthority, issueLeaf, type KeyPair } from "../../src/certs/issue.ts";
import { createResourceStore } from "../../src/xds/resource-store.ts";
import { createXdsServer, type XdsServer } from "../../src/xds/server.ts";
import type { Refusal } from "../../src/xds/stream.ts";
import { waitFor } from "../harness/waiting.ts";
import { attemptStream, type XdsAttempt, type XdsClientOptions } from "./xds-client.ts";

const NAMESPACE = "gatehouse-system";
const HOUR_MS = 3_600_000;
const service = { namespace: NAMESPACE, name: "gatehouse" };
const [web, shop] = ["default/web", "shop/shop"];

let authority: KeyPair;
let server: XdsServer;
let address: string;
const refusals: Refusal[] = [];
const attempts: XdsAttempt[] = [];

function leaf(subject: Subject, by = authority, from = -HOUR_MS, to = HOUR_MS): Promise<KeyPair> {
  return issueLeaf(by, subject, { notBefore: Date.now() + from, notAfter: Date.now() + to });
}

function newAuthority(name = "test authority"): Promise<KeyPair> {
  return issueAuthority(name, { notBefore: Date.now() - 2 * HOUR_MS, notAfter: Date.now() + 2 * HOUR_MS });
}

async function serve(authorities = authority.certificate): Promise<void> {
  server.setCertificates({ ...(await leaf(serverSubject(service, "cluster.local"))), authorities });
}

function attempt(gateway: string, identity?: KeyPair, options: Partial<XdsClientOptions> = {}): XdsAttempt {
  const made = attemptStream({
    address,
    authorities: authority.certificate,
    serverName: serverName(service),
    ...(identity && { identity }),
    node: { id: "pod-1", cluster: gateway },
    ...options,
  });
  attempts.push(made);
  return made;
}

const served = (made: XdsAttempt) => waitFor("a response", () => made.responses() > 0);
const refused = (made: XdsAttempt) => waitFor("a refusal", () => made.error());

beforeEach(async () => {
  authority = await newAuthority();
  const store = createResourceStore();
  store.publish([]);
  server = createXdsServer({
    store,
    authorize: authorizeByCertificate(NAMESPACE),
    tls: { clientCertificates: true },
    onDenial: (refusal) => refusals.push(refusal),
    onAcknowledgement() {},
    onConnection() {},
  });
  address = await server.listen("127.0.0.1:0");
  await serve();
});

afterEach(async () => {
  for (const made of attempts.splice(0)) made.close();
  await server.close({ graceMilliseconds: 100 });
  refusals.length = 0;
});

test("a gateway's certificate opens its gateway's stream", async () => {
  await served(attempt(web, await leaf(gatewaySubject(NAMESPACE, web))));
  expect(server.counters).toMatchObject({ streams: 1, denials: 0 });
});

test("a GatewayClass whose gateways share their Envoys is an identity too", async () => {
  await served(attempt("shared", await leaf(gatewaySubject(NAMESPACE, "shared"))));
});

describe("refused at the handshake", () => {
  const cases: [string, () => Promise<KeyPair | undefined>, RegExp][] = [
    ["no certificate", async () => undefined, /there is none/],
    [
      "another authority, even of the same name",
      async () => leaf(gatewaySubject(NAMESPACE, web), await newAuthority()),
      /CERT_SIGNATURE_FAILURE|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/,
    ],
    ["an expired certificate", () => leaf(gatewaySubject(NAMESPACE, web), authority, -HOUR_MS, -1000), /HAS_EXPIRED/],
    [
      "one that is not valid yet",
      () => leaf(gatewaySubject(NAMESPACE, web), authority, HOUR_MS / 2),
      /CERT_NOT_YET_VALID/,
    ],
    ["a server's certificate", () => leaf(serverSubject(service, "cluster.local")), /INVALID_PURPOSE|UNSUITABLE/],
  ];
  test.each(cases)("%s", async (_name, identity, why) => {
    const made = attempt(web, await identity());
    const { code } = await refused(made);
    expect(code).toBe(status.UNAVAILABLE);
    expect(made.responses()).toBe(0);
    await waitFor("the refusal to be told", () => refusals[0]);
    expect(refusals[0]).toMatchObject({ peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
    expect(refusals[0]?.why).toMatch(why);
    expect(refusals[0]?.node).toBeUndefined();
    expect(server.counters).toMatchObject({ streams: 0, denials: refusals.length });
  });

  test("TLS 1.2", async () => {
    const identity = await leaf(gatewaySubject(NAMESPACE, web));
    const socket = connect({
      port: Number(address.split(":")[1]),
      ca: authority.certificate,
      cert: identity.certificate,
      key: identity.key,
      servername: serverName(service),
      maxVersion: "TLSv1.2",
    });
    const error = await new Promise<Error>((resolve) => socket.on("error", resolve));
    expect(String(error)).toMatch(/protocol version/i);
    expect(server.counters.denials).toBe(1);
  });
});

describe("refused with PERMISSION_DENIED", () => {
  const cases: [string, () => Promise<KeyPair>, string, RegExp][] = [
    [
      "the certificate of another gateway",
      () => leaf(gatewaySubject(NAMESPACE, shop)),
      web,
      /gateway\/shop\/shop, its/,
    ],
    [
      "a gateway that another installation of Gatehouse vouches for",
      () => leaf(gatewaySubject("other-system", web)),
      web,
      /other-system/,
    ],
    ["a class for a gateway", () => leaf(gatewaySubject(NAMESPACE, "default")), web, /gatewayclass\/default/],
    ["no claim at all", () => leaf(gatewaySubject(NAMESPACE, web)), "", /names no gateway/],
    [
      "a certificate with more names than one",
      async () => {
        const subject = gatewaySubject(NAMESPACE, web);
        return leaf({ ...subject, uris: [...subject.uris, ...gatewaySubject(NAMESPACE, shop).uris] });
      },
      web,
      /shop\/shop/,
    ],
    [
      "the right name as a DNS name",
      () => leaf({ ...gatewaySubject(NAMESPACE, web), uris: [], dnsNames: gatewaySubject(NAMESPACE, web).uris }),
      web,
      /DNS:spiffe/,
    ],
  ];
  test.each(cases)("%s", async (_name, identity, claimed, why) => {
    const made = attempt(claimed, await identity());
    const { code, details } = await refused(made);
    expect(code).toBe(status.PERMISSION_DENIED);
    expect(details).toMatch(why);
    expect(refusals).toEqual([{ peer: expect.any(String), why: details, node: { id: "pod-1", cluster: claimed } }]);
    expect(server.counters).toMatchObject({ streams: 0, responses: 0, denials: 1 });
  });
});

test("new certificates serve new handshakes, and open streams go on", async () => {
  const first = attempt(web, await leaf(gatewaySubject(NAMESPACE, web)));
  await served(first);
  const next = await newAuthority("next authority");
  const both = authority.certificate + next.certificate;
  await serve(both);
  const old = authority;
  authority = next;
  await serve(both);
  // Signed by the next authority on both sides; the first client would not believe this server.
  await served(attempt(web, await leaf(gatewaySubject(NAMESPACE, web))));
  await refused(attempt(web, await leaf(gatewaySubject(NAMESPACE, web)), { authorities: old.certificate }));
  expect(first.error()).toBeUndefined();
  expect(server.counters.streams).toBe(2);
});

test("without an authority its streams end, others go on", async () => {
  const first = attempt(web, await leaf(gatewaySubject(NAMESPACE, web)));
  await served(first);
  authority = await newAuthority("next authority");
  await serve(authority.certificate);
  expect((await refused(first)).code).toBe(status.UNAVAILABLE);
  await waitFor("the end of the stream", () => server.counters.streams === 0);
});

test("a connection ends with its certificate", async () => {
  const made = attempt(web, await leaf(gatewaySubject(NAMESPACE, web), authority, -1000, 2500));
  await served(made);
  expect((await refused(made)).code).toBe(status.UNAVAILABLE);
});

test("certificates that do not fit each other are refused and the old ones stay", async () => {
  const [one, other] = [await leaf(serverSubject(service, "x")), await leaf(serverSubject(service, "x"))];
  const mixed = { certificate: one.certificate, key: other.key, authorities: authority.certificate };
  expect(() => server.setCertificates(mixed)).toThrow(/key values mismatch/);
  expect(() => server.setCertificates({ ...one, authorities: "nonsense" })).toThrow(/no authority/);
  await served(attempt(web, await leaf(gatewaySubject(NAMESPACE, web))));
});

test("sessions are not resumed: every connection shows its certificate", async () => {
  const identity = await leaf(gatewaySubject(NAMESPACE, web));
  const sessions: Buffer[] = [];
  const open = (session?: Buffer) =>
    new Promise<boolean>((resolve, reject) => {
      const socket = connect({
        port: Number(address.split(":")[1]),
        ca: authority.certificate,
        cert: identity.certificate,
        key: identity.key,
        servername: serverName(service),
        ALPNProtocols: ["h2"],
        session,
      });
      socket.on("session", (each) => sessions.push(each));
      socket.on("error", reject);
      // HTTP/2's settings arrive after the tickets.
      socket.once("data", () => {
        resolve(socket.isSessionReused());
        socket.destroy();
      });
    });
  expect(await open()).toBe(false);
  expect(await open(sessions.at(-1))).toBe(false);
});
