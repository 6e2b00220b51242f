import { describe, expect, test } from "@jest/globals";
import { isRecord } from "./field.ts";
import { collectionOf, supportedKinds, validateObject } from "./kinds.ts";
import {
  backend,
  complaints,
  gatewayOf,
  gatewayVersion,
  httpRoute,
  httpsListener,
  listener,
  objectOf,
  service,
  staticBackend,
  testRules,
} from "./objects.test-support.ts";

describe("rules of every kind", () => {
  testRules([
    ["an object", gatewayOf(listener), 7, "must be a Kubernetes object"],
    ["kind present", gatewayOf(listener), { apiVersion: "v1", metadata: { name: "a" } }, "kind: is required"],
    ["metadata present", gatewayOf(listener), { apiVersion: "v1", kind: "Secret" }, "metadata: is required"],
    ["name present", gatewayOf(listener), { ...gatewayOf(listener), metadata: {} }, "metadata.name: is required"],
    [
      "name well formed",
      gatewayOf(listener),
      { ...gatewayOf(listener), metadata: { name: "A_b" } },
      "metadata.name: must be lower-case",
    ],
    [
      "name a label",
      service(),
      { ...service(), metadata: { name: "a.b" } },
      'metadata.name: must be lower-case letters, digits and - inside (it is "a.b")',
    ],
    [
      "namespace a label",
      service(),
      { ...service(), metadata: { name: "a", namespace: "x.y" } },
      "metadata.namespace: must be",
    ],
    [
      "metadata field known",
      service(),
      { ...service(), metadata: { name: "a", lables: {} } },
      "metadata.lables: is not a known field; did you mean labels?",
    ],
    [
      "annotation a string",
      service(),
      { ...service(), metadata: { name: "a", annotations: { x: 1 } } },
      "metadata.annotations.x: must be a string",
    ],
    [
      "label value",
      service(),
      { ...service(), metadata: { name: "a", labels: { x: "a b" } } },
      "metadata.labels.x: must be at most 63",
    ],
    [
      "known version",
      gatewayOf(listener),
      { ...gatewayOf(listener), apiVersion: "gateway.networking.k8s.io/v9" },
      "apiVersion: must be gateway.networking.k8s.io/v1 or",
    ],
    [
      "known field",
      httpRoute({}),
      httpRoute({ backendRef: [] }),
      "spec.rules[0].backendRef: is not a known field; did you mean backendRefs?",
    ],
    ["field type", httpRoute({}), httpRoute({ matches: "x" }), "spec.rules[0].matches: must be a list"],
    ["no empty item", httpRoute({}), httpRoute({ matches: [null] }), "spec.rules[0].matches[0]: is empty"],
    [
      "pattern",
      httpRoute({}, { hostnames: ["a.b"] }),
      httpRoute({}, { hostnames: ["A b"] }),
      "spec.hostnames[0]: must match",
    ],
    [
      "required field",
      gatewayOf(listener),
      gatewayOf({ name: "l", port: 80 }),
      "spec.listeners[0].protocol: is required",
    ],
  ]);
});

test("defaults are those that an API server fills in", () => {
  const route = validateObject(httpRoute({ backendRefs: [{ name: "s", port: 80 }] })).object;
  expect(route).toMatchObject({
    metadata: { name: "a", namespace: "default" },
    spec: {
      parentRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "g" }],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: "/" } }],
          backendRefs: [{ group: "", kind: "Service", name: "s", port: 80, weight: 1 }],
        },
      ],
    },
  });
  const gateway = validateObject(gatewayOf(httpsListener)).object;
  expect(gateway).toMatchObject({
    spec: {
      listeners: [
        {
          tls: { mode: "Terminate", certificateRefs: [{ group: "", kind: "Secret", name: "cert" }] },
          allowedRoutes: { namespaces: { from: "Same" } },
        },
      ],
      allowedListeners: { namespaces: { from: "None" } },
    },
  });
  expect(validateObject(service({ port: 80 })).object).toMatchObject({
    spec: { type: "ClusterIP", ports: [{ port: 80, targetPort: 80, protocol: "TCP" }] },
  });
  expect(validateObject(backend({ tls: {} })).object).toMatchObject({
    spec: { type: "Endpoints", tls: { insecureSkipVerify: false } },
  });
  expect(validateObject(objectOf("v1", "Namespace", {})).object?.metadata).toEqual({
    name: "a",
    labels: { "kubernetes.io/metadata.name": "a" },
  });
});

test("null fields are absent fields, and defaults are not shared between objects", () => {
  const first = validateObject(httpRoute({ matches: null, backendRefs: null })).object;
  expect(first).toMatchObject({ spec: { rules: [{ matches: [{ path: { value: "/" } }] }] } });
  const second = validateObject(httpRoute({})).object;
  expect(isRecord(first) && isRecord(second) && first["spec"]).not.toBe(second?.["spec" as keyof typeof second]);
});

test("stringData becomes data and wins over it", () => {
  const secret = objectOf("v1", "Secret", { data: { a: "eA==", b: "eA==" }, stringData: { a: "ä" } });
  const { object } = validateObject(secret);
  expect(object).toEqual({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "a", namespace: "default" },
    type: "Opaque",
    data: { a: Buffer.from("ä").toString("base64"), b: "eA==" },
  });
});

test("no message repeats what a Secret holds", () => {
  const text = complaints(
    objectOf("v1", "Secret", { data: { a: "s3cr&t" }, stringData: { b: 12345 }, type: 77 }),
  ).join();
  expect(text).toContain("stringData.b: must be a string");
  expect(text).not.toMatch(/s3cr|12345|77/);
});

test("metadata is slimmed, status dropped, and an older version read as the first", () => {
  const annotations = { "kubectl.kubernetes.io/last-applied-configuration": "{}", x: "y" };
  const raw = {
    ...httpRoute({}),
    apiVersion: "gateway.networking.k8s.io/v1beta1",
    metadata: { name: "a", namespace: "n", managedFields: [{}], ownerReferences: [], annotations, generation: 3 },
    status: { parents: [] },
  };
  const { object } = validateObject(raw);
  expect(object?.apiVersion).toBe(gatewayVersion);
  expect(object?.metadata).toEqual({ name: "a", namespace: "n", annotations: { x: "y" }, generation: 3 });
  expect(object).not.toHaveProperty("status");
});

test("a kind that is not read is told apart from a wrong object", () => {
  const result = validateObject(objectOf("apps/v1", "Deployment", { spec: {} }));
  expect(result.unsupported).toBe(true);
  expect(result.problems[0]?.message).toContain("Deployment of apps/v1 is not read by Gatehouse");
});

test("every kind has its own collection, and the same kind name in two groups is two kinds", () => {
  expect(new Set(supportedKinds.map((kind) => kind.collection)).size).toBe(supportedKinds.length);
  const ours = validateObject(backend({})).object;
  const compat = validateObject(staticBackend({ static: { hosts: [{ host: "h", port: 1 }] } })).object;
  expect(ours && collectionOf(ours)).toBe("backends");
  expect(compat && collectionOf(compat)).toBe("staticBackends");
});

test("a cyclic object is refused", () => {
  const rules: unknown[] = [];
  rules.push({ matches: rules });
  expect(validateObject(httpRoute({}, { rules })).object).toBeUndefined();
});
