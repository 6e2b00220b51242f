import { expect, test } from "@jest/globals";
import { Graph } from "./graph.ts";

const gateways = 5;
const routes = 100;

/** The shape of the real thing in small: routes on gateways, backends with endpoints, tables put together per gateway. */
function buildNetwork() {
  const graph = new Graph();
  const gateway = graph.source<{ host: string }>("gateways");
  const route = graph.source<{ gateway: string; backend: string; text: string }>("routes");
  const endpoint = graph.source<readonly number[]>("endpoints");
  const backend = graph.map("backends", endpoint, (ports) => ports.length > 0);
  const resolved = graph.map("resolved", route, (value, _key, read) => ({
    gateway: value.gateway,
    host: read.get(gateway, value.gateway)?.host,
    works: read.get(backend, value.backend) ?? false,
    text: value.text,
  }));
  const hosts = graph.flatMap("hosts", resolved, (value, key) =>
    value.host === undefined ? [] : [[`${value.host}/${key}`, { gateway: value.gateway, works: value.works }]],
  );
  const byGateway = graph.index("byGateway", hosts, (value) => value.gateway);
  graph.reduce("tables", byGateway, (_gateway, members) => members.size);
  graph.map("assignments", endpoint, (ports) => ports.map((port) => `127.0.0.1:${port}`));
  for (const source of [gateway, route, endpoint]) source.markSynced();
  for (let i = 0; i < gateways; i += 1) gateway.set(`g${i}`, { host: `h${i}` });
  for (let i = 0; i < routes; i += 1) {
    route.set(`r${i}`, { gateway: `g${i % gateways}`, backend: `b${i}`, text: "" });
    endpoint.set(`b${i}`, [i]);
  }
  return { graph, gateway, route, endpoint };
}

function runsOf(graph: Graph): Readonly<Record<string, number>> {
  return Object.fromEntries(graph.commit().runs);
}

test("a cold start runs each function once per key", () => {
  expect(runsOf(buildNetwork().graph)).toEqual({
    backends: routes,
    resolved: routes,
    hosts: routes,
    byGateway: routes,
    tables: gateways,
    assignments: routes,
  });
});

test("an edit of endpoints runs what reads endpoints and stops where nothing changes", () => {
  const { graph, endpoint } = buildNetwork();
  graph.commit();
  endpoint.set("b7", [1, 2]);
  expect(runsOf(graph)).toEqual({ backends: 1, assignments: 1 });
});

test("an edit of a route runs the functions on its way", () => {
  const { graph, route } = buildNetwork();
  graph.commit();
  route.set("r7", { gateway: "g2", backend: "b7", text: "unseen by the table" });
  expect(runsOf(graph)).toEqual({ resolved: 1, hosts: 1 });
  route.set("r7", { gateway: "g3", backend: "b7", text: "" });
  expect(runsOf(graph)).toEqual({ resolved: 1, hosts: 1, byGateway: 1, tables: 2 });
});

test("a backend that comes late runs the routes that named it", () => {
  const { graph, route, endpoint } = buildNetwork();
  route.set("r7", { gateway: "g2", backend: "late", text: "" });
  graph.commit();
  endpoint.set("late", [1]);
  expect(runsOf(graph)).toEqual({ backends: 1, resolved: 1, hosts: 1, byGateway: 1, tables: 1, assignments: 1 });
});

test("an edit of a gateway runs its own routes", () => {
  const { graph, gateway } = buildNetwork();
  graph.commit();
  gateway.set("g1", { host: "other" });
  const own = routes / gateways;
  // The old host's keys only leave the index, which runs nothing.
  expect(runsOf(graph)).toEqual({ resolved: own, hosts: own, byGateway: own, tables: 1 });
});

test("a relist with equal content runs nothing", () => {
  const { graph, route } = buildNetwork();
  graph.commit();
  route.replaceAll([...route.entries()].map(([key, value]) => [key, { ...value }]));
  const report = graph.commit();
  expect([report.runs.size, report.changed.size]).toEqual([0, 0]);
});
