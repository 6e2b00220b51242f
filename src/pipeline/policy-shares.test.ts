import { expect, test } from "@jest/globals";
import { type ResourceChange, resourceTypes } from "../envoy/resource.ts";
import { batchOf } from "./batch.test-support.ts";
import { createPipeline } from "./pipeline.ts";

/** A policy of a Gateway for many routes: how it comes to them, and what others notice of it. */

const settings = { controllerNames: ["example.com/c"], hostInfrastructure: true, privilegedPortOffset: 0 };
const api = "gateway.networking.k8s.io/v1";
const ROUTES = 1_100;

const route = (index: number, header = "a") => ({
  apiVersion: api,
  kind: "HTTPRoute",
  metadata: { name: `route-${index}`, namespace: "default" },
  spec: {
    parentRefs: [{ name: "web" }],
    hostnames: [`host-${index}.example.com`],
    rules: [
      {
        filters: [{ type: "ResponseHeaderModifier", responseHeaderModifier: { set: [{ name: "x", value: header }] } }],
        backendRefs: [{ name: "app", port: 80 + (index % 500) }],
      },
    ],
  },
});
const policy = (maxConnections: number) => ({
  apiVersion: "gateway.envoyproxy.io/v1alpha1",
  kind: "BackendTrafficPolicy",
  metadata: { name: "everything", namespace: "default" },
  spec: {
    targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "web" }],
    circuitBreaker: { maxConnections },
    timeout: { http: { requestTimeout: `${maxConnections}s` } },
  },
});

/** What is published, and what each step of it was. */
function createRecord() {
  const clusters = new Set<string>();
  const steps: { added: number; removed: number; tables: number; dangling: number }[] = [];
  const take = (changes: readonly ResourceChange[]) => {
    const step = { added: 0, removed: 0, tables: 0, dangling: 0 };
    for (const { type, name, resource } of changes) {
      if (type !== resourceTypes.cluster) continue;
      if (resource === undefined) step.removed += clusters.delete(name) ? 1 : 0;
      else {
        step.added += clusters.has(name) ? 0 : 1;
        clusters.add(name);
      }
    }
    for (const { type, resource } of changes) {
      if (type !== resourceTypes.route || resource === undefined) continue;
      step.tables += 1;
      step.dangling += resource.clusters.flat().filter((name) => !clusters.has(name)).length;
    }
    if (changes.length === 0) return;
    steps.push(step);
    record.onStep(steps.length);
  };
  const record = { take, steps, clusters, onStep: (_count: number) => {} };
  return record;
}

function load(isBehind: () => boolean = () => false) {
  const record = createRecord();
  const pipeline = createPipeline(settings, { xds: record.take, statuses() {}, infrastructure() {} }, { isBehind });
  pipeline.stage(
    batchOf(
      { apiVersion: api, kind: "GatewayClass", metadata: { name: "c" }, spec: { controllerName: "example.com/c" } },
      {
        apiVersion: api,
        kind: "Gateway",
        metadata: { name: "web", namespace: "default" },
        spec: { gatewayClassName: "c", listeners: [{ name: "http", protocol: "HTTP", port: 8080 }] },
      },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "app", namespace: "default" },
        spec: { ports: Array.from({ length: 500 }, (_, index) => ({ name: `p${index}`, port: 80 + index })) },
      },
      ...Array.from({ length: ROUTES }, (_, index) => route(index)),
    ),
  );
  pipeline.markSynced();
  pipeline.commitNow();
  pipeline.commitNow();
  record.steps.length = 0;
  return { pipeline, record };
}

test("clusters go ahead share by share; the table goes once, and what it no longer needs with it", async () => {
  const { pipeline, record } = load();
  for (const maxConnections of [5, 6]) {
    pipeline.stage(batchOf(policy(maxConnections)));
    pipeline.notify();
    await pipeline.idle();
    // 250 routes each, of which every 500th has the same Service port.
    expect(record.steps).toEqual([
      { added: 250, removed: 0, tables: 0, dangling: 0 },
      { added: 250, removed: 0, tables: 0, dangling: 0 },
      { added: 0, removed: 500, tables: 1, dangling: 0 },
    ]);
    record.steps.length = 0;
  }
  pipeline.stop();
});

test("an edit of a route goes out between two shares, in a table that leads to nothing that is not there", async () => {
  const { pipeline, record } = load();
  pipeline.stage(batchOf(policy(5)));
  pipeline.notify();
  record.onStep = (count) => {
    if (count > 1) return;
    pipeline.stage(batchOf(route(ROUTES - 1, "b")));
    pipeline.notify();
  };
  await pipeline.idle();
  expect(record.steps).toEqual([
    { added: 250, removed: 0, tables: 0, dangling: 0 },
    { added: 0, removed: 0, tables: 1, dangling: 0 },
    { added: 250, removed: 0, tables: 0, dangling: 0 },
    { added: 0, removed: 500, tables: 1, dangling: 0 },
  ]);
  pipeline.stop();
});

test("shares wait for Envoys that have enough to do, edits do not", async () => {
  let isBusy = true;
  const { pipeline, record } = load(() => isBusy);
  pipeline.stage(batchOf(policy(5)));
  pipeline.notify();
  await new Promise((resolve) => setTimeout(resolve, 20));
  pipeline.stage(batchOf(route(3, "b")));
  pipeline.notify();
  isBusy = false;
  await pipeline.idle();
  expect(record.steps.at(-1)).toMatchObject({ tables: 1, dangling: 0 });
  expect(record.clusters.size).toBe(500);
  pipeline.stop();
});
