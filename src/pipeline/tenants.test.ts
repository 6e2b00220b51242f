import { expect, test } from "@jest/globals";
import { webPair } from "../attach/key-pairs.test-support.ts";
import { type ResourceChange, resourceTypes } from "../envoy/resource.ts";
import { type Batch, createPipeline } from "./pipeline.ts";

/** Tenants with a Gateway each behind the same Envoys and on the same port: what a change of one is to the others. */
const settings = { controllerNames: ["example.com/c"], hostInfrastructure: false, privilegedPortOffset: 0 };

const api = "gateway.networking.k8s.io/v1";
const FLEET = "shared";
const parameters = { name: "shared", namespace: "infra" };
const shared = {
  gatewayClasses: {
    apiVersion: api,
    kind: "GatewayClass",
    metadata: { name: FLEET },
    spec: {
      controllerName: "example.com/c",
      parametersRef: { group: "gateway.envoyproxy.io", kind: "EnvoyProxy", ...parameters },
    },
  },
  envoyProxies: {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "EnvoyProxy",
    metadata: parameters,
    spec: { mergeGateways: true },
  },
};
const tenant = (index: number, label = "a") => {
  const namespace = `tenant-${index}`;
  const tls = { mode: "Terminate", certificateRefs: [{ name: "web" }] };
  const hostname = `*.${label}.${namespace}.test`;
  return {
    gateways: {
      apiVersion: api,
      kind: "Gateway",
      metadata: { name: "gw", namespace },
      spec: { gatewayClassName: FLEET, listeners: [{ name: "https", protocol: "HTTPS", port: 443, hostname, tls }] },
    },
    secrets: {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "web", namespace },
      type: "kubernetes.io/tls",
      data: { "tls.crt": btoa(webPair.certificate), "tls.key": btoa(webPair.key) },
    },
    httpRoutes: {
      apiVersion: api,
      kind: "HTTPRoute",
      metadata: { name: "web", namespace },
      spec: { parentRefs: [{ name: "gw" }], rules: [{ matches: [{ path: { type: "PathPrefix", value: "/" } }] }] },
    },
  };
};

function load(tenants: number) {
  let published: ResourceChange[] = [];
  let reported: string[] = [];
  const pipeline = createPipeline(settings, {
    xds(changes) {
      published.push(...changes);
    },
    statuses(changes) {
      for (const key of changes.keys()) if (key.startsWith("Gateway/")) reported.push(key);
    },
    infrastructure() {},
  });
  const commit = () => {
    [published, reported] = [[], []];
    const runs = Object.fromEntries(pipeline.commitNow().runs);
    pipeline.commitNow();
    expect([...pipeline.failures]).toEqual([]);
    const sent = published.map(({ type, name }) => `${type.slice(type.lastIndexOf(".") + 1)} ${name}`).sort();
    return { runs, sent, reported: [...reported].sort() };
  };
  const edit = (...parts: Partial<Record<keyof Batch, object>>[]) => {
    for (const part of parts) {
      const batch = Object.entries(part).map(([collection, object]) => {
        const { namespace, name } = (object as { metadata: { namespace?: string; name: string } }).metadata;
        return [collection, new Map([[namespace === undefined ? name : `${namespace}/${name}`, object]])];
      });
      pipeline.stage(Object.fromEntries(batch) as Batch);
    }
    return commit();
  };
  const listener = { type: resourceTypes.listener, name: `${FLEET}/tcp-443` };
  const version = () => published.find(({ type }) => type === listener.type)?.resource?.version ?? "";
  const answer = (version: string, error?: string) => {
    const verdict = error === undefined ? { accepted: true } : { accepted: false, error };
    pipeline.own.answered({ gateway: FLEET, node: "envoy", ...listener, version, ...verdict });
    return commit();
  };
  const progress = () =>
    Object.fromEntries(
      [...pipeline.statuses()].flatMap(([key, report]) =>
        report.kind === "Gateway" ? [[key.split("/")[1], report.progress["https"]?.state]] : [],
      ),
    );
  pipeline.markSynced();
  edit(shared, ...Array.from({ length: tenants }, (_, index) => tenant(index)));
  const first = version();
  pipeline.own.connected(FLEET, "envoy");
  pipeline.own.listenersStated(FLEET, "envoy");
  answer(first);
  return { pipeline, edit, answer, version, progress };
}

test("who comes, changes and goes is to be programmed anew, and nobody else", () => {
  const { pipeline, edit, answer, version, progress } = load(2);
  expect(progress()).toEqual({ "tenant-0": "Accepted", "tenant-1": "Accepted" });
  expect(edit(tenant(2)).reported).toEqual(["Gateway/tenant-2/gw"]);
  expect(progress()).toEqual({ "tenant-0": "Accepted", "tenant-1": "Accepted", "tenant-2": "Pending" });
  const withThree = version();
  expect(edit(tenant(1, "b")).reported).toEqual(["Gateway/tenant-1/gw"]);
  expect(progress()).toEqual({ "tenant-0": "Accepted", "tenant-1": "Pending", "tenant-2": "Pending" });
  const changed = version();
  // An Envoy that is behind has what it has.
  expect(answer(withThree).reported).toEqual(["Gateway/tenant-2/gw"]);
  expect(progress()).toEqual({ "tenant-0": "Accepted", "tenant-1": "Pending", "tenant-2": "Accepted" });
  expect(answer(changed).reported).toEqual(["Gateway/tenant-1/gw"]);
  pipeline.stage({ gateways: new Map([["tenant-2/gw", undefined]]) });
  const removed = edit({});
  expect(removed.reported).toEqual(["Gateway/tenant-2/gw"]);
  expect(progress()).toEqual({ "tenant-0": "Accepted", "tenant-1": "Accepted" });
});

test("a refused Listener is told to those whose change it was", () => {
  const { edit, answer, version, progress } = load(2);
  edit(tenant(2));
  const refused = answer(version(), "no");
  expect(refused.reported).toEqual(["Gateway/tenant-2/gw"]);
  expect(progress()).toEqual({ "tenant-0": "Accepted", "tenant-1": "Accepted", "tenant-2": "Rejected" });
});

test.each([3, 30])("beside %i others a tenant's addition sends its own resources and the Listener", (tenants) => {
  const { runs, sent } = load(tenants).edit(tenant(tenants));
  const namespace = `tenant-${tenants}`;
  expect(sent).toEqual([
    `Listener ${FLEET}/tcp-443`,
    `RouteConfiguration ${namespace}/gw/https`,
    `Secret ${namespace}/web`,
  ]);
  const once = [
    "attachments",
    "gatewayPlans",
    "gatewayReports",
    "hostEntries",
    "httpsParts",
    "listeners",
    "routeConfigurations",
  ];
  expect(Object.fromEntries(once.map((node) => [node, runs[node]]))).toEqual(
    Object.fromEntries(once.map((node) => [node, 1])),
  );
});
