import { expect, test } from "@jest/globals";
import type { ResourceChange } from "../envoy/resource.ts";
import { batchOf } from "./batch.test-support.ts";
import { createPipeline, type Pipeline } from "./pipeline.ts";
import type { PolicyReport } from "./policy-reports.ts";
import { routeTraffic, settingsOfPolicy } from "./work-counts.test-support.ts";

/** What an edit of a policy costs, in exact numbers of calls, and what it sends. */

const settings = { controllerNames: ["example.com/c"], hostInfrastructure: true, privilegedPortOffset: 0 };
const group = "gateway.networking.k8s.io";
const ROUTES = 50;

const route = (index: number, labels = {}) => ({
  apiVersion: `${group}/v1`,
  kind: "HTTPRoute",
  metadata: { name: `route-${index}`, namespace: "default", labels },
  spec: {
    parentRefs: [{ name: "web" }],
    hostnames: [`host-${index}.example.com`],
    rules: [{ backendRefs: [{ name: "app", port: 80 }] }],
  },
});
const policy = (name: string, kind: string, target: string, requestTimeout: string, more: object = {}) => ({
  apiVersion: "gateway.envoyproxy.io/v1alpha1",
  kind: "BackendTrafficPolicy",
  metadata: { name, namespace: "default" },
  spec: { targetRefs: [{ group, kind, name: target }], timeout: { http: { requestTimeout } }, ...more },
});
const selecting = (value: string, requestTimeout = "9s") => {
  const { targetRefs: _, ...spec } = policy("selecting", "", "", requestTimeout).spec;
  const targetSelectors = [{ kind: "HTTPRoute", matchLabels: { tier: value } }];
  return { ...policy("selecting", "", "", requestTimeout), spec: { ...spec, targetSelectors } };
};

function load(...policies: object[]) {
  let published: ResourceChange[] = [];
  const pipeline = createPipeline(settings, {
    xds: (changes) => published.push(...changes),
    statuses() {},
    infrastructure() {},
  });
  const { group: _, ...gatewayClass } = { group, metadata: { name: "c" } };
  pipeline.stage(
    batchOf(
      {
        apiVersion: `${group}/v1`,
        kind: "GatewayClass",
        ...gatewayClass,
        spec: { controllerName: "example.com/c" },
      },
      {
        apiVersion: `${group}/v1`,
        kind: "Gateway",
        metadata: { name: "web", namespace: "default" },
        spec: { gatewayClassName: "c", listeners: [{ name: "http", protocol: "HTTP", port: 8080 }] },
      },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "app", namespace: "default" },
        spec: { ports: [{ name: "http", port: 80 }] },
      },
      ...Array.from({ length: ROUTES }, (_, index) => route(index, index < 3 ? { tier: "gold" } : {})),
      ...policies,
    ),
  );
  pipeline.markSynced();
  pipeline.commitNow();
  // What was published of Listeners is put down for when an Envoy says that it has it.
  pipeline.commitNow();
  const sent = () => {
    const names = published.map(({ type }) => type.slice(type.lastIndexOf(".") + 1));
    published = [];
    return [...new Set(names)].sort();
  };
  sent();
  return { pipeline, sent };
}

const runsOf = (pipeline: Pipeline) => Object.fromEntries(pipeline.commitNow().runs);

test("an edit of a route's policy runs that policy and that route, and sends no Listener and no cluster", () => {
  const { pipeline, sent } = load(
    policy("of-gateway", "Gateway", "web", "9s"),
    policy("of-7", "HTTPRoute", "route-7", "1s"),
    policy("of-8", "HTTPRoute", "route-8", "1s"),
  );
  pipeline.stage(batchOf(policy("of-7", "HTTPRoute", "route-7", "2s")));
  expect(runsOf(pipeline)).toEqual({ ...settingsOfPolicy, ...routeTraffic });
  expect(sent()).toEqual(["RouteConfiguration"]);

  // The circuit breaker makes another cluster, to which the route moves; the old one is still used by all others.
  pipeline.stage(batchOf(policy("of-7", "HTTPRoute", "route-7", "2s", { circuitBreaker: { maxConnections: 5 } })));
  pipeline.commitNow();
  expect(sent()).toEqual(["Cluster", "ClusterLoadAssignment", "RouteConfiguration"]);
  pipeline.stop();
});

test("a policy that comes or goes runs its target, and tells the one that it takes the place of", () => {
  const { pipeline, sent } = load(policy("of-gateway", "Gateway", "web", "9s"));
  pipeline.stage(batchOf(policy("of-7", "HTTPRoute", "route-7", "1s")));
  const runs = runsOf(pipeline);
  expect(runs).toMatchObject({ ...routeTraffic, policyPlaces: 2, policyReports: 2 });
  expect(sent()).toEqual(["RouteConfiguration"]);
  const report = [...pipeline.statuses()].find(([key]) => key === "BackendTrafficPolicy/default/of-gateway")?.[1];
  expect((report as PolicyReport).ancestors[0]?.problems).toMatchObject([
    { condition: "Overridden", message: expect.stringContaining("HTTPRoute default/route-7") },
  ]);
  pipeline.stage({ backendTrafficPolicies: new Map([["default/of-7", undefined]]) });
  expect(runsOf(pipeline)).toMatchObject({ ...routeTraffic, policyReports: 1 });
  pipeline.stop();
});

test("a policy of the Gateway runs each route once", () => {
  const { pipeline, sent } = load(policy("of-gateway", "Gateway", "web", "9s"));
  pipeline.stage(batchOf(policy("of-gateway", "Gateway", "web", "8s")));
  expect(runsOf(pipeline)).toMatchObject({
    ...settingsOfPolicy,
    hostEntries: ROUTES,
    clusterUses: ROUTES,
    routeConfigurations: 1,
    tableShapes: 1,
  });
  expect(sent()).toEqual(["RouteConfiguration"]);
  pipeline.stop();
});

test("a selector runs what it selects, and a route looks only at selectors of its own labels", () => {
  const { pipeline, sent } = load(selecting("gold"));
  pipeline.stage(batchOf(selecting("gold", "8s")));
  expect(runsOf(pipeline)).toEqual({
    ...settingsOfPolicy,
    ...Object.fromEntries(Object.keys(routeTraffic).map((node) => [node, 3])),
    routeConfigurations: 1,
    tableShapes: 1,
  });
  sent();
  // A route gets the label, and with it the policy.
  pipeline.stage(batchOf(route(9, { tier: "gold" })));
  expect(runsOf(pipeline)).toMatchObject({ selectionsOfHTTPRoute: 1, routePolicies: 1, hostEntries: 1 });
  expect(sent()).toEqual(["RouteConfiguration"]);
  pipeline.stop();
});

const security = (name: string, kind: string, target: string, settings: object) => ({
  apiVersion: "gateway.envoyproxy.io/v1alpha1",
  kind: "SecurityPolicy",
  metadata: { name, namespace: "default" },
  spec: { targetRefs: [{ group, kind, name: target }], ...settings },
});
const securityOfPolicy = { headsOfSecurityPolicy: 1, security: 1, policyReports: 1 };

test("an edit of a route's SecurityPolicy runs that policy and that route, and sends its table alone", () => {
  const cors = (origin: string) => ({ cors: { allowOrigins: [origin] } });
  const { pipeline, sent } = load(
    security("of-gateway", "Gateway", "web", cors("http://a.test")),
    security("of-7", "HTTPRoute", "route-7", cors("http://a.test")),
    security("of-8", "HTTPRoute", "route-8", { ...cors("http://a.test"), mergeType: "StrategicMerge" }),
  );
  pipeline.stage(batchOf(security("of-7", "HTTPRoute", "route-7", cors("http://b.test"))));
  expect(runsOf(pipeline)).toEqual({ ...securityOfPolicy, ...routeTraffic });
  expect(sent()).toEqual(["RouteConfiguration"]);
  const merging = { ...cors("http://b.test"), mergeType: "StrategicMerge" };
  pipeline.stage(batchOf(security("of-8", "HTTPRoute", "route-8", merging)));
  // The status of one that is merged tells whether both go together.
  expect(runsOf(pipeline)).toEqual({ ...securityOfPolicy, ...routeTraffic, policyStandings: 1 });
  expect(sent()).toEqual(["RouteConfiguration"]);
  // What is merged over it says the same of origins, so nothing changes there.
  pipeline.stage(batchOf(security("of-gateway", "Gateway", "web", cors("http://b.test"))));
  expect(runsOf(pipeline)).toMatchObject({ ...securityOfPolicy, hostEntries: ROUTES - 2 });
  expect(sent()).toEqual(["RouteConfiguration"]);

  // Not served: the route answers with 500, and nobody else does.
  pipeline.stage(
    batchOf(security("of-7", "HTTPRoute", "route-7", { authorization: { rules: [{ action: "Allow", cel: "a ==" }] } })),
  );
  expect(runsOf(pipeline)).toMatchObject({ ...securityOfPolicy, hostEntries: 1 });
  expect(sent()).toEqual(["RouteConfiguration"]);
  const report = [...pipeline.statuses()].find(([key]) => key === "SecurityPolicy/default/of-7")?.[1];
  expect((report as PolicyReport).ancestors[0]?.problems).toMatchObject([
    { condition: "Accepted", reason: "Invalid", message: expect.stringContaining("spec.authorization") },
  ]);
  pipeline.stop();
});

test("a server that is asked comes, and runs the policy that names it and its route alone", () => {
  const asks = (name: string) => ({ extAuth: { grpc: { backendRefs: [{ name, port: 80 }] } } });
  const { pipeline, sent } = load(
    security("of-7", "HTTPRoute", "route-7", asks("auth")),
    security("of-8", "HTTPRoute", "route-8", asks("other")),
  );
  const service = { apiVersion: "v1", kind: "Service", metadata: { name: "auth", namespace: "default" } };
  pipeline.stage(batchOf({ ...service, spec: { ports: [{ port: 80 }] } }));
  expect(runsOf(pipeline)).toEqual({
    ...{ security: 1, policyReports: 1, ...routeTraffic, clusterAvailability: 1, routeReports: 1 },
    ...{ clusterUses: 1, clusterSpecs: 1, clusterSecretUses: 1, clusters: 1, endpoints: 1 },
    ...{ usesByCluster: 2, fleetClusters: 2, fleetsByCluster: 1 },
  });
  expect(sent()).toEqual(["Cluster", "ClusterLoadAssignment", "RouteConfiguration"]);
  pipeline.stop();
});
