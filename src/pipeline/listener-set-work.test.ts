import { expect, test } from "@jest/globals";
import type { ResourceChange } from "../envoy/resource.ts";
import { batchOf } from "./batch.test-support.ts";
import { createPipeline } from "./pipeline.ts";

/** What a ListenerSet costs beside others of its Gateway, each with routes of its own. */
const settings = { controllerNames: ["example.com/c"], hostInfrastructure: false, privilegedPortOffset: 0 };
const version = "gateway.networking.k8s.io/v1";

const gateway = {
  apiVersion: version,
  kind: "Gateway",
  metadata: { name: "edge", namespace: "infra" },
  spec: {
    gatewayClassName: "c",
    allowedListeners: { namespaces: { from: "All" } },
    listeners: [{ name: "http", protocol: "HTTP", port: 80, hostname: "infra.test" }],
  },
};
const listenerSet = (team: number, ...more: object[]) => ({
  apiVersion: version,
  kind: "ListenerSet",
  metadata: { name: "set", namespace: `team-${team}`, creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: {
    parentRef: { name: "edge", namespace: "infra" },
    listeners: [{ name: "http", protocol: "HTTP", port: 80, hostname: `team-${team}.test` }, ...more],
  },
});
const route = (team: number, index: number) => ({
  apiVersion: version,
  kind: "HTTPRoute",
  metadata: { name: `route-${index}`, namespace: `team-${team}` },
  spec: {
    parentRefs: [{ kind: "ListenerSet", name: "set" }],
    rules: [
      {
        matches: [{ path: { value: `/${index}` } }],
        filters: [{ type: "RequestRedirect", requestRedirect: { port: 1 } }],
      },
    ],
  },
});

const ROUTES = 5;

test.each([3, 60])("beside %i others, an edit costs the routes of its own ListenerSet", (teams) => {
  let published: ResourceChange[] = [];
  const versions = new Map<string, string | undefined>();
  const pipeline = createPipeline(settings, {
    xds(changes) {
      // The same version is not sent again.
      published.push(...changes.filter(({ type, name, resource }) => versions.get(type + name) !== resource?.version));
      for (const { type, name, resource } of changes) versions.set(type + name, resource?.version);
    },
    statuses() {},
    infrastructure() {},
  });
  const all = Array.from({ length: teams }, (_, team) => team);
  const routes = all.flatMap((team) => Array.from({ length: ROUTES }, (_, index) => route(team, index)));
  const gatewayClass = { apiVersion: version, kind: "GatewayClass", metadata: { name: "c" } };
  pipeline.stage(
    batchOf(
      { ...gatewayClass, spec: { controllerName: "example.com/c" } },
      gateway,
      ...all.map((team) => listenerSet(team)),
      ...routes,
    ),
  );
  pipeline.markSynced();
  pipeline.commitNow();
  const runs = () => {
    published = [];
    return Object.fromEntries(pipeline.commitNow().runs);
  };
  const sent = () => published.map(({ type, name }) => `${type.slice(type.lastIndexOf(".") + 1)} ${name}`).sort();

  // What a Listener holds is put down after the commit that published it, for the next.
  const settle = () => expect(Object.keys(runs())).toEqual(["takenShares"]);
  settle();

  // A port that nobody else has: a Listener and a table more.
  pipeline.stage(batchOf(listenerSet(0, { name: "own", protocol: "HTTP", port: 81 })));
  expect(runs()).toEqual({
    listenerSetDrafts: 1,
    listenerSetsByGateway: 1,
    selectionsOfListenerSet: 1,
    gatewayDrafts: 1,
    portClaims: 1,
    gatewayPlans: 1,
    parents: 1,
    listenerCertificates: 1,
    listenerPolicies: 1,
    attachedListenerSets: 1,
    attachedListenerSetsByGateway: 1,
    plansByPort: 1,
    fleetPorts: 2,
    clientPorts: 1,
    datagramPorts: 1,
    tlsOverlaps: 1,
    misdirectedHosts: 1,
    servedListeners: 1,
    httpsParts: 1,
    streamRefusals: 1,
    listeners: 1,
    listenerRefusals: 1,
    listenerShares: 1,
    takenShares: 1,
    plansByFleet: 1,
    attachments: ROUTES,
    resolvedRoutes: ROUTES,
    acceptedAttachments: ROUTES,
    acceptedByListener: ROUTES,
    hostEntries: ROUTES,
    servedEntries: ROUTES,
    entriesByHost: ROUTES,
    virtualHosts: 1,
    routeOverlaps: 1,
    hostsByTable: 1,
    listenersByTable: 1,
    routeTables: 1,
    routeScopes: 1,
    tableParts: 1,
    routeConfigurations: 1,
    routePolicies: ROUTES,
    tableShapes: 1,
    clusterUses: ROUTES,
    gatewayReports: 2,
    routeReports: ROUTES,
    infrastructure: 1,
  });
  expect(sent()).toEqual(["Listener infra/edge/tcp/81", "RouteConfiguration infra/edge/tcp/81"]);

  settle();
  // Another hostname on the common port: no Listener changes, and no route of another ListenerSet is looked at.
  pipeline.stage(batchOf(listenerSet(1, { name: "more", protocol: "HTTP", port: 80, hostname: "more.test" })));
  const counts = runs();
  expect(counts).toMatchObject({ attachments: ROUTES, hostEntries: ROUTES, routeReports: ROUTES, gatewayReports: 2 });
  expect(counts["virtualHosts"]).toBe(1);
  expect(sent()).toEqual(["RouteConfiguration infra/edge/http"]);

  settle();
  // The same object again, as a relist brings it.
  pipeline.stage(batchOf(listenerSet(2)));
  expect(runs()).toEqual({});
  pipeline.stop();
});
