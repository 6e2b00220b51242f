import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { callGrpc } from "../harness/client.ts";
import { gatewayYaml } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";
import { backendYaml, createWorld, routeYaml, toBackend, type World } from "./world.ts";

/** What statuses say of invalid input, and what the real Envoy does with requests to it. */
let world: World;

beforeAll(async () => {
  world = await createWorld();
}, 60_000);
afterAll(() => world.stop());

const status = (pattern: RegExp) =>
  waitFor(`a status like ${pattern}`, async () => pattern.test(await world.gatehouse().statusText()));

test("of a route with bad rules the good one serves, and the status tells what becomes of the others", async () => {
  const backend = await world.backend("one");
  const host = "half.example.com";
  const bad = "{type: ExtensionRef, extensionRef: {group: gateway.envoyproxy.io, kind: HTTPRouteFilter, name: bad}}";
  const rules = `[{matches: [{path: {value: /fine}}], backendRefs: [${toBackend("one")}]}, {matches: [{path: {type: RegularExpression, value: "/dropped("}}]}, {matches: [{path: {value: /failing}}], filters: [${bad}], backendRefs: [${toBackend("one")}]}]`;
  world.files.writeAtomically(
    "half.yaml",
    `${backendYaml("one", backend.port)}---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: HTTPRouteFilter
metadata: {name: bad}
spec: {directResponse: {header: {set: [{name: Host, value: x}]}}}
---${routeYaml("half", host, rules)}`,
  );
  await world.until({ host, path: "/fine" }, (answer) => answer.status === 200);
  expect((await world.send({ host, path: "/failing" })).status).toBe(500);
  expect((await world.send({ host, path: "/dropped" })).status).toBe(404);
  await status(
    /PartiallyInvalid=True \(UnsupportedValue\): Dropped Rule\(s\) \[1\]: .*takes no requests\..*\[2\]: .*500\./,
  );
}, 60_000);

test("gRPC calls to a backend that does not exist are UNAVAILABLE, and to no method UNIMPLEMENTED", async () => {
  const call = (host: string, method: string) => callGrpc({ host, port: world.port, service: "a.Greeter", method });
  world.files.writeAtomically(
    "calls.yaml",
    ["calls.example.com", "shared.example.com"]
      .map((host, index) => {
        const share = index === 0 ? "" : ", {group: gateway.envoyproxy.io, kind: Backend, name: gone, weight: 1}";
        return `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls-${index}}
spec:
  parentRefs: [{name: web}]
  hostnames: [${host}]
  rules: [{matches: [{method: {service: a.Greeter, method: Greet}}], backendRefs: [${toBackend("missing")}${share}]}]`;
      })
      .join("\n---\n"),
  );
  await waitFor("the call to be refused", async () => (await call("calls.example.com", "Greet")).status === 14);
  expect((await call("shared.example.com", "Greet")).status).toBe(14);
  expect((await call("calls.example.com", "Other")).status).toBe(12);
  await status(/calls-0[\s\S]*ResolvedRefs=False \(BackendNotFound\)/);
}, 60_000);

test("an address that is none of this host is AddressNotUsable, in Envoy's words", async () => {
  const port = await freePort();
  const text = gatewayYaml({ name: "elsewhere", port }).replace(
    "gatewayClassName: gatehouse",
    "gatewayClassName: gatehouse\n  addresses: [{type: IPAddress, value: 192.0.2.1}]",
  );
  // The class is in another file already.
  world.files.writeAtomically("elsewhere.yaml", text.slice(text.indexOf("---") + 3));
  await status(/elsewhere[\s\S]*Programmed=False \(AddressNotUsable\): Address 192\.0\.2\.1 .*Cannot assign/);
}, 60_000);
