import { expect, test } from "@jest/globals";
import type { BackendTrafficPolicy } from "../../api/backendtrafficpolicy.ts";
import { validateObject } from "../../api/kinds.ts";
import { planBackendTraffic, type RouteTraffic } from "../../attach/backend-traffic.ts";
import type { RateLimitService } from "../../attach/rate-limit.ts";
import { sortedMap } from "../../envoy/any.ts";
import { HttpConnectionManager } from "../../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { resourceToJson } from "../../envoy/json.ts";
import { encodeResource } from "../../envoy/resource.ts";
import { validateBootstrap, withEnvoy } from "../envoy.test-support.ts";
import { buildHttpFilters } from "../http-filters.ts";
import { translateRateLimitCluster } from "../rate-limit-cluster.ts";
import { limitTraffic } from "../traffic-limits.ts";
import { configurePolicyFilters } from "./route-filters.ts";

/** What the schema allows of requests is refused, with the field's name, or the real Envoy takes it. */

type Content = Readonly<Record<string, unknown>>;

const limited = (...rules: Content[]) => ({ rateLimit: { local: { rules } } });
const perSecond = { limit: { requests: 1, unit: "Second" } };
const counting = (...clientSelectors: Content[]) => limited({ ...perSecond, clientSelectors });
const costing = (request: Content) => limited({ ...perSecond, clientSelectors: [{ path: {} }], cost: { request } });
const globally = (...rules: Content[]) => ({ rateLimit: { global: { rules } } });
const service: RateLimitService = {
  address: { host: "limits.test", port: 8081 },
  failClosed: true,
  timeoutMilliseconds: 20,
};
const fromMetadata = { fromMetadata: { namespace: "a.b", key: "c" } };
const range = (value: string, type = "Exact") => ({ sourceCIDR: { type, value } });
const of404 = { statusCodes: [{ value: 404 }] };
const override = (match: Content, response: Content) => ({ responseOverride: [{ match, response }] });
const answering = (response: Content) => override(of404, response);
const matching = (status: Content) => override({ statusCodes: [status] }, { statusCode: 200 });
const redirecting = (redirect: Content) => ({ responseOverride: [{ match: of404, redirect }] });
const leadingTo = (replaceFullPath: string) => redirecting({ path: { type: "ReplaceFullPath", replaceFullPath } });
const upgrading = (...types: string[]) => ({ httpUpgrade: types.map((type) => ({ type })) });
const passing = (value: string) => ({ bandwidthLimit: { request: { limit: { value, unit: "Second" } } } });
const aborting = (abort: Content) => ({ faultInjection: { abort: { httpStatus: 500, ...abort } } });
const delaying = (delay: Content) => ({ faultInjection: { delay: { fixedDelay: "1s", ...delay } } });

const localRule = "rateLimit.local.rules[0]";
const globalRule = "rateLimit.global.rules";
const selected = `${localRule}.clientSelectors[0]`;
const first = "responseOverride[0]";

const refused: readonly (readonly [spec: Content, field: string])[] = [
  [delaying({ fixedDelay: "0s" }), "faultInjection.delay.fixedDelay"],
  [delaying({ percentage: 100.5 }), "faultInjection.delay.percentage"],
  [aborting({ httpStatus: 600 }), "faultInjection.abort.httpStatus"],
  [aborting({ percentage: -1 }), "faultInjection.abort.percentage"],
  [costing({ from: "Number", number: -1 }), `${localRule}.cost.request.number`],
  [costing({ from: "Number", number: 1_000_000_001 }), `${localRule}.cost.request.number`],
  [costing({ from: "Number" }), `${localRule}.cost.request`],
  [costing({ from: "Metadata" }), `${localRule}.cost.request`],
  [limited({ ...perSecond, cost: { request: { from: "Number", number: 2 } } }), `${localRule}.cost`],
  [counting({ headers: [{ name: "a\nb", value: "b" }] }), `${selected}.headers[0].name`],
  [counting({ headers: [{ name: "a b", type: "Distinct" }] }), `${selected}.headers[0].name`],
  [limited({ ...perSecond, shared: true }), `${localRule}.shared`],
  [
    limited({ ...perSecond, shadowMode: true }, { ...perSecond, clientSelectors: [{ path: {} }] }),
    "rateLimit.local.rules[1].shadowMode",
  ],
  [
    limited(perSecond, { ...perSecond, clientSelectors: [{ path: {} }], xRateLimitHeaders: "Off" }),
    "rateLimit.local.rules[1].xRateLimitHeaders",
  ],
  [globally({ ...perSecond, cost: { request: { from: "Number" } } }), `${globalRule}[0].cost.request`],
  [globally({ ...perSecond, cost: { response: { from: "Metadata" } } }), `${globalRule}[0].cost.response`],
  [
    globally({ ...perSecond, cost: { response: { from: "Number", number: -1 } } }),
    `${globalRule}[0].cost.response.number`,
  ],
  [
    globally({ ...perSecond, clientSelectors: [{ sourceCIDR: { value: "10.0.0.0/8", invert: true } }] }),
    `${globalRule}[0].clientSelectors[0].sourceCIDR.invert`,
  ],
  [
    globally({ ...perSecond, clientSelectors: [{ headers: [{ name: "a b", value: "c" }] }] }),
    `${globalRule}[0].clientSelectors[0].headers[0].name`,
  ],
  [globally({ limit: { ...perSecond.limit, ...fromMetadata }, shadowMode: true }), `${globalRule}[0].shadowMode`],
  [globally(perSecond, { ...perSecond, xRateLimitHeaders: "Off" }), `${globalRule}[1].xRateLimitHeaders`],
  [{ requestBuffer: { limit: "4Gi" } }, "requestBuffer.limit"],
  [passing("8Ei"), "bandwidthLimit.request.limit.value"],
  [answering({ contentType: "a/b\r\nx: y" }), `${first}.response.contentType`],
  [answering({ statusCode: 600 }), `${first}.response.statusCode`],
  [answering({ statusCode: -3 }), `${first}.response.statusCode`],
  [answering({ header: { add: [{ name: "a", value: "b\nc" }] } }), `${first}.response.header.add[0].value`],
  [matching({ value: -5 }), `${first}.match.statusCodes[0].value`],
  [matching({ type: "Range", range: { start: 400, end: 2_000_000_000 } }), `${first}.match.statusCodes[0].range.end`],
  [redirecting({ port: -7 }), `${first}.redirect.port`],
  [leadingTo("/a\nb"), `${first}.redirect.path.replaceFullPath`],
  [leadingTo("a"), `${first}.redirect.path.replaceFullPath`],
  [{ compressor: [{ type: "Gzip", minContentLength: "8Gi" }] }, "compressor[0].minContentLength"],
  [upgrading(""), "httpUpgrade[0].type"],
  [upgrading("a\nb"), "httpUpgrade[0].type"],
];

const served: readonly Content[] = [
  delaying({ fixedDelay: "1ms", percentage: 0.001 }),
  aborting({ httpStatus: 599, percentage: 100 }),
  { faultInjection: { abort: { grpcStatus: 16 } } },
  limited(
    { ...perSecond, clientSelectors: [range("10.0.0.0/8")] },
    { ...perSecond, clientSelectors: [range("10.1.0.0/8")] },
  ),
  counting(range("0.0.0.0/0"), range("::/0", "Distinct"), range("0.0.0.0/0", "Distinct")),
  counting(range("10.0.0.0/8"), range("10.0.0.0/8", "Distinct"), range("fe80::/10")),
  counting({ headers: [] }, { methods: [], queryParams: [] }),
  counting({ headers: [{ name: ":authority", value: "" }] }),
  counting({ methods: [{ value: "GET" }, { value: "PUT", invert: true }] }),
  costing({ from: "Number", number: 1_000_000_000 }),
  costing({ from: "Number", number: 0 }),
  costing({ from: "Metadata", metadata: { namespace: "a.b", key: "c" } }),
  globally(perSecond, perSecond, { ...perSecond, shared: true, shadowMode: true }),
  globally({ limit: { requests: 4_294_967_295, unit: "Week", ...fromMetadata }, xRateLimitHeaders: "DraftVersion03" }),
  globally({ ...perSecond, cost: { request: { from: "Metadata", metadata: fromMetadata.fromMetadata } } }),
  globally({ ...perSecond, cost: { response: { from: "Number", number: 9 } }, xRateLimitHeaders: "Off" }),
  globally({
    ...perSecond,
    clientSelectors: [
      range("10.0.0.0/8"),
      range("::/0", "Distinct"),
      { queryParams: [{ name: "a", type: "Distinct" }] },
    ],
  }),
  limited({ ...perSecond, shared: false, shadowMode: true, xRateLimitHeaders: "DraftVersion03" }),
  { requestBuffer: { limit: 4_294_967_295 } },
  passing("1"),
  passing("4Pi"),
  answering({ contentType: "a/b; c=100%", statusCode: 599, header: { set: [{ name: "a", value: "%REQ(" }] } }),
  matching({ type: "Range", range: { start: 200, end: 599 } }),
  redirecting({ port: 65_535 }),
  leadingTo("/100%"),
  upgrading("websocket", "WebSocket", "spdy/3.1"),
  upgrading("CONNECT", "websocket"),
  { httpUpgrade: [{ type: "CONNECT", connect: { terminate: true } }] },
  { admissionControl: {} },
  {
    admissionControl: {
      minSuccessRate: 1,
      minRequestRate: 0,
      maxRejectionPercent: 0,
      rejectionAggression: 2_147_483_647,
      samplingWindow: "1s",
      successCriteria: { http: { statusCodes: [100, 599] }, grpc: { statusCodes: ["Ok", "Unauthenticated"] } },
    },
  },
  { admissionControl: { successCriteria: { http: { statusCodes: [] }, grpc: {} } } },
  { compressor: [{ type: "Gzip", minContentLength: "1Gi" }, { type: "Zstd" }] },
  { responseOverride: [{ source: "Local", match: of404, response: { statusCode: 200 } }] },
];

function policyOf(spec: Content): BackendTrafficPolicy {
  const { object, problems } = validateObject({
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "BackendTrafficPolicy",
    metadata: { name: "p" },
    spec: { targetRefs: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: "r" }], ...spec },
  });
  if (object === undefined) throw new Error(JSON.stringify(problems));
  return JSON.parse(JSON.stringify(object)) as BackendTrafficPolicy;
}

function planOf(spec: Content) {
  return planBackendTraffic(policyOf(spec), { configMap: () => undefined }, service);
}

test.each(refused)("%j is refused for %s", (spec, field) => {
  const { refused: findings } = planOf(spec);
  expect(findings.map((finding) => finding.field)).toEqual([`spec.${field}`]);
});

/** A route for each, in one table. */
function bootstrapOf(routes: readonly RouteTraffic[]): object {
  const manager = encodeResource(HttpConnectionManager, "manager", {
    statPrefix: "m",
    httpFilters: buildHttpFilters({ rateLimit: service }),
    routeConfig: {
      virtualHosts: routes.map((traffic, index) => ({
        name: `v${index}`,
        domains: [`v${index}.test`],
        routes: [
          {
            match: { prefix: "/" },
            typedPerFilterConfig: sortedMap(configurePolicyFilters(traffic)),
            route: { cluster: "c", ...limitTraffic(traffic) },
          },
        ],
      })),
    },
  });
  const { "@type": _, ...counter } = resourceToJson(translateRateLimitCluster(service));
  const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  const filters = [{ name: "manager", typed_config: resourceToJson(manager) }];
  return {
    static_resources: {
      clusters: [{ name: "c" }, counter],
      listeners: [{ name: "l", address, filter_chains: [{ filters }] }],
    },
  };
}

withEnvoy(
  "the real Envoy takes what is not refused",
  async () => {
    const plans = served.map(planOf);
    expect(plans.flatMap(({ refused: findings }) => findings)).toEqual([]);
    const output = await validateBootstrap(bootstrapOf(plans.map(({ traffic }) => traffic.route ?? {})));
    expect(output).toContain("OK");
  },
  30_000,
);

test("global limits are refused where nobody counts them", () => {
  const { traffic, refused: findings } = planBackendTraffic(policyOf(globally(perSecond)), {
    configMap: () => undefined,
  });
  expect(findings.map(({ field }) => field)).toEqual(["spec.rateLimit.global"]);
  expect(traffic).toEqual({ invalid: true });
});
