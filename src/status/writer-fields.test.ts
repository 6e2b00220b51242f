import { expect, test } from "@jest/globals";
import type { DesiredCondition } from "./conditions.ts";
import { printOf } from "./writer-entries.ts";
import { ownFields, STATUS_FIELD_MANAGER, stampFields } from "./writer-fields.ts";

const THEN = "2026-01-01T00:00:00Z";
const NOW = "2026-06-01T00:00:00Z";

const condition = (type: string, status: "True" | "False" = "True", reason = "R"): DesiredCondition => ({
  type,
  status,
  reason,
  message: "m",
});
const stood = (type: string, status?: "True" | "False", reason?: string) => ({
  ...condition(type, status, reason),
  lastTransitionTime: THEN,
});
const leaf = {};
const ownedCondition = {
  ".": leaf,
  "f:type": leaf,
  "f:status": leaf,
  "f:reason": leaf,
  "f:message": leaf,
  "f:lastTransitionTime": leaf,
};

/** As an API server writes it down after our apply. */
const fieldSet = {
  "f:status": {
    "f:addresses": leaf,
    "f:conditions": { 'k:{"type":"Accepted"}': ownedCondition },
    "f:listeners": {
      'k:{"name":"http"}': {
        ".": leaf,
        "f:name": leaf,
        "f:attachedRoutes": leaf,
        "f:supportedKinds": leaf,
        "f:conditions": { 'k:{"type":"Accepted"}': ownedCondition },
      },
    },
  },
};
const kinds = [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute" }];
const addresses = [{ type: "IPAddress", value: "10.0.0.1" }];

const gateway = (managers: readonly object[], status: object) => ({ metadata: { managedFields: managers }, status });
const ours = { manager: STATUS_FIELD_MANAGER, operation: "Apply", subresource: "status", fieldsV1: fieldSet };
const status = {
  addresses,
  conditions: [stood("Accepted"), stood("example.com/Paid")],
  listeners: [
    { name: "http", attachedRoutes: 2, supportedKinds: kinds, conditions: [stood("Accepted"), stood("example.com/X")] },
    { name: "of-somebody-else", attachedRoutes: 0, supportedKinds: [], conditions: [] },
  ],
};
const desired = {
  addresses,
  conditions: [condition("Accepted")],
  listeners: [{ name: "http", attachedRoutes: 2, supportedKinds: kinds, conditions: [condition("Accepted")] }],
};

test("ours is what we applied, as it stands, and reads as what was desired", () => {
  const part = ownFields(gateway([ours], status));
  expect(printOf(part)).toBe(printOf(desired));
  const changed = { ...status, conditions: [stood("Accepted", "False")] };
  expect(printOf(ownFields(gateway([ours], changed)))).not.toBe(printOf(desired));
});

test("what others own, or wrote by an update, is not ours", () => {
  for (const other of [
    { ...ours, manager: "envoy-gateway" },
    { ...ours, operation: "Update" },
    { ...ours, subresource: undefined },
  ]) {
    expect(ownFields(gateway([other], status))).toBeUndefined();
  }
  expect(ownFields({ metadata: {}, status })).toBeUndefined();
  expect(ownFields({ metadata: { managedFields: [ours] } })).toBeUndefined();
});

test("sets of plain values are told apart by value", () => {
  const set = { ...ours, fieldsV1: { "f:status": { "f:features": { 'v:"a"': leaf, 'v:"gone"': leaf } } } };
  expect(ownFields(gateway([set], { features: ["a", "b"] }))).toEqual({ features: ["a"] });
});

test("times are kept of each ancestor", () => {
  const ancestor = (name: string) => ({ kind: "Gateway", name });
  const wanted = {
    ancestors: [
      { ancestorRef: ancestor("a"), conditions: [condition("Accepted")] },
      { ancestorRef: ancestor("b"), conditions: [condition("Accepted")] },
    ],
  };
  const before = { ancestors: [{ ancestorRef: ancestor("b"), conditions: [stood("Accepted")] }] };
  expect(stampFields(wanted, before, NOW)).toEqual({
    ancestors: [
      { ancestorRef: ancestor("a"), conditions: [{ ...condition("Accepted"), lastTransitionTime: NOW }] },
      { ancestorRef: ancestor("b"), conditions: [stood("Accepted")] },
    ],
  });
});

test("times are kept, of the object and of each listener, while a status stays", () => {
  const flipped = {
    ...desired,
    listeners: [
      { name: "http", conditions: [condition("Accepted", "True", "Other"), condition("Programmed")] },
      { name: "new", conditions: [condition("Accepted")] },
    ],
  };
  expect(stampFields(flipped, status, NOW)).toEqual({
    addresses,
    conditions: [stood("Accepted")],
    listeners: [
      {
        name: "http",
        conditions: [stood("Accepted", "True", "Other"), { ...condition("Programmed"), lastTransitionTime: NOW }],
      },
      { name: "new", conditions: [{ ...condition("Accepted"), lastTransitionTime: NOW }] },
    ],
  });
  expect(stampFields(desired, undefined, NOW)).toMatchObject({ conditions: [{ lastTransitionTime: NOW }] });
});

test("times are kept of each ancestor, whatever the API server filled in", () => {
  const ancestor = (name: string, ref: object = {}) => ({ kind: "Gateway", name, namespace: "a", ...ref });
  const standing = {
    ancestors: [
      { ancestorRef: ancestor("gone"), conditions: [stood("Accepted")] },
      { ancestorRef: ancestor("web", { group: "gateway.networking.k8s.io" }), conditions: [stood("Accepted")] },
    ],
  };
  const wanted = {
    ancestors: [
      { ancestorRef: ancestor("web"), conditions: [condition("Accepted")] },
      { ancestorRef: ancestor("new"), conditions: [condition("Accepted")] },
    ],
  };
  expect(stampFields(wanted, standing, NOW)).toEqual({
    ancestors: [
      { ancestorRef: ancestor("web"), conditions: [stood("Accepted")] },
      { ancestorRef: ancestor("new"), conditions: [{ ...condition("Accepted"), lastTransitionTime: NOW }] },
    ],
  });
});
