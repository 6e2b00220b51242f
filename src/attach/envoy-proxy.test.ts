import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { EnvoyProxy, EnvoyProxySpec } from "../api/envoyproxy.ts";
import type { Gateway, GatewayClass } from "../api/gateway-api.ts";
import { mergesGateways, parameterProblems, resolveClassProxy, resolveGatewayProxy } from "./envoy-proxy.ts";
import { infrastructureName, labelValue } from "./infrastructure-name.ts";
import type { Settings } from "./model.ts";

const cluster: Settings = { controllerNames: [], hostInfrastructure: false, privilegedPortOffset: 10000 };
const reference = { group: "gateway.envoyproxy.io", kind: "EnvoyProxy" };

function resolve(options: {
  readonly byDefault?: string;
  readonly ofClass?: string;
  readonly ofGateway?: string;
  readonly settings?: Settings;
}) {
  const proxies = new Map<string, EnvoyProxy>();
  const put = (name: string, spec: string | undefined) => {
    if (spec === undefined) return undefined;
    if (spec !== "missing") {
      proxies.set(`a/${name}`, { metadata: { namespace: "a", name }, spec: parse(spec) } as EnvoyProxy);
    }
    return { ...reference, name };
  };
  const classReference = put("class", options.ofClass);
  const gatewayReference = put("gateway", options.ofGateway);
  const settings = {
    ...(options.settings ?? cluster),
    ...(options.byDefault !== undefined && { defaultProxy: parse(options.byDefault) as EnvoyProxySpec }),
  };
  const gatewayClass = {
    metadata: { name: "c" },
    spec: { ...(classReference && { parametersRef: { ...classReference, namespace: "a" } }) },
  } as GatewayClass;
  const gateway = {
    metadata: { namespace: "a", name: "gw" },
    spec: { ...(gatewayReference && { infrastructure: { parametersRef: gatewayReference } }) },
  } as Gateway;
  const read = (key: string) => proxies.get(key);
  const classLevel = resolveClassProxy(gatewayClass, settings, read);
  return {
    classLevel,
    gatewayLevel: resolveGatewayProxy(gateway, classLevel, mergesGateways(classLevel, settings), settings, read),
  };
}

describe("levels", () => {
  test.each([
    ["nothing", {}, "{}", "{}"],
    ["the default alone", { byDefault: "{concurrency: 1}" }, "{concurrency: 1}", "{concurrency: 1}"],
    [
      "the class replaces",
      { byDefault: "{concurrency: 1}", ofClass: "{extraArgs: [a]}" },
      "{extraArgs: [a]}",
      "{extraArgs: [a]}",
    ],
    [
      "the Gateway replaces",
      { byDefault: "{concurrency: 1}", ofClass: "{concurrency: 2}", ofGateway: "{mergeType: Replace, extraArgs: [a]}" },
      "{concurrency: 2}",
      "{mergeType: Replace, extraArgs: [a]}",
    ],
    [
      "both merge, and lists are replaced",
      {
        byDefault: "{concurrency: 1, shutdown: {drainTimeout: 9s}}",
        ofClass: "{mergeType: StrategicMerge, extraArgs: [a], shutdown: {minDrainDuration: 1s}}",
        ofGateway: "{mergeType: JSONMerge, extraArgs: [b]}",
      },
      "{mergeType: StrategicMerge, concurrency: 1, extraArgs: [a], shutdown: {drainTimeout: 9s, minDrainDuration: 1s}}",
      "{mergeType: JSONMerge, concurrency: 1, extraArgs: [b], shutdown: {drainTimeout: 9s, minDrainDuration: 1s}}",
    ],
    [
      "the Gateway's type serves class and default too",
      {
        byDefault: "{concurrency: 1}",
        ofClass: "{extraArgs: [a]}",
        ofGateway: "{mergeType: JSONMerge, shutdown: {drainTimeout: 9s}}",
      },
      "{extraArgs: [a]}",
      "{mergeType: JSONMerge, concurrency: 1, extraArgs: [a], shutdown: {drainTimeout: 9s}}",
    ],
    [
      "a class that merges its Gateways overrules them",
      { ofClass: "{mergeGateways: true}", ofGateway: "{concurrency: 3}" },
      "{mergeGateways: true}",
      "{mergeGateways: true}",
    ],
    [
      "a missing EnvoyProxy leaves the less specific one",
      { ofClass: "{concurrency: 2}", ofGateway: "missing" },
      "{concurrency: 2}",
      "{concurrency: 2}",
    ],
  ])("%s", (_, options, ofClass, ofGateway) => {
    const { classLevel, gatewayLevel } = resolve(options);
    expect(classLevel.spec).toEqual(parse(ofClass));
    expect(gatewayLevel.spec).toEqual(parse(ofGateway));
  });
});

test("Gateways share no Envoys that run in their own namespaces, and the class says so", () => {
  const settings = { ...cluster, inGatewayNamespace: true };
  const { classLevel, gatewayLevel } = resolve({ ofClass: "{mergeGateways: true}", settings });
  expect(classLevel.refused).toMatchObject([{ field: "spec.mergeGateways" }]);
  expect(mergesGateways(classLevel, settings)).toBe(false);
  expect(gatewayLevel).toEqual({ ...classLevel, source: undefined });
  expect(resolve({ ofClass: "{mergeGateways: true}" }).classLevel.refused).toEqual([]);
});

describe("problems", () => {
  test.each([
    ["missing", "names EnvoyProxy a/gateway, which does not exist; create it or remove the field"],
    [
      "{mergeGateways: true}",
      "leads to EnvoyProxy a/gateway whose field spec.mergeGateways can only be decided for all Gateways of a class; set it in the EnvoyProxy of the GatewayClass",
    ],
    [
      "{provider: {type: Host}}",
      "leads to EnvoyProxy a/gateway whose field spec.provider.type is Host, and Envoy runs in the cluster; use Kubernetes",
    ],
    [
      "{provider: {type: Kubernetes, kubernetes: {envoyService: {patch: {type: Other, value: {}}}}}}",
      "spec.provider.kubernetes.envoyService.patch.type is Other; use StrategicMerge or JSONMerge",
    ],
    [
      "{provider: {type: Kubernetes, kubernetes: {envoyService: {patch: {value: 1}}}}}",
      "spec.provider.kubernetes.envoyService.patch.value must be an object",
    ],
    ["{concurrency: -1}", "spec.concurrency is -1"],
    [
      "{provider: {type: Kubernetes, kubernetes: {envoyDaemonSet: {pod: {labels: {app.kubernetes.io/name: x}}}}}}",
      'spec.provider.kubernetes.envoyDaemonSet.pod.labels["app.kubernetes.io/name"] is a label by which Gatehouse finds',
    ],
    [
      "{provider: {type: Kubernetes, kubernetes: {envoyService: {labels: {gatehouse.dev/installation: x}}}}}",
      'spec.provider.kubernetes.envoyService.labels["gatehouse.dev/installation"] is a label',
    ],
    [
      "{provider: {type: Kubernetes, kubernetes: {envoyDeployment: {pod: {volumes: [{name: sds, emptyDir: {}}]}}}}}",
      "spec.provider.kubernetes.envoyDeployment.pod.volumes[0].name is sds",
    ],
    ["{logging: {level: {nonsense: info}}}", "spec.logging.level.nonsense is no component of Envoy"],
    ["{extraArgs: [--config-path=/a]}", "spec.extraArgs[0] is --config-path, which Gatehouse sets itself"],
    ["{geoIP: {}}", "spec.geoIP is not implemented in this version"],
  ])("%s", (ofGateway, text) => {
    const { gatewayLevel } = resolve({ ofGateway });
    const problems = parameterProblems(gatewayLevel, "spec.infrastructure.parametersRef");
    expect(problems).toContainEqual({
      condition: "Accepted",
      reason: "InvalidParameters",
      field: "spec.infrastructure.parametersRef",
      message: expect.stringMatching(
        new RegExp(`^Field spec[.]infrastructure[.]parametersRef .*${text.replace(/[[\]().]/g, "\\$&")}`),
      ),
    });
  });

  test.each([
    "{routingType: Endpoint}",
    "{routingType: Service}",
    "{telemetry: {metrics: {enableGRPCStats: false, enablePerEndpointStats: true, enableVirtualHostStats: true}}}",
    "{telemetry: {metrics: {clusterStatName: '%ROUTE_KIND%/%BACKEND_REFS%'}}}",
    "{mergeBackends: {}}",
    "{ipFamily: DualStack, preserveRouteOrder: true}",
    "{telemetry: {accessLog: {settings: [{matches: [response.code >= 500]}]}}}",
  ])("none with %s", (ofGateway) => {
    expect(resolve({ ofGateway }).gatewayLevel.refused).toEqual([]);
  });

  test.each([
    ["{routingType: Somehow}", "spec.routingType"],
    ["{telemetry: {metrics: {clusterStatName: ''}}}", "spec.telemetry.metrics.clusterStatName"],
    ["{telemetry: {metrics: {clusterStatName: '%ROUTE%'}}}", "spec.telemetry.metrics.clusterStatName"],
    ["{telemetry: {metrics: {clusterStatName: '50%'}}}", "spec.telemetry.metrics.clusterStatName"],
    [
      "{telemetry: {accessLog: {settings: [{}, {matches: ['true', 'response.code >=']}]}}}",
      "spec.telemetry.accessLog.settings[1].matches[1]",
    ],
    ["{telemetry: {healthCheckLog: {}}}", "spec.telemetry.healthCheckLog"],
    ["{lua: {}}", "spec.lua"],
    ["{luaValidation: Disabled}", "spec.luaValidation"],
    ["{dynamicModules: []}", "spec.dynamicModules"],
    ["{provider: {type: Kubernetes, host: {envoyVersion: v1}}}", "spec.provider.host.envoyVersion"],
  ])("%s is not accepted and ignored", (ofGateway, field) => {
    expect(resolve({ ofGateway }).gatewayLevel.refused.map((finding) => finding.field)).toEqual([field]);
  });

  test("of the class are the Gateway's, unless it has an EnvoyProxy of its own", () => {
    const invalid = "{extraArgs: [--mode]}";
    const inherited = resolve({ ofClass: invalid }).gatewayLevel;
    expect(parameterProblems(inherited, "spec.gatewayClassName")[0]?.message).toContain(
      "leads to the EnvoyProxy of its class, or the default, whose field spec.extraArgs[0] is --mode",
    );
    expect(resolve({ ofClass: invalid, ofGateway: "{}" }).gatewayLevel.refused).toEqual([]);
    const merged = resolve({ ofClass: invalid, ofGateway: "{mergeType: JSONMerge}" }).gatewayLevel;
    expect(merged.refused).toHaveLength(1);
  });

  test("two valid EnvoyProxies may contradict one another once merged", () => {
    const kubernetes = (what: string) =>
      `{mergeType: StrategicMerge, provider: {type: Kubernetes, kubernetes: {${what}: {}}}}`;
    const { classLevel, gatewayLevel } = resolve({
      ofClass: kubernetes("envoyDeployment"),
      ofGateway: kubernetes("envoyDaemonSet"),
    });
    expect(classLevel.refused).toEqual([]);
    expect(gatewayLevel.refused).toEqual([
      {
        field: "spec.provider.kubernetes",
        text: "is invalid once merged with the less specific EnvoyProxy: envoyDeployment and envoyDaemonSet exclude one another",
      },
    ]);
  });

  test("a class must name an EnvoyProxy with its namespace", () => {
    const classOf = (parametersRef: object) =>
      resolveClassProxy({ metadata: { name: "c" }, spec: { parametersRef } } as GatewayClass, cluster, () => undefined);
    expect(classOf({ ...reference, name: "x" }).reference).toContain("names no namespace");
    expect(classOf({ group: "", kind: "ConfigMap", name: "x", namespace: "a" })).toMatchObject({
      reference:
        "names ConfigMap x of group core, and only EnvoyProxy of group gateway.envoyproxy.io is read; name one",
    });
    expect(classOf({ group: "", kind: "ConfigMap", name: "x", namespace: "a" }).source).toBeUndefined();
  });

  test("the shorthand of a collector works with a warning that names the API's field", () => {
    const ofGateway = "{telemetry: {tracing: {provider: {type: OpenTelemetry, openTelemetry: {host: a, port: 1}}}}}";
    const { gatewayLevel } = resolve({ ofGateway });
    expect(gatewayLevel.refused).toEqual([]);
    const place = "spec.telemetry.tracing.provider";
    expect(gatewayLevel.warnings).toEqual(
      ["host", "port"].map((field) => ({
        field: `${place}.openTelemetry.${field}`,
        text: expect.stringContaining(`shorthand of Gatehouse's for ${place}.${field}, the field of the API`),
        reason: "Shorthand",
      })),
    );
  });

  test("what has no effect on a host is a warning", () => {
    const settings = { ...cluster, hostInfrastructure: true };
    const { gatewayLevel } = resolve({ ofGateway: "{provider: {type: Kubernetes, kubernetes: {}}}", settings });
    expect(gatewayLevel.refused).toEqual([]);
    expect(gatewayLevel.warnings).toEqual([
      { field: "spec.provider.kubernetes", text: expect.stringContaining("has no effect") },
    ]);
  });
});

test("names are those that Envoy Gateway gives", () => {
  expect(infrastructureName("default/eg")).toBe("envoy-default-eg-e41e7b31");
  const long = infrastructureName(`${"n".repeat(40)}/${"g".repeat(40)}`);
  expect(long).toMatch(/^envoy-n{40}-g{7}-[0-9a-f]{8}$/);
  expect(infrastructureName("a/b.c")).toMatch(/^envoy-a-b-c-[0-9a-f]{8}$/);
  expect([labelValue("x".repeat(63)), labelValue("x".repeat(64))]).toEqual([
    "x".repeat(63),
    expect.stringMatching(/^x{54}-[0-9a-f]{8}$/),
  ]);
});
