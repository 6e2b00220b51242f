import { expect, test } from "@jest/globals";
import { validateObject } from "../api/kinds.ts";
import { silentLogger } from "../base/log.ts";
import type { ObjectProblem } from "../inputs/kubernetes/kubernetes-input.ts";
import type { Batch } from "../pipeline/pipeline.ts";
import { createControlPlane } from "./control-plane.ts";
import { createRefusedObjects } from "./refused-objects.ts";

const OURS = "example.com/ours";
const api = { apiVersion: "gateway.networking.k8s.io/v1" };
const gatewayClass = { ...api, kind: "GatewayClass", metadata: { name: "c" }, spec: { controllerName: OURS } };
const gateway = {
  ...api,
  kind: "Gateway",
  metadata: { namespace: "a", name: "eg" },
  spec: { gatewayClassName: "c", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
};
const problem: ObjectProblem = {
  kind: "HTTPRoute",
  key: "a/r",
  generation: 2,
  severity: "error",
  fields: [{ path: ["spec", "rules", 0, "matches"], message: "must be a list" }],
  keepsPrevious: false,
  spec: { parentRefs: [{ name: "eg" }], rules: [{ matches: 7 }] },
};

test("a route that is not understood says so at its Gateway once that is known, until it is mended", async () => {
  const settings = { controllerNames: [OURS], hostInfrastructure: true, privilegedPortOffset: 0 };
  const ignore = () => {};
  const control = createControlPlane({ settings, log: silentLogger, onInfrastructure: ignore, onStatuses: ignore });
  const refused = createRefusedObjects(control, [OURS]);
  const key = "HTTPRoute/a/r";
  expect(refused.report(key, problem)).toBe(key);
  expect([...refused.keys()]).toEqual([key]);
  expect(refused.status(key)).toEqual({ parents: [] });
  const valid = (raw: object) => validateObject(raw).object as never;
  control.pipeline.stage({
    gatewayClasses: new Map([["c", valid(gatewayClass)]]),
    gateways: new Map([["a/eg", valid(gateway)]]),
  } satisfies Batch);
  control.pipeline.markSynced();
  control.pipeline.notify();
  await control.pipeline.idle();
  const message = "The HTTPRoute is not understood: spec.rules[0].matches: must be a list.";
  const conditions = [
    { type: "Accepted", status: "False", reason: "UnsupportedValue", message, observedGeneration: 2 },
  ];
  expect(refused.status(key)).toEqual({ parents: [{ parentRef: { name: "eg" }, controllerName: OURS, conditions }] });
  expect(refused.report(key, { ...problem, severity: "warning" })).toBe(key);
  expect(refused.report(key, undefined)).toBeUndefined();
  expect(refused.status(key)).toBeUndefined();
  control.pipeline.stop();
  await control.xds.close({ graceMilliseconds: 0 });
});
