import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { gatewayYaml } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";
import { exchangeBytes } from "./exchange-bytes.ts";
import { serviceObjects, toYaml } from "./traffic-world.ts";
import { createWorld, type World } from "./world.ts";

/** Connections pass by the addresses that they come from; where a policy says of them what they do not show, none passes. */

const group = "gateway.networking.k8s.io";
let world: World;
let ports: { readonly own: number; readonly inherited: number };

beforeAll(async () => {
  world = await createWorld();
  ports = { own: await freePort(), inherited: await freePort() };
  const listeners = Object.entries({ http: world.port, ...ports }).map(
    ([name, port]) => `{name: ${name}, protocol: ${name === "http" ? "HTTP" : "TCP"}, port: ${port}}`,
  );
  const { port } = await world.backend("app");
  world.files.writeAtomically("gateway.yaml", gatewayYaml({ name: "web", listeners: `[${listeners.join(", ")}]` }));
  world.files.writeAtomically(
    "routes.yaml",
    toYaml([
      ...serviceObjects("app", [port]),
      ...Object.keys(ports).map((name) => ({
        apiVersion: `${group}/v1`,
        kind: "TCPRoute",
        metadata: { name },
        spec: {
          parentRefs: [{ name: "web", sectionName: name }],
          rules: [{ backendRefs: [{ name: "app", port: 80 }] }],
        },
      })),
    ]),
  );
  for (const each of Object.values(ports)) await untilPasses(each, true);
}, 60_000);
afterAll(async () => {
  await world?.stop();
}, 30_000);

const passes = async (port: number) => {
  const asked = "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";
  return (await exchangeBytes(port, asked)).startsWith("HTTP/1.1 200");
};
const untilPasses = (port: number, wanted: boolean) =>
  waitFor(`connections that ${wanted ? "pass" : "are closed"}`, async () => (await passes(port)) === wanted);

const authorize = (kind: string, name: string, authorization: object) =>
  world.files.writeAtomically(
    `${kind}.yaml`,
    toYaml([
      {
        apiVersion: "gateway.envoyproxy.io/v1alpha1",
        kind: "SecurityPolicy",
        metadata: { name: kind.toLowerCase() },
        spec: { targetRefs: [{ group, kind, name }], authorization },
      },
    ]),
  );
const rule = (action: string, ...clientCIDRs: string[]) => ({ action, principal: { clientCIDRs } });

test("of a route", async () => {
  authorize("TCPRoute", "own", { rules: [rule("Allow", "10.0.0.0/8", "192.0.2.0/24")] });
  await untilPasses(ports.own, false);
  expect(await passes(ports.inherited)).toBe(true);
  authorize("TCPRoute", "own", { rules: [rule("Deny", "127.0.0.2/32"), rule("Allow", "127.0.0.0/8")] });
  await untilPasses(ports.own, true);
  authorize("TCPRoute", "own", { rules: [rule("Deny", "127.0.0.1/32"), rule("Allow", "127.0.0.0/8")] });
  await untilPasses(ports.own, false);
  authorize("TCPRoute", "own", { defaultAction: "Allow" });
  await untilPasses(ports.own, true);
  authorize("TCPRoute", "own", {
    rules: [{ action: "Allow", principal: { headers: [{ name: "a", values: ["b"] }] } }],
  });
  await untilPasses(ports.own, false);
  expect(await world.gatehouse().statusText()).toMatch(/rules\[0\]\.principal\.headers is about requests/);
}, 60_000);

test("of a Gateway", async () => {
  authorize("Gateway", "web", { defaultAction: "Allow", rules: [rule("Deny", "127.0.0.1/32")] });
  await untilPasses(ports.inherited, false);
  authorize("Gateway", "web", { rules: [rule("Allow", "127.0.0.0/8")] });
  await untilPasses(ports.inherited, true);
  const methods = { ...rule("Deny", "10.0.0.0/8"), operation: { methods: ["POST"] } };
  authorize("Gateway", "web", { rules: [methods, rule("Allow", "127.0.0.0/8")] });
  await untilPasses(ports.inherited, false);
  world.files.writeAtomically("Gateway.yaml", "");
  await untilPasses(ports.inherited, true);
}, 60_000);
