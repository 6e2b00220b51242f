import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createAuthority } from "../harness/certificates.ts";
import { send } from "../harness/client.ts";
import { sendHttp3 } from "../harness/http3.ts";
import { tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { startLoad } from "../harness/load.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { START_LIMIT_MS, STEP_LIMIT_MS, type Status, SYSTEM, startWorld, type World } from "./world.ts";

/** Gateways of two namespaces behind one Deployment of Envoy, in a real cluster with the manifests as they are shipped. */

/** After a Gateway is gone: longer than Envoys need to be told and to let go what they would drop. */
const AFTERMATH_MS = 5_000;

const classManifest = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: shared}
spec:
  controllerName: gatehouse.dev/gateway-controller
  parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: shared, namespace: ${SYSTEM}}
`;
const proxyManifest = (mergeGateways: boolean) => `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: shared, namespace: ${SYSTEM}}
spec:
  mergeGateways: ${mergeGateways}
  shutdown: {drainTimeout: 5s, minDrainDuration: 1s}
`;
/** Both have port 80 for hosts of their own, and a port that the other has not. */
const tenantManifest = (name: string, ownPort: number) => `
apiVersion: v1
kind: Namespace
metadata: {name: ${name}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: ${name}}
spec:
  gatewayClassName: shared
  listeners:
    - {name: http, protocol: HTTP, port: 80, hostname: "*.${name}.example.com"}
    - {name: own, protocol: HTTP, port: ${ownPort}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo, namespace: ${name}}
spec:
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec: {containers: [{name: echo, image: "example.com/echo:v1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: ${name}}
spec: {selector: {app: echo}, ports: [{port: 80, targetPort: 3000}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: echo, namespace: ${name}}
spec:
  parentRefs: [{name: gw}]
  rules: [{backendRefs: [{name: echo, port: 80}]}]
`;

let world: World;
const statusOf = async (namespace: string): Promise<Status> =>
  JSON.parse(await world.kubectl("get", "gateway", "gw", "-n", namespace, "-o", "json")).status ?? {};
const addressOf = async (namespace: string) => (await statusOf(namespace)).addresses?.[0]?.value;
const isProgrammed = async (namespace: string) =>
  (await statusOf(namespace)).conditions?.some(({ type, status }) => type === "Programmed" && status === "True") ??
  false;
const deployments = async () =>
  (await world.kubectl("get", "deploy", "-n", SYSTEM, "-l", "app.kubernetes.io/component=proxy", "-o", "name"))
    .split("\n")
    .filter((line) => line !== "")
    .sort();
const pods = () => world.kubectl("get", "pods", "-n", SYSTEM, "-l", "app.kubernetes.io/component=proxy", "-o", "name");
const statusAt = (address: string, port: number, host: string) =>
  send({ address, port, host, limitMs: 2_000 }).then(
    ({ status }) => status,
    () => undefined,
  );

beforeAll(async () => {
  world = await startWorld();
  await world.install("config/default");
  await world.apply([proxyManifest(true), classManifest, tenantManifest("older", 8080)].join("---"));
  // Ages are told in seconds.
  await pause(1_100);
  await world.apply(tenantManifest("younger", 8081));
}, START_LIMIT_MS);

afterAll(() => world?.cluster.stop(), START_LIMIT_MS);

test(
  "two Gateways have one Deployment and one address, and both answer",
  async () => {
    for (const namespace of ["older", "younger"]) {
      await waitFor(`${namespace} to be programmed`, () => isProgrammed(namespace), STEP_LIMIT_MS);
    }
    const address = (await addressOf("older")) ?? "";
    expect(await addressOf("younger")).toBe(address);
    expect(await deployments()).toEqual([expect.stringMatching(/^deployment\.apps\/envoy-shared-[0-9a-f]{8}$/)]);
    for (const [port, host, expected] of [
      [80, "a.older.example.com", 200],
      [80, "a.younger.example.com", 200],
      [80, "a.nobody.example.com", 404],
      [8080, "any.example.com", 200],
      [8081, "any.example.com", 200],
    ] as const) {
      await waitFor(
        `${expected} for ${host}:${port}`,
        async () => (await statusAt(address, port, host)) === expected,
        STEP_LIMIT_MS,
      );
    }
  },
  STEP_LIMIT_MS * 2,
);

test(
  "the older is deleted and the younger goes on without a failed request, on the same pod",
  async () => {
    const address = (await addressOf("younger")) ?? "";
    const before = await pods();
    const load = await startLoad({ address, port: 80, host: "a.younger.example.com", path: "/" });
    await world.kubectl("delete", "gateway", "gw", "-n", "older");
    await waitFor(
      "its host to be gone",
      async () => (await statusAt(address, 80, "a.older.example.com")) === 404,
      STEP_LIMIT_MS,
    );
    await waitFor(
      "its port to be gone",
      async () => (await statusAt(address, 8080, "any.example.com")) === undefined,
      STEP_LIMIT_MS,
    );
    await pause(AFTERMATH_MS);
    const { failures, requests } = await load.stop();
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(500);
    expect(await pods()).toBe(before);
    expect(await addressOf("younger")).toBe(address);
    expect(await isProgrammed("younger")).toBe(true);
  },
  STEP_LIMIT_MS * 2,
);

test(
  "a port gets HTTP/3: the Service has the number for UDP too, on the same pod, and clients reach it at the address of the Gateway",
  async () => {
    const host = "a.younger.example.com";
    const authority = createAuthority();
    const listener = { name: "https", protocol: "HTTPS", port: 443, tls: { certificateRefs: [{ name: "pair" }] } };
    const patch = [{ op: "add", path: "/spec/listeners/-", value: listener }];
    await world.apply(tlsSecretYaml({ name: "pair", namespace: "younger", ...authority.issue({ dnsNames: [host] }) }));
    await world.kubectl("patch", "gateway", "gw", "-n", "younger", "--type", "json", "-p", JSON.stringify(patch));
    const address = (await addressOf("younger")) ?? "";
    const server = { address, port: 443, host, authority: authority.certificate };
    const overTcp = () => send({ ...server, tls: { servername: host, authority: authority.certificate } });
    await waitFor("HTTPS", async () => (await overTcp()).status === 200, STEP_LIMIT_MS);
    expect((await overTcp()).headers["alt-svc"]).toBeUndefined();
    const before = await pods();
    await world.apply(`
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata: {name: http-versions, namespace: younger}
spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gw}], http3: {}}
`);
    const overQuic = () => sendHttp3({ ...server, servername: host, limitMs: 2_000 });
    await waitFor("HTTP/3", async () => (await overQuic()).status === 200, STEP_LIMIT_MS);
    expect((await overTcp()).headers["alt-svc"]).toBe('h3=":443"; ma=86400');
    expect(await pods()).toBe(before);
    expect(await addressOf("younger")).toBe(address);
    expect(await isProgrammed("younger")).toBe(true);
    await world.kubectl("delete", "clienttrafficpolicy", "http-versions", "-n", "younger");
    const served = () =>
      overQuic().then(
        () => true,
        () => false,
      );
    await waitFor("HTTP/3 to be gone", async () => !(await served()), STEP_LIMIT_MS);
    expect((await overTcp()).status).toBe(200);
  },
  STEP_LIMIT_MS * 3,
);

test(
  "switched off the Gateway gets Envoys of its own, and nothing is left of the class's; the last Gateway leaves nothing",
  async () => {
    await world.apply(proxyManifest(false));
    const own = expect.stringMatching(/^deployment\.apps\/envoy-younger-gw-[0-9a-f]{8}$/);
    await waitFor(
      "the Deployment of the Gateway",
      async () => (await deployments()).join().includes("envoy-younger-gw"),
      STEP_LIMIT_MS,
    );
    await waitFor("the other to be gone", async () => (await deployments()).length === 1, STEP_LIMIT_MS);
    expect(await deployments()).toEqual([own]);
    await waitFor(
      "an answer of the new Envoys",
      async () => {
        const address = await addressOf("younger");
        return address !== undefined && (await statusAt(address, 80, "a.younger.example.com")) === 200;
      },
      STEP_LIMIT_MS,
    );
    const ofShared = ["-n", SYSTEM, "-l", "gateway.envoyproxy.io/owning-gatewayclass", "-o", "name"];
    expect(await world.kubectl("get", "deploy,svc,cm,sa", ...ofShared)).toBe("");
    await waitFor(
      "the certificate of the class to be gone",
      async () => !(await world.kubectl("get", "secret", "-n", SYSTEM, "-o", "name")).includes("envoy-shared"),
      STEP_LIMIT_MS,
    );
    await world.kubectl("delete", "gateway", "gw", "-n", "younger");
    await waitFor(
      "everything to be gone",
      async () =>
        (await world.kubectl(
          "get",
          "deploy,svc,cm,sa",
          "-n",
          SYSTEM,
          "-l",
          "gatehouse.dev/installation",
          "-o",
          "name",
        )) === "",
      STEP_LIMIT_MS,
    );
  },
  STEP_LIMIT_MS * 3,
);
