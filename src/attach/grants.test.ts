import { expect, test } from "@jest/globals";
import type { ReferenceGrant } from "../api/gateway-api.ts";
import { isGranted } from "./grants.ts";

const route = { group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "a" };
const service = { group: "", kind: "Service", namespace: "b", name: "web" };

function grant(from: object, to: object): ReferenceGrant {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "ReferenceGrant",
    metadata: { name: "g", namespace: "b" },
    spec: { from: [{ ...route, ...from }], to: [{ group: "", kind: "Service", ...to }] },
  };
}

test.each([
  ["any name", {}, {}, true],
  ["this name", {}, { name: "web" }, true],
  ["another name", {}, { name: "api" }, false],
  ["another target kind", {}, { kind: "Secret" }, false],
  ["another target group", {}, { group: "x" }, false],
  ["another origin kind", { kind: "GRPCRoute" }, {}, false],
  ["another origin group", { group: "x" }, {}, false],
  ["another origin namespace", { namespace: "c" }, {}, false],
])("a grant for %s", (_name, from, to, expected) => {
  expect(isGranted((namespace) => (namespace === "b" ? [grant(from, to)] : []), route, service)).toBe(expected);
});

test("needs no grant inside a namespace, and one of several is enough", () => {
  expect(isGranted(() => [], { ...route, namespace: "b" }, service)).toBe(true);
  expect(isGranted(() => [grant({ namespace: "c" }, {}), grant({}, {})], route, service)).toBe(true);
  expect(isGranted(() => [], route, service)).toBe(false);
});

test("both ends must be in one grant", () => {
  const halves = [grant({}, { name: "api" }), grant({ namespace: "c" }, {})];
  expect(isGranted(() => halves, route, service)).toBe(false);
});
