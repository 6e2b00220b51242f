import { describe, expect, test } from "@jest/globals";
import { extension, inBackend, resolve } from "./resolve.test-support.ts";

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
    ["{name: web, port: 85}", "UnsupportedProtocol"],
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

  test.each([inBackend("ip"), "{group: gateway.kgateway.dev, kind: Backend, name: static}"])(
    "%s is refused where Backends are switched off",
    (reference) => {
      const { problems } = resolve(`[{backendRefs: [${reference}]}]`, "HTTPRoute", { backendsRefused: true });
      expect(problems).toMatchObject([{ condition: "ResolvedRefs", reason: "InvalidKind" }]);
      expect(problems[0]?.message).toContain("extensionApis.enableBackend");
    },
  );

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
    extension("token-header"),
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

  test("with a filter that does not exist takes no request without it", () => {
    const { rules, problems } = resolve(
      `[{backendRefs: [{name: web, port: 80, filters: [${extension("absent")}]}, {name: web, port: 81}]}]`,
    );
    expect(problems).toMatchObject([
      {
        condition: "ResolvedRefs",
        reason: "BackendNotFound",
        field: "spec.rules[0].backendRefs[0].filters[0].extensionRef",
      },
    ]);
    expect(rules[0]?.backends.map(({ target }) => target === undefined)).toEqual([true, false]);
  });

  test("may change the host by a header when it is the only one", () => {
    expect(resolve(`[{backendRefs: [{name: web, port: 80, filters: [${extension("host")}]}]}]`).problems).toEqual([]);
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
