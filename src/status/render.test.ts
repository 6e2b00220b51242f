import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { Backend } from "../api/backend.ts";
import type { GatewayClass } from "../api/gateway-api.ts";
import { planOfClass } from "../attach/gateway.test-support.ts";
import { GENERATION, settings, short, some } from "./conditions.test-support.ts";
import { buildGatewayClassStatus } from "./gateway-class-status.ts";
import { renderStatus } from "./render.ts";
import { supportedFeatures } from "./supported-features.ts";

test.each([
  ["{controllerName: example.com/ours}", "Accepted=True/Accepted"],
  [
    "{controllerName: example.com/ours, parametersRef: {group: g, kind: K, name: n}}",
    "Accepted=False/InvalidParameters",
  ],
])("GatewayClass %s", (spec, expected) => {
  const object = { metadata: { name: "c", generation: GENERATION }, spec: parse(spec) } as GatewayClass;
  const plan = planOfClass(object, settings);
  if (plan === undefined) throw new Error("not ours");
  const status = renderStatus({ kind: "GatewayClass", object, plan });
  expect(short("conditions" in status ? status.conditions : [])).toContain(expected);
  expect("supportedFeatures" in status && status.supportedFeatures).toEqual(
    supportedFeatures.map((name) => ({ name })),
  );
});

test.each<[readonly string[] | undefined, string]>([
  [undefined, "SupportedVersion=True/SupportedVersion"],
  [["v1.6.3"], "SupportedVersion=True/SupportedVersion"],
  [["v1.6.0", "v1.4.1"], "SupportedVersion=False/UnsupportedVersion"],
  [[""], "SupportedVersion=False/UnsupportedVersion"],
  [["v1.60.0"], "SupportedVersion=False/UnsupportedVersion"],
])("a GatewayClass where Gateway API %j is installed", (bundleVersions, expected) => {
  const object = { metadata: { name: "c", generation: GENERATION }, spec: {} } as GatewayClass;
  const plan = { name: "c", controllerName: "example.com/ours", accepted: true, problems: [] };
  const installed = bundleVersions && { installedApi: { bundleVersions, absentKinds: [] } };
  const { conditions } = buildGatewayClassStatus({ kind: "GatewayClass", object, plan, ...installed });
  expect(short(conditions)).toEqual(["Accepted=True/Accepted", expected]);
});

test("a GatewayClass of a release without room for features lists none", () => {
  const object = { metadata: { name: "c", generation: GENERATION }, spec: {} } as GatewayClass;
  const plan = { name: "c", controllerName: "example.com/ours", accepted: true, problems: [] };
  const installedApi = { bundleVersions: ["v1.3.0"], absentKinds: [], withoutFeatures: true } as const;
  const status = buildGatewayClassStatus({ kind: "GatewayClass", object, plan, installedApi });
  expect(status).not.toHaveProperty("supportedFeatures");
});

test.each([
  [[], "Accepted=True/Accepted"],
  [[some("Accepted", "Invalid")], "Accepted=False/Invalid"],
])("a Backend", (problems, expected) => {
  const object = { metadata: { namespace: "a", name: "b", generation: GENERATION }, spec: {} } as Backend;
  const status = renderStatus({ kind: "Backend", object, problems });
  expect(short("conditions" in status ? status.conditions : [])).toEqual([expected]);
});
