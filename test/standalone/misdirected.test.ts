import { type ClientHttp2Session, connect } from "node:http2";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createAuthority } from "../harness/certificates.ts";
import { send } from "../harness/client.ts";
import { gatewayYaml, tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";
import { backendYaml, createWorld, toBackend, type World } from "./world.ts";

/**
 * One certificate is good for hosts of several HTTPS listeners, so that clients use one HTTP/2 connection for all of them (RFC 9113,
 * 9.1.1): what belongs to another listener is answered with 421, and served on a connection of its own.
 */
let world: World;
/** `wide` has a listener for every host, `narrow` has none. */
let ports: { readonly wide: number; readonly narrow: number };

const authority = createAuthority();

/** Listener, its port and hostname. Each has a route for every host and a backend, both called like it. */
const listeners = [
  ["any", "wide", undefined],
  ["one", "wide", "one.test"],
  ["wild", "wide", "*.wild.test"],
  ["exact", "wide", "x.wild.test"],
  ["deep", "wide", "*.deep.wild.test"],
  ["left", "narrow", "one.test"],
  ["right", "narrow", "*.wild.test"],
] as const;
const added = ["new", "narrow", "new.test"] as const;

beforeAll(async () => {
  world = await createWorld();
  ports = { wide: await freePort(), narrow: await freePort() };
  const dnsNames = ["one.test", "new.test", "other.test", "*.wild.test", "*.deep.wild.test"];
  world.files.writeAtomically("secret.yaml", tlsSecretYaml({ name: "web", ...authority.issue({ dnsNames }) }));
  writeGateway(listeners);
  for (const [name] of [...listeners, added]) {
    const { port } = await world.backend(name);
    const route = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}}
spec: {parentRefs: [{name: web, sectionName: ${name}}], rules: [{backendRefs: [${toBackend(name)}]}]}
`;
    world.files.writeAtomically(`${name}.yaml`, `${backendYaml(name, port)}---\n${route}`);
  }
  for (const [name, port, hostname] of listeners) {
    const host = hostname?.replace("*", "z") ?? "other.test";
    await waitFor(`listener ${name}`, async () => (await askAlone(port, host)) === name);
  }
}, 60_000);

afterAll(() => world.stop(), 30_000);

type Port = keyof typeof ports;

function writeGateway(wanted: readonly (readonly [string, Port, string | undefined])[]): void {
  const entries = wanted.map(
    ([name, port, hostname]) =>
      `{name: ${name}, protocol: HTTPS, port: ${ports[port]}, ${hostname === undefined ? "" : `hostname: "${hostname}", `}tls: {certificateRefs: [{name: web}]}}`,
  );
  world.files.writeAtomically("gateway.yaml", gatewayYaml({ name: "web", listeners: `[${entries.join()}]` }));
}

/** The backend that answers over a connection of the host's own. */
async function askAlone(port: Port, host: string, http: "1.1" | "2" = "2"): Promise<string | number> {
  const tls = { servername: host, authority: authority.certificate };
  const answer = await send({ port: ports[port], host, http, tls });
  return answer.status === 200 ? (JSON.parse(answer.body) as { backend: string }).backend : answer.status;
}

/** An HTTP/2 connection opened for one host (undefined: for none), that is asked for others. */
function openConnection(port: Port, servername: string | undefined) {
  const session: ClientHttp2Session = connect(`https://127.0.0.1:${ports[port]}`, {
    ca: authority.certificate,
    servername: servername ?? "",
    checkServerIdentity: () => undefined,
  }).on("error", () => {});
  return {
    session,
    ask: (authorityOfRequest: string) =>
      new Promise<string | number>((resolve, reject) => {
        const stream = session
          .request({ ":path": "/any/path", ":authority": authorityOfRequest })
          .once("error", reject);
        let status = 0;
        let body = "";
        stream.once("response", (headers) => {
          status = headers[":status"] ?? 0;
        });
        stream.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        stream.once("end", () => resolve(status === 200 ? (JSON.parse(body) as { backend: string }).backend : status));
        stream.end();
      }),
  };
}

test.each<[Port, string | undefined, Record<string, string | number>]>([
  ["wide", "one.test", { "one.test": "one", "z.wild.test": 421, "x.wild.test": 421, "other.test": 421 }],
  ["wide", "other.test", { "other.test": "any", "wild.test": "any", "one.test": 421, "y.deep.wild.test": 421 }],
  ["wide", undefined, { "other.test": "any", "one.test": 421 }],
  [
    "wide",
    "z.wild.test",
    { "z.wild.test": "wild", "q.wild.test": "wild", "x.wild.test": 421, "y.deep.wild.test": 421, "wild.test": 421 },
  ],
  ["wide", "x.wild.test", { "x.wild.test": "exact", "z.wild.test": 421, "one.test": 421 }],
  ["narrow", "one.test", { "one.test": "left", "z.wild.test": 421, "a.b.wild.test": 421, "other.test": 404 }],
  ["narrow", "z.wild.test", { "z.wild.test": "right", "ONE.test": 421, "wild.test": 404, "other.test": 404 }],
])("port %s, one connection for %s", async (port, servername, answers) => {
  const { ask, session } = openConnection(port, servername);
  const found: Record<string, string | number> = {};
  for (const host of Object.keys(answers)) {
    found[host] = await ask(host);
    // A port in the authority changes nothing.
    expect(await ask(`${host}:${ports[port]}`)).toBe(found[host]);
  }
  session.destroy();
  expect(found).toEqual(answers);
});

test("HTTP/1.1 on a connection for another host is answered the same", async () => {
  const tls = { servername: "one.test", authority: authority.certificate };
  const answer = await send({ port: ports.wide, host: "z.wild.test", http: "1.1", tls });
  expect(answer.status).toBe(421);
  expect(await askAlone("wide", "z.wild.test", "1.1")).toBe("wild");
});

test("a listener that comes takes its host, and that goes leaves it, while connections live on", async () => {
  const { ask, session } = openConnection("narrow", "one.test");
  expect(await ask("new.test")).toBe(404);
  writeGateway([...listeners, added]);
  await waitFor("the new listener", async () => (await askAlone("narrow", "new.test")) === "new");
  expect(await ask("new.test")).toBe(421);
  writeGateway(listeners);
  await waitFor("its end", async () => (await ask("new.test")) === 404);
  expect(await ask("one.test")).toBe("left");
  session.destroy();
}, 30_000);
