import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { expect } from "@jest/globals";
import { createAuthority, type KeyPair } from "../harness/certificates.ts";
import { tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { openRawTlsConnection, parseAnswer, rawRequest } from "../harness/raw-connection.ts";
import { toYaml } from "./traffic-world.ts";
import { createWorld, type World } from "./world.ts";

type Content = Readonly<Record<string, unknown>>;

/** What came of a connection: what was agreed upon and the answer to a request on it. */
export interface Agreed {
  readonly version: string | null;
  readonly cipher: string;
  /** False: ALPN took no part. */
  readonly alpn: string | false | null;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly resumed: boolean;
  /** To be taken up by another connection. */
  readonly session?: Buffer;
}

/** A listener by its hostname, and what a client gets there. `refused`: no connection, or no answer on it. */
export interface TlsPlace {
  readonly host: string;
  ask(options?: ConnectionOptions): Promise<Agreed | "refused">;
  /** The status, or `refused`. */
  askAs(pair: KeyPair | undefined, options?: ConnectionOptions): Promise<number | "refused">;
}

/** Listeners of HTTPS on one port, each with a policy of its own. */
export interface TlsCase {
  readonly name: string;
  /** `spec.tls` of the policy. */
  readonly tls: Content;
  /** What else the policy says. */
  readonly beside?: Content;
  /** Of the listener. Default `ec`. */
  readonly certificate?: "ec" | "rsa";
  readonly check: (place: TlsPlace) => Promise<void>;
}

const gatewayGroup = "gateway.networking.k8s.io";
const policyGroup = "gateway.envoyproxy.io";

export const hostOfCase = (index: number) => `case-${index}.tls.test`;

/** Tells the client of its fingerprints and certificate, where Envoy has them. */
const greeting = {
  type: "ResponseHeaderModifier",
  responseHeaderModifier: {
    set: [
      ...["JA3", "JA4"].map((name) => ({ name: `x-${name.toLowerCase()}`, value: `%TLS_${name}_FINGERPRINT%` })),
      { name: "x-peer", value: "%DOWNSTREAM_PEER_FINGERPRINT_256%" },
    ],
  },
};

/** The authority of the servers of all cases. */
const server = createAuthority("servers");

export interface TlsWorld {
  readonly world: World;
  readonly port: number;
  place(host: string): TlsPlace;
}

/**
 * Gateway `tls` with the listener `case-<index>` for each case and the listener `usual` without a policy, on one port; all lead to one
 * backend.
 *
 * @param objects beside them
 * @param listeners beside them, of the port
 */
export async function createTlsWorld(
  cases: readonly TlsCase[],
  objects: readonly object[] = [],
  listeners: readonly Content[] = [],
): Promise<TlsWorld> {
  const world = await createWorld();
  const port = await freePort();
  const backend = await world.backend("app");
  const secrets = (["ec", "rsa"] as const).map((keyType) =>
    tlsSecretYaml({ name: keyType, ...server.issue({ dnsNames: ["*.tls.test"], usage: "serverAuth", keyType }) }),
  );
  const https = (name: string, hostname: string, certificate = "ec") => ({
    ...{ name, hostname, protocol: "HTTPS", port },
    tls: { certificateRefs: [{ name: certificate }] },
  });
  const gateway = {
    apiVersion: `${gatewayGroup}/v1`,
    kind: "Gateway",
    metadata: { name: "tls" },
    spec: {
      gatewayClassName: "gatehouse",
      listeners: [
        https("usual", "usual.tls.test"),
        ...cases.map(({ certificate }, index) => https(`case-${index}`, hostOfCase(index), certificate)),
        ...listeners.map((listener) => ({ ...listener, port })),
      ],
    },
  };
  const app = {
    apiVersion: `${policyGroup}/v1alpha1`,
    kind: "Backend",
    metadata: { name: "app" },
    spec: { endpoints: [{ ip: { address: "127.0.0.1", port: backend.port } }] },
  };
  const route = {
    apiVersion: `${gatewayGroup}/v1`,
    kind: "HTTPRoute",
    metadata: { name: "all" },
    spec: {
      parentRefs: [{ name: "tls" }],
      rules: [{ filters: [greeting], backendRefs: [{ group: policyGroup, kind: "Backend", name: "app" }] }],
    },
  };
  const policies = cases.map(({ tls, beside }, index) => tlsPolicy(`case-${index}`, { ...beside, tls }));
  const all = toYaml([...objects, gateway, app, route, ...policies]);
  world.files.writeAtomically("cases.yaml", [...secrets, all].join("\n---\n"));
  return { world, port, place: (host) => placeOf(host, port) };
}

/** The policy of a listener, called like it. */
export function tlsPolicy(listener: string, spec: Content): object {
  return {
    apiVersion: `${policyGroup}/v1alpha1`,
    kind: "ClientTrafficPolicy",
    metadata: { name: listener },
    spec: { targetRefs: [{ group: gatewayGroup, kind: "Gateway", name: "tls", sectionName: listener }], ...spec },
  };
}

function placeOf(host: string, port: number): TlsPlace {
  const ask: TlsPlace["ask"] = (options) => askOverTls(host, port, options);
  return {
    host,
    ask,
    async askAs(pair, options) {
      const answer = await ask({ ...(pair && { cert: pair.certificate, key: pair.key }), ...options });
      return answer === "refused" ? answer : answer.status;
    },
  };
}

/** Handshake, one request, its answer. */
function askOverTls(host: string, port: number, options: ConnectionOptions = {}): Promise<Agreed | "refused"> {
  return new Promise((resolve) => {
    const socket = connectTls({ port, servername: host, ca: server.certificate, ...options });
    let text = "";
    let session: Buffer | undefined;
    socket.on("session", (each) => {
      session = each;
    });
    socket.setEncoding("latin1").on("data", (data) => {
      text += data;
    });
    socket.once("error", () => resolve("refused"));
    let agreed: Omit<Agreed, "status" | "headers"> | undefined;
    socket.once("secureConnect", () => {
      const [version, cipher] = [socket.getProtocol(), socket.getCipher().name];
      agreed = { version, cipher, alpn: socket.alpnProtocol, resumed: socket.isSessionReused() };
    });
    const finish = () => {
      socket.destroy();
      const [head = ""] = text.split("\r\n\r\n");
      const [first = "", ...lines] = head.split("\r\n");
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
      if (agreed === undefined || Number.isNaN(status)) return resolve("refused");
      const headers = Object.fromEntries(lines.map((line) => line.toLowerCase().split(/: */, 2)));
      resolve({ ...agreed, status, headers, ...(session && { session }) });
    };
    // What Envoy answers itself it does not close at once.
    socket.on("data", () => typeof parseAnswer(Buffer.from(text, "latin1")) === "object" && finish());
    socket.once("close", finish);
    socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  });
}

/** A route of connections to the backend of all cases, which answers HTTP. */
export function streamRoute(listener: string): object {
  return {
    apiVersion: `${gatewayGroup}/v1`,
    kind: "TLSRoute",
    metadata: { name: listener },
    spec: {
      parentRefs: [{ name: "tls", sectionName: listener }],
      hostnames: [`${listener}.tls.test`],
      rules: [{ backendRefs: [{ group: policyGroup, kind: "Backend", name: "app" }] }],
    },
  };
}

/** A connection that can be asked again. */
export async function keepOpen(host: string, port: number, pair: ConnectionOptions) {
  const { connection } = await openRawTlsConnection(port, host, pair);
  const ask = () =>
    new Promise<number | string>((resolve) =>
      connection.send(rawRequest(host, "/"), (answer) => resolve(typeof answer === "string" ? answer : answer.status)),
    );
  expect(await ask()).toBe(200);
  return { ask, close: () => connection.destroy() };
}
