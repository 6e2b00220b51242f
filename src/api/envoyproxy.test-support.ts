type Content = Record<string, unknown>;

const backendRefs = [{ name: "collector", port: 4317 }];
export const kubernetes = (content: Content) => ({ provider: { type: "Kubernetes", kubernetes: content } });
export const container = (content: Content) => kubernetes({ envoyDeployment: { container: content } });
export const service = (content: Content) => kubernetes({ envoyService: content });
const sink = (content: Content) => ({ telemetry: { accessLog: { settings: [{ sinks: [content] }] } } });
const als = (content: Content) => sink({ type: "ALS", als: { type: "HTTP", backendRefs, ...content } });
const otelLog = (content: Content) => sink({ type: "OpenTelemetry", openTelemetry: { backendRefs, ...content } });
const format = (content: Content) => ({
  telemetry: { accessLog: { settings: [{ format: content, sinks: [{ type: "File", file: {} }] }] } },
});
const tracing = (content: Content) => ({ telemetry: { tracing: { provider: { backendRefs }, ...content } } });
const collector = (content: Content) => tracing({ provider: { backendRefs, ...content } });
const sampler = (content: Content) => collector({ openTelemetry: { sampler: content } });
const cluster = (content: Content) => collector({ backendSettings: content });
const active = (content: Content) => cluster({ healthCheck: { active: { type: "GRPC", ...content } } });
const http = (content: Content) => active({ type: "HTTP", http: { path: "/", ...content } });
const balancer = (content: Content) => cluster({ loadBalancer: content });
const hash = (content: Content) => balancer({ type: "ConsistentHash", consistentHash: content });
const metricSink = (content: Content) => ({ telemetry: { metrics: { sinks: [content] } } });
const healthLog = (content: Content) => ({ telemetry: { healthCheckLog: content } });
const dynamicModule = (source: Content) => ({ dynamicModules: [{ name: "m", source }] });
const maxMind = (content: Content) => ({ geoIP: { provider: { type: "MaxMind", ...content } } });
const [cors, fault] = ["envoy.filters.http.cors", "envoy.filters.http.fault"] as const;
const remote = { url: "https://a.example.com/m.so", sha256: "0".repeat(64) };

/** Rules of the CRD of EnvoyProxies, each with a spec that keeps it and one that breaks it. */
export const proxyCases: readonly (readonly [message: string, valid: Content, invalid: Content])[] = [
  [
    "luaValidation is the older name of lua.validationType: write one of them",
    { lua: { validationType: "Strict" } },
    { lua: {}, luaValidation: "Strict" },
  ],
  [
    "mergeGateways and mergeBackends exclude one another",
    { mergeGateways: false, mergeBackends: {} },
    { mergeGateways: true, mergeBackends: {} },
  ],
  [
    "ciphers do not apply to TLS 1.3: leave them out or lower minVersion",
    { backendTLS: { minVersion: "1.2", ciphers: ["A"] } },
    { backendTLS: { minVersion: "1.3", ciphers: ["A"] } },
  ],
  [
    "minVersion (1.2 when left out) must not be above maxVersion",
    { backendTLS: { maxVersion: "1.2" } },
    { backendTLS: { maxVersion: "1.1" } },
  ],
  [
    "type JSONPatch needs jsonPatches, the others value",
    { bootstrap: { type: "JSONPatch", jsonPatches: [{ op: "add", path: "/a", value: 1 }] } },
    { bootstrap: { type: "Merge", jsonPatches: [{ op: "add", path: "/a", value: 1 }] } },
  ],
  [
    "set one of before and after",
    { filterOrder: [{ name: cors, before: fault }] },
    { filterOrder: [{ name: cors, before: fault, after: fault }] },
  ],
  [
    "type MaxMind needs the field maxMind",
    maxMind({ maxMind: { ispDbSource: { local: { path: "/a.mmdb" } } } }),
    maxMind({}),
  ],
  [
    "name at least one database",
    maxMind({ maxMind: { asnDbSource: { local: { path: "/a.mmdb" } } } }),
    maxMind({ maxMind: {} }),
  ],
  [
    "local belongs to type Local, which needs it",
    dynamicModule({ local: { path: "/m.so" } }),
    dynamicModule({ type: "Remote", remote, local: { path: "/m.so" } }),
  ],
  [
    "remote belongs to type Remote, which needs it",
    dynamicModule({ type: "Remote", remote }),
    dynamicModule({ type: "Remote" }),
  ],
  [
    "strictValidation is for validationType Strict",
    { lua: { strictValidation: { allowedPaths: ["/a"] } } },
    { lua: { validationType: "Disabled", strictValidation: {} } },
  ],
  [
    "no item may be blank",
    { lua: { strictValidation: { allowedEnvVars: ["A"] } } },
    { lua: { strictValidation: { allowedEnvVars: [" "] } } },
  ],
  [
    "no item may be the root of the file system",
    { lua: { strictValidation: { allowedPaths: ["/a"] } } },
    { lua: { strictValidation: { allowedPaths: ["//"] } } },
  ],
  [
    "envoyDeployment and envoyDaemonSet exclude one another",
    kubernetes({ envoyDaemonSet: {} }),
    kubernetes({ envoyDaemonSet: {}, envoyDeployment: {} }),
  ],
  [
    "envoyHpa is not for a DaemonSet",
    kubernetes({ envoyHpa: { maxReplicas: 2 } }),
    kubernetes({ envoyHpa: { maxReplicas: 2 }, envoyDaemonSet: {} }),
  ],
  [
    "image and imageRepository exclude one another",
    container({ image: "a.example.com:5000/envoy:v1@sha256:abc" }),
    container({ image: "a:1", imageRepository: "a" }),
  ],
  ["must be an image such as registry/name:tag", container({ image: "envoy:v1" }), container({ image: "https://a" })],
  [
    "must be an image without tag, such as registry/name",
    container({ imageRepository: "a/envoy" }),
    container({ imageRepository: "a/envoy:v1" }),
  ],
  ...["allocateLoadBalancerNodePorts", "loadBalancerSourceRanges", "loadBalancerIP"].map((field, index) => {
    const value = [false, ["10.0.0.0/8"], "10.0.0.1"][index];
    return [
      `${field} is for type LoadBalancer only`,
      service({ [field]: value }),
      service({ type: "NodePort", [field]: value }),
    ] as const;
  }),
  ["must be an IPv4 address", service({ loadBalancerIP: "10.0.0.1" }), service({ loadBalancerIP: "10.0.0" })],
  ["must be at least 1", kubernetes({ envoyHpa: { maxReplicas: 1 } }), kubernetes({ envoyHpa: { maxReplicas: 0 } })],
  [
    "maxReplicas must not be below minReplicas",
    kubernetes({ envoyHpa: { minReplicas: 2, maxReplicas: 2 } }),
    kubernetes({ envoyHpa: { minReplicas: 3, maxReplicas: 2 } }),
  ],
  [
    "set one of minAvailable and maxUnavailable",
    kubernetes({ envoyPDB: { minAvailable: "50%" } }),
    kubernetes({ envoyPDB: { minAvailable: 1, maxUnavailable: 1 } }),
  ],
  [
    "type Text needs the field text, and no json",
    format({ type: "Text", text: "a" }),
    format({ type: "Text", json: {} }),
  ],
  [
    "type JSON needs the field json, and no text",
    format({ type: "JSON", json: { a: "b" } }),
    format({ type: "JSON", json: {}, text: "a" }),
  ],
  ["set text or json", format({ text: "a", json: {} }), format({})],
  ["type is needed", sink({ type: "File", file: { path: "/dev/stdout" } }), sink({})],
  ["als belongs to type ALS, which needs it", als({}), sink({ type: "ALS" })],
  ["file belongs to type File, which needs it", sink({ type: "File", file: {} }), sink({ type: "File" })],
  ["openTelemetry belongs to type OpenTelemetry, which needs it", otelLog({}), sink({ type: "OpenTelemetry" })],
  ["http is for type HTTP only", als({ http: { requestHeaders: ["a"] } }), als({ type: "TCP", http: {} })],
  ["backendRefs needs at least one item", als({}), als({ backendRefs: [] })],
  ["backendRef is not used any more: write backendRefs", als({}), als({ backendRef: backendRefs[0] })],
  [
    "backendRefs may name Services and Backends only",
    als({ backendRefs: [{ kind: "Backend", group: "gateway.envoyproxy.io", name: "b" }] }),
    als({ backendRefs: [{ kind: "Pod", name: "b" }] }),
  ],
  [
    "backendRefs may name the core group and gateway.envoyproxy.io only",
    als({}),
    als({ backendRefs: [{ ...backendRefs[0], group: "example.com" }] }),
  ],
  ["a Service needs a port", als({}), als({ backendRefs: [{ name: "b" }] })],
  ["set backendRefs or host", otelLog({ backendRefs: undefined, host: "a" }), otelLog({ backendRefs: [] })],
  [
    "resources is the older name of resourceAttributes: write one of them",
    otelLog({ resources: { a: "b" } }),
    otelLog({ resources: {}, resourceAttributes: {} }),
  ],
  ["must not be empty", collector({ serviceName: "a" }), collector({ serviceName: "" })],
  [
    "openTelemetry is for type OpenTelemetry only",
    collector({ openTelemetry: {} }),
    collector({ type: "Zipkin", openTelemetry: {} }),
  ],
  [
    "openTelemetry.host is a shorthand for host: write one of them",
    collector({ openTelemetry: { host: "a" } }),
    collector({ host: "a", openTelemetry: { host: "b" } }),
  ],
  [
    "samplingPercentage is for the types TraceIdRatio and ParentBasedTraceIdRatio",
    sampler({ type: "TraceIdRatio", samplingPercentage: { numerator: 1 } }),
    sampler({ samplingPercentage: { numerator: 1 } }),
  ],
  [
    "numerator must not be above denominator",
    tracing({ samplingFraction: { numerator: 100 } }),
    tracing({ samplingFraction: { numerator: 101 } }),
  ],
  [
    "samplingRate and samplingFraction exclude one another",
    tracing({ samplingRate: 5 }),
    tracing({ samplingRate: 5, samplingFraction: { numerator: 1 } }),
  ],
  [
    "type OpenTelemetry needs the field openTelemetry",
    metricSink({ type: "OpenTelemetry", openTelemetry: { host: "a" } }),
    metricSink({ type: "OpenTelemetry" }),
  ],
  [
    "name a kind of failure and a kind of success, or neither",
    healthLog({ matches: ["Failure", "HealthyTransition"] }),
    healthLog({ matches: ["Failure"] }),
  ],
  [
    "type File needs the field file",
    healthLog({ sinks: [{ type: "File", file: { path: "/dev/stdout" } }] }),
    healthLog({ sinks: [{ type: "File" }] }),
  ],
  [
    "connection.preconnect.predictivePercent needs the load balancer RoundRobin or Random",
    cluster({ connection: { preconnect: { predictivePercent: 110 } }, loadBalancer: { type: "Random" } }),
    cluster({ connection: { preconnect: { predictivePercent: 110 } } }),
  ],
  [
    "timeout must be shorter than interval",
    cluster({ http2: { connectionKeepalive: { timeout: "1s", interval: "1m30s" } } }),
    cluster({ http2: { connectionKeepalive: { timeout: "1m", interval: "30s" } } }),
  ],
  ["http belongs to type HTTP, which needs it", http({}), active({ type: "HTTP" })],
  ["tcp belongs to type TCP, which needs it", active({ type: "TCP", tcp: {} }), active({ tcp: {} })],
  ["grpc is only for type GRPC", active({ grpc: {} }), active({ type: "TCP", tcp: {}, grpc: {} })],
  [
    "text belongs to type Text, which needs it",
    http({ expectedResponse: { type: "Text", text: "a" } }),
    http({ expectedResponse: { type: "Text" } }),
  ],
  [
    "binary belongs to type Binary, which needs it",
    http({ expectedResponse: { type: "Binary", binary: "YQ==" } }),
    http({ expectedResponse: { type: "Text", text: "a", binary: "YQ==" } }),
  ],
  [
    "requestBody needs the method POST or PUT",
    http({ method: "post", requestBody: { type: "Text", text: "a" } }),
    http({ requestBody: { type: "Text", text: "a" } }),
  ],
  [
    "header belongs to type Header, which needs it",
    hash({ type: "Header", header: { name: "a" } }),
    hash({ type: "Header" }),
  ],
  [
    "headers belongs to type Headers, which needs it",
    hash({ type: "Headers", headers: [{ name: "a" }] }),
    hash({ type: "Headers" }),
  ],
  [
    "cookie belongs to type Cookie, which needs it",
    hash({ type: "Cookie", cookie: { name: "a" } }),
    hash({ type: "Cookie" }),
  ],
  [
    "queryParams belongs to type QueryParams, which needs it",
    hash({ type: "QueryParams", queryParams: [{ name: "a" }] }),
    hash({ type: "QueryParams" }),
  ],
  [
    "consistentHash belongs to type ConsistentHash, which needs it",
    hash({ type: "SourceIP" }),
    balancer({ type: "Random", consistentHash: { type: "SourceIP" } }),
  ],
  [
    "backendUtilization belongs to type BackendUtilization, which needs it",
    balancer({ type: "BackendUtilization", backendUtilization: {} }),
    balancer({ type: "BackendUtilization" }),
  ],
  [
    "dynamicModule belongs to type DynamicModule, which needs it",
    balancer({ type: "DynamicModule", dynamicModule: { name: "m", lbPolicyName: "p" } }),
    balancer({ type: "DynamicModule" }),
  ],
  [
    "slowStart is for the types RoundRobin, LeastRequest and BackendUtilization",
    balancer({ type: "RoundRobin", slowStart: { window: "30s" } }),
    balancer({ type: "Random", slowStart: { window: "30s" } }),
  ],
  [
    "zoneAware.preferLocal is not for this type: use weightedZones",
    balancer({ type: "RoundRobin", zoneAware: { preferLocal: {} } }),
    balancer({ type: "BackendUtilization", backendUtilization: {}, zoneAware: { preferLocal: {} } }),
  ],
  [
    "zoneAware and endpointOverride are not for type DynamicModule",
    balancer({ type: "Random", endpointOverride: { extractFrom: [{ header: "a" }] } }),
    balancer({ type: "DynamicModule", dynamicModule: { name: "m", lbPolicyName: "p" }, zoneAware: {} }),
  ],
  [
    "zoneAware.preferLocal and zoneAware.weightedZones exclude one another",
    balancer({ type: "Random", zoneAware: { weightedZones: [{ zone: "a", weight: 1 }] } }),
    balancer({ type: "Random", zoneAware: { preferLocal: {}, weightedZones: [] } }),
  ],
  [
    "must be longer than 0s",
    balancer({ type: "BackendUtilization", backendUtilization: { outOfBand: { reportingPeriod: "1s" } } }),
    balancer({ type: "BackendUtilization", backendUtilization: { outOfBand: { reportingPeriod: "0s" } } }),
  ],
];
