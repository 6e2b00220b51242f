import { expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { batchOf } from "./batch.test-support.ts";
import type { GatewayInfrastructure } from "./infrastructure.ts";
import { createPipeline } from "./pipeline.ts";
import type { EnvoyProxyReport } from "./status-reports.ts";

const settings = { controllerNames: ["example.com/c"], hostInfrastructure: false, privilegedPortOffset: 10_000 };

const objectsOf = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as object);
const proxy = (name: string, spec: string) =>
  `{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: EnvoyProxy, metadata: {name: ${name}, namespace: a, generation: 1}, spec: ${spec}}`;
const gateway = (name: string, parameters?: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: a, uid: uid-of-${name}}
spec:
  gatewayClassName: c
  ${parameters === undefined ? "" : `infrastructure: {labels: {team: web}, parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: ${parameters}}}`}
  listeners: [{name: http, protocol: HTTP, port: 80}]
`;
const world = [
  "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: c, uid: uid-of-c}, spec: {controllerName: example.com/c, parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: of-class, namespace: a}}}",
  proxy("of-class", "{concurrency: 1}"),
  proxy("own", "{mergeType: JSONMerge, extraArgs: [--a]}"),
  proxy("unused", "{}"),
  gateway("first"),
  gateway("second", "own"),
];

function load() {
  const infrastructure = new Map<string, GatewayInfrastructure>();
  const pipeline = createPipeline(settings, {
    xds() {},
    statuses() {},
    infrastructure(changes) {
      for (const [key, value] of changes) {
        if (value === undefined) infrastructure.delete(key);
        else infrastructure.set(key, value);
      }
    },
  });
  pipeline.stage(batchOf(...objectsOf(world.join("\n---\n"))));
  pipeline.markSynced();
  pipeline.commitNow();
  const edit = (text: string) => {
    // What was published of Listeners is put down for when an Envoy says that it has it.
    pipeline.commitNow();
    pipeline.stage(batchOf(...objectsOf(text)));
    return Object.fromEntries(pipeline.commitNow().runs);
  };
  const uses = (name: string) => {
    const report = new Map(pipeline.statuses()).get(`EnvoyProxy/a/${name}`) as EnvoyProxyReport;
    return report.uses.map(({ ancestor, level }) => [`${ancestor.kind} ${ancestor.key}`, level.refused.length]);
  };
  return { pipeline, infrastructure, edit, uses };
}

test("each Gateway runs with the EnvoyProxy in effect for it", () => {
  const { infrastructure, uses } = load();
  expect(infrastructure.get("a/first")).toEqual({
    gateway: "a/first",
    ports: [10_080],
    served: [{ name: "http-80", port: 80, bindPort: 10_080, protocol: "TCP" }],
    settings: { concurrency: 1, logging: { level: { default: "warn" } } },
    held: false,
    gatewayClass: { name: "c", uid: "uid-of-c" },
    gatewayUid: "uid-of-first",
    members: [{ gateway: "a/first", uid: "uid-of-first", labels: {}, annotations: {} }],
    addresses: [],
    labels: {},
    annotations: {},
  });
  expect(infrastructure.get("a/second")).toMatchObject({
    settings: { concurrency: 1, extraArgs: ["--a"] },
    labels: { team: "web" },
  });
  expect(uses("of-class")).toEqual([["GatewayClass c", 0]]);
  expect(uses("own")).toEqual([["Gateway a/second", 0]]);
  expect(uses("unused")).toEqual([]);
});

test("an EnvoyProxy that changes re-runs the Gateways that use it, and only what depends on it", () => {
  const { edit } = load();
  expect(edit(proxy("own", "{mergeType: JSONMerge, extraArgs: [--b]}"))).toEqual({
    gatewayProxies: 1,
    gatewayReferences: 1,
    listenerSettings: 1,
    gatewaySampling: 1,
    gatewayParameters: 1,
    infrastructure: 1,
    proxyUsesOfGateway: 1,
    envoyProxyReports: 1,
  });
  expect(edit(proxy("unused", "{concurrency: 3}"))).toEqual({ envoyProxyReports: 1 });
  const runs = edit(proxy("of-class", "{concurrency: 2}"));
  expect(runs).toMatchObject({ classProxies: 1, gatewayProxies: 2, infrastructure: 2 });
  expect(runs).not.toHaveProperty("gatewayDrafts");
  const tracing = (rate: number) =>
    proxy("own", `{telemetry: {tracing: {samplingRate: ${rate}, provider: {type: Zipkin, host: 127.0.0.1, port: 9}}}}`);
  edit(tracing(1));
  // Routes look at it only where policies say something of tracing.
  expect(edit(tracing(2))).not.toHaveProperty("hostEntries");
});

test("what cannot work holds the infrastructure and is told everywhere", () => {
  const { edit, infrastructure, uses, pipeline } = load();
  edit(
    proxy(
      "own",
      "{mergeType: JSONMerge, bootstrap: {type: Merge, value: 'static_resources: {clusters: [{name: xds_cluster}]}'}}",
    ),
  );
  expect(infrastructure.get("a/second")).toMatchObject({ held: true, ports: [10_080] });
  expect(infrastructure.get("a/first")).toMatchObject({ held: false });
  expect(uses("own")).toEqual([["Gateway a/second", 1]]);
  expect(new Map(pipeline.statuses()).get("Gateway/a/second")).toMatchObject({
    plan: {
      problems: [
        {
          reason: "InvalidParameters",
          message: expect.stringContaining(
            "leads to EnvoyProxy a/own whose field spec.bootstrap changes the endpoints",
          ),
        },
      ],
    },
  });
  edit(proxy("of-class", "{extraArgs: [--mode]}"));
  expect(infrastructure.get("a/first")).toMatchObject({ held: true });
  expect(new Map(pipeline.statuses()).get("GatewayClass/c")).toMatchObject({ plan: { accepted: false } });
  pipeline.stage({ envoyProxies: new Map([["a/own", undefined]]) });
  pipeline.commitNow();
  expect(new Map(pipeline.statuses()).get("Gateway/a/second")).toMatchObject({
    plan: { problems: [{ message: expect.stringContaining("names EnvoyProxy a/own, which does not exist") }] },
  });
});
