import { securityCases } from "./security-policies.test-support.ts";

/** Rules of the CRDs of policies, each with a spec that keeps it and one that breaks it. */

type Content = Record<string, unknown>;

export type SpecCase = readonly [message: string, valid: Content, invalid: Content];

const target = (kind: string, more: Content = {}) => ({ group: "gateway.networking.k8s.io", kind, name: "a", ...more });
const targetRefs = [target("Gateway")];
const selecting = (content: Content) => ({ targetSelectors: [{ kind: "Gateway", ...content }] });

/** Rules of targets: those of a policy that takes `kinds`. */
function targetCases(kinds: string): readonly SpecCase[] {
  return [
    ["set targetRefs or targetSelectors", { targetRefs }, { targetSelectors: [] }],
    [
      "targetRef is the older name of targetRefs: write one of them",
      { targetRef: target("Gateway") },
      { targetRefs, targetRef: target("Gateway") },
    ],
    [
      "targetRef.group must be gateway.networking.k8s.io",
      { targetRef: target("Gateway") },
      { targetRef: { ...target("Gateway"), group: "" } },
    ],
    [`targetRef.kind must be ${kinds}`, { targetRef: target("ListenerSet") }, { targetRef: target("Service") }],
    [
      "group of all targetRefs must be gateway.networking.k8s.io",
      { targetRefs },
      { targetRefs: [...targetRefs, { ...target("Gateway"), group: "" }] },
    ],
    [
      `kind of all targetRefs must be ${kinds}`,
      { targetRefs: [target("ListenerSet")] },
      { targetRefs: [target("Service")] },
    ],
    ["group must be gateway.networking.k8s.io", selecting({}), selecting({ group: "" })],
    [
      "from: Selector needs the field selector",
      selecting({ namespaces: { from: "Selector", selector: {} } }),
      selecting({ namespaces: { from: "Selector" } }),
    ],
  ];
}

const withTargets = ([message, valid, invalid]: SpecCase): SpecCase => [
  message,
  { targetRefs, ...valid },
  { targetRefs, ...invalid },
];

const detection = (content: Content) => ({ clientIPDetection: content });
const keepalive = (content: Content) => ({ http2: { connectionKeepalive: content } });
const certificates = (content: Content) => ({ headers: { xForwardedClientCert: content } });

const clientCases: readonly SpecCase[] = [
  [
    "set exactly one of xForwardedFor, customHeader and directSourceIP",
    detection({ directSourceIP: {} }),
    detection({ directSourceIP: {}, customHeader: { name: "x" } }),
  ],
  [
    "set exactly one of numTrustedHops and trustedCIDRs",
    detection({ xForwardedFor: { trustedCIDRs: ["10.0.0.0/8", "2001:db8::/32"] } }),
    detection({ xForwardedFor: {} }),
  ],
  [
    "closeDelay needs the field value",
    { connection: { connectionLimit: { value: 1, closeDelay: "1s" } } },
    { connection: { connectionLimit: { closeDelay: "1s" } } },
  ],
  [
    "preserveXRequestID is the older way of requestID: write one of them",
    { headers: { requestID: "Preserve" } },
    { headers: { requestID: "Preserve", preserveXRequestID: false } },
  ],
  [
    "certDetailsToAdd is for the modes AppendForward and SanitizeSet",
    certificates({ mode: "SanitizeSet", certDetailsToAdd: ["URI"] }),
    certificates({ certDetailsToAdd: ["URI"] }),
  ],
  [
    "timeout must be shorter than interval",
    keepalive({ interval: "2s", timeout: "1s" }),
    keepalive({ interval: "1s", timeout: "1s" }),
  ],
  [
    "allowExpiredCertificate is for the modes VerifyIfGiven and RequireAndVerify",
    { tls: { clientValidation: { allowExpiredCertificate: true } } },
    { tls: { clientValidation: { allowExpiredCertificate: true, mode: "Request" } } },
  ],
  [
    "ciphers do not apply to TLS 1.3: leave them out or lower minVersion",
    { tls: { ciphers: ["A"] } },
    { tls: { ciphers: ["A"], minVersion: "1.3" } },
  ],
  [
    "minVersion (1.2 when left out) must not be above maxVersion",
    { tls: { maxVersion: "1.2" } },
    { tls: { maxVersion: "1.1" } },
  ],
];

const limits = (kind: string, rule: Content) => ({
  rateLimit: { [kind]: { rules: [{ limit: { requests: 1, unit: "Second" }, ...rule }] } },
});
const metadata = { namespace: "n", key: "k" };
const override = (content: Content) => ({
  responseOverride: [{ match: { statusCodes: [{ value: 404 }] }, response: {}, ...content }],
});
const overridden = (match: Content) => override({ match });
const sampling = (content: Content) => ({ telemetry: { tracing: { samplingFraction: content } } });
const hash = (content: Content) => ({ loadBalancer: { type: "ConsistentHash", consistentHash: content } });

const backendCases: readonly SpecCase[] = [
  [
    "must be StrategicMerge or JSONMerge; leave it out to replace",
    { targetRefs: [target("HTTPRoute")], mergeType: "JSONMerge" },
    { targetRefs: [target("HTTPRoute")], mergeType: "Replace" },
  ],
  [
    "mergeType is for policies of routes only",
    { targetRefs: [target("TLSRoute")], mergeType: "StrategicMerge" },
    { mergeType: "StrategicMerge" },
  ],
  [
    "compression is the older name of compressor: write one of them",
    { compressor: [{ type: "Gzip" }] },
    { compressor: [], compression: [{ type: "Gzip" }] },
  ],
  [
    "requestBuffer and httpUpgrade exclude one another: an upgraded connection has no end to wait for",
    { requestBuffer: { limit: "4Mi" }, httpUpgrade: [] },
    { requestBuffer: {}, httpUpgrade: [{ type: "websocket" }] },
  ],
  [
    "admissionControl is not for TCPRoute, UDPRoute and TLSRoute",
    { targetRefs: [target("GRPCRoute")], admissionControl: {} },
    { targetRefs: [target("TCPRoute")], admissionControl: {} },
  ],
  [
    "must be at least 1s",
    { admissionControl: { samplingWindow: "1s" } },
    { admissionControl: { samplingWindow: "999ms" } },
  ],
  [
    "set request or response",
    { bandwidthLimit: { request: { limit: { value: "1Mi", unit: "Second" } } } },
    { bandwidthLimit: {} },
  ],
  ["set delay or abort", { faultInjection: { delay: { fixedDelay: "1s" } } }, { faultInjection: {} }],
  [
    "set httpStatus or grpcStatus",
    { faultInjection: { abort: { grpcStatus: 14 } } },
    { faultInjection: { abort: {} } },
  ],
  [
    "httpStatus and grpcStatus exclude one another",
    { faultInjection: { abort: { httpStatus: 503, percentage: 0.5 } } },
    { faultInjection: { abort: { httpStatus: 503, grpcStatus: 14 } } },
  ],
  [
    "connect is for type CONNECT only",
    { httpUpgrade: [{ type: "CONNECT", connect: { terminate: true } }] },
    { httpUpgrade: [{ type: "websocket", connect: {} }] },
  ],
  [
    "set one of headers, methods, path, sourceCIDR and queryParams",
    limits("global", { clientSelectors: [{ sourceCIDR: { type: "Distinct" } }] }),
    limits("global", { clientSelectors: [{}] }),
  ],
  [
    "number and metadata exclude one another",
    limits("global", { cost: { request: { from: "Metadata", metadata } } }),
    limits("global", { cost: { request: { from: "Metadata", metadata, number: 1 } } }),
  ],
  [
    "cost.response is for global limits only",
    limits("local", { cost: { request: { from: "Number", number: 0 } } }),
    limits("local", { cost: { response: { from: "Number", number: 0 } } }),
  ],
  [
    "limit.fromMetadata is for global limits only",
    limits("global", { limit: { requests: 0, unit: "Year", fromMetadata: metadata } }),
    limits("local", { limit: { requests: 1, unit: "Year", fromMetadata: metadata } }),
  ],
  [
    "set exactly one of response and redirect",
    override({ response: undefined, redirect: { scheme: "https", statusCode: 301 } }),
    override({ redirect: {} }),
  ],
  [
    "set statusCodes or responseHeaders",
    overridden({ responseHeaders: [{ name: "x", value: { value: "y" } }] }),
    overridden({}),
  ],
  [
    "type Value needs the field value",
    overridden({ statusCodes: [{ value: 500 }] }),
    overridden({ statusCodes: [{}] }),
  ],
  [
    "type Range needs the field range",
    overridden({ statusCodes: [{ type: "Range", range: { start: 500, end: 599 } }] }),
    overridden({ statusCodes: [{ type: "Range", value: 500 }] }),
  ],
  [
    "end must be above start",
    overridden({ statusCodes: [{ type: "Range", range: { start: 500, end: 501 } }] }),
    overridden({ statusCodes: [{ type: "Range", range: { start: 500, end: 500 } }] }),
  ],
  [
    "must be of type ReplaceFullPath, with the field replaceFullPath alone",
    override({ response: undefined, redirect: { path: { type: "ReplaceFullPath", replaceFullPath: "/x" } } }),
    override({ response: undefined, redirect: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/x" } } }),
  ],
  [
    "type Inline needs the field inline",
    override({ response: { body: { inline: "x" } } }),
    override({ response: { body: {} } }),
  ],
  [
    "type ValueRef needs the field valueRef",
    override({ response: { body: { type: "ValueRef", valueRef: { group: "", kind: "ConfigMap", name: "c" } } } }),
    override({ response: { body: { type: "ValueRef" } } }),
  ],
  [
    "valueRef must name a ConfigMap",
    override({ response: { body: { type: "ValueRef", valueRef: { group: "", kind: "ConfigMap", name: "c" } } } }),
    override({ response: { body: { type: "ValueRef", valueRef: { group: "", kind: "Secret", name: "c" } } } }),
  ],
  [
    "a direct response has no headers to remove: use set or add",
    override({ response: { header: { set: [{ name: "a", value: "b" }] } } }),
    override({ response: { header: { remove: ["a"] } } }),
  ],
  [
    "numerator must not be above denominator",
    sampling({ numerator: 1, denominator: 1000 }),
    sampling({ numerator: 101 }),
  ],
  [
    "header belongs to type Header, which needs it",
    hash({ type: "Header", header: { name: "X-User-ID" } }),
    hash({ type: "Header" }),
  ],
];

export const policyCases: Readonly<
  Record<"ClientTrafficPolicy" | "BackendTrafficPolicy" | "SecurityPolicy", readonly SpecCase[]>
> = {
  ClientTrafficPolicy: [...targetCases("Gateway or ListenerSet"), ...clientCases.map(withTargets)],
  BackendTrafficPolicy: [
    ...targetCases("Gateway, ListenerSet, HTTPRoute, GRPCRoute, TCPRoute, UDPRoute or TLSRoute"),
    ...backendCases.map(withTargets),
  ],
  SecurityPolicy: [
    ...targetCases("Gateway, ListenerSet, HTTPRoute, GRPCRoute or TCPRoute"),
    ...securityCases.map(withTargets),
  ],
};

/** Specs of published guides, to be taken as they are; some have shorthands. */
export const publishedBackendSpecs: readonly Content[] = [
  {
    circuitBreaker: {
      maxConnections: 1024,
      maxPendingRequests: 1024,
      maxRequests: 1024,
      maxRetries: 3,
      maxRequestsPerConnection: 100,
    },
  },
  {
    timeout: { request: "10s", backendRequest: "8s" },
    retry: {
      numRetries: 3,
      perRetryTimeout: "3s",
      retryOn: { httpStatusCodes: [500, 502], triggers: ["connect-failure", "retriable-4xx"] },
    },
  },
  { healthCheck: { passive: { consecutive5xxErrors: 5, interval: "10s", splitExternalLocalOriginErrors: true } } },
  { connectionPool: { maxConnections: 1024, maxRequestsPerConnection: 0, idleTimeout: "3600s" } },
].map((spec) => ({ targetRef: target("HTTPRoute"), ...spec }));
