import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import { collectionOf, validateObject } from "../api/kinds.ts";
import type { KubernetesObject } from "../api/object.ts";
import { webPair } from "../attach/key-pairs.test-support.ts";
import { objectKey } from "../base/keys.ts";
import { type EncodedResource, resourceTypes } from "../envoy/resource.ts";
import { type Batch, createPipeline } from "./pipeline.ts";
import type { PolicyReport } from "./policy-reports.ts";
import type { RouteReport } from "./status-reports.ts";

/** Listeners of streams name their clusters themselves: whatever shapes a cluster, both must mean the same one. */
const settings = { controllerNames: ["example.com/c"], hostInfrastructure: true, privilegedPortOffset: 0 };

const metadata = (name: string) => `metadata: {name: ${name}, namespace: default}`;
const api = (kind: string, name: string) =>
  `apiVersion: gateway.networking.k8s.io/v1, kind: ${kind}, ${metadata(name)}`;
const policyApi = (kind: string, name: string) =>
  `apiVersion: gateway.envoyproxy.io/v1alpha1, kind: ${kind}, ${metadata(name)}`;

const listeners = (protocol: string) =>
  protocol === "TLS"
    ? "[{name: a, protocol: TLS, port: 8443, hostname: a.test, tls: {mode: Passthrough}}, {name: b, protocol: TLS, port: 8443, hostname: b.test, tls: {mode: Terminate, certificateRefs: [{name: web}]}}]"
    : `[{name: a, protocol: ${protocol}, port: 9000}]`;

function objectsOf(kind: string, place: "Gateway" | "ListenerSet"): string[] {
  const protocol = kind.slice(0, 3);
  const inSet = place === "ListenerSet";
  return [
    "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: c}, spec: {controllerName: example.com/c}}",
    `{${api("Gateway", "gw")}, spec: {gatewayClassName: c, allowedListeners: {namespaces: {from: Same}},
      listeners: ${inSet ? "[{name: web, protocol: HTTP, port: 8080}]" : listeners(protocol)}}}`,
    ...(inSet
      ? [`{${api("ListenerSet", "set")}, spec: {parentRef: {name: gw}, listeners: ${listeners(protocol)}}}`]
      : []),
    `{apiVersion: v1, kind: Secret, ${metadata("web")}, type: kubernetes.io/tls, stringData: {tls.crt: CERTIFICATE, tls.key: KEY}}`,
    `{apiVersion: v1, kind: Service, ${metadata("s")}, spec: {ports: [{name: t, port: 53, protocol: TCP}, {name: u, port: 53, protocol: UDP}]}}`,
    `{${policyApi("Backend", "encrypted")}, spec: {endpoints: [{ip: {address: 10.0.0.1, port: 443}}], tls: {insecureSkipVerify: true, sni: b.test}}}`,
    `{${api(kind, "r")}, spec: {parentRefs: [{kind: ${place}, name: ${inSet ? "set" : "gw"}}], ${protocol === "TLS" ? "hostnames: [a.test, b.test], " : ""}
      rules: [{backendRefs: [{name: s, port: 53}, {group: gateway.envoyproxy.io, kind: Backend, name: encrypted}]}]}}`,
  ];
}

const policy = (target: string) =>
  `{${policyApi("BackendTrafficPolicy", "p")}, spec: {targetRefs: [${target}], circuitBreaker: {maxConnections: 7}}}`;

function publish(texts: readonly string[]) {
  const published = new Map<string, EncodedResource>();
  const pipeline = createPipeline(settings, {
    xds(changes) {
      for (const { type, name, resource } of changes) {
        if (resource === undefined) published.delete(`${type} ${name}`);
        else published.set(`${type} ${name}`, resource);
      }
    },
    statuses() {},
    infrastructure() {},
  });
  const edit = (some: readonly string[]) => {
    const batch: Record<string, Map<string, KubernetesObject>> = {};
    for (const text of some) {
      const raw = parse(text) as { stringData?: object };
      if (raw.stringData) raw.stringData = { "tls.crt": webPair.certificate, "tls.key": webPair.key };
      const { object, problems } = validateObject(raw);
      if (object === undefined) throw new Error(JSON.stringify(problems));
      const collection = collectionOf(object) as string;
      batch[collection] ??= new Map();
      const copy = JSON.parse(JSON.stringify(object)) as KubernetesObject;
      batch[collection].set(objectKey(object.metadata.namespace, object.metadata.name), copy);
    }
    pipeline.stage(batch as Batch);
    pipeline.commitNow();
  };
  edit(texts);
  pipeline.markSynced();
  pipeline.commitNow();
  const clusters = () => {
    const named = [...published.values()].filter(({ type }) => type === resourceTypes.listener);
    return new Set(named.flatMap((listener) => listener.clusters.flat()));
  };
  const missing = () => [...clusters()].filter((name) => !published.has(`${resourceTypes.cluster} ${name}`));
  const reportOf = (key: string) => new Map(pipeline.statuses()).get(key);
  return { edit, clusters, missing, reportOf, stop: () => pipeline.stop(), failures: pipeline.failures };
}

test.each(
  ["TLSRoute", "TCPRoute", "UDPRoute"].flatMap((kind) =>
    (["Gateway", "ListenerSet"] as const).map((place) => [kind, place] as const),
  ),
)("clusters of a %s on listeners of a %s are published, whatever policies make of them", (kind, place) => {
  const { edit, clusters, missing, stop, failures } = publish(objectsOf(kind, place));
  const before = clusters();
  // Passed through the Backend is reached without TLS, opened with it; TLS over UDP is refused.
  expect(before.size).toBe({ TLSRoute: 3, TCPRoute: 2, UDPRoute: 1 }[kind]);
  expect(missing()).toEqual([]);
  for (const target of [
    `{group: gateway.networking.k8s.io, kind: ${kind}, name: r}`,
    "{group: gateway.networking.k8s.io, kind: Gateway, name: gw}",
  ]) {
    edit([policy(target)]);
    expect(missing()).toEqual([]);
    expect([...clusters()].filter((name) => before.has(name))).toEqual([]);
  }
  expect(failures.size).toBe(0);
  stop();
});

const tlsPolicy = (trust: string) =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, ${metadata("tls")}, spec: {
    targetRefs: [{group: "", kind: Service, name: s}], validation: {hostname: s.test, ${trust}}}}`;
const goodPolicy = tlsPolicy("wellKnownCACertificates: System");
const brokenPolicy = tlsPolicy('caCertificateRefs: [{group: "", kind: ConfigMap, name: missing}]');

test.each([
  { where: "passed through", sections: ["a"], clusters: [1, 1, 1], broken: false, ancestors: 0 },
  { where: "opened", sections: ["b"], clusters: [1, 1, 0], broken: true, ancestors: 1 },
  // What is passed keeps the cluster without TLS, what was opened has its own unless the policy forbids any.
  { where: "both", sections: ["a", "b"], clusters: [1, 2, 1], broken: true, ancestors: 1 },
])("a BackendTLSPolicy counts for a TLSRoute only where TLS ends: $where", ({ sections, ...expected }) => {
  const parents = sections.map((section) => `{name: gw, sectionName: ${section}}`).join(", ");
  const route = `{${api("TLSRoute", "r")}, spec: {parentRefs: [${parents}], hostnames: [a.test, b.test], rules: [{backendRefs: [{name: s, port: 53}]}]}}`;
  const { edit, clusters, missing, reportOf, stop, failures } = publish([
    ...objectsOf("TLSRoute", "Gateway").slice(0, -1),
    route,
  ]);
  const plain = clusters();
  const sizes = [plain.size];
  for (const policy of [goodPolicy, brokenPolicy]) {
    edit([policy]);
    sizes.push(clusters().size);
    expect(missing()).toEqual([]);
    if (sections.includes("a")) expect(clusters()).toContain([...plain][0]);
    const report = reportOf("BackendTLSPolicy/default/tls") as PolicyReport;
    expect(report.ancestors).toHaveLength(expected.ancestors);
  }
  expect(sizes).toEqual(expected.clusters);
  const { resolved } = reportOf("TLSRoute/default/r") as RouteReport;
  expect(resolved.problems.some(({ reason }) => reason === "InvalidBackendTLS")).toBe(expected.broken);
  expect(failures.size).toBe(0);
  stop();
});
