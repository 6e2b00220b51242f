import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Gateway } from "../api/gateway-api.ts";
import { planOfGateway } from "./gateway.test-support.ts";
import { coversHostname } from "./hostname.ts";
import type { ListenerPlan } from "./model.ts";
import { overlappingTls } from "./overlap.ts";

const settings = { controllerNames: [], hostInfrastructure: true, privilegedPortOffset: 0 };

/** Overlaps between listeners `name: [hostname, port, ...dnsNames of its certificate]`, as `name: reason`. */
function overlapsOf(listeners: Readonly<Record<string, readonly [string, number, ...string[]]>>): string[] {
  const entries = Object.entries(listeners);
  const spec = {
    gatewayClassName: "c",
    listeners: entries.map(([name, [hostname, port]]) => ({
      name,
      port,
      protocol: "HTTPS",
      ...(hostname === "*" ? {} : { hostname }),
      tls: { certificateRefs: [{ name: "s" }] },
    })),
  };
  const plan = planOfGateway({ metadata: { namespace: "a", name: "gw" }, spec } as unknown as Gateway, settings);
  const certificates = entries.map(([name, [, , ...dnsNames]]) => ({
    gateway: "a/gw",
    name,
    secrets: ["a/s"],
    dnsNames,
    problems: [],
  }));
  const found = new Map(plan.ports.flatMap((port) => [...overlappingTls(port, certificates)]));
  return entries.flatMap(([name]) => {
    const problem = found.get(`a/gw/${name}`);
    return problem === undefined ? [] : [`${name}: ${problem.condition}/${problem.reason}`];
  });
}

const byHostname = (...names: string[]) => names.map((name) => `${name}: OverlappingTLSConfig/OverlappingHostnames`);
const byCertificate = (...names: string[]) =>
  names.map((name) => `${name}: OverlappingTLSConfig/OverlappingCertificates`);

test("listeners of two Gateways on one port of Envoy overlap as those of one do", () => {
  const listener = { protocol: "HTTPS", port: 443, tls: { certificateRefs: [{ name: "s" }] } };
  const [x, y] = (["a", "b"] as const).map((namespace) => {
    const spec = { gatewayClassName: "c", listeners: [{ ...listener, name: "l", hostname: `${namespace}.test` }] };
    return planOfGateway({ metadata: { namespace, name: "gw" }, spec } as unknown as Gateway, settings).listeners;
  });
  const certificate = { gateway: "a/gw", name: "l", secrets: ["a/s"], dnsNames: ["*.test"], problems: [] };
  const found = overlappingTls({ listeners: [...x!, ...y!] }, [certificate]);
  expect([...found].map(([key, { message }]) => [key, message.includes("of Gateway")])).toEqual([
    ["a/gw/l", true],
    ["b/gw/l", true],
  ]);
});

test.each([
  ["one listener", { x: ["*", 443, "*.a.com"] }, []],
  ["names apart", { x: ["x.com", 443, "x.com"], y: ["y.com", 443, "y.com"] }, []],
  [
    "a wildcard and a name in it",
    { x: ["*.a.com", 443], y: ["b.a.com", 443], z: ["z.com", 443] },
    byHostname("x", "y"),
  ],
  ["every host and one", { x: ["*", 443], y: ["b.com", 443] }, byHostname("x", "y")],
  ["different ports", { x: ["*.a.com", 443], y: ["b.a.com", 444] }, []],
  [
    "one certificate for both",
    { x: ["x.a.com", 443, "*.a.com"], y: ["y.a.com", 443, "*.a.com"], z: ["z.com", 443, "z.com"] },
    byCertificate("x", "y"),
  ],
  [
    "a certificate good for the other",
    { x: ["x.com", 443, "x.com", "y.com"], y: ["y.com", 443, "y.com"] },
    byCertificate("x", "y"),
  ],
  ["a certificate's wildcard is one label", { x: ["x.a.com", 443, "*.a.com"], y: ["b.y.a.com", 443, "b.y.a.com"] }, []],
  [
    "nor does it reach below a wildcard listener",
    { x: ["x.a.com", 443, "*.a.com"], y: ["*.y.a.com", 443, "*.y.a.com"] },
    [],
  ],
  [
    "a certificate for hosts of a wildcard listener",
    { x: ["x.com", 443, "q.a.com"], y: ["*.a.com", 443] },
    byCertificate("x", "y"),
  ],
  [
    "of both reasons the certificate is told",
    { x: ["*.a.com", 443, "*.a.com"], y: ["b.a.com", 443, "*.a.com"] },
    byCertificate("x", "y"),
  ],
] as [string, Record<string, [string, number, ...string[]]>, string[]][])("%s", (_name, listeners, expected) => {
  expect(overlapsOf(listeners)).toEqual(expected);
});

test("of any listeners the first other one that is in the way is told", () => {
  const label = fc.constantFrom("a", "b");
  const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => `${labels.join(".")}.test`);
  const host = fc.oneof(
    { weight: 5, arbitrary: name },
    { weight: 5, arbitrary: name.map((suffix) => `*.${suffix}`) },
    { weight: 1, arbitrary: fc.constant("*") },
  );
  const dnsName = fc.oneof(
    name,
    name.map((suffix) => `*.${suffix}`),
  );
  const listener = fc.record({ host, dnsNames: fc.array(dnsName, { maxLength: 2 }) });
  fc.assert(
    fc.property(fc.uniqueArray(listener, { maxLength: 7, selector: ({ host }) => host }), (drawn) => {
      const listeners = drawn.map((one, index) => ({
        ...{ gateway: "a/gw", name: `l${index}`, index, port: 443, protocol: "HTTPS", hostname: one.host },
      })) as unknown as ListenerPlan[];
      const certificates = drawn.map(({ dnsNames }, index) => ({
        ...{ gateway: "a/gw", name: `l${index}`, secrets: ["a/s"], dnsNames, problems: [] },
      }));
      const found = overlappingTls({ listeners }, certificates);
      for (const [index, own] of drawn.entries()) {
        const firstOther = (inTheWay: (other: typeof own) => boolean) =>
          drawn.findIndex((other, position) => position !== index && inTheWay(other));
        const shared = firstOther(
          (other) => isGoodFor(own.dnsNames, other.host) || isGoodFor(other.dnsNames, own.host),
        );
        const rival = shared >= 0 ? shared : firstOther((other) => meet(own.host, other.host));
        const problem = found.get(`a/gw/l${index}`);
        expect(problem?.reason).toBe(
          rival < 0 ? undefined : shared >= 0 ? "OverlappingCertificates" : "OverlappingHostnames",
        );
        if (rival >= 0) expect(problem?.message).toContain(` with listener l${rival},`);
      }
    }),
    { numRuns: 500 },
  );
});

const meet = (a: string, b: string) => coversHostname(a, b) || coversHostname(b, a);
const isGoodFor = (dnsNames: readonly string[], host: string) =>
  dnsNames.some((name) =>
    host.startsWith("*")
      ? coversHostname(host, name)
      : coversHostname(name, host) && name.split(".").length === host.split(".").length,
  );
