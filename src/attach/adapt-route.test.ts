import { describe, expect, test } from "@jest/globals";
import type { HTTPRoute } from "../api/gateway-api.ts";
import { adaptCluster, adaptRoute } from "./adapt-route.ts";
import { buildClusterSpec } from "./cluster-spec.ts";
import type { ClusterReach, ResolvedRoute, UpstreamTls } from "./model.ts";
import type { RoutingSettings } from "./routing-settings.ts";

const service: ClusterReach = { kind: "Service", key: "a/web", port: 80, portName: "" };
const backend: ClusterReach = { kind: "Backend", key: "a/ip", group: "gateway.envoyproxy.io" };
const names: ClusterReach = { kind: "Dns", key: "a/names", group: "gateway.envoyproxy.io", endpoints: [] };
const resolver: ClusterReach = { kind: "DynamicResolver", key: "a/any" };
const members = [{ reach: service, weight: 1, priority: 0 }];
const fallback: ClusterReach = { kind: "Fallback", members };

const plain = (reach: ClusterReach) => buildClusterSpec(reach, { protocol: "http1" });

describe("a cluster", () => {
  test.each<[string, RoutingSettings | undefined, ClusterReach]>([
    ["nothing", undefined, service],
    ["another order of rules", { keepsOrder: true, countsHosts: true }, service],
    ["IPv4, which Services are reached by anyway", { ipFamily: "IPv4" }, service],
    ["both families", { ipFamily: "DualStack" }, fallback],
    ["IPv6, of addresses that a Backend lists", { ipFamily: "IPv6" }, backend],
    ["addresses of Services", { serviceAddresses: true }, names],
    ["TLS settings, for plain text", { tls: { minVersion: "1.3" } }, service],
  ])("is shared with other Gateways in spite of %s", (_, settings, reach) => {
    expect(adaptCluster(plain(reach), settings)).toEqual(plain(reach));
  });

  test.each<[string, RoutingSettings, ClusterReach, object]>([
    ["a family for names", { ipFamily: "IPv4" }, names, { family: "IPv4" }],
    ["a family for names in requests", { ipFamily: "DualStack" }, resolver, { family: "DualStack" }],
    ["IPv6 endpoints", { ipFamily: "IPv6" }, service, { family: "IPv6" }],
    ["addresses of Services", { serviceAddresses: true }, service, { reach: { ...service, address: "Service" } }],
    ["statistics", { stats: { sizes: true } }, service, { stats: { sizes: true } }],
  ])("is the Gateway's own by %s", (_, settings, reach, expected) => {
    const adapted = adaptCluster(plain(reach), settings);
    expect(adapted).toMatchObject(expected);
    expect(adapted.name).not.toBe(plain(reach).name);
  });

  test("keeps what else is said of its connections", () => {
    const settings = { protocol: "http2", connection: { timeout: { tcp: { connectTimeout: "1s" } } } } as const;
    expect(adaptCluster(buildClusterSpec(names, settings), { ipFamily: "IPv6" })).toMatchObject(settings);
  });

  test("is reached as a policy says, whatever the EnvoyProxy says", () => {
    const reachOf = (routingType: string | undefined, settings?: RoutingSettings) =>
      adaptCluster(plain(service), settings, undefined, routingType === undefined ? {} : { routingType }).reach;
    const addressed = { ...service, address: "Service" };
    expect(reachOf("Service")).toEqual(addressed);
    expect(reachOf("Endpoint", { serviceAddresses: true })).toEqual(service);
    expect(reachOf(undefined, { serviceAddresses: true })).toEqual(addressed);
    // It is part of what is reached, and no setting beside it.
    expect(adaptCluster(plain(service), undefined, undefined, { routingType: "Service" })).toEqual(
      adaptCluster(plain(service), { serviceAddresses: true }),
    );
  });

  test("has of a policy what means something for it", () => {
    const traffic = {
      dns: { dnsRefreshRate: "1s" },
      http2: { maxConcurrentStreams: 5 },
      loadBalancer: { type: "Random" },
      circuitBreaker: { maxConnections: 3 },
    } as const;
    const connectionOf = (reach: ClusterReach, protocol: "http1" | "http2") =>
      Object.keys(
        adaptCluster(buildClusterSpec(reach, { protocol }), undefined, undefined, traffic).connection ?? {},
      ).sort();
    expect(connectionOf(service, "http1")).toEqual(["circuitBreaker", "loadBalancer"]);
    expect(connectionOf(names, "http2")).toEqual(["circuitBreaker", "dns", "http2", "loadBalancer"]);
    expect(connectionOf(resolver, "http1")).toEqual(["circuitBreaker", "dns"]);
  });

  test("reaches each Service of several at its address", () => {
    expect(adaptCluster(plain(fallback), { serviceAddresses: true }).reach).toEqual({
      kind: "Fallback",
      members: [{ ...members[0], reach: { ...service, address: "Service" } }],
    });
  });

  test("has of TLS what its backend says, and the rest from the Gateway", () => {
    const tls: UpstreamTls = { autoSniFromEndpointHostname: false, insecureSkipVerify: false, trust: "System" };
    const adapt = (own: Partial<UpstreamTls>) =>
      adaptCluster(buildClusterSpec(backend, { protocol: "http1", tls: { ...tls, ...own } }), {
        tls: { minVersion: "1.1", maxVersion: "1.2", alpnProtocols: ["h2"], clientCertificate: "a/client" },
      }).tls;
    expect(adapt({})).toMatchObject({ minVersion: "1.1", maxVersion: "1.2", clientCertificate: "a/client" });
    const own = adapt({ minVersion: "1.3", clientCertificate: "a/own", alpnProtocols: ["http/1.1"] });
    expect(own).toMatchObject({ minVersion: "1.3", clientCertificate: "a/own", alpnProtocols: ["http/1.1"] });
    expect(own?.maxVersion).toBeUndefined();
  });
});

test("statistics of a rule are named by the pattern", () => {
  const target = plain(service);
  const resolved: ResolvedRoute = {
    routeKind: "HTTPRoute",
    key: "a/r",
    rules: [
      { backends: [{ weight: 1, target, extensions: [] }], mirrors: [{ filterIndex: 0, target }], extensions: [] },
      { backends: [], mirrors: [], extensions: [] },
    ],
    problems: [],
  };
  const backendRefs = [
    { name: "web", port: 80 },
    { name: "other", namespace: "b" },
  ];
  const route = { metadata: { name: "r", namespace: "a" }, spec: { rules: [{ name: "first", backendRefs }, {}] } };
  const named = (statName: string) =>
    adaptRoute(resolved, { statName }, () => route as HTTPRoute).rules[0]?.backends[0]?.target?.stats?.name;
  expect(named("%ROUTE_KIND%/%ROUTE_NAMESPACE%/%ROUTE_NAME%/rule/%ROUTE_RULE_NUMBER%")).toBe("httproute/a/r/rule/0");
  expect(named("%ROUTE_RULE_NAME%:%BACKEND_REFS%")).toBe("first:a/web|b/other");
  expect(named("fixed")).toBe("fixed");
});
