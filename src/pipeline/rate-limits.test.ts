import { expect, test } from "@jest/globals";
import { RouteConfiguration } from "../envoy/generated/envoy/config/route/v3/route.ts";
import { RateLimitPerRoute } from "../envoy/generated/envoy/extensions/filters/http/ratelimit/v3/rate_limit.ts";
import type { ResourceChange } from "../envoy/resource.ts";
import { batchOf } from "./batch.test-support.ts";
import { createPipeline } from "./pipeline.ts";

/** What an edit of a limit that a service counts costs, in exact numbers of calls, and who is sent what. */

const settings = {
  controllerNames: ["example.com/c"],
  hostInfrastructure: true,
  privilegedPortOffset: 0,
  rateLimit: { address: { unixPath: "/limits.sock" }, failClosed: false },
};
const group = "gateway.networking.k8s.io";
const ROUTES = 20;

const object = (kind: string, name: string, spec: object, apiVersion = `${group}/v1`) => ({
  apiVersion,
  kind,
  metadata: { name, namespace: kind === "GatewayClass" ? undefined : "default" },
  spec,
});
const route = (index: number, path = "/") =>
  object("HTTPRoute", `route-${index}`, {
    parentRefs: [{ name: "web" }],
    hostnames: [`host-${index}.example.com`],
    rules: [{ matches: [{ path: { value: path } }], backendRefs: [{ name: "app", port: 80 }] }],
  });
const policy = (name: string, kind: string, target: string, requests: number, more: object = {}) =>
  object(
    "BackendTrafficPolicy",
    name,
    {
      targetRefs: [{ group, kind, name: target }],
      rateLimit: { global: { rules: [{ limit: { requests, unit: "Hour" } }] } },
      ...more,
    },
    "gateway.envoyproxy.io/v1alpha1",
  );

function load(...policies: object[]) {
  let published: ResourceChange[] = [];
  const pipeline = createPipeline(settings, {
    xds: (changes) => published.push(...changes),
    statuses() {},
    infrastructure() {},
  });
  const gateway = { gatewayClassName: "c", listeners: [{ name: "http", protocol: "HTTP", port: 8080 }] };
  pipeline.stage(
    batchOf(
      object("GatewayClass", "c", { controllerName: "example.com/c" }),
      object("Gateway", "web", gateway),
      object("Service", "app", { ports: [{ name: "http", port: 80 }] }, "v1"),
      ...Array.from({ length: ROUTES }, (_, index) => route(index)),
      ...policies,
    ),
  );
  pipeline.markSynced();
  pipeline.commitNow();
  // What was published of Listeners is put down for when an Envoy says that it has it.
  pipeline.commitNow();
  const sent = () => {
    const changes = published;
    published = [];
    return changes.map(({ gateway: fleet, type, name, resource }) => ({
      place: `${fleet}|${type.slice(type.lastIndexOf(".") + 1)}|${name}`,
      resource,
    }));
  };
  return { pipeline, sent };
}

const places = (sent: readonly { readonly place: string }[]) => sent.map(({ place }) => place).sort();
const ofLimits = (sent: readonly { readonly place: string }[]) =>
  places(sent).filter((place) => /RateLimitConfig|ratelimit_cluster/.test(place));

test("an edit of a limit makes one configuration anew, and sends Envoys nothing", () => {
  const policies = Array.from({ length: ROUTES }, (_, index) =>
    policy(`limit-${index}`, "HTTPRoute", `route-${index}`, 1),
  );
  const { pipeline, sent } = load(...policies);
  const configurations = Array.from(
    { length: ROUTES },
    (_, index) => `rate limit service|RateLimitConfig|default/limit-${index}`,
  );
  expect(ofLimits(sent())).toEqual(["default/web|Cluster|ratelimit_cluster", ...configurations].sort());

  pipeline.stage(batchOf(policy("limit-7", "HTTPRoute", "route-7", 2)));
  const runs = Object.fromEntries(pipeline.commitNow().runs);
  expect(runs).toMatchObject({
    backendTraffic: 1,
    rateLimitConfigurations: 1,
    hostEntries: 1,
  });
  expect(runs).not.toHaveProperty("rateLimitClusters");
  expect(runs).not.toHaveProperty("virtualHosts");
  expect(places(sent())).toEqual(["rate limit service|RateLimitConfig|default/limit-7"]);

  pipeline.stage(batchOf(route(7, "/other")));
  expect(Object.keys(Object.fromEntries(pipeline.commitNow().runs)).filter((node) => /rateLimit/.test(node))).toEqual(
    [],
  );
});

test("a policy without routes is known to the service, and forgotten with it", () => {
  const { pipeline, sent } = load(policy("alone", "HTTPRoute", "nowhere", 1));
  expect(ofLimits(sent())).toContain("rate limit service|RateLimitConfig|default/alone");
  pipeline.stage({ backendTrafficPolicies: new Map([["default/alone", undefined]]) });
  pipeline.commitNow();
  expect(sent()).toEqual([{ place: "rate limit service|RateLimitConfig|default/alone", resource: undefined }]);
});

test("limits in a merged policy are counted with the policy that has them", () => {
  const merged = { mergeType: "StrategicMerge" };
  const without = policy("without", "HTTPRoute", "route-2", 0, { ...merged, rateLimit: undefined, retry: {} });
  const { sent } = load(
    policy("whole", "Gateway", "web", 9),
    policy("own", "HTTPRoute", "route-1", 3, merged),
    JSON.parse(JSON.stringify(without)) as object,
  );
  const published = sent();
  expect(ofLimits(published)).toEqual(
    ["own", "whole"]
      .map((name) => `rate limit service|RateLimitConfig|default/${name}`)
      .concat("default/web|Cluster|ratelimit_cluster")
      .sort(),
  );
  const table = published.find(({ place }) => place.includes("RouteConfiguration"))?.resource;
  const { virtualHosts = [] } = RouteConfiguration.decode(Buffer.concat(table?.chunks ?? []));
  const domains = [0, 1, 2].map((index) => {
    const host = virtualHosts.find(({ domains: names }) => names?.[0]?.startsWith(`host-${index}.`));
    const filter = host?.routes?.[0]?.typedPerFilterConfig?.["envoy.filters.http.ratelimit"];
    return RateLimitPerRoute.decode(filter?.value ?? new Uint8Array()).domain;
  });
  expect(domains).toEqual(["default/whole", "default/own", "default/whole"]);
});
