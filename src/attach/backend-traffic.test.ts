import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { BackendTrafficPolicy } from "../api/backendtrafficpolicy.ts";
import { validateObject } from "../api/kinds.ts";
import { publishedBackendSpecs } from "../api/traffic-policies.test-support.ts";
import { mergeBackendTraffic, planBackendTraffic } from "./backend-traffic.ts";
import { findUnservedFields } from "./policy-fields.ts";

type Content = Record<string, unknown>;

function planOf(spec: Content) {
  const { object, problems } = validateObject({
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "BackendTrafficPolicy",
    metadata: { name: "p" },
    spec: { targetRefs: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: "r" }], ...spec },
  });
  if (object === undefined) throw new Error(JSON.stringify(problems));
  return planBackendTraffic(JSON.parse(JSON.stringify(object)) as BackendTrafficPolicy, { configMap: () => undefined });
}

const bodyRef = { type: "ValueRef", valueRef: { group: "", kind: "ConfigMap", name: "c" } };
const limited = (...rules: Content[]) => ({ rateLimit: { local: { rules } } });
const perSecond = { limit: { requests: 1, unit: "Second" } };
const perMinute = { limit: { requests: 1, unit: "Minute" } };
const counting = (selector: Content) => limited({ ...perSecond, clientSelectors: [selector] });
const ofRule = (field: string) => `spec.rateLimit.local.rules${field}`;
const ofSelector = (field: string) => ofRule(`[0].clientSelectors[0].${field}`);

const refusedLimits: [Content, string, string][] = [
  [limited(perSecond, perSecond), ofRule("[1]"), "has no clientSelectors, as a rule before it"],
  [limited({ limit: { requests: 0, unit: "Second" } }), ofRule("[0].limit.requests"), "nothing would get through"],
  [
    limited(perMinute, { ...perSecond, clientSelectors: [{ path: {} }] }),
    ofRule("[1].limit.unit"),
    "is Second, which the Minute of the rule without clientSelectors does not divide",
  ],
  [limited({ ...perSecond, shared: true }), ofRule("[0].shared"), "cannot be had of Envoy"],
  [counting({ headers: [{ name: "a" }] }), ofSelector("headers[0]"), "has no value"],
  [
    counting({ headers: [{ name: "a", type: "Distinct", invert: true }] }),
    ofSelector("headers[0].invert"),
    "means nothing for Distinct",
  ],
  [
    counting({ queryParams: [{ name: "a", type: "RegularExpression", value: "(" }] }),
    ofSelector("queryParams[0].value"),
    "is no regular expression",
  ],
  [counting({ sourceCIDR: { value: "10.0.0.0" } }), ofSelector("sourceCIDR.value"), "no range such as 10.0.0.0/8"],
  [
    counting({ sourceCIDR: { value: "10.0.0.0/8", invert: true } }),
    ofSelector("sourceCIDR.invert"),
    "cannot be had of Envoy",
  ],
];

test.each<[Content, string, string]>([
  [{ timeout: { tcp: { connectTimeout: "0s" } } }, "spec.timeout.tcp.connectTimeout", "no time at all cannot be"],
  ...refusedLimits,
  [{ http2: { onInvalidMessage: "Die" } }, "spec.http2.onInvalidMessage", "write TerminateConnection or"],
  [
    { retry: { perRetry: { backOff: { maxInterval: "1s" } } } },
    "spec.retry.perRetry.backOff.maxInterval",
    "needs baseInterval",
  ],
  [
    { loadBalancer: { type: "ConsistentHash", consistentHash: { type: "SourceIP", tableSize: 65536 } } },
    "spec.loadBalancer.consistentHash.tableSize",
    "no prime number",
  ],
  [
    { loadBalancer: { type: "Random", endpointOverride: { extractFrom: [{}] } } },
    "spec.loadBalancer.endpointOverride.extractFrom[0]",
    "names no header",
  ],
  [
    { healthCheck: { active: { type: "HTTP", http: { path: "/", method: "CONNECT" } } } },
    "spec.healthCheck.active.http.method",
    "use one of GET",
  ],
  [{ healthCheck: { passive: { interval: "0s" } } }, "spec.healthCheck.passive.interval", "no time at all"],
  [
    { loadBalancer: { type: "DynamicModule", dynamicModule: { name: "m", lbPolicyName: "p" } } },
    "spec.loadBalancer.dynamicModule",
    "names a module of compiled code",
  ],
  [
    { loadBalancer: { type: "Random", zoneAware: { preferLocal: {} } } },
    "spec.loadBalancer.zoneAware.preferLocal",
    "use weightedZones, or routingType Service",
  ],
  [
    { loadBalancer: { type: "Random", zoneAware: { weightedZones: [{ zone: "a", weight: -1 }] } } },
    "spec.loadBalancer.zoneAware.weightedZones[0].weight",
    "use 0 to 1000000",
  ],
  [
    { loadBalancer: { type: "Random", zoneAware: { weightedZones: [{ zone: "a", weight: 0 }] } } },
    "spec.loadBalancer.zoneAware.weightedZones",
    "leaves every zone that it names out",
  ],
  [{ routingType: "Pod" }, "spec.routingType", "write Service or Endpoint"],
  [{ telemetry: { metrics: { routeStatName: "%X%" } } }, "spec.telemetry.metrics.routeStatName", "holds %X%"],
  [{ requestBuffer: {} }, "spec.requestBuffer.limit", "write how many bytes"],
  [
    { compressor: [{ type: "Gzip" }, { type: "Gzip", minContentLength: 99 }] },
    "spec.compressor[1].minContentLength",
    "differs from that of the other Gzip",
  ],
  [
    { responseOverride: [{ match: { statusCodes: [{ value: 404 }] }, response: { body: bodyRef } }] },
    "spec.responseOverride[0].response.body.valueRef",
    "names ConfigMap default/c, which does not exist",
  ],
  [{ http2: { initialStreamWindowSize: 9 } }, "spec.http2.initialStreamWindowSize", "use 65535 to"],
])("%j is refused for %s", (spec, field, text) => {
  const plan = planOf(spec);
  expect(plan.refused).toEqual([{ field, text: expect.stringContaining(text) }]);
  expect(plan.traffic).toEqual({ invalid: true });
});

test.each<[Content, string[]]>([
  [{ timeout: { http: { requestTimeout: "1s" } } }, []],
  [{ a: 1, loadBalancer: { zoneAware: { b: 2 } } }, ["a", "loadBalancer.zoneAware.b"]],
  [{ c: [{ d: 1 }, { d: 2 }] }, ["c"]],
  [{ retry: { retryOn: { triggers: [] } } }, []],
  [{ loadBalancer: { x: {} } }, ["loadBalancer.x"]],
])("of %j the fields %j are not served", (spec, fields) => {
  expect(findUnservedFields("BackendTrafficPolicy", spec)).toEqual(fields);
});

test("the two parts are apart, so that neither changes with the other, and their text does not depend on the order of fields", () => {
  const one = planOf({
    retry: { numRetries: 1 },
    timeout: { http: { requestTimeout: "1s", connectionIdleTimeout: "2s" } },
  });
  const other = planOf({ timeout: { http: { connectionIdleTimeout: "2s", requestTimeout: "9s" } } });
  expect(JSON.stringify(one.traffic.cluster)).toBe('{"timeout":{"http":{"connectionIdleTimeout":"2s"}}}');
  expect(one.traffic.cluster).toEqual(other.traffic.cluster);
  expect(one.traffic.route).toEqual({ retry: { numRetries: 1 }, timeout: { requestTimeout: "1s" } });
});

test("merged, the child's fields win, and what is wrong with either makes both wrong", () => {
  const parent = planOf({ timeout: { http: { requestTimeout: "9s", connectionIdleTimeout: "5s" } } });
  const child = planOf({ timeout: { http: { requestTimeout: "1s" } } });
  const expected = {
    cluster: { timeout: { http: { connectionIdleTimeout: "5s" } } },
    route: { timeout: { requestTimeout: "1s" } },
  };
  expect(mergeBackendTraffic(child, parent, "StrategicMerge").traffic).toEqual(expected);
  expect(mergeBackendTraffic(child, parent, "JSONMerge").traffic).toEqual(expected);
  const wrong = planOf({ timeout: { tcp: { connectTimeout: "0s" } } });
  expect(mergeBackendTraffic(child, wrong, "JSONMerge").traffic).toEqual({ invalid: true });
});

test.each([
  ["HTTPRoute", []],
  ["Gateway", []],
  ["TCPRoute", ["spec.retry", "spec.timeout.http", "spec.loadBalancer.consistentHash"]],
])("for a %s the fields %j have no effect, and a warning says so", (kind, fields) => {
  const targetRefs = [{ group: "gateway.networking.k8s.io", kind, name: "t" }];
  const settings = {
    retry: {},
    timeout: { http: { requestTimeout: "1s" }, tcp: { connectTimeout: "1s" } },
    loadBalancer: { type: "ConsistentHash", consistentHash: { type: "SourceIP" } },
    circuitBreaker: {},
  };
  const { refused, warnings } = planOf({ targetRefs, ...settings });
  expect(refused).toEqual([]);
  expect(warnings.map(({ field }) => field)).toEqual(fields);
  expect(warnings.every(({ reason }) => reason === "NoEffect")).toBe(true);
});

test.each(publishedBackendSpecs)("nothing of the published spec %j is refused", (spec) => {
  const { targetRef: _, ...settings } = spec;
  const { refused, warnings } = planOf(settings);
  expect(refused).toEqual([]);
  expect(new Set(warnings.map(({ reason }) => reason))).toEqual(new Set(["Shorthand"]));
});

test("the example of the documentation says nothing that is refused or warned of", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/policies/backendtrafficpolicy.md"), "utf8");
  const { spec } = parse(/```yaml\n([^`]*)```/.exec(page)?.[1] ?? "") as { spec: Content };
  const { refused, warnings, traffic } = planOf(spec);
  expect([...refused, ...warnings]).toEqual([]);
  expect(Object.keys(traffic)).toEqual(["cluster", "route"]);
});

test.each([
  ["1Ki", "Second", []],
  ["60Ki", "Minute", []],
  [1_000, "Second", ["keeps 1Ki per Second"]],
  ["100M", "Hour", ["keeps 27Ki per Second"]],
])("a bandwidth of %s in a %s is kept as it is, or a warning says what is kept: %j", (value, unit, texts) => {
  const { warnings } = planOf({ bandwidthLimit: { response: { limit: { value, unit } } } });
  expect(warnings).toEqual(
    texts.map((text) => ({
      field: "spec.bandwidthLimit.response.limit",
      text: expect.stringContaining(text),
      reason: "Rounded",
    })),
  );
});
