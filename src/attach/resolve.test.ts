import { describe, expect, test } from "@jest/globals";
import type { GRPCRoute, HTTPRoute } from "../api/gateway-api.ts";
import { authority, webPair } from "./key-pairs.test-support.ts";
import type { ResolvedRoute, Settings } from "./model.ts";
import { parseObject, readObjects } from "./objects.test-support.ts";
import { resolveGrpcRoute } from "./resolve-grpc.ts";
import { resolveHttpRoute } from "./resolve-http.ts";

const objects = `
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{name: http, port: 80}, {name: h2, port: 81, appProtocol: kubernetes.io/h2c}, {name: grpc, port: 82, appProtocol: grpc}, {name: ws, port: 83, appProtocol: kubernetes.io/ws}, {name: wss, port: 84, appProtocol: kubernetes.io/wss}, {name: udp, port: 85, protocol: UDP}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: outside}, spec: {type: ExternalName, externalName: x.example.com, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: b}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: granted, namespace: b}, spec: {ports: [{port: 80}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: b}
spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: a}], to: [{group: "", kind: Service, name: granted}]}
---
${backend("ip", "{endpoints: [{ip: {address: 10.0.0.1, port: 80}}]}")}
---
${backend("loopback", "{endpoints: [{ip: {address: 127.0.0.1, port: 80}}]}")}
---
${backend("mapped", "{endpoints: [{ip: {address: '::ffff:127.0.0.1', port: 80}}]}")}
---
${backend("names", "{endpoints: [{fqdn: {hostname: api.example.com, port: 80}}]}")}
---
${backend("one-label", "{endpoints: [{fqdn: {hostname: api, port: 80}}]}")}
---
${backend("unix", "{endpoints: [{unix: {path: /run/x}}]}")}
---
${backend("mixed", "{endpoints: [{ip: {address: 10.0.0.1, port: 80}}, {fqdn: {hostname: a.example.com, port: 80}}]}")}
---
${backend("bad-ip", "{endpoints: [{ip: {address: 010.0.0.1, port: 80}}]}")}
---
${backend("no-port", "{endpoints: [{ip: {address: 10.0.0.1, port: 0}}]}")}
---
${backend("h2c", "{appProtocols: [gateway.envoyproxy.io/h2c], endpoints: [{ip: {address: 10.0.0.1, port: 80}}]}")}
---
${backend("wss", "{appProtocols: [gateway.envoyproxy.io/wss], endpoints: [{ip: {address: 10.0.0.1, port: 80}}]}")}
---
${backend("any", "{type: DynamicResolver}")}
---
${backend("spare", "{fallback: true, endpoints: [{ip: {address: 10.0.0.9, port: 80}}]}")}
---
${backend("spare-names", "{fallback: true, endpoints: [{fqdn: {hostname: b.example.com, port: 80}}]}")}
---
${tls("tls", "caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}, {group: '', kind: Secret, name: ca}], sni: api.example.com, minVersion: '1.2', clientCertificateRef: {name: client}")}
---
${tls("tls-system", "wellKnownCACertificates: System")}
---
${tls("tls-insecure", "insecureSkipVerify: true")}
---
${tls("tls-none", "sni: x.example.com")}
---
${tls("tls-absent-ca", "caCertificateRefs: [{group: '', kind: ConfigMap, name: absent}]")}
---
${tls("tls-empty-ca", "caCertificateRefs: [{group: '', kind: ConfigMap, name: empty}]")}
---
${tls("tls-kind", "caCertificateRefs: [{group: x, kind: ClusterTrustBundle, name: ca}]")}
---
${tls("tls-client", "insecureSkipVerify: true, clientCertificateRef: {name: absent}")}
---
${tls("tls-far-client", "insecureSkipVerify: true, clientCertificateRef: {name: client, namespace: b}")}
---
${tls("tls-cipher", "insecureSkipVerify: true, ciphers: [NONSENSE]")}
---
${tls("tls-cipher-group", "insecureSkipVerify: true, ciphers: ['[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]']")}
---
${tls("tls-curve", "insecureSkipVerify: true, ecdhCurves: [P-224]")}
---
${tls("tls-fingerprint", "insecureSkipVerify: true, fingerprints: [JA4]")}
---
${tls("tls-versions", "insecureSkipVerify: true, maxVersion: '1.1'")}
---
{apiVersion: gateway.kgateway.dev/v1alpha1, kind: Backend, metadata: {name: static}, spec: {type: Static, static: {hosts: [{host: 10.0.0.1, port: 80}]}}}
---
{apiVersion: gateway.kgateway.dev/v1alpha1, kind: Backend, metadata: {name: static-names}, spec: {type: Static, static: {hosts: [{host: httpbin, port: 80}, {host: 10.0.0.1, port: 80}]}}}
---
${filter("rewrite", "{urlRewrite: {path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: '^/(a+)', substitution: '/\\1'}}}}")}
---
${filter("bad-rewrite", "{urlRewrite: {path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: '(', substitution: x}}}}")}
---
${filter("bad-group", "{urlRewrite: {path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: 'a', substitution: '\\1'}}}}")}
---
${filter("bad-host-regex", "{urlRewrite: {path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: a, substitution: b}}, hostname: {type: PathRegex, pathRegex: {pattern: '[', substitution: b}}}}")}
---
${filter("bad-header", "{urlRewrite: {hostname: {type: Header, header: 'x y'}}}")}
---
${filter("host", "{urlRewrite: {hostname: {type: Header, header: x-host}}}")}
---
${filter("answer", "{directResponse: {statusCode: 503, body: {type: Inline, inline: away}}}")}
---
${filter("answer-from-map", "{directResponse: {body: {type: ValueRef, valueRef: {group: '', kind: ConfigMap, name: body}}}}")}
---
${filter("answer-absent", "{directResponse: {body: {type: ValueRef, valueRef: {group: '', kind: ConfigMap, name: absent}}}}")}
---
${filter("answer-100", "{directResponse: {statusCode: 100}}")}
---
${filter("answer-type", '{directResponse: {contentType: "a\\nb"}}')}
---
${filter("token", "{credentialInjection: {credential: {valueRef: {name: token}}}}")}
---
${filter("token-again", "{credentialInjection: {header: X-Key, overwrite: true, credential: {valueRef: {name: token}}}}")}
---
${filter("token-absent", "{credentialInjection: {credential: {valueRef: {name: absent}}}}")}
---
${filter("token-lines", "{credentialInjection: {credential: {valueRef: {name: lines}}}}")}
---
${filter("token-header", "{credentialInjection: {header: 'a b', credential: {valueRef: {name: token}}}}")}
---
${filter("cookies", "{matches: [{cookies: [{name: c, type: RegularExpression, value: a+}]}]}")}
---
${filter("bad-cookies", "{matches: [{cookies: [{name: c, type: RegularExpression, value: '('}]}]}")}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: body}, data: {other: no, response.body: hello}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: empty}, data: {}}
---
{apiVersion: v1, kind: Secret, metadata: {name: token}, data: {credential: ${Buffer.from("Bearer s3cret\n").toString("base64")}}}
---
{apiVersion: v1, kind: Secret, metadata: {name: lines}, stringData: {credential: "a\\nx-evil: b"}}
`;

function backend(name: string, spec: string): string {
  return `{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: Backend, metadata: {name: ${name}}, spec: ${spec}}`;
}

function tls(name: string, settings: string): string {
  return backend(name, `{endpoints: [{ip: {address: 10.0.0.1, port: 443}}], tls: {${settings}}}`);
}

function filter(name: string, spec: string): string {
  return `{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: HTTPRouteFilter, metadata: {name: ${name}}, spec: ${spec}}`;
}

const pems = [
  { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "ca" }, data: { "ca.crt": authority } },
  { apiVersion: "v1", kind: "Secret", metadata: { name: "ca" }, stringData: { "ca.crt": authority } },
  {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "client" },
    type: "kubernetes.io/tls",
    stringData: { "tls.crt": webPair.certificate, "tls.key": webPair.key },
  },
];

function resolve(rules: string, kind = "HTTPRoute", settings: Partial<Settings> = {}): ResolvedRoute {
  const read = readObjects(objects, pems, settings);
  const text = `{apiVersion: gateway.networking.k8s.io/v1, kind: ${kind}, metadata: {name: r}, spec: {rules: ${rules}}}`;
  return kind === "HTTPRoute"
    ? resolveHttpRoute(parseObject<HTTPRoute>(text), read)
    : resolveGrpcRoute(parseObject<GRPCRoute>(text), read);
}

const inBackend = (name: string) => `{group: gateway.envoyproxy.io, kind: Backend, name: ${name}}`;
const extension = (name: string) =>
  `{type: ExtensionRef, extensionRef: {group: gateway.envoyproxy.io, kind: HTTPRouteFilter, name: ${name}}}`;
const ok = "backendRefs: [{name: web, port: 80}]";

describe("a backendRef", () => {
  test.each([
    ["{name: web, port: 80}", "HTTPRoute", "Service", "http1"],
    ["{name: web, port: 81}", "HTTPRoute", "Service", "http2"],
    ["{name: web, port: 82}", "HTTPRoute", "Service", "http2"],
    ["{name: web, port: 83}", "HTTPRoute", "Service", "http1"],
    ["{name: web, port: 80}", "GRPCRoute", "Service", "http2"],
    ["{name: granted, namespace: b, port: 80}", "HTTPRoute", "Service", "http1"],
    [inBackend("ip"), "HTTPRoute", "Backend", "http1"],
    [inBackend("h2c"), "HTTPRoute", "Backend", "http2"],
    [inBackend("ip"), "GRPCRoute", "Backend", "http2"],
    [inBackend("names"), "HTTPRoute", "Dns", "http1"],
    [inBackend("any"), "HTTPRoute", "DynamicResolver", "http1"],
    [inBackend("tls-cipher-group"), "HTTPRoute", "Backend", "http1"],
    ["{group: gateway.kgateway.dev, kind: Backend, name: static}", "HTTPRoute", "Backend", "http1"],
    ["{group: gateway.kgateway.dev, kind: Backend, name: static-names}", "HTTPRoute", "Dns", "http1"],
  ])("%s of a %2$s leads to a %s", (reference, kind, reach, protocol) => {
    const { rules, problems } = resolve(`[{backendRefs: [${reference}]}]`, kind);
    expect(problems).toEqual([]);
    expect(rules[0]?.backends).toMatchObject([{ weight: 1, target: { reach: { kind: reach }, protocol } }]);
  });

  test.each([
    ["{name: absent, port: 80}", "BackendNotFound"],
    ["{name: web}", "PortNotSpecified"],
    ["{name: web, port: 8080}", "PortNotFound"],
    ["{name: web, port: 84}", "UnsupportedProtocol"],
    ["{name: web, port: 85}", "PortNotFound"],
    ["{name: outside, port: 80}", "UnsupportedValue"],
    ["{kind: Pod, name: web, port: 80}", "InvalidKind"],
    ["{group: example.com, kind: Backend, name: ip}", "InvalidKind"],
    ["{name: web, namespace: b, port: 80}", "RefNotPermitted"],
    ["{name: absent, namespace: b, port: 80}", "RefNotPermitted"],
    [inBackend("absent"), "BackendNotFound"],
    [inBackend("loopback"), "InvalidAddress"],
    [inBackend("mapped"), "InvalidAddress"],
    [inBackend("one-label"), "InvalidAddress"],
    [inBackend("bad-ip"), "InvalidAddress"],
    [inBackend("no-port"), "InvalidAddress"],
    [inBackend("unix"), "UnsupportedAddressType"],
    [inBackend("mixed"), "UnsupportedAddressType"],
    [inBackend("wss"), "UnsupportedProtocol"],
    [inBackend("tls-none"), "InvalidBackendTLS"],
    [inBackend("tls-absent-ca"), "InvalidBackendTLS"],
    [inBackend("tls-empty-ca"), "InvalidBackendTLS"],
    [inBackend("tls-kind"), "InvalidBackendTLS"],
    [inBackend("tls-client"), "InvalidBackendTLS"],
    [inBackend("tls-far-client"), "InvalidBackendTLS"],
    [inBackend("tls-cipher"), "InvalidBackendTLS"],
    [inBackend("tls-curve"), "InvalidBackendTLS"],
    [inBackend("tls-fingerprint"), "InvalidBackendTLS"],
    [inBackend("tls-versions"), "InvalidBackendTLS"],
  ])("%s: %s costs its own share only", (reference, reason) => {
    const { rules, problems } = resolve(`[{backendRefs: [${reference}, {name: web, port: 80, weight: 3}]}]`);
    expect(problems).toMatchObject([{ condition: "ResolvedRefs", reason, field: "spec.rules[0].backendRefs[0]" }]);
    expect(rules[0]?.failureStatus).toBeUndefined();
    expect(rules[0]?.backends).toMatchObject([{ weight: 1 }, { weight: 3, target: { reach: { key: "a/web" } } }]);
    expect(rules[0]?.backends[0]?.target).toBeUndefined();
  });

  test("may be loopback where Envoy runs on this host", () => {
    const { problems } = resolve(`[{backendRefs: [${inBackend("loopback")}]}]`, "HTTPRoute", {
      hostInfrastructure: true,
    });
    expect(problems).toEqual([]);
  });

  test("carries its TLS settings", () => {
    const { rules } = resolve(
      `[{backendRefs: [${inBackend("tls")}, ${inBackend("tls-system")}, ${inBackend("tls-insecure")}]}]`,
    );
    expect(rules[0]?.backends.map(({ target }) => target?.tls)).toMatchObject([
      {
        trust: ["configmap/a/ca", "secret/a/ca"],
        sni: "api.example.com",
        minVersion: "1.2",
        clientCertificate: "a/client",
      },
      { trust: "System", insecureSkipVerify: false },
      { trust: "None", insecureSkipVerify: true },
    ]);
  });

  test.each([
    "{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 80}}}",
    "{type: RequestRedirect, requestRedirect: {scheme: https}}",
    "{type: CORS, cors: {allowOrigins: ['*']}}",
    "{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /x}}}",
    "{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: 'a b', value: c}]}}",
    extension("answer"),
    extension("cookies"),
    extension("bad-cookies"),
    extension("rewrite"),
    extension("host"),
  ])("with the filter %s takes no request without it", (text) => {
    const { rules, problems } = resolve(
      `[{backendRefs: [{name: web, port: 80, filters: [${text}]}, {name: web, port: 81}]}]`,
    );
    expect(problems).toMatchObject([{ reason: "InvalidBackendFilters" }]);
    expect(rules[0]?.backends[0]?.target).toBeUndefined();
    expect(rules[0]?.backends[1]?.target).toBeDefined();
  });

  test("may change the host by a header when it is the only one", () => {
    expect(resolve(`[{backendRefs: [{name: web, port: 80, filters: [${extension("host")}]}]}]`).problems).toEqual([]);
  });
});

describe("a rule", () => {
  test.each([
    ["{path: {type: RegularExpression, value: '('}}", "path.value"],
    ["{path: {type: RegularExpression, value: '\\x{100}'}}", "path.value"],
    ["{path: {type: Exact, value: 'x'}}", "path.value"],
    ["{path: {type: PathPrefix, value: '/a?b'}}", "path.value"],
    ["{path: {type: Suffix, value: '/a'}}", "path.type"],
    ["{method: BREW}", "method"],
    ["{headers: [{name: a, type: RegularExpression, value: '['}]}", "headers[0].value"],
    ["{headers: [{name: 'a b', value: x}]}", "headers[0].name"],
    ["{queryParams: [{name: a, type: RegularExpression, value: '*'}]}", "queryParams[0].value"],
  ])("that cannot be matched (%s) makes no routes, and the others stay", (match, field) => {
    const bad = `{matches: [{}, ${match}], ${ok}}`;
    const { rules, problems } = resolve(`[{${ok}}, ${bad}]`);
    expect(rules.map(({ dropped }) => dropped)).toEqual([undefined, true]);
    expect(problems).toEqual([
      {
        condition: "PartiallyInvalid",
        reason: "UnsupportedValue",
        message: expect.stringMatching(/^Dropped Rule\(s\) \[1\]: /),
        field: "spec.rules[1]",
      },
    ]);
    expect(problems[0]?.message).toContain(`spec.rules[1].matches[1].${field}`);
    expect(resolve(`[${bad}]`).problems).toMatchObject([{ condition: "Accepted", reason: "UnsupportedValue" }]);
  });

  test.each([
    ["{method: {type: RegularExpression, service: '('}}"],
    ["{method: {service: a/b}}"],
    ["{headers: [{name: a, type: RegularExpression, value: '['}]}"],
  ])("of a GRPCRoute that cannot be matched (%s) makes no routes", (match) => {
    const { rules, problems } = resolve(`[{matches: [${match}], ${ok}}, {${ok}}]`, "GRPCRoute");
    expect(rules.map(({ dropped }) => dropped)).toEqual([true, undefined]);
    expect(problems).toMatchObject([{ condition: "PartiallyInvalid" }]);
  });

  test.each([
    ["{type: ExternalAuth, externalAuth: {}}", "Accepted", "UnsupportedValue"],
    ["{type: Unknown}", "Accepted", "UnsupportedValue"],
    ["{type: URLRewrite}", "Accepted", "UnsupportedValue"],
    [
      "{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Host, value: x}]}}",
      "Accepted",
      "UnsupportedValue",
    ],
    ["{type: RequestHeaderModifier, requestHeaderModifier: {remove: [':path']}}", "Accepted", "UnsupportedValue"],
    [
      '{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: a, value: "b\\nc"}]}}',
      "Accepted",
      "UnsupportedValue",
    ],
    [
      "{type: RequestMirror, requestMirror: {percent: 101, backendRef: {name: web, port: 80}}}",
      "Accepted",
      "UnsupportedValue",
    ],
    ["{type: CORS, cors: {}}, {type: CORS, cors: {}}", "Accepted", "IncompatibleFilters"],
    [
      "{type: URLRewrite, urlRewrite: {}}, {type: RequestRedirect, requestRedirect: {}}",
      "Accepted",
      "IncompatibleFilters",
    ],
    [extension("absent"), "ResolvedRefs", "BackendNotFound"],
    ["{type: ExtensionRef, extensionRef: {group: x, kind: Y, name: z}}", "ResolvedRefs", "InvalidKind"],
    [extension("bad-rewrite"), "Accepted", "UnsupportedValue"],
    [extension("bad-group"), "Accepted", "UnsupportedValue"],
    [extension("bad-host-regex"), "Accepted", "UnsupportedValue"],
    [extension("bad-header"), "Accepted", "UnsupportedValue"],
    [extension("answer-absent"), "Accepted", "UnsupportedValue"],
    [extension("answer-100"), "Accepted", "UnsupportedValue"],
    [extension("answer-type"), "Accepted", "UnsupportedValue"],
    [extension("token-absent"), "Accepted", "UnsupportedValue"],
    [extension("token-lines"), "Accepted", "UnsupportedValue"],
    [extension("token-header"), "Accepted", "UnsupportedValue"],
    [`${extension("token")}, ${extension("token-again")}`, "Accepted", "UnsupportedValue"],
  ])("with the filter %s answers 500: %s=False/%s", (filters, condition, reason) => {
    const { rules, problems } = resolve(`[{filters: [${filters}], ${ok}}, {${ok}}]`);
    expect(problems).toMatchObject([{ condition, reason, field: expect.stringMatching(/^spec\.rules\[0\]\.filters/) }]);
    expect(rules.map(({ failureStatus }) => failureStatus)).toEqual([500, undefined]);
    expect(rules[0]?.backends).toEqual([{ weight: 1, extensions: [] }]);
  });

  test("with sessionPersistence answers 500", () => {
    const { rules, problems } = resolve(`[{sessionPersistence: {}, ${ok}}]`);
    expect(problems).toMatchObject([{ condition: "Accepted", reason: "UnsupportedValue" }]);
    expect(rules[0]?.failureStatus).toBe(500);
  });

  test("keeps the matches of a filter that fails otherwise, and goes when they are bad", () => {
    expect(resolve(`[{filters: [${extension("answer-100")}], ${ok}}]`).rules[0]?.extensions).toHaveLength(1);
    const { rules, problems } = resolve(`[{filters: [${extension("bad-cookies")}], ${ok}}, {${ok}}]`);
    expect(rules[0]?.dropped).toBe(true);
    expect(problems).toMatchObject([{ condition: "PartiallyInvalid" }]);
  });

  test("drops a mirror that leads nowhere and serves the rest", () => {
    const mirror = (name: string) => `{type: RequestMirror, requestMirror: {backendRef: {name: ${name}, port: 80}}}`;
    const { rules, problems } = resolve(`[{filters: [${mirror("web")}, ${mirror("absent")}], ${ok}}]`);
    expect(problems).toMatchObject([
      {
        condition: "ResolvedRefs",
        reason: "BackendNotFound",
        field: "spec.rules[0].filters[1].requestMirror.backendRef",
      },
    ]);
    expect(rules[0]?.mirrors).toMatchObject([{ filterIndex: 0, target: { protocol: "http1" } }, { filterIndex: 1 }]);
    expect(rules[0]?.failureStatus).toBeUndefined();
  });

  test("reads the body of a direct response", () => {
    const bodyOf = (name: string) => resolve(`[{filters: [${extension(name)}]}]`).rules[0]?.extensions[0]?.body;
    expect(bodyOf("answer")).toBe("away");
    expect(bodyOf("answer-from-map")).toBe("hello");
  });

  test("injects a credential by its clusters, and a backendRef may have its own", () => {
    const own = `{name: web, port: 80, filters: [${extension("token-again")}]}`;
    const { rules, problems } = resolve(
      `[{filters: [${extension("token")}], backendRefs: [{name: web, port: 80}, ${own}]}]`,
    );
    expect(problems).toEqual([]);
    expect(rules[0]?.backends.map(({ target }) => target?.credential)).toEqual([
      { secret: "a/token", header: "Authorization", overwrite: false },
      { secret: "a/token", header: "X-Key", overwrite: true },
    ]);
    expect(JSON.stringify(rules)).not.toContain("s3cret");
  });

  test("with a DynamicResolver beside another backend answers 500", () => {
    const { rules, problems } = resolve(`[{backendRefs: [${inBackend("any")}, {name: web, port: 80}]}]`);
    expect(problems).toMatchObject([{ condition: "ResolvedRefs", reason: "InvalidBackendRef" }]);
    expect(rules[0]?.failureStatus).toBe(500);
  });
});

describe("fallback", () => {
  const refs = (...names: string[]) => `[{backendRefs: [${names.join(", ")}]}]`;
  const weighted = (name: string, weight: number) => inBackend(name).replace("}", `, weight: ${weight}}`);

  test("makes one cluster with priorities; an invalid primary keeps its share of errors", () => {
    const { rules, problems } = resolve(
      refs(inBackend("absent"), weighted("ip", 3), "{name: web, port: 80, weight: 2}", weighted("spare", 7)),
    );
    expect(problems).toMatchObject([{ reason: "BackendNotFound" }]);
    expect(rules[0]?.backends.map(({ weight }) => weight)).toEqual([1, 5, 0, 0]);
    expect(rules[0]?.backends[0]?.target).toBeUndefined();
    expect(rules[0]?.backends[1]?.target?.reach).toMatchObject({
      kind: "Fallback",
      members: [
        { reach: { key: "a/ip" }, weight: 3, priority: 0 },
        { reach: { key: "a/web" }, weight: 2, priority: 0 },
        { reach: { key: "a/spare" }, weight: 7, priority: 1 },
      ],
    });
  });

  test("leaves out what has weight 0, which Envoy would refuse", () => {
    const { rules } = resolve(refs(weighted("ip", 1), "{name: web, port: 80, weight: 0}", inBackend("spare")));
    expect(rules[0]?.backends[0]?.target?.reach).toMatchObject({ members: [{ weight: 1 }, { weight: 1 }] });
  });

  test.each([
    ["alone", refs(inBackend("spare"))],
    ["beside weight 0", refs(weighted("ip", 0), inBackend("spare"))],
  ])("%s is an ordinary backend", (_name, rules) => {
    const targets = resolve(rules).rules[0]?.backends.map(({ target }) => target?.reach.kind);
    expect(targets).not.toContain("Fallback");
  });

  test.each([
    refs(inBackend("ip"), inBackend("spare-names")),
    refs(inBackend("h2c"), inBackend("spare")),
    `[{backendRefs: [{name: web, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {}}]}, ${inBackend("spare")}]}]`,
  ])("that one cluster cannot hold says so: %s", (rules) => {
    expect(resolve(rules).problems).toMatchObject([{ condition: "ResolvedRefs", reason: "InvalidBackendRef" }]);
  });
});

test("equal reach and settings have one name, others another", () => {
  const name = (reference: string) => resolve(`[{backendRefs: [${reference}]}]`).rules[0]?.backends[0]?.target?.name;
  expect(name("{name: web, port: 80, weight: 5}")).toBe(name("{name: web, port: 80}"));
  expect(name("{name: web, port: 80}")).toMatch(/^service\/a\/web\/80\/[0-9a-f]{8}$/);
  expect(name(inBackend("ip"))).toMatch(/^backend\/a\/ip\/[0-9a-f]{8}$/);
  const names = [
    "{name: web, port: 80}",
    "{name: web, port: 81}",
    inBackend("ip"),
    inBackend("tls"),
    inBackend("tls-system"),
  ].map(name);
  expect(new Set(names).size).toBe(5);
});
