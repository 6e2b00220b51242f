import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Gateway, HTTPRoute } from "../api/gateway-api.ts";
import { planOfGateway } from "./gateway.test-support.ts";
import { compareHostnameSpecificity, coversHostname, intersectHostname, isValidHostname } from "./hostname.ts";
import { planParents } from "./parents.ts";
import { attachRoute } from "./route.ts";

test.each([
  ["*", "a.com", true],
  ["*", "*.a.com", true],
  ["*", "*", true],
  ["a.com", "a.com", true],
  ["a.com", "b.com", false],
  ["a.com", "*.a.com", false],
  ["*.a.com", "*", false],
  ["*.a.com", "a.com", false],
  ["*.a.com", "x.a.com", true],
  ["*.a.com", "x.y.a.com", true],
  ["*.a.com", "*.y.a.com", true],
  ["*.a.com", "*.a.com", true],
  ["*.y.a.com", "*.a.com", false],
  ["*.a.com", "xa.com", false],
])("%s covers %s: %s", (outer, inner, expected) => {
  expect(coversHostname(outer, inner)).toBe(expected);
});

test("the more specific hostname comes first: names, then longer wildcards, then every host", () => {
  const sorted = ["*", "*.com", "a.com", "*.b.a.com", "longer.a.com"].sort(compareHostnameSpecificity);
  expect(sorted).toEqual(["longer.a.com", "a.com", "*.b.a.com", "*.com", "*"]);
});

test.each([
  ["a.com", true],
  ["localhost", true],
  ["*.a.com", true],
  ["1and1.a-b.com", true],
  ["A.com", false],
  ["*", false],
  ["*.*.com", false],
  ["a.*.com", false],
  ["a..com", false],
  ["-a.com", false],
  ["a.com.", false],
  ["10.0.0.1", false],
  ["*.0.0.1", true],
  ["::1", false],
  [`${"a.".repeat(127)}a`, false],
])("%s can stand in a listener: %s", (hostname, expected) => {
  expect(isValidHostname(hostname)).toBe(expected);
});

/** What hosts a hostname stands for, straight from the words of the Gateway API: whole labels in place of the asterisk. */
function means(hostname: string, host: string): boolean {
  if (hostname === "*") return true;
  const [wanted, labels] = [hostname.split("."), host.split(".")];
  if (wanted[0] !== "*") return hostname === host;
  const suffix = wanted.slice(1);
  return labels.length > suffix.length && suffix.join(".") === labels.slice(labels.length - suffix.length).join(".");
}

const labels = ["a", "b", "com"];
const hosts = [...labels, ...labels.flatMap((x) => labels.map((y) => `${x}.${y}`))].flatMap((host) => [
  host,
  ...labels.map((label) => `${label}.${host}`),
]);
const universe = [...new Set(hosts)];
const patterns = ["*", ...universe, ...universe.map((host) => `*.${host}`)];
const anyPattern = fc.constantFrom(...patterns.filter((pattern) => pattern.split(".").length <= 3));

describe("against every host of a small world", () => {
  test("an intersection holds exactly the hosts of both", () => {
    fc.assert(
      fc.property(anyPattern, anyPattern, fc.constantFrom(...universe), (a, b, host) => {
        const both = intersectHostname(a, b);
        expect(both !== undefined && means(both, host)).toBe(means(a, host) && means(b, host));
        expect(intersectHostname(b, a)).toBe(both);
      }),
      { numRuns: 2_000 },
    );
  });

  test("each host is served by the most specific listener only, and only if that listener has the route", () => {
    const names = fc.uniqueArray(anyPattern, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(names, fc.uniqueArray(anyPattern, { maxLength: 4 }), fc.nat(), (listenerHosts, routeHosts, pick) => {
        const section = pick % listenerHosts.length;
        const wanted = routeHosts.filter((host) => host !== "*");
        const attached = attachTo(listenerHosts, wanted, section);
        const wrong = universe.filter((host) => {
          // The oracle: who owns the host, and does the route want it there?
          const owner = listenerHosts
            .filter((hostname) => means(hostname, host))
            .sort((a, b) => Number(a.startsWith("*")) - Number(b.startsWith("*")) || b.length - a.length)[0];
          const asked = wanted.length === 0 || wanted.some((hostname) => means(hostname, host));
          const expected = owner === listenerHosts[section] && asked;
          // What Envoy does: one virtual host, the most specific of those that exist; each listener has one.
          const domain = [...new Set([...listenerHosts, ...attached])]
            .filter((hostname) => means(hostname, host))
            .sort((a, b) => Number(a.startsWith("*")) - Number(b.startsWith("*")) || b.length - a.length)[0];
          return (domain !== undefined && attached.includes(domain)) !== expected;
        });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });
});

/** Hosts on which a route with such hostnames is served by the listener that it names, among such listeners of one port. */
function attachTo(listenerHosts: readonly string[], routeHosts: readonly string[], section: number): string[] {
  const gateway: Gateway = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { namespace: "ns", name: "gw" },
    spec: {
      gatewayClassName: "c",
      listeners: listenerHosts.map((hostname, index) => ({
        name: `l${index}`,
        port: 80,
        protocol: "HTTP",
        ...(hostname === "*" ? {} : { hostname }),
      })),
    },
  };
  const settings = { controllerNames: [], hostInfrastructure: true, privilegedPortOffset: 0 };
  const plan = planOfGateway(gateway, settings);
  const route: HTTPRoute = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { namespace: "ns", name: "r" },
    spec: { parentRefs: [{ name: "gw", sectionName: `l${section}` }], hostnames: [...routeHosts] },
  };
  const { parents } = attachRoute("HTTPRoute", route, {
    parent: () => planParents(plan)[0],
    namespaceLabels: () => ({}),
  });
  return (parents[0]?.listeners ?? []).flatMap(({ hostnames }) => hostnames.map(({ host }) => host));
}
