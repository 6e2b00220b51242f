import { beforeEach, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { collectionOf, validateObject } from "../api/kinds.ts";
import type { KubernetesObject } from "../api/object.ts";
import { objectKey } from "../base/keys.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { GatewayInfrastructure } from "./infrastructure.ts";
import type { GatewayReport } from "./listener-reports.ts";
import { type Batch, createPipeline, type Pipeline } from "./pipeline.ts";
import type { StatusReport } from "./status-reports.ts";

/** What Gateways that share their Envoys are to the world outside, and how they come together and part. */
const settings = { controllerNames: ["example.com/c"], hostInfrastructure: false, privilegedPortOffset: 10_000 };

const gatewayClass = `{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: c}, spec: {controllerName: example.com/c,
  parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: p, namespace: a}}}`;
const proxy = (spec: string) =>
  `{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: EnvoyProxy, metadata: {name: p, namespace: a}, spec: ${spec}}`;
const gateway = (namespace: string, hostname: string, more = "") =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gw, namespace: ${namespace}}, spec: {gatewayClassName: c, ${more}
  listeners: [{name: http, protocol: HTTP, port: 80, hostname: ${hostname}}]}}`;
const route = (namespace: string) =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: ${namespace}}, spec: {parentRefs: [{name: gw}],
  rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: b}]}]}}`;
const backend = (namespace: string) =>
  `{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: Backend, metadata: {name: b, namespace: ${namespace}}, spec: {endpoints: [{ip: {address: 10.0.0.1, port: 80}}]}}`;

const merged = proxy("{mergeGateways: true}");

let pipeline: Pipeline;
let infrastructure: Map<string, GatewayInfrastructure>;
/** `fleet name` of all that is published. */
let published: Set<string>;

function edit(...texts: string[]): void {
  const batch: Record<string, Map<string, KubernetesObject>> = {};
  for (const text of texts) {
    const { object, problems } = validateObject(parse(text) as object);
    if (object === undefined) throw new Error(JSON.stringify(problems));
    const collection = collectionOf(object) as string;
    batch[collection] ??= new Map();
    // A copy of this realm: jest runs tests in a realm of its own, and plain data of another one never counts as equal.
    const copy = JSON.parse(JSON.stringify(object)) as KubernetesObject;
    batch[collection].set(objectKey(object.metadata.namespace, object.metadata.name), copy);
  }
  pipeline.stage(batch as Batch);
  pipeline.commitNow();
}

const remove = (collection: keyof Batch, key: string) => {
  pipeline.stage({ [collection]: new Map([[key, undefined]]) });
  pipeline.commitNow();
};
const report = (key: string) => new Map<string, StatusReport>(pipeline.statuses()).get(key);
const gatewayReport = (key: string) => report(`Gateway/${key}`) as GatewayReport;
const held = () => [...infrastructure].map(([fleet, value]) => `${fleet}${value.held ? " held" : ""}`).sort();

beforeEach(() => {
  infrastructure = new Map();
  published = new Set();
  pipeline = createPipeline(settings, {
    xds(changes) {
      for (const { gateway: fleet, name, resource } of changes) {
        if (resource === undefined) published.delete(`${fleet} ${name}`);
        else published.add(`${fleet} ${name}`);
      }
    },
    statuses() {},
    infrastructure(changes) {
      for (const [key, value] of changes) {
        if (value === undefined) infrastructure.delete(key);
        else infrastructure.set(key, value);
      }
    },
  });
  edit(
    gatewayClass,
    merged,
    gateway("a", "a.com"),
    gateway("b", "b.com"),
    route("a"),
    route("b"),
    backend("a"),
    backend("b"),
  );
  pipeline.markSynced();
  pipeline.commitNow();
});

const shared = ["c backend/a/b", "c backend/b/b", "c c/http-80", "c c/tcp-80"];
const apart = ["a", "b"].flatMap((each) => [`${each}/gw ${each}/gw/http`, `${each}/gw backend/${each}/b`]);
/** Without the hashes of settings. */
const names = () => [...published].map((name) => name.replace(/\/[0-9a-f]{8}$/, "")).sort();

test("all is published to one fleet, and what its Envoys say and where they are reached counts for each Gateway", () => {
  expect(names()).toEqual(shared);
  expect(infrastructure.get("c")).toMatchObject({ ports: [10_080], held: false });
  expect(infrastructure.get("c")).not.toHaveProperty("gatewayUid");
  pipeline.sources.addresses.set("c", [{ type: "IPAddress", value: "192.0.2.1" }]);
  for (const node of ["one", "two"]) pipeline.own.connected("c", node);
  const type = resourceTypes.listener;
  const answer = { gateway: "c", node: "one", type, name: "c/tcp-80", version: "another", accepted: true };
  pipeline.own.answered(answer);
  pipeline.commitNow();
  for (const key of ["a/gw", "b/gw"]) {
    expect(gatewayReport(key)).toMatchObject({
      connected: 2,
      addresses: [{ value: "192.0.2.1" }],
      attachedRoutes: { http: 1 },
      progress: { http: { state: "Pending" } },
    });
  }
});

test("Gateways move when mergeGateways is switched, and nothing is left where they were", () => {
  edit(proxy("{}"));
  expect(held()).toEqual(["a/gw", "b/gw"]);
  expect(names()).toEqual(apart.toSorted());
  edit(merged);
  expect(held()).toEqual(["c"]);
  expect(names()).toEqual(shared);
});

test("while the EnvoyProxy cannot be used, what runs stays together or apart as it was", () => {
  remove("envoyProxies", "a/p");
  expect(held()).toEqual(["c held"]);
  expect(names()).toEqual(shared);
  edit(proxy("{extraArgs: [--mode]}"));
  expect(held()).toEqual(["c held"]);
  edit(proxy("{}"));
  expect(held()).toEqual(["a/gw", "b/gw"]);
  for (const wrong of ["extraArgs: [--mode]", "backendTLS: {clientCertificateRef: {name: absent}}"]) {
    edit(proxy(`{mergeGateways: true, ${wrong}}`));
    expect(held()).toEqual(["a/gw held", "b/gw held"]);
  }
  edit(merged);
  expect(held()).toEqual(["c"]);
});

test("a Gateway that goes, or asks for what cannot be had, leaves the Listener and the fleet of the others as they are", () => {
  const before = infrastructure.get("c");
  edit(gateway("a", "a.com", "infrastructure: {labels: {gatehouse.dev/installation: x}},"));
  expect(gatewayReport("a/gw").plan.problems).toHaveLength(1);
  expect(infrastructure.get("c")).toMatchObject({ ports: before?.ports, held: false });
  edit(gateway("a", "a.com", "infrastructure: {parametersRef: {group: example.com, kind: Other, name: x}},"));
  expect(gatewayReport("a/gw").plan.problems).toMatchObject([{ reason: "InvalidParameters" }]);
  expect(infrastructure.get("c")).toMatchObject({ ports: before?.ports, held: false });
  remove("gateways", "a/gw");
  expect(before?.members.map(({ gateway }) => gateway)).toEqual(["a/gw", "b/gw"]);
  expect(infrastructure.get("c")).toEqual({ ...before, members: before?.members.slice(1) });
  expect(names()).toEqual(shared.slice(1));
  remove("gateways", "b/gw");
  expect(infrastructure.size).toBe(0);
  expect(names()).toEqual([]);
});

test("an EnvoyProxy of one Gateway has no effect, and says so", () => {
  const reference = "{group: gateway.envoyproxy.io, kind: EnvoyProxy, name: own}";
  edit(
    "{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: EnvoyProxy, metadata: {name: own, namespace: a}, spec: {concurrency: 3}}",
    gateway("a", "a.com", `infrastructure: {parametersRef: ${reference}},`),
  );
  expect(infrastructure.get("c")?.settings).not.toHaveProperty("concurrency");
  expect(gatewayReport("a/gw").plan.problems).toEqual([]);
  expect(report("EnvoyProxy/a/own")).toMatchObject({
    uses: [{ ancestor: { kind: "Gateway", key: "a/gw" }, level: { refused: [{ field: "spec" }] } }],
  });
});

test("HTTPS and TLS listeners of several Gateways share a port; of a port without names the older Gateway's is the only one", () => {
  const streams = (namespace: string, created: string, listeners: string) =>
    `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gw, namespace: ${namespace}, creationTimestamp: ${created}},
    spec: {gatewayClassName: c, listeners: [${listeners}]}}`;
  const tls = (hostname: string) =>
    `{name: tls, protocol: TLS, port: 443, hostname: ${hostname}, tls: {mode: Passthrough}}`;
  const https = "{name: web, protocol: HTTPS, port: 443, hostname: a.test, tls: {certificateRefs: [{name: absent}]}}";
  const dns = "{name: dns, protocol: UDP, port: 53}, {name: dns-tcp, protocol: TCP, port: 53}";
  edit(
    gatewayClass,
    merged,
    streams("a", "2026-01-01T00:00:00Z", `${https}, ${dns}`),
    streams("b", "2026-01-02T00:00:00Z", `${tls("b.test")}, {name: dns, protocol: UDP, port: 53}`),
    streams("d", "2026-01-03T00:00:00Z", `${tls("a.test")}, {name: plain, protocol: HTTP, port: 443}`),
  );
  const conflicts = ["a", "b", "d"].map((namespace) =>
    gatewayReport(`${namespace}/gw`).plan.listeners.map(({ problems }) => problems[0]?.reason),
  );
  expect(conflicts).toEqual([
    [undefined, undefined, undefined],
    [undefined, "HostnameConflict"],
    ["ProtocolConflict", "ProtocolConflict"],
  ]);
  expect([...published].filter((name) => name.startsWith("c c/")).sort()).toEqual([
    "c c/tcp-443",
    "c c/tcp-53",
    "c c/udp-53",
  ]);
  expect(infrastructure.get("c")?.served.map(({ name, protocol }) => `${name} ${protocol}`)).toEqual([
    "tcp-53 TCP",
    "udp-53 UDP",
    "https-443 TCP",
  ]);
});
