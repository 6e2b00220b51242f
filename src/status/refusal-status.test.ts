import { expect, test } from "@jest/globals";
import type { DesiredCondition } from "./conditions.ts";
import { type Refusal, type RefusalContext, renderRefusal } from "./refusal-status.ts";
import type { ObjectStatus } from "./render.ts";

const context: RefusalContext = {
  controllerNames: ["example.com/ours"],
  isOurClass: (name) => name === "ours",
  controllerOf: (kind, key) =>
    ["Gateway a/eg", "ListenerSet a/eg-set"].includes(`${kind} ${key}`) ? "example.com/ours" : undefined,
};
const refusal = (kind: string, spec: unknown): Refusal => ({
  kind,
  namespace: "a",
  generation: 8,
  spec,
  message: "spec.x: must be y",
});
const refused = (kind: string, reason: string, kept = ""): DesiredCondition => ({
  type: "Accepted",
  status: "False",
  reason,
  message: `The ${kind} is not understood: spec.x: must be y${kept}.`,
  observedGeneration: 8,
});

test.each<[string, unknown, ObjectStatus | undefined]>([
  ["GatewayClass", { controllerName: "example.com/ours" }, { conditions: [refused("GatewayClass", "Unsupported")] }],
  ["GatewayClass", { controllerName: "example.com/theirs" }, undefined],
  [
    "Gateway",
    { gatewayClassName: "ours", listeners: 3 },
    { addresses: [], conditions: [refused("Gateway", "Invalid")], listeners: [] },
  ],
  ["Gateway", { gatewayClassName: "theirs" }, undefined],
  ["Gateway", "nonsense", undefined],
  [
    "HTTPRoute",
    { parentRefs: [{ name: "eg" }, { name: "other" }, { name: "eg", kind: "Service" }, { namespace: 3, name: "eg" }] },
    {
      parents: [
        {
          parentRef: { name: "eg" } as never,
          controllerName: "example.com/ours",
          conditions: [refused("HTTPRoute", "UnsupportedValue")],
        },
      ],
    },
  ],
  ["GRPCRoute", { parentRefs: "none" }, { parents: [] }],
  [
    "ListenerSet",
    { parentRef: { name: "eg" }, listeners: 3 },
    { conditions: [refused("ListenerSet", "Invalid")], listeners: [] },
  ],
  ["ListenerSet", { parentRef: { name: "eg", kind: "ListenerSet" } }, undefined],
  ["ListenerSet", { parentRef: { name: "other" } }, undefined],
  ["ListenerSet", {}, undefined],
  [
    "HTTPRoute",
    { parentRefs: [{ kind: "ListenerSet", name: "eg-set" }] },
    {
      parents: [
        {
          parentRef: { kind: "ListenerSet", name: "eg-set" } as never,
          controllerName: "example.com/ours",
          conditions: [refused("HTTPRoute", "UnsupportedValue")],
        },
      ],
    },
  ],
  ["BackendTLSPolicy", { targetRefs: [{ group: "", kind: "Service", name: "s" }] }, { ancestors: [] }],
])("a %s that is not understood says so where it is ours: %j", (kind, spec, expected) => {
  expect(renderRefusal(refusal(kind, spec), undefined, context)).toEqual(expected);
});

test("what stays in use keeps the rest of its status", () => {
  const accepted = {
    type: "Accepted",
    status: "True",
    reason: "Accepted",
    message: "",
    observedGeneration: 7,
  } as const;
  const programmed = { ...accepted, type: "Programmed" };
  const kept = "; the version before it stays in use";
  const gateway = { addresses: [], conditions: [accepted, programmed], listeners: [] };
  expect(renderRefusal(refusal("Gateway", {}), gateway, context)).toEqual({
    ...gateway,
    conditions: [refused("Gateway", "Invalid", kept), programmed],
  });
  const parent = { parentRef: { name: "eg" } as never, controllerName: "example.com/ours" };
  expect(
    renderRefusal(refusal("HTTPRoute", {}), { parents: [{ ...parent, conditions: [accepted, programmed] }] }, context),
  ).toEqual({ parents: [{ ...parent, conditions: [refused("HTTPRoute", "UnsupportedValue", kept), programmed] }] });
});

test("a policy that stays in use says so for each ancestor", () => {
  const resolved = { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", message: "Fine." } as const;
  const before = { type: "Accepted", status: "True", reason: "Accepted", message: "Fine." } as const;
  const entry = (name: string, accepted: DesiredCondition) => ({
    ancestorRef: { group: "gateway.networking.k8s.io", kind: "Gateway", namespace: "a", name },
    controllerName: "example.com/ours",
    conditions: [accepted, resolved],
  });
  const now = refused("BackendTLSPolicy", "Invalid", "; the version before it stays in use");
  expect(
    renderRefusal(refusal("BackendTLSPolicy", {}), { ancestors: [entry("b", before), entry("c", before)] }, context),
  ).toEqual({ ancestors: [entry("b", now), entry("c", now)] });
});
