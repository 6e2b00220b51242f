import { expect, test } from "@jest/globals";
import type { ResourceChange } from "../envoy/resource.ts";
import { batchOf } from "./batch.test-support.ts";
import { createPipeline, type Pipeline } from "./pipeline.ts";
import { changedEntries, routeTraffic, settingsOfPolicy } from "./work-counts.test-support.ts";

const settings = { controllerNames: ["example.com/c"], hostInfrastructure: true, privilegedPortOffset: 0 };

const gateway = "gateway.networking.k8s.io/v1";
const route = (index: number, header = "a") => ({
  apiVersion: gateway,
  kind: "HTTPRoute",
  metadata: { name: `route-${index}`, namespace: "default" },
  spec: {
    parentRefs: [{ name: "web" }],
    hostnames: [`host-${index}.example.com`],
    rules: [
      {
        filters: [{ type: "ResponseHeaderModifier", responseHeaderModifier: { set: [{ name: "x", value: header }] } }],
        backendRefs: [{ name: `service-${index}`, port: 80 }],
      },
    ],
  },
});
const service = (index: number) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: `service-${index}`, namespace: "default" },
  spec: { ports: [{ name: "http", port: 80 }] },
});
const slice = (index: number, address: string) => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    name: `slice-${index}`,
    namespace: "default",
    labels: { "kubernetes.io/service-name": `service-${index}` },
  },
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints: [{ addresses: [address], conditions: { ready: true } }],
});

/** That Gateway `default/web` shares its Envoys with another, which has the more specific hostname on the same port. */
const merging = [
  {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "EnvoyProxy",
    metadata: { name: "shared", namespace: "default" },
    spec: { mergeGateways: true },
  },
  {
    apiVersion: gateway,
    kind: "Gateway",
    metadata: { name: "web", namespace: "other" },
    spec: {
      gatewayClassName: "c",
      listeners: [{ name: "http", protocol: "HTTP", port: 8080, hostname: "*.other.example.com" }],
    },
  },
];
const parametersRef = { group: "gateway.envoyproxy.io", kind: "EnvoyProxy", name: "shared", namespace: "default" };

/** A settled gateway with so many routes, each with its own host, Service and EndpointSlice. */
function createLoaded(routes: number, merged = false): { pipeline: Pipeline; changes: () => ResourceChange[] } {
  let published: ResourceChange[] = [];
  const pipeline = createPipeline(settings, {
    xds: (changes) => published.push(...changes),
    statuses() {},
    infrastructure() {},
  });
  pipeline.stage(
    batchOf(
      {
        apiVersion: gateway,
        kind: "GatewayClass",
        metadata: { name: "c" },
        spec: { controllerName: "example.com/c", ...(merged && { parametersRef }) },
      },
      ...(merged ? merging : []),
      {
        apiVersion: gateway,
        kind: "Gateway",
        metadata: { name: "web", namespace: "default" },
        spec: { gatewayClassName: "c", listeners: [{ name: "http", protocol: "HTTP", port: 8080 }] },
      },
      ...Array.from({ length: routes }, (_, index) => [route(index), service(index), slice(index, "10.0.0.1")]).flat(),
    ),
  );
  pipeline.markSynced();
  pipeline.commitNow();
  // What was published of Listeners is put down for when an Envoy says that it has it.
  pipeline.commitNow();
  const changes = () => {
    const taken = published;
    published = [];
    return taken;
  };
  changes();
  return { pipeline, changes };
}

const runsOf = (pipeline: Pipeline) => Object.fromEntries(pipeline.commitNow().runs);
const namesOf = (changes: ResourceChange[]) =>
  changes
    .map(({ type, name }) => `${type.slice(type.lastIndexOf(".") + 1)} ${name.split("/").slice(0, 3).join("/")}`)
    .sort();

/** Runs of each node for one edited route. */
const routeEdit = {
  httpRouteObjects: 1,
  selectionsOfHTTPRoute: 1,
  attachments: 1,
  resolvedRoutes: 1,
  ...changedEntries,
};
/** Runs of each node for a new route with a Service and an EndpointSlice of its own. */
const routeAddition = {
  ...routeEdit,
  acceptedAttachments: 1,
  acceptedByListener: 1,
  clusterAvailability: 1,
  clusterSecretUses: 1,
  clusterSpecs: 1,
  clusterUses: 1,
  clusters: 1,
  endpoints: 1,
  fleetClusters: 1,
  gatewayReports: 1,
  fleetsByCluster: 1,
  routePolicies: 1,
  slicesByService: 1,
  tlsTargetUses: 1,
  usesByCluster: 1,
};

test.each([
  [10, false, "default/web/http"],
  [300, false, "default/web/http"],
  [300, true, "c/http-8080"],
])(
  "with %i routes (shared Envoys: %p), an edit runs the same few functions and sends what it changed",
  (count, merged, table) => {
    const { pipeline, changes } = createLoaded(count, merged);

    pipeline.stage(batchOf(slice(3, "10.0.0.9")));
    expect(runsOf(pipeline)).toEqual({ slicesByService: 1, endpoints: 1, clusterAvailability: 1 });
    expect(namesOf(changes())).toEqual(["ClusterLoadAssignment service/default/service-3"]);

    pipeline.stage(batchOf(route(3, "b")));
    expect(runsOf(pipeline)).toEqual(routeEdit);
    expect(namesOf(changes())).toEqual([`RouteConfiguration ${table}`]);

    pipeline.stage(batchOf(route(count), service(count), slice(count, "10.0.0.1")));
    expect(runsOf(pipeline)).toEqual(routeAddition);
    expect(namesOf(changes())).toEqual([
      `Cluster service/default/service-${count}`,
      `ClusterLoadAssignment service/default/service-${count}`,
      `RouteConfiguration ${table}`,
    ]);

    // The same object again, as a relist brings it: nothing runs.
    pipeline.stage(batchOf(route(3, "b")));
    expect(runsOf(pipeline)).toEqual({});
    expect(changes()).toEqual([]);
    pipeline.stop();
  },
);

const trafficPolicy = (index: number, requestTimeout: string, maxConnections: number) => ({
  apiVersion: "gateway.envoyproxy.io/v1alpha1",
  kind: "BackendTrafficPolicy",
  metadata: { name: `traffic-${index}`, namespace: "default" },
  spec: {
    targetRefs: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: `route-${index}` }],
    timeout: { http: { requestTimeout } },
    circuitBreaker: { maxConnections },
  },
});
/** What an edit of a policy runs: the policy, and its route from where it takes policies over. */
const trafficEdit = { ...settingsOfPolicy, ...routeTraffic };

test.each([10, 300])("with %i routes and policies, an edit of one policy runs the same few functions", (count) => {
  const { pipeline, changes } = createLoaded(count);
  pipeline.stage(batchOf(...Array.from({ length: count }, (_, index) => trafficPolicy(index, "1s", 5))));
  pipeline.commitNow();
  pipeline.commitNow();
  changes();
  pipeline.stage(batchOf(trafficPolicy(3, "2s", 5)));
  expect(runsOf(pipeline)).toEqual(trafficEdit);
  expect(namesOf(changes())).toEqual(["RouteConfiguration default/web/http"]);
  // What clusters have of it makes another cluster, in the place of the one before.
  pipeline.stage(batchOf(trafficPolicy(3, "2s", 6)));
  expect(runsOf(pipeline)).toEqual({
    ...trafficEdit,
    usesByCluster: 1,
    fleetClusters: 1,
    fleetsByCluster: 1,
    clusterSpecs: 1,
    clusters: 1,
    endpoints: 1,
    clusterAvailability: 1,
    clusterSecretUses: 1,
  });
  const name = "service/default/service-3";
  expect(namesOf(changes())).toEqual([
    `Cluster ${name}`,
    `Cluster ${name}`,
    `ClusterLoadAssignment ${name}`,
    `ClusterLoadAssignment ${name}`,
    "RouteConfiguration default/web/http",
  ]);
  pipeline.stop();
});

const policy = (index: number, hostname: string, created: string, name = `policy-${index}`) => ({
  apiVersion: gateway,
  kind: "BackendTLSPolicy",
  metadata: { name, namespace: "default", creationTimestamp: created },
  spec: {
    targetRefs: [{ group: "", kind: "Service", name: `service-${index}` }],
    validation: { wellKnownCACertificates: "System", hostname },
  },
});
/** A policy and what it is judged by. */
const policyRuns = { tlsPolicies: 1, tlsPoliciesByTarget: 1, tlsClaims: 1, tlsPolicyReports: 1 };
/** A route is led to another cluster than before. */
const movedRoute = {
  resolvedRoutes: 1,
  ...changedEntries,
  tlsTargetUses: 1,
  acceptedAttachments: 1,
  clusterUses: 1,
  usesByCluster: 1,
  fleetClusters: 1,
  fleetsByCluster: 1,
  clusterSpecs: 1,
  clusters: 1,
  endpoints: 1,
  clusterAvailability: 1,
  clusterSecretUses: 1,
};

test.each([10, 300])("with %i routes, a BackendTLSPolicy costs its own target", (count) => {
  const { pipeline, changes } = createLoaded(count);
  const [older, younger] = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"];

  pipeline.stage(batchOf(policy(3, "a.example.com", older)));
  expect(runsOf(pipeline)).toEqual({
    ...policyRuns,
    ...movedRoute,
    tlsTargetUsesByPlace: 1,
    tlsTargetGateways: 1,
    tlsTargetGatewaysByTarget: 1,
  });
  const moved = [
    "Cluster service/default/service-3",
    "Cluster service/default/service-3",
    "ClusterLoadAssignment service/default/service-3",
    "ClusterLoadAssignment service/default/service-3",
    "RouteConfiguration default/web/http",
  ];
  expect(namesOf(changes())).toEqual(moved);

  pipeline.stage(batchOf(policy(3, "b.example.com", older)));
  expect(runsOf(pipeline)).toEqual({ ...policyRuns, ...movedRoute });
  expect(namesOf(changes())).toEqual(moved);

  // One that loses is told so, and changes nothing else.
  pipeline.stage(batchOf(policy(3, "c.example.com", younger, "later")));
  expect(runsOf(pipeline)).toEqual({ ...policyRuns, tlsPolicyReports: 2, resolvedRoutes: 1 });
  expect(changes()).toEqual([]);

  // An edit of another route, and one of a route that leads to a target.
  pipeline.stage(batchOf(route(4, "b")));
  expect(runsOf(pipeline)).toEqual({ ...routeEdit });
  pipeline.stage(batchOf(route(3, "b")));
  expect(runsOf(pipeline)).toEqual({ ...routeEdit });
  pipeline.stop();
});

/** A port of TLS with so many listeners, each with a route by a server name of its own. */
function createStreams(listeners: number) {
  let published: ResourceChange[] = [];
  const pipeline = createPipeline(settings, {
    xds: (changes) => published.push(...changes),
    statuses() {},
    infrastructure() {},
  });
  const names = Array.from({ length: listeners }, (_, index) => `tenant-${index}`);
  pipeline.stage(
    batchOf(
      { apiVersion: gateway, kind: "GatewayClass", metadata: { name: "c" }, spec: { controllerName: "example.com/c" } },
      {
        apiVersion: gateway,
        kind: "Gateway",
        metadata: { name: "web", namespace: "default" },
        spec: {
          gatewayClassName: "c",
          listeners: [
            { name: "bytes", protocol: "TCP", port: 8081 },
            ...names.map((name) => ({
              ...{ name, protocol: "TLS", port: 8443, hostname: `*.${name}.test` },
              tls: { mode: "Passthrough" },
            })),
          ],
        },
      },
      streamRoute("TCPRoute", "bytes", 0),
      ...names.flatMap((name, index) => [
        streamRoute("TLSRoute", name, index),
        service(index),
        slice(index, "10.0.0.1"),
      ]),
    ),
  );
  pipeline.markSynced();
  pipeline.commitNow();
  // What the first one published is known in the next.
  pipeline.commitNow();
  pipeline.commitNow();
  const take = () => {
    const taken = published;
    published = [];
    return taken;
  };
  take();
  return { pipeline, take };
}

function streamRoute(kind: "TLSRoute" | "TCPRoute", name: string, backend: number, weight = 1) {
  return {
    apiVersion: gateway,
    kind,
    metadata: { name, namespace: "default" },
    spec: {
      parentRefs: [{ name: "web", sectionName: name }],
      ...(kind === "TLSRoute" && { hostnames: [`a.${name}.test`] }),
      rules: [
        {
          backendRefs: [
            { name: `service-${backend}`, port: 80, weight },
            { name: "service-1", port: 80 },
          ],
        },
      ],
    },
  };
}

/** Runs of each node for one edited route of connections. */
const streamEdit = {
  acceptedAttachments: 1,
  attachments: 1,
  clusterUses: 1,
  gatewayReports: 1,
  listenerRefusals: 1,
  listenerShares: 1,
  listeners: 1,
  partsByPort: 1,
  resolvedRoutes: 1,
  routeReports: 1,
  streamClaims: 1,
  streamParts: 1,
  takenShares: 1,
  tlsTargetUses: 1,
};

test.each([5, 50])("of %i listeners on one port, an edit of a route encodes one part of one Listener", (count) => {
  const { pipeline, take } = createStreams(count);

  pipeline.stage(batchOf(slice(3, "10.0.0.9")));
  expect(runsOf(pipeline)).toEqual({ slicesByService: 1, endpoints: 1, clusterAvailability: 1 });
  expect(namesOf(take())).toEqual(["ClusterLoadAssignment service/default/service-3"]);

  pipeline.stage(batchOf(streamRoute("TLSRoute", "tenant-3", 3, 2)));
  expect(runsOf(pipeline)).toEqual({ tlsRouteObjects: 1, selectionsOfTLSRoute: 1, ...streamEdit });
  expect(namesOf(take())).toEqual(["Listener default/web/tenant-0"]);
  pipeline.commitNow();

  pipeline.stage(batchOf(streamRoute("TCPRoute", "bytes", 0, 2)));
  expect(runsOf(pipeline)).toEqual({ tcpRouteObjects: 1, selectionsOfTCPRoute: 1, ...streamEdit });
  expect(namesOf(take())).toEqual(["Listener default/web/bytes"]);
  pipeline.stop();
});
