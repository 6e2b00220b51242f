import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createAuthority } from "../harness/certificates.ts";
import { send } from "../harness/client.ts";
import { backendYaml, joinDocuments, tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { startLoad } from "../harness/load.ts";
import { freePort } from "../harness/ports.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { createWorld, toBackend, type World } from "./world.ts";

/** Gateways of two namespaces on one Envoy of this host. */
let world: World;
let port: number;

const AFTERMATH_MS = 1_000;

const classYaml = (name: string, mergeGateways: boolean) => `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: ${name}}
spec:
  controllerName: gatehouse.dev/gateway-controller
  parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: ${name}, namespace: default}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: ${name}, namespace: default}
spec: {mergeGateways: ${mergeGateways}}
`;

const httpListener = (hostname: string, listenerPort: number) =>
  `{name: http, protocol: HTTP, port: ${listenerPort}, hostname: "${hostname}"}`;

/** A Gateway with one listener, and in its namespace a route that sends everything to a backend called like the namespace. */
async function writeGateway(namespace: string, listener: string, created: string, ...more: string[]): Promise<void> {
  const text = joinDocuments(
    `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: ${namespace}, creationTimestamp: "${created}"}
spec: {gatewayClassName: shared, listeners: [${listener}]}`,
    `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: ${namespace}}
spec: {parentRefs: [{name: gw}], rules: [{backendRefs: [${toBackend("b")}]}]}`,
    backendYaml({ name: "b", namespace, port: (await world.backend(namespace)).port }),
    ...more,
  );
  world.files.writeAtomically(`${namespace}.yaml`, text);
}

const answeredBy = (host: string, backend: string) =>
  world.until({ host, port }, (answer) => answer.received?.backend === backend);
/** Envoys beside that of the world's own Gateway. */
const envoys = async () => (await world.gatehouse().envoyPids()).length - 1;

beforeEach(async () => {
  world = await createWorld();
  port = await freePort();
  world.files.writeAtomically("class.yaml", classYaml("shared", true));
  await writeGateway("old", httpListener("*.old.test", port), "2026-01-01T00:00:00Z");
  await writeGateway("young", httpListener("*.young.test", port), "2026-02-01T00:00:00Z");
  await answeredBy("a.old.test", "old");
  await answeredBy("a.young.test", "young");
}, 60_000);

afterEach(() => world.stop(), 30_000);

test("one Envoy serves both on one port, and each host is its Gateway's", async () => {
  expect(await envoys()).toBe(1);
  expect((await world.send({ host: "a.other.test", port })).status).toBe(404);
  const status = await world.gatehouse().statusText();
  for (const namespace of ["old", "young"]) {
    expect(status).toMatch(new RegExp(`ok +Gateway ${namespace}/gw: Programmed at`));
  }
}, 60_000);

test("a Gateway that is deleted costs the others no request, the oldest too; one that comes takes over what it left", async () => {
  await writeGateway("rival", httpListener("*.old.test", port), "2026-03-01T00:00:00Z");
  await waitFor("the conflict", async () =>
    /HostnameConflict|the older Gateway old\/gw/.test(await world.gatehouse().statusText()),
  );
  const load = await startLoad({ port, host: "a.young.test", path: "/", requestsPerSecond: 200 });
  world.files.remove("old.yaml");
  await answeredBy("a.old.test", "rival");
  world.files.remove("rival.yaml");
  await world.until({ host: "a.old.test", port }, (answer) => answer.status === 404);
  // An Envoy that drains would let connections go only now.
  await pause(AFTERMATH_MS);
  const { failures, requests } = await load.stop();
  expect(failures).toEqual([]);
  expect(requests).toBeGreaterThan(100);
  expect(await envoys()).toBe(1);
}, 60_000);

test("HTTPS of both on one port: each with its own certificate, with and without the other", async () => {
  const authority = createAuthority();
  const secure = await freePort();
  for (const namespace of ["old", "young"]) {
    const hostname = `*.${namespace}.test`;
    const pair = authority.issue({ dnsNames: [hostname] });
    const listener = `{name: https, protocol: HTTPS, port: ${secure}, hostname: "${hostname}", tls: {certificateRefs: [{name: s}]}}`;
    await writeGateway(namespace, listener, "2026-01-01T00:00:00Z", tlsSecretYaml({ name: "s", namespace, ...pair }));
  }
  const ask = (namespace: string) => {
    const host = `a.${namespace}.test`;
    return send({ port: secure, host, http: "2", tls: { servername: host, authority: authority.certificate } });
  };
  for (const namespace of ["old", "young"]) {
    await waitFor(
      `an answer of ${namespace}`,
      async () => JSON.parse((await ask(namespace)).body).backend === namespace,
    );
  }
  world.files.remove("old.yaml");
  await waitFor("the other's name to be refused", () =>
    ask("old").then(
      () => false,
      () => true,
    ),
  );
  expect((await ask("young")).tls).toMatchObject({ alpn: "h2" });
}, 60_000);

test("switched off each Gateway has an Envoy and its own port, switched on they have one again", async () => {
  const other = await freePort();
  await writeGateway("young", httpListener("*.young.test", other), "2026-02-01T00:00:00Z");
  await world.until({ host: "a.young.test", port: other }, (answer) => answer.received?.backend === "young");
  expect(await envoys()).toBe(1);
  world.files.writeAtomically("class.yaml", classYaml("shared", false));
  await waitFor("an Envoy each", async () => (await envoys()) === 2, 30_000);
  await answeredBy("a.old.test", "old");
  await world.until({ host: "a.young.test", port: other }, (answer) => answer.received?.backend === "young");
  world.files.writeAtomically("class.yaml", classYaml("shared", true));
  await waitFor("one Envoy", async () => (await envoys()) === 1, 30_000);
  await answeredBy("a.old.test", "old");
  await world.until({ host: "a.young.test", port: other }, (answer) => answer.received?.backend === "young");
}, 120_000);
