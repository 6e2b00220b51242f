import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAuthority } from "../harness/certificates.ts";
import { callUnary, startGrpcBackend } from "../harness/grpc.ts";
import { joinDocuments, tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { waitFor } from "../harness/waiting.ts";
import { serviceObjects, toYaml } from "./traffic-world.ts";
import { backendYaml, createWorld, routeYaml, toBackend, type World } from "./world.ts";

/** Fields of an EnvoyProxy that change routes and the ways to backends, edited while the real Envoy serves. */
let world: World;
const host = "set.example.com";

beforeAll(async () => {
  world = await createWorld();
  const gateway = readFileSync(join(world.files.path, "gateway.yaml"), "utf8");
  const reference = "{group: gateway.envoyproxy.io, kind: EnvoyProxy, name: set}";
  configure("{}");
  world.files.writeAtomically(
    "gateway.yaml",
    gateway.replace(/^( *)gatewayClassName:.*$/m, `$&\n$1infrastructure: {parametersRef: ${reference}}`),
  );
}, 60_000);

afterAll(() => world?.stop(), 30_000);

function configure(spec: string): void {
  const head = "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyProxy\nmetadata: {name: set}\n";
  world.files.writeAtomically("proxy.yaml", `${head}spec: ${spec}\n`);
}

const grpcRoute = (name: string) => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "GRPCRoute",
  metadata: { name: "calls" },
  spec: { parentRefs: [{ name: "web" }], hostnames: [name], rules: [{ backendRefs: [{ name: "grpc", port: 80 }] }] },
});

/** The route of one test. */
const route = (rules: string) => world.files.writeAtomically("route.yaml", routeYaml("route", host, rules));
const until = (path: string, backend: string) =>
  world.until({ host, path }, ({ received }) => received?.backend === backend, 15_000);

test("routingType sends to the address of a Service, and to endpoints where it has none", async () => {
  const [inside, outside] = [await world.backend("endpoint"), await world.backend("service")];
  const [service, ...slices] = serviceObjects("svc", [inside.port]);
  const [headless, ...others] = serviceObjects("headless", [inside.port]);
  const port = { port: outside.port };
  const [addressed, bare] = [
    { ...service, spec: { clusterIP: "127.0.0.1", ports: [port] } },
    { ...headless, spec: { clusterIP: "None", ports: [port] } },
  ];
  world.files.writeAtomically("services.yaml", toYaml([addressed, bare, ...slices, ...others]));
  const toService = (name: string) => `backendRefs: [{name: ${name}, port: ${outside.port}}]`;
  route(`[{${toService("svc")}}, {matches: [{path: {value: /headless}}], ${toService("headless")}}]`);
  await until("/", "endpoint");
  configure("{routingType: Service}");
  await until("/", "service");
  await until("/headless", "endpoint");
  configure("{routingType: Endpoint}");
  await until("/", "endpoint");
}, 60_000);

test("preserveRouteOrder asks rules as they are written", async () => {
  for (const name of ["first", "second"]) {
    world.files.writeAtomically(`${name}.yaml`, backendYaml(name, (await world.backend(name)).port));
  }
  const rule = (type: string, value: string, name: string) =>
    `{matches: [{path: {type: ${type}, value: ${value}}}], backendRefs: [${toBackend(name)}]}`;
  route(`[${rule("PathPrefix", "/a", "first")}, ${rule("Exact", "/a/b", "second")}]`);
  await until("/a/b", "second");
  configure("{preserveRouteOrder: true}");
  await until("/a/b", "first");
  configure("{preserveRouteOrder: false}");
  await until("/a/b", "second");
}, 60_000);

test("backendTLS is what a Backend with TLS does not say itself, its certificate among it", async () => {
  const authority = createAuthority();
  const keyPair = authority.issue({ dnsNames: ["tls.example.org"] });
  const options = { protocol: "tls", keyPair, clientAuthority: authority.certificate } as const;
  const { port } = await world.backend("mtls", options);
  const backend = (name: string, more: string) => `apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: ${name}}
spec: {endpoints: [{ip: {address: 127.0.0.1, port: ${port}}}], tls: {insecureSkipVerify: true, sni: tls.example.org${more}}}`;
  world.files.writeAtomically(
    "tls.yaml",
    joinDocuments(
      backend("plain", ""),
      backend("own", ", minVersion: '1.3'"),
      tlsSecretYaml({ name: "client", ...authority.issue({ dnsNames: ["client.example.org"] }) }),
    ),
  );
  route(
    `[{backendRefs: [${toBackend("plain")}]}, {matches: [{path: {value: /own}}], backendRefs: [${toBackend("own")}]}]`,
  );
  await world.until({ host }, ({ status }) => status === 503);
  const cipher = "ECDHE-ECDSA-AES256-GCM-SHA384";
  const offered = `maxVersion: '1.2', ciphers: [${cipher}, ECDHE-RSA-AES256-GCM-SHA384], alpnProtocols: [http/1.1]`;
  configure(`{backendTLS: {clientCertificateRef: {name: client}, ${offered}}}`);
  expect((await until("/", "mtls")).received?.tls).toMatchObject({
    version: "TLSv1.2",
    cipher: expect.stringMatching(/^ECDHE-\w+-AES256-GCM-SHA384$/),
    alpn: "http/1.1",
    clientCommonName: expect.anything(),
  });
  // What the Backend says of versions stands as a whole.
  expect((await until("/own", "mtls")).received?.tls).toMatchObject({ version: "TLSv1.3" });
  configure("{backendTLS: {clientCertificateRef: {name: nobody}}}");
  await waitFor("the status to say what is missing", async () => {
    const text = await world.gatehouse().admin("/status");
    return text.includes("spec.backendTLS.clientCertificateRef names Secret default/nobody, which does not exist");
  });
}, 60_000);

describe("statistics", () => {
  const countedCalls = async () => (await statistics()).filter((line) => line.startsWith("envoy_cluster_grpc_total{"));

  test("of gRPC are kept for routes of that kind, unless they are not wanted", async () => {
    const server = await startGrpcBackend("grpc", ["store.Orders/Get"]);
    try {
      const grpcHost = "grpc.example.com";
      world.files.writeAtomically("grpc.yaml", toYaml([...serviceObjects("grpc", [server.port]), grpcRoute(grpcHost)]));
      const call = () => callUnary({ port: world.port, method: "store.Orders/Get", host: grpcHost });
      const untilServed = () => waitFor("an answer by gRPC", async () => (await call()).code === "OK");
      const isCounted = async () => {
        const [before] = await countedCalls();
        await untilServed();
        return (await countedCalls())[0] !== before;
      };
      await waitFor("calls to be counted", isCounted);
      configure("{telemetry: {metrics: {enableGRPCStats: false}}}");
      await waitFor("calls not to be counted", async () => !(await isCounted()));
      configure("{}");
      await waitFor("calls to be counted again", isCounted);
    } finally {
      server.stop();
    }
  }, 60_000);

  /** Lines of Envoy's own page. */
  async function statistics(): Promise<string[]> {
    const { admin } = await world.gatehouse().envoyAdmin();
    return (await admin("/stats/prometheus")).split("\n");
  }

  const untilCounted = (what: string, pattern: RegExp) =>
    waitFor(
      what,
      async () => {
        await world.send({ host, path: "/counted" });
        return (await statistics()).find((line) => pattern.test(line));
      },
      20_000,
    );

  test("are kept for endpoints, hosts and sizes when they are asked for, under the name that is chosen", async () => {
    world.files.writeAtomically("counted.yaml", backendYaml("counted", (await world.backend("counted")).port));
    route(`[{name: the-rule, backendRefs: [${toBackend("counted")}]}]`);
    configure("{}");
    await until("/counted", "counted");
    const usual = (await statistics()).join("\n");
    expect(usual).not.toMatch(/envoy_cluster_endpoint_|vhost|upstream_rq_body_size/);
    const named =
      "clusterStatName: '%ROUTE_KIND%/%ROUTE_NAMESPACE%/%ROUTE_NAME%/%ROUTE_RULE_NAME%/%ROUTE_RULE_NUMBER%/%BACKEND_REFS%'";
    const all = "enablePerEndpointStats: true, enableRequestResponseSizesStats: true, enableVirtualHostStats: true";
    configure(`{telemetry: {metrics: {${named}, ${all}}}}`);
    const name = 'envoy_cluster_name="httproute/default/route/the-rule/0/default/counted"';
    await untilCounted("requests by name", new RegExp(`^envoy_cluster_upstream_rq_total{${name}} [1-9]`));
    await untilCounted("requests by endpoint", new RegExp(`^envoy_cluster_endpoint_rq_total{.*${name}.*} [1-9]`));
    await untilCounted("sizes", new RegExp(`^envoy_cluster_upstream_rq_body_size_bucket{.*${name}.*} `));
    await untilCounted(
      "requests by host",
      /^envoy_vhost_vcluster_upstream_rq{.*envoy_virtual_cluster="set_example_com".*} [1-9]/,
    );
  }, 120_000);
});
