import { describe, expect, test } from "@jest/globals";
import { formatFieldProblem, isRecord } from "./field.ts";
import { collectionOf, supportedKinds, validateObject } from "./kinds.ts";

const gatewayVersion = "gateway.networking.k8s.io/v1";

type Content = Record<string, unknown>;

function objectOf(apiVersion: string, kind: string, content: Content): Content {
  return { apiVersion, kind, metadata: { name: "a" }, ...content };
}

const gatewayOf = (...listeners: Content[]) =>
  objectOf(gatewayVersion, "Gateway", { spec: { gatewayClassName: "c", listeners } });
const listener = { name: "l", port: 80, protocol: "HTTP" };
const httpsListener = { name: "l", port: 443, protocol: "HTTPS", tls: { certificateRefs: [{ name: "cert" }] } };
const httpRoute = (rule: Content, spec: Content = {}) =>
  objectOf(gatewayVersion, "HTTPRoute", { spec: { parentRefs: [{ name: "g" }], rules: [rule], ...spec } });
const grpcRoute = (rule: Content) => objectOf(gatewayVersion, "GRPCRoute", { spec: { rules: [rule] } });
const withFilter = (...filters: Content[]) => httpRoute({ filters });
const withPath = (type: string, value: string) => httpRoute({ matches: [{ path: { type, value } }] });
const backend = (spec: Content) => objectOf("gateway.envoyproxy.io/v1alpha1", "Backend", { spec });
const withTls = (tls: Content) => backend({ endpoints: [{ ip: { address: "10.0.0.1", port: 80 } }], tls });
const filterOf = (spec: Content) => objectOf("gateway.envoyproxy.io/v1alpha1", "HTTPRouteFilter", { spec });
const staticBackend = (spec: Content) => objectOf("gateway.kgateway.dev/v1alpha1", "Backend", { spec });
const service = (...ports: Content[]) => objectOf("v1", "Service", { spec: { ports } });
const slice = (content: Content) =>
  objectOf("discovery.k8s.io/v1", "EndpointSlice", { addressType: "IPv4", endpoints: [], ...content });

const ip = { ip: { address: "10.0.0.1", port: 80 } };
const fqdn = { fqdn: { hostname: "a.example.com", port: 80 } };
const prefixRewrite = {
  type: "URLRewrite",
  urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } },
};
const redirect = { type: "RequestRedirect", requestRedirect: { hostname: "a.example.com" } };
const cors = (settings: Content) => withFilter({ type: "CORS", cors: settings });
const mirror = (settings: Content) =>
  withFilter({ type: "RequestMirror", requestMirror: { backendRef: { name: "s", port: 80 }, ...settings } });
/** Rule, an object that keeps it, one that breaks it, and what is said about the latter. */
const cases: readonly (readonly [rule: string, valid: Content, invalid: unknown, problem: string])[] = [
  ["an object", gatewayOf(listener), 7, "must be a Kubernetes object"],
  ["kind present", gatewayOf(listener), { apiVersion: "v1", metadata: { name: "a" } }, "kind: is required"],
  ["metadata present", gatewayOf(listener), { apiVersion: "v1", kind: "Secret" }, "metadata: is required"],
  ["name present", gatewayOf(listener), { ...gatewayOf(listener), metadata: {} }, "metadata.name: is required"],
  [
    "name well formed",
    gatewayOf(listener),
    { ...gatewayOf(listener), metadata: { name: "A_b" } },
    "metadata.name: must be lower-case",
  ],
  [
    "name a label",
    service(),
    { ...service(), metadata: { name: "a.b" } },
    'metadata.name: must be lower-case letters, digits and - inside (it is "a.b")',
  ],
  [
    "namespace a label",
    service(),
    { ...service(), metadata: { name: "a", namespace: "x.y" } },
    "metadata.namespace: must be",
  ],
  [
    "metadata field known",
    service(),
    { ...service(), metadata: { name: "a", lables: {} } },
    "metadata.lables: is not a known field; did you mean labels?",
  ],
  [
    "annotation a string",
    service(),
    { ...service(), metadata: { name: "a", annotations: { x: 1 } } },
    "metadata.annotations.x: must be a string",
  ],
  [
    "label value",
    service(),
    { ...service(), metadata: { name: "a", labels: { x: "a b" } } },
    "metadata.labels.x: must be at most 63",
  ],
  [
    "known version",
    gatewayOf(listener),
    { ...gatewayOf(listener), apiVersion: "gateway.networking.k8s.io/v9" },
    "apiVersion: must be gateway.networking.k8s.io/v1 or",
  ],
  [
    "known field",
    httpRoute({}),
    httpRoute({ backendRef: [] }),
    "spec.rules[0].backendRef: is not a known field; did you mean backendRefs?",
  ],
  ["field type", httpRoute({}), httpRoute({ matches: "x" }), "spec.rules[0].matches: must be a list"],
  ["no empty item", httpRoute({}), httpRoute({ matches: [null] }), "spec.rules[0].matches[0]: is empty"],
  [
    "pattern",
    httpRoute({}, { hostnames: ["a.b"] }),
    httpRoute({}, { hostnames: ["A b"] }),
    "spec.hostnames[0]: must match",
  ],
  [
    "required field",
    gatewayOf(listener),
    gatewayOf({ name: "l", port: 80 }),
    "spec.listeners[0].protocol: is required",
  ],
  // Gateway
  [
    "listener names differ",
    gatewayOf(listener, { ...listener, name: "m", port: 81 }),
    gatewayOf(listener, { ...listener, port: 81 }),
    "spec.listeners[1]: has the name of listener 0",
  ],
  [
    "listeners differ",
    gatewayOf(listener, { ...listener, name: "m", hostname: "a.b" }),
    gatewayOf(listener, { ...listener, name: "m" }),
    "spec.listeners[1]: has the port, protocol and hostname",
  ],
  [
    "no TLS on HTTP",
    gatewayOf(listener),
    gatewayOf({ ...httpsListener, protocol: "HTTP" }),
    "spec.listeners[0].tls: is not possible",
  ],
  [
    "no hostname on TCP",
    gatewayOf({ ...listener, protocol: "TCP" }),
    gatewayOf({ ...listener, protocol: "TCP", hostname: "a.b" }),
    "spec.listeners[0].hostname: is not possible",
  ],
  [
    "HTTPS terminates",
    gatewayOf(httpsListener),
    gatewayOf({ ...httpsListener, tls: { mode: "Passthrough" } }),
    "spec.listeners[0].tls.mode: must be Terminate",
  ],
  [
    "TLS has tls",
    gatewayOf({ ...httpsListener, protocol: "TLS" }),
    gatewayOf({ ...listener, protocol: "TLS" }),
    "spec.listeners[0].tls: is required",
  ],
  [
    "certificates",
    gatewayOf(httpsListener),
    gatewayOf({ ...httpsListener, tls: {} }),
    "spec.listeners[0].tls.certificateRefs: must name",
  ],
  [
    "address is an IP address",
    objectOf(gatewayVersion, "Gateway", {
      spec: { gatewayClassName: "c", listeners: [listener], addresses: [{ value: "::1" }] },
    }),
    objectOf(gatewayVersion, "Gateway", {
      spec: { gatewayClassName: "c", listeners: [listener], addresses: [{ value: "x" }] },
    }),
    "spec.addresses[0].value: must be an IPv4",
  ],
  // Routes
  [
    "parents differ",
    httpRoute(
      {},
      {
        parentRefs: [
          { name: "g", port: 1 },
          { name: "g", port: 2 },
        ],
      },
    ),
    httpRoute({}, { parentRefs: [{ name: "g" }, { name: "g" }] }),
    "spec.parentRefs[1]: names the same parent",
  ],
  [
    "parents all in part",
    httpRoute({}, { parentRefs: [{ name: "g", sectionName: "a" }] }),
    httpRoute({}, { parentRefs: [{ name: "g" }, { name: "g", sectionName: "a" }] }),
    "spec.parentRefs[0]: needs a sectionName",
  ],
  [
    "rule names differ",
    httpRoute({}, { rules: [{ name: "a" }, { name: "b" }] }),
    httpRoute({}, { rules: [{ name: "a" }, { name: "a" }] }),
    "spec.rules[1]: has the name of rule 0",
  ],
  [
    "128 matches",
    httpRoute({}, { rules: rulesWith(64, 64) }),
    httpRoute({}, { rules: rulesWith(64, 64, 1) }),
    "spec.rules: must not have more than 128",
  ],
  [
    "path starts with /",
    withPath("PathPrefix", "/a"),
    withPath("PathPrefix", "a"),
    "spec.rules[0].matches[0].path.value: must start with /",
  ],
  ["path characters", withPath("Exact", "/%20"), withPath("Exact", "/a b"), "path.value: has characters"],
  ["path without //", withPath("RegularExpression", "a//"), withPath("Exact", "/a//b"), "must not contain //"],
  ["path without dots", withPath("Exact", "/a..b"), withPath("Exact", "/a/.."), "must not end with /.."],
  [
    "headers once",
    httpRoute({ matches: [{ headers: [{ name: "a", value: "b" }] }] }),
    httpRoute({
      matches: [
        {
          headers: [
            { name: "a", value: "b" },
            { name: "a", value: "c" },
          ],
        },
      ],
    }),
    "headers[1]: is about the same header",
  ],
  [
    "parameters once",
    httpRoute({ matches: [{ queryParams: [{ name: "a", value: "b" }] }] }),
    httpRoute({
      matches: [
        {
          queryParams: [
            { name: "a", value: "b" },
            { name: "a", value: "c" },
          ],
        },
      ],
    }),
    "queryParams[1]: is about the same parameter",
  ],
  [
    "Service has a port",
    httpRoute({ backendRefs: [{ name: "s", port: 80 }] }),
    httpRoute({ backendRefs: [{ name: "s" }] }),
    "spec.rules[0].backendRefs[0].port: is required",
  ],
  [
    "redirect without backends",
    httpRoute({ filters: [redirect] }),
    httpRoute({ filters: [redirect], backendRefs: [{ name: "s", port: 80 }] }),
    "backendRefs: must be empty",
  ],
  [
    "redirect or rewrite",
    withFilter(redirect),
    withFilter(redirect, { type: "URLRewrite", urlRewrite: { hostname: "a.b" } }),
    "filters: must not have both",
  ],
  [
    "filter types once",
    withFilter(redirect),
    withFilter(redirect, redirect),
    "filters[1]: is of the same type as filter 0",
  ],
  [
    "filter has its field",
    withFilter(redirect),
    withFilter({ type: "URLRewrite" }),
    "filters[0].urlRewrite: is required with type URLRewrite",
  ],
  [
    "filter has no other field",
    withFilter(redirect),
    withFilter({ ...redirect, urlRewrite: {} }),
    "filters[0].urlRewrite: does not belong",
  ],
  [
    "filter sets a header once",
    withFilter({ type: "RequestHeaderModifier", requestHeaderModifier: { set: [{ name: "a", value: "1" }] } }),
    withFilter({
      type: "RequestHeaderModifier",
      requestHeaderModifier: {
        set: [
          { name: "a", value: "1" },
          { name: "a", value: "2" },
        ],
      },
    }),
    "requestHeaderModifier.set[1]: sets the same header",
  ],
  [
    "modifier has its field",
    httpRoute({ filters: [prefixRewrite] }),
    withFilter({ type: "URLRewrite", urlRewrite: { path: { type: "ReplaceFullPath" } } }),
    "urlRewrite.path.replaceFullPath: is required",
  ],
  [
    "prefix replaced in one match",
    httpRoute({ filters: [prefixRewrite] }),
    httpRoute({ matches: [{ path: { type: "Exact", value: "/a" } }], filters: [prefixRewrite] }),
    "ReplacePrefixMatch needs a rule",
  ],
  [
    "mirror percent or fraction",
    mirror({ percent: 5 }),
    mirror({ percent: 5, fraction: { numerator: 1 } }),
    "fraction: cannot stand beside percent",
  ],
  [
    "fraction at most one",
    mirror({ fraction: { numerator: 1 } }),
    mirror({ fraction: { numerator: 2, denominator: 1 } }),
    "numerator: must not be above",
  ],
  [
    "CORS * alone",
    cors({ allowMethods: ["*"] }),
    cors({ allowMethods: ["*", "GET"] }),
    "cors.allowMethods: must not have other entries",
  ],
  [
    "timeouts",
    httpRoute({ timeouts: { request: "1s", backendRequest: "1000ms" } }),
    httpRoute({ timeouts: { request: "1s", backendRequest: "1s1ms" } }),
    "timeouts.backendRequest: must not be longer",
  ],
  [
    "permanent cookie",
    httpRoute({ sessionPersistence: { absoluteTimeout: "1h", cookieConfig: { lifetimeType: "Permanent" } } }),
    httpRoute({ sessionPersistence: { cookieConfig: { lifetimeType: "Permanent" } } }),
    "absoluteTimeout: is required",
  ],
  [
    "gRPC method or service",
    grpcRoute({ matches: [{ method: { service: "a.B" } }] }),
    grpcRoute({ matches: [{ method: {} }] }),
    "spec.rules[0].matches[0].method: must set",
  ],
  [
    "gRPC service name",
    grpcRoute({ matches: [{ method: { service: "a.B" } }] }),
    grpcRoute({ matches: [{ method: { service: "a/B" } }] }),
    "method.service: must",
  ],
  [
    "gRPC method name",
    grpcRoute({ matches: [{ method: { method: "Get_1" } }] }),
    grpcRoute({ matches: [{ method: { method: "Get-1" } }] }),
    "method.method: must",
  ],
  [
    "gRPC filter",
    grpcRoute({}),
    grpcRoute({ filters: [{ type: "RequestMirror" }] }),
    "filters[0].requestMirror: is required",
  ],
  // Kubernetes kinds
  ["Service port range", service({ port: 80 }), service({ port: 0 }), "spec.ports[0].port: must be from 1"],
  [
    "Service port names",
    service({ name: "a", port: 80 }, { name: "b", port: 81 }),
    service({ port: 80 }, { name: "b", port: 81 }),
    "spec.ports[0].name: is required",
  ],
  [
    "Service port names differ",
    service({ name: "a", port: 80 }),
    service({ name: "a", port: 80 }, { name: "a", port: 81 }),
    "spec.ports[1]: has the name of port 0",
  ],
  [
    "slice addresses",
    slice({ endpoints: [{ addresses: ["10.0.0.1"] }] }),
    slice({ endpoints: [{ addresses: ["::1"] }] }),
    "endpoints[0].addresses[0]: must be an address of type IPv4",
  ],
  // Backend
  ["Backend has a spec", backend({}), objectOf("gateway.envoyproxy.io/v1alpha1", "Backend", {}), "spec: is required"],
  [
    "Backend known field",
    backend({}),
    backend({ endpoint: [] }),
    "spec.endpoint: is not a known field; did you mean endpoints?",
  ],
  [
    "Backend enum",
    backend({}),
    backend({ type: "Static" }),
    'spec.type: must be one of Endpoints, DynamicResolver (it is "Static")',
  ],
  [
    "Backend required",
    backend({ endpoints: [ip] }),
    backend({ endpoints: [{ ip: {} }] }),
    "spec.endpoints[0].ip.address: is required",
  ],
  [
    "Backend maximum",
    backend({ endpoints: [ip] }),
    backend({ endpoints: [{ ip: { address: "10.0.0.1", port: 70000 } }] }),
    "ip.port: must be at most 65535 (it is 70000)",
  ],
  [
    "some address",
    backend({ endpoints: [fqdn] }),
    backend({ endpoints: [{}] }),
    "spec.endpoints[0]: set one of fqdn, ip and unix",
  ],
  [
    "one address",
    backend({ endpoints: [fqdn] }),
    backend({ endpoints: [{ ...fqdn, ...ip }] }),
    "fqdn, ip and unix exclude one another",
  ],
  [
    "unix path length",
    backend({ endpoints: [{ unix: { path: "/a" } }] }),
    backend({ endpoints: [{ unix: { path: "a".repeat(109) } }] }),
    "unix.path: must have at most 108",
  ],
  [
    "no mix with fqdn",
    backend({ endpoints: [ip, ip] }),
    backend({ endpoints: [ip, fqdn] }),
    "spec.endpoints: do not mix",
  ],
  [
    "resolver without endpoints",
    backend({ type: "DynamicResolver" }),
    backend({ type: "DynamicResolver", endpoints: [ip] }),
    "spec: a DynamicResolver has no endpoints",
  ],
  [
    "resolver without auto SNI",
    backend({ type: "DynamicResolver" }),
    backend({ type: "DynamicResolver", tls: { autoSNIFromEndpointHostname: true } }),
    "spec: a DynamicResolver has no endpoint hostnames",
  ],
  [
    "auto SNI hostnames",
    backend({ endpoints: [{ ...ip, hostname: "a.b" }], tls: { autoSNIFromEndpointHostname: true } }),
    withTls({ autoSNIFromEndpointHostname: true }),
    "every ip and unix endpoint needs a hostname",
  ],
  [
    "authorities from one place",
    withTls({ wellKnownCACertificates: "System" }),
    withTls({ wellKnownCACertificates: "System", caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "a" }] }),
    "spec.tls: caCertificateRefs and",
  ],
  [
    "no authorities unverified",
    withTls({ insecureSkipVerify: true }),
    withTls({ insecureSkipVerify: true, wellKnownCACertificates: "System" }),
    "insecureSkipVerify turns",
  ],
  [
    "sni or automatic",
    withTls({ sni: "a.b" }),
    backend({ endpoints: [fqdn], tls: { sni: "a.b", autoSNIFromEndpointHostname: true } }),
    "sni and auto",
  ],
  [
    "no ciphers in 1.3",
    withTls({ minVersion: "1.2", ciphers: ["x"] }),
    withTls({ minVersion: "1.3", ciphers: ["x"] }),
    "ciphers do not apply",
  ],
  [
    "version order",
    withTls({ minVersion: "1.2", maxVersion: "1.2" }),
    withTls({ minVersion: "1.3", maxVersion: "1.2" }),
    "minVersion (1.2",
  ],
  ["version order, default", withTls({ maxVersion: "Auto" }), withTls({ maxVersion: "1.1" }), "minVersion (1.2"],
  [
    "static only",
    staticBackend({ type: "Static", static: { hosts: [{ host: "h", port: 1 }] } }),
    staticBackend({ type: "AWS", static: { hosts: [{ host: "h", port: 1 }] } }),
    'spec.type: must be one of Static (it is "AWS")',
  ],
  [
    "static hosts",
    staticBackend({ static: { hosts: [{ host: "h", port: 1 }] } }),
    staticBackend({ type: "Static" }),
    "spec: needs the field static",
  ],
  // HTTPRouteFilter
  [
    "regex field",
    filterOf({
      urlRewrite: { path: { type: "ReplaceRegexMatch", replaceRegexMatch: { pattern: "a", substitution: "" } } },
    }),
    filterOf({ urlRewrite: { path: { type: "ReplaceRegexMatch" } } }),
    "urlRewrite.path: type ReplaceRegexMatch needs",
  ],
  [
    "header only for Header",
    filterOf({ urlRewrite: { hostname: { type: "Backend" } } }),
    filterOf({ urlRewrite: { hostname: { type: "Backend", header: "a" } } }),
    "header is only for",
  ],
  [
    "Header has header",
    filterOf({ urlRewrite: { hostname: { type: "Header", header: "a" } } }),
    filterOf({ urlRewrite: { hostname: { type: "Header" } } }),
    "type Header needs",
  ],
  [
    "pathRegex only for PathRegex",
    filterOf({ urlRewrite: { hostname: { type: "PathRegex", pathRegex: { pattern: "a", substitution: "b" } } } }),
    filterOf({ urlRewrite: { hostname: { type: "Backend", pathRegex: { pattern: "a", substitution: "b" } } } }),
    "pathRegex is only for",
  ],
  [
    "PathRegex has pathRegex",
    filterOf({}),
    filterOf({ urlRewrite: { hostname: { type: "PathRegex" } } }),
    "type PathRegex needs",
  ],
  [
    "Inline has inline",
    filterOf({ directResponse: { body: { inline: "a" } } }),
    filterOf({ directResponse: { body: {} } }),
    "type Inline needs",
  ],
  [
    "ValueRef has valueRef",
    filterOf({ directResponse: { body: { type: "ValueRef", valueRef: { group: "", kind: "ConfigMap", name: "a" } } } }),
    filterOf({ directResponse: { body: { type: "ValueRef" } } }),
    "type ValueRef needs",
  ],
  [
    "valueRef is a ConfigMap",
    filterOf({}),
    filterOf({ directResponse: { body: { type: "ValueRef", valueRef: { group: "", kind: "Secret", name: "a" } } } }),
    "valueRef must name a ConfigMap",
  ],
  [
    "body type",
    filterOf({}),
    filterOf({ directResponse: { body: { type: "X", inline: "a" } } }),
    "body.type: must be one of Inline, ValueRef",
  ],
  [
    "nothing to remove",
    filterOf({ directResponse: { header: { set: [{ name: "a", value: "b" }] } } }),
    filterOf({ directResponse: { header: { remove: ["a"] } } }),
    "directResponse.header: a direct response has no",
  ],
  [
    "headers differ",
    filterOf({}),
    filterOf({
      directResponse: {
        header: {
          set: [
            { name: "a", value: "b" },
            { name: "a", value: "c" },
          ],
        },
      },
    }),
    "header.set[1]: has the same name as item 0",
  ],
  [
    "match not empty",
    filterOf({ matches: [{ cookies: [{ name: "a", value: "b" }] }] }),
    filterOf({ matches: [{}] }),
    "spec.matches[0]: must set at least one field",
  ],
];

function rulesWith(...counts: number[]): Content[] {
  return counts.map((count) => ({ matches: Array.from({ length: count }, () => ({ method: "GET" })) }));
}

function complaints(raw: unknown): string[] {
  return validateObject(raw).problems.map(formatFieldProblem);
}

describe("every rule", () => {
  test.each(cases)("%s", (_, valid, invalid, problem) => {
    expect(complaints(valid)).toEqual([]);
    expect(validateObject(invalid).object).toBeUndefined();
    expect(complaints(invalid)).toEqual(expect.arrayContaining([expect.stringContaining(problem)]));
  });
});

test("defaults are those that an API server fills in", () => {
  const route = validateObject(httpRoute({ backendRefs: [{ name: "s", port: 80 }] })).object;
  expect(route).toMatchObject({
    metadata: { name: "a", namespace: "default" },
    spec: {
      parentRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "g" }],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: "/" } }],
          backendRefs: [{ group: "", kind: "Service", name: "s", port: 80, weight: 1 }],
        },
      ],
    },
  });
  const gateway = validateObject(gatewayOf(httpsListener)).object;
  expect(gateway).toMatchObject({
    spec: {
      listeners: [
        {
          tls: { mode: "Terminate", certificateRefs: [{ group: "", kind: "Secret", name: "cert" }] },
          allowedRoutes: { namespaces: { from: "Same" } },
        },
      ],
      allowedListeners: { namespaces: { from: "None" } },
    },
  });
  expect(validateObject(service({ port: 80 })).object).toMatchObject({
    spec: { type: "ClusterIP", ports: [{ port: 80, targetPort: 80, protocol: "TCP" }] },
  });
  expect(validateObject(backend({ tls: {} })).object).toMatchObject({
    spec: { type: "Endpoints", tls: { insecureSkipVerify: false } },
  });
  expect(validateObject(objectOf("v1", "Namespace", {})).object?.metadata).toEqual({
    name: "a",
    labels: { "kubernetes.io/metadata.name": "a" },
  });
});

test("null fields are absent fields, and defaults are not shared between objects", () => {
  const first = validateObject(httpRoute({ matches: null, backendRefs: null })).object;
  expect(first).toMatchObject({ spec: { rules: [{ matches: [{ path: { value: "/" } }] }] } });
  const second = validateObject(httpRoute({})).object;
  expect(isRecord(first) && isRecord(second) && first["spec"]).not.toBe(second?.["spec" as keyof typeof second]);
});

test("stringData becomes data and wins over it", () => {
  const secret = objectOf("v1", "Secret", { data: { a: "eA==", b: "eA==" }, stringData: { a: "ä" } });
  const { object } = validateObject(secret);
  expect(object).toEqual({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "a", namespace: "default" },
    type: "Opaque",
    data: { a: Buffer.from("ä").toString("base64"), b: "eA==" },
  });
});

test("no message repeats what a Secret holds", () => {
  const text = complaints(
    objectOf("v1", "Secret", { data: { a: "s3cr&t" }, stringData: { b: 12345 }, type: 77 }),
  ).join();
  expect(text).toContain("stringData.b: must be a string");
  expect(text).not.toMatch(/s3cr|12345|77/);
});

test("metadata is slimmed, status dropped, and an older version read as the first", () => {
  const annotations = { "kubectl.kubernetes.io/last-applied-configuration": "{}", x: "y" };
  const raw = {
    ...httpRoute({}),
    apiVersion: "gateway.networking.k8s.io/v1beta1",
    metadata: { name: "a", namespace: "n", managedFields: [{}], ownerReferences: [], annotations, generation: 3 },
    status: { parents: [] },
  };
  const { object } = validateObject(raw);
  expect(object?.apiVersion).toBe(gatewayVersion);
  expect(object?.metadata).toEqual({ name: "a", namespace: "n", annotations: { x: "y" }, generation: 3 });
  expect(object).not.toHaveProperty("status");
});

test("a kind that is not read is told apart from a wrong object", () => {
  const result = validateObject(objectOf("apps/v1", "Deployment", { spec: {} }));
  expect(result.unsupported).toBe(true);
  expect(result.problems[0]?.message).toContain("Deployment of apps/v1 is not read by Gatehouse");
});

test("every kind has its own collection, and the same kind name in two groups is two kinds", () => {
  expect(new Set(supportedKinds.map((kind) => kind.collection)).size).toBe(supportedKinds.length);
  const ours = validateObject(backend({})).object;
  const compat = validateObject(staticBackend({ static: { hosts: [{ host: "h", port: 1 }] } })).object;
  expect(ours && collectionOf(ours)).toBe("backends");
  expect(compat && collectionOf(compat)).toBe("staticBackends");
});

test("a cyclic object is refused", () => {
  const rules: unknown[] = [];
  rules.push({ matches: rules });
  expect(validateObject(httpRoute({}, { rules })).object).toBeUndefined();
});
