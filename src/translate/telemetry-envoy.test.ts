import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import { formatFieldProblem } from "../api/field.ts";
import { validateObject } from "../api/kinds.ts";
import { planListenerSettings } from "../attach/listener-settings.ts";
import type { GatewayPlan, PortPlan } from "../attach/model.ts";
import type { ResolveReader } from "../attach/resolve-reader.ts";
import { planRouting } from "../attach/routing-settings.ts";
import { planTelemetry, type TelemetryPlan } from "../attach/telemetry.ts";
import { type JsonObject, resourceToJson } from "../envoy/json.ts";
import { buildAccessLogs } from "./access-log.ts";
import { buildBootstrap } from "./bootstrap.ts";
import { buildSinkCluster } from "./bootstrap-sinks.ts";
import { translateCluster } from "./cluster.ts";
import { validateBootstrap, withEnvoy } from "./envoy.test-support.ts";
import { translateListener } from "./listener.ts";
import { translateHttpPart } from "./listener-part.ts";

const read: ResolveReader = {
  service: (key) =>
    key === "ns/collector"
      ? ({ metadata: { name: "collector", namespace: "ns" }, spec: { ports: [{ port: 4317, name: "grpc" }] } } as never)
      : undefined,
  backend: () => undefined,
  staticBackend: () => undefined,
  routeFilter: () => undefined,
  secret: () => undefined,
  configMap: () => undefined,
  tlsClaims: () => undefined,
  tlsPolicy: () => undefined,
  grants: () => [],
  settings: { controllerNames: [], hostInfrastructure: false, privilegedPortOffset: 0 },
};

const plan: GatewayPlan = {
  key: "ns/gw",
  fleet: "ns/gw",
  className: "c",
  controllerName: "x",
  listeners: [],
  listenerSets: [],
  ports: [],
  problems: [],
  portOffset: 0,
  addresses: [],
};
const port: PortPlan = {
  port: 80,
  bindPort: 10_080,
  protocol: "HTTP",
  name: "ns/gw/http",
  listeners: [{ name: "http", routeTable: "ns/gw/http" } as never],
};

/** An EnvoyProxy of namespace ns, as an API server would have it, and the Listener that it makes. */
function listenerOf(text: string): { listener: JsonObject; telemetry: TelemetryPlan | undefined; manager: JsonObject } {
  const raw = {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "EnvoyProxy",
    metadata: { name: "p", namespace: "ns" },
    spec: parse(text),
  };
  const { object, problems } = validateObject(raw);
  if (object === undefined) throw new Error(problems.map(formatFieldProblem).join());
  const { spec } = object as unknown as { spec: EnvoyProxySpec };
  const telemetry =
    spec.telemetry &&
    planTelemetry(spec.telemetry, { accessLog: "ns", tracing: "ns" }, read, planRouting(spec, "ns", read).settings);
  const settings = planListenerSettings(spec, telemetry);
  const part = translateHttpPart(port, {
    fleet: plan.fleet,
    settings,
    logs: buildAccessLogs(plan.fleet, settings.telemetry.accessLogs),
  });
  const resource = part && translateListener(plan, port, [part], { settings })?.resource;
  if (resource === undefined) throw new Error("no listener");
  const listener = resourceToJson(resource);
  const [filter] = (listener["defaultFilterChain"] as { filters: { typedConfig: JsonObject }[] }).filters;
  return { listener, telemetry, manager: filter!.typedConfig };
}

const log = (settings: string) => `telemetry: {accessLog: {settings: [${settings}]}}`;
const stdout = "{type: File, file: {path: /dev/stdout}}";
const refs = "backendRefs: [{name: collector, port: 4317}]";
const tracing = (provider: string, more = "") => `telemetry: {tracing: {provider: {${provider}}${more}}}`;

const cases: Readonly<Record<string, string>> = {
  "text log": log(`{format: {type: Text, text: "%RESPONSE_CODE%"}, sinks: [${stdout}]}`),
  "log to a file and to errors": log(
    "{sinks: [{type: File, file: {path: /tmp/gatehouse-test.log}}, {type: File, file: {path: /dev/stderr}}, {type: File, file: {}}]}",
  ),
  "JSON log": log(`{format: {type: JSON, json: {code: "%RESPONSE_CODE%"}}, sinks: [${stdout}]}`),
  "both forms": log(`{format: {text: "%PROTOCOL%", json: {code: "%RESPONSE_CODE%"}}, sinks: [${stdout}]}`),
  "log of errors": log(`{matches: ["response.code >= 500", "request.method == 'GET'"], sinks: [${stdout}]}`),
  "log of connections": log(`{type: Listener, sinks: [${stdout}]}`),
  "log of attempts": log(`{type: Upstream, matches: ["response.code >= 500"], sinks: [${stdout}]}`),
  "log service": log(
    `{type: Route, sinks: [{type: ALS, als: {type: HTTP, logName: l, ${refs}, http: {requestHeaders: [a], responseHeaders: [b], responseTrailers: [c]}}}]}`,
  ),
  "log service of connections": log(`{type: Listener, sinks: [{type: ALS, als: {type: TCP, ${refs}}}]}`),
  "OpenTelemetry log": log(
    `{format: {text: t, json: {a: "%PROTOCOL%"}}, sinks: [{type: OpenTelemetry, openTelemetry: {${refs}, headers: [{name: X-Key, value: v}], resourceAttributes: {b: c}}}]}`,
  ),
  "no log": "telemetry: {accessLog: {disable: true}}",
  "traces by the shorthand": tracing(
    "type: OpenTelemetry, openTelemetry: {host: collector.example.com, port: 4318}",
    ", samplingRate: 25",
  ),
  "traces to OpenTelemetry": tracing(
    `${refs}, serviceName: s, openTelemetry: {headers: [{name: a, value: b}], resourceAttributes: {c: d}, sampler: {type: ParentBasedTraceIdRatio, samplingPercentage: {numerator: 1, denominator: 3}}}`,
    ", samplingFraction: {numerator: 1, denominator: 1000}, clientSamplingFraction: {numerator: 50}, overallSamplingFraction: {numerator: 90}, spanName: {server: 's-%PROTOCOL%', client: c}",
  ),
  "traces to Zipkin": tracing(
    `type: Zipkin, ${refs}, zipkin: {enable128BitTraceId: true, disableSharedSpanContext: true}`,
    ", customTags: {l: {type: Literal, literal: {value: v}}, e: {type: Environment, environment: {name: E, defaultValue: d}}, h: {type: RequestHeader, requestHeader: {name: x-a}}}, tags: {t: '%PROTOCOL%'}",
  ),
  "traces to Datadog": tracing(`type: Datadog, ${refs}`),
  ...Object.fromEntries(
    ["AlwaysOn", "AlwaysOff", "TraceIdRatio", "ParentBasedAlwaysOn", "ParentBasedAlwaysOff"].map((type) => [
      `sampler ${type}`,
      tracing(`${refs}, openTelemetry: {sampler: {type: ${type}}}`),
    ]),
  ),
  "limits of connections": tracing(
    "type: OpenTelemetry, host: collector.example.com, port: 4317, backendSettings: {circuitBreaker: {maxConnections: 1, maxPendingRequests: 2, maxParallelRequests: 3, maxParallelRetries: 4, maxRequestsPerConnection: 5, perEndpoint: {maxConnections: 6}}, connection: {bufferLimit: 7Ki}, dns: {dnsRefreshRate: 8s, lookupFamily: IPv6Preferred, respectDnsTtl: false}, http2: {initialStreamWindowSize: 9Mi, initialConnectionWindowSize: 10Mi, maxConcurrentStreams: 11}, tcpKeepalive: {idleTime: 12s, interval: 13s500ms, probes: 14}, timeout: {tcp: {connectTimeout: 15s}, http: {connectionIdleTimeout: 16s, maxConnectionDuration: 17s}}}",
  ),
  "request ids": "telemetry: {requestID: {tracing: Pack}}",
  "another order of filters":
    "filterOrder: [{name: envoy.filters.http.cors, after: envoy.filters.http.grpc_stats}, {name: envoy.filters.http.grpc_web, before: envoy.filters.http.fault}]",
  IPv6: "ipFamily: IPv6",
  "both families": "ipFamily: DualStack",
};

withEnvoy(
  "the real Envoy accepts every listener",
  async () => {
    const listeners: JsonObject[] = [];
    const clusters = new Map<string, JsonObject>();
    for (const [index, text] of Object.values(cases).entries()) {
      const { listener, telemetry } = listenerOf(text);
      listeners.push({ ...listener, name: `l${index}` });
      for (const spec of telemetry?.clusters ?? []) clusters.set(spec.name, resourceToJson(translateCluster(spec)));
    }
    // One at a time: each has the same address.
    for (const [index, listener] of listeners.entries()) {
      const bootstrap = buildBootstrap({
        node: { id: "a", cluster: "b" },
        xds: { address: { unixPath: "/x" } },
        admin: { port: 0 },
      });
      const resources = bootstrap["static_resources"] as { clusters: object[] };
      const { "@type": _, ...content } = listener;
      const withCollectors = [
        ...resources.clusters,
        ...[...clusters.values()].map(({ "@type": __, ...cluster }) => cluster),
      ];
      const output = await validateBootstrap({
        ...bootstrap,
        static_resources: { listeners: [content], clusters: withCollectors },
      });
      expect([Object.keys(cases)[index], output]).toEqual([expect.any(String), expect.stringContaining("OK")]);
      // The pinned descriptors know no other place for the service of a log.
      expect(output.replace(/.*OpenTelemetryAccessLogConfig.common_config.*/g, "")).not.toMatch(/[Dd]eprecated/);
    }
  },
  120_000,
);

describe("what comes out", () => {
  const accessLogs = (text: string) =>
    listenerOf(text).manager["accessLog"] as { name: string; typedConfig: JsonObject; filter?: JsonObject }[];

  test("a text ends with a line break, and both forms are two logs", () => {
    expect(accessLogs(cases["text log"]!)).toMatchObject([
      {
        name: "envoy.access_loggers.stdout",
        typedConfig: { logFormat: { textFormatSource: { inlineString: "%RESPONSE_CODE%\n" } } },
      },
    ]);
    expect(accessLogs(cases["both forms"]!)).toHaveLength(2);
    expect(listenerOf(cases["no log"]!).manager["accessLog"]).toBeUndefined();
  });

  test("all matches must hold", () => {
    const [first] = accessLogs(cases["log of errors"]!);
    expect(first?.filter).toMatchObject({
      andFilter: {
        filters: [
          { extensionFilter: { typedConfig: { expression: "response.code >= 500" } } },
          { extensionFilter: { typedConfig: { expression: "request.method == 'GET'" } } },
        ],
      },
    });
  });

  test("logs stand where their type says", () => {
    const connections = listenerOf(cases["log of connections"]!);
    expect([connections.manager["accessLog"], connections.listener["accessLog"]]).toEqual([
      undefined,
      [expect.anything()],
    ]);
    const { manager } = listenerOf(cases["log of attempts"]!);
    const filters = manager["httpFilters"] as { typedConfig: JsonObject }[];
    expect(filters.at(-1)?.typedConfig).toMatchObject({ upstreamLog: [{ name: "envoy.access_loggers.stdout" }] });
  });

  test("the shorthand of a collector is its host and port", () => {
    const { telemetry, manager } = listenerOf(cases["traces by the shorthand"]!);
    expect(telemetry?.clusters).toMatchObject([
      { reach: { endpoints: [{ address: { host: "collector.example.com", port: 4318 } }] }, protocol: "http2" },
    ]);
    expect(manager["tracing"]).toMatchObject({
      clientSampling: {},
      randomSampling: { value: 25 },
      overallSampling: { value: 100 },
      provider: {
        typedConfig: {
          serviceName: "gw.ns",
          grpcService: {
            envoyGrpc: { clusterName: telemetry?.clusters[0]?.name, authority: "collector.example.com:4318" },
          },
        },
      },
    });
  });

  test("filters stand in the order that is asked for, the router last", () => {
    const names = (text: string) =>
      (listenerOf(text).manager["httpFilters"] as { name: string }[]).map(({ name }) => name.slice(19));
    expect(names("{}")).toEqual([
      ...["custom_response", "fault", "cors", "csrf", "ext_authz", "api_key_auth", "basic_auth", "oauth2"],
      ...["jwt_authn", "buffer", "rbac", "local_ratelimit", "admission_control", "bandwidth_limit/request"],
      ...["bandwidth_limit/response", "grpc_web", "grpc_stats", "compressor/zstd", "compressor/brotli"],
      ...["compressor/gzip", "dynamic_forward_proxy", "router"],
    ]);
    expect(names(cases["another order of filters"]!)).toEqual([
      ...["custom_response", "grpc_web", "fault", "csrf", "ext_authz", "api_key_auth", "basic_auth", "oauth2"],
      ...["jwt_authn", "buffer", "rbac", "local_ratelimit", "admission_control", "bandwidth_limit/request"],
      ...["bandwidth_limit/response", "grpc_stats", "cors", "compressor/zstd", "compressor/brotli"],
      ...["compressor/gzip", "dynamic_forward_proxy", "router"],
    ]);
  });

  test("what leads nowhere is left out and told, and the rest goes on", () => {
    const { telemetry, manager } = listenerOf(
      `telemetry: {accessLog: {settings: [{sinks: [${stdout}, {type: ALS, als: {type: HTTP, backendRefs: [{name: none, port: 1}]}}]}]}, tracing: {provider: {backendRefs: [{name: collector, port: 4317, namespace: other}]}}}`,
    );
    expect(telemetry?.refused).toEqual([
      {
        field: "spec.telemetry.accessLog.settings[0].sinks[1].als.backendRefs[0]",
        text: expect.stringContaining("names Service ns/none, which does not exist"),
      },
      {
        field: "spec.telemetry.tracing.provider.backendRefs[0]",
        text: expect.stringContaining("no ReferenceGrant there lets EnvoyProxies of ns refer to it"),
      },
    ]);
    expect(manager["accessLog"]).toHaveLength(1);
    expect(manager["tracing"]).toBeUndefined();
  });

  test("connections to a collector have the limits that are set", () => {
    const { telemetry } = listenerOf(cases["limits of connections"]!);
    expect(telemetry?.refused).toEqual([]);
    expect(resourceToJson(translateCluster(telemetry!.clusters[0]!))).toMatchObject({
      connectTimeout: "15s",
      perConnectionBufferLimitBytes: 7 * 1024,
      circuitBreakers: {
        thresholds: [{ maxConnections: 1, maxPendingRequests: 2, maxRequests: 3, maxRetries: 4 }],
        perHostThresholds: [{ maxConnections: 6 }],
      },
      clusterType: { typedConfig: { dnsRefreshRate: "8s", dnsLookupFamily: "AUTO" } },
      upstreamConnectionOptions: {
        tcpKeepalive: { keepaliveProbes: 14, keepaliveTime: 12, keepaliveInterval: 14 },
      },
      typedExtensionProtocolOptions: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          commonHttpProtocolOptions: { idleTimeout: "16s", maxConnectionDuration: "17s", maxRequestsPerConnection: 5 },
          explicitHttpConfig: {
            http2ProtocolOptions: {
              maxConcurrentStreams: 11,
              initialStreamWindowSize: 9 * 1024 * 1024,
              initialConnectionWindowSize: 10 * 1024 * 1024,
            },
          },
        },
      },
    });
  });

  test("names of collectors are looked up as the family says, those of metrics too", () => {
    const host = "host: collector.example.com, port: 4317";
    const sinks = `metrics: {sinks: [{type: OpenTelemetry, openTelemetry: {${host}}}]}`;
    const text = `telemetry: {tracing: {provider: {type: OpenTelemetry, ${host}}}, ${sinks}}\nipFamily: IPv6`;
    const { telemetry } = listenerOf(text);
    expect(telemetry).toMatchObject({ clusters: [{ family: "IPv6" }], metricSinks: [{ family: "IPv6" }] });
    expect(telemetry?.metricSinks?.map(buildSinkCluster)).toMatchObject([{ dns_lookup_family: "V6_ONLY" }]);
  });

  test("several backends of a collector are one cluster", () => {
    const two =
      "backendRefs: [{name: collector, port: 4317, weight: 3}, {name: collector, port: 4317, fallback: true}]";
    expect(listenerOf(tracing(two)).telemetry?.clusters).toMatchObject([
      {
        reach: {
          kind: "Fallback",
          members: [
            { weight: 3, priority: 0 },
            { weight: 1, priority: 1 },
          ],
        },
      },
    ]);
  });
});
