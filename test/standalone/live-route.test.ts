import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { createAuthority } from "../harness/certificates.ts";
import { talk } from "../harness/grpc.ts";
import { waitFor } from "../harness/waiting.ts";
import { webSocketEcho } from "../harness/websocket.ts";
import { readComplaints } from "./traffic-status.ts";
import { serviceObjects, startTrafficWorld, type TrafficWorld, toYaml } from "./traffic-world.ts";

/** What happens to traffic when the objects that a route refers to change, and what is no single request. */
let world: TrafficWorld;

jest.setTimeout(30_000);

beforeAll(async () => {
  world = await startTrafficWorld();
}, 60_000);

afterAll(() => world?.stop(), 30_000);

const service = (name: string) => ({ backendRefs: [{ name, port: 80 }] });
const backendRef = (name: string) => ({ group: "gateway.envoyproxy.io", kind: "Backend", name });
const extension = (name: string) => ({
  filters: [{ type: "ExtensionRef", extensionRef: { group: "gateway.envoyproxy.io", kind: "HTTPRouteFilter", name } }],
});
const object = (kind: string, name: string, fields: object) => ({
  apiVersion: kind === "Secret" || kind === "ConfigMap" ? "v1" : "gateway.envoyproxy.io/v1alpha1",
  kind,
  metadata: { name },
  ...fields,
});
const loopback = (port: number | undefined) => [{ ip: { address: "127.0.0.1", port } }];

/** Writes a route on the host `<name>.example.com`, and other objects, into a file of their own. */
function serve(name: string, rules: readonly object[], objects: readonly object[] = [], kind = "HTTPRoute"): string {
  const host = `${name}.example.com`;
  const route = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind,
    metadata: { name },
    spec: { parentRefs: [{ name: "web" }], hostnames: [host], rules },
  };
  world.files.writeAtomically(`${name}.yaml`, toYaml([route, ...objects]));
  return host;
}

async function complaint(route: string, pattern: RegExp): Promise<void> {
  await waitFor(`${pattern} in the status of ${route}`, async () =>
    (await readComplaints(world.gatehouse())).get(`HTTPRoute/default/${route}`)?.some((text) => pattern.test(text)),
  );
}

test("a credential follows its Secret, and without it nothing passes", async () => {
  const secret = (credential: string) => toYaml([object("Secret", "credential", { stringData: { credential } })]);
  world.files.writeAtomically("credential.yaml", secret("first"));
  const injection = { header: "x-key", credential: { valueRef: { name: "credential" } } };
  const host = serve(
    "injects",
    [{ ...extension("inject"), ...service("one") }],
    [object("HTTPRouteFilter", "inject", { spec: { credentialInjection: injection } })],
  );
  await world.until({ host }, ({ received }) => received?.headers["x-key"] === "first");
  world.files.writeAtomically("credential.yaml", secret("second"));
  await world.until({ host }, ({ received }) => received?.headers["x-key"] === "second");
  world.files.writeAtomically("credential.yaml", secret("no\nheader"));
  await world.until({ host }, ({ status }) => status === 500);
  await complaint("injects", /Accepted=False \(UnsupportedValue\).*line break/);
  world.files.remove("credential.yaml");
  await complaint("injects", /Accepted=False \(UnsupportedValue\).*does not exist/);
  expect((await world.send({ host })).status).toBe(500);
  world.files.writeAtomically("credential.yaml", secret("third"));
  await world.until({ host }, ({ received }) => received?.headers["x-key"] === "third");
});

test("a direct response follows its ConfigMap, however large", async () => {
  const configMap = (text: string) => toYaml([object("ConfigMap", "page", { data: { "response.body": text } })]);
  world.files.writeAtomically("page.yaml", configMap("small"));
  const body = { type: "ValueRef", valueRef: { group: "", kind: "ConfigMap", name: "page" } };
  const host = serve(
    "answers",
    [{ ...extension("page") }],
    [object("HTTPRouteFilter", "page", { spec: { directResponse: { contentType: "text/html", body } } })],
  );
  await world.until({ host }, (answer) => answer.body === "small");
  const large = "é".repeat(500_000);
  world.files.writeAtomically("page.yaml", configMap(large));
  const answer = await world.until({ host }, ({ bytes }) => bytes.byteLength === 1_000_000);
  expect(answer.body).toBe(large);
  expect(answer.headers["content-type"]).toBe("text/html");
  world.files.writeAtomically("page.yaml", configMap(`${large}${large}`));
  await complaint("answers", /has 2000000 bytes, more than/);
  expect((await world.send({ host })).status).toBe(500);
});

test("endpoints follow their slices, and requests their endpoints", async () => {
  const [one, two] = ["one", "two"].map((name) => world.backends.get(name)?.port ?? 0);
  const write = (...ports: number[]) =>
    world.files.writeAtomically("moving.yaml", toYaml(serviceObjects("moving", ports)));
  write(one ?? 0);
  const host = serve("moves", [service("moving")]);
  await world.until({ host }, ({ received }) => received?.backend === "one");
  write(two ?? 0);
  await world.until({ host }, ({ received }) => received?.backend === "two");
  write();
  await world.until({ host }, ({ status }) => status === 503);
  await complaint("moves", /BackendsAvailable=False/);
  write(one ?? 0);
  await world.until({ host }, ({ received }) => received?.backend === "one");
});

test("a fallback takes over when the endpoints are gone or dead, and gives back when they return", async () => {
  const main = (...ports: (number | undefined)[]) =>
    world.files.writeAtomically(
      "main.yaml",
      toYaml(
        serviceObjects(
          "main",
          ports.map((port) => port ?? 0),
        ),
      ),
    );
  const one = world.backends.get("one")?.port;
  main(one);
  const spec = { fallback: true, endpoints: loopback(world.backends.get("two")?.port) };
  const host = serve(
    "falls-back",
    [{ backendRefs: [{ name: "main", port: 80 }, backendRef("second")] }],
    [object("Backend", "second", { spec })],
  );
  const answeredBy = (name: string) => world.until({ host }, ({ received }) => received?.backend === name);
  await answeredBy("one");
  main();
  await answeredBy("two");
  main(one);
  await answeredBy("one");
  const flaky = await world.backend("flaky");
  main(flaky.port);
  await answeredBy("flaky");
  await flaky.stop();
  await answeredBy("two");
  for (let i = 0; i < 20; i++) expect((await world.send({ host })).received?.backend).toBe("two");
  const again = await world.backend("flaky-again", { port: flaky.port });
  await answeredBy("flaky-again");
  expect(again.received.length).toBeGreaterThan(0);
});

test("a backend is trusted by the authorities that stand in the ConfigMap now", async () => {
  const write = (certificate: string) =>
    world.files.writeAtomically(
      "trust.yaml",
      toYaml([object("ConfigMap", "trust", { data: { "ca.crt": certificate } })]),
    );
  const [right, wrong] = [createAuthority(), createAuthority("wrong")];
  const keyPair = right.issue({ dnsNames: ["own.example.org"] });
  const backend = await world.backend("own", { protocol: "tls", keyPair });
  // Connections that are open have been trusted; what changes is trusted from the next one on.
  backend.behave({ headers: { connection: "close" } });
  write(right.certificate);
  const tls = { sni: "own.example.org", caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "trust" }] };
  const host = serve(
    "trusts",
    [{ backendRefs: [backendRef("own")] }],
    [object("Backend", "own", { spec: { endpoints: loopback(backend.port), tls } })],
  );
  await world.until({ host }, ({ received }) => received?.backend === "own");
  write(wrong.certificate);
  await world.until({ host }, ({ status }) => status === 503);
  write("no certificate");
  await complaint("trusts", /ResolvedRefs=False \(InvalidBackendTLS\)/);
  expect((await world.send({ host })).status).toBe(500);
  write(right.certificate);
  await world.until({ host }, ({ received }) => received?.backend === "own");
});

test("WebSockets go through, to plain and to TLS backends, from both listeners", async () => {
  const tls = { sni: "tls.example.org", insecureSkipVerify: true };
  const backends = [
    object("Backend", "ws", {
      spec: { appProtocols: ["gateway.envoyproxy.io/ws"], endpoints: loopback(world.backends.get("one")?.port) },
    }),
    object("Backend", "wss", {
      spec: { appProtocols: ["gateway.envoyproxy.io/wss"], endpoints: loopback(world.backends.get("tls")?.port), tls },
    }),
  ];
  const path = (value: string) => ({ matches: [{ path: { value } }] });
  const host = serve(
    "sockets",
    [
      { ...path("/service"), ...service("one"), timeouts: { request: "200ms" } },
      { ...path("/ws"), backendRefs: [backendRef("ws")] },
      { ...path("/wss"), backendRefs: [backendRef("wss")] },
    ],
    backends,
  );
  await world.until({ host, path: "/ws" }, ({ status }) => status === 200);
  for (const [socketPath, name] of [
    ["/service", "one"],
    ["/ws", "one"],
    ["/wss", "tls"],
  ]) {
    for (const secure of [false, true]) {
      const port = secure ? world.httpsPort : world.port;
      // The timeout of the request is over once the connection is a WebSocket.
      const silenceMs = socketPath === "/service" ? 400 : 0;
      const answer = await webSocketEcho({
        silenceMs,
        port,
        host,
        secure,
        text: "hello",
        ...(socketPath && { path: socketPath }),
      });
      expect([socketPath, secure, answer.status, answer.text]).toEqual([socketPath, secure, 101, "hello"]);
      expect(answer.headers["x-backend"]).toBe(name);
    }
  }
});

test("a gRPC stream goes both ways", async () => {
  const host = serve(
    "streams",
    [{ matches: [{ method: { service: "chat.Room" } }], ...service("grpc-one") }],
    [],
    "GRPCRoute",
  );
  const messages = Array.from({ length: 20 }, (_, number) => ({ number }));
  const returned = await waitFor("the stream", () =>
    talk({ port: world.port, host, method: "chat.Room/Talk" }, messages),
  );
  expect(returned).toEqual(messages);
});
