import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { Gateway } from "../api/gateway-api.ts";
import { planOfGateway } from "../attach/gateway.test-support.ts";
import type { ListenerCertificates, Settings } from "../attach/model.ts";
import { overlappingTls } from "../attach/overlap.ts";
import { planParents } from "../attach/parents.ts";
import type { GatewayReport } from "../pipeline/listener-reports.ts";
import { GENERATION, settings, short, some } from "./conditions.test-support.ts";
import type { DesiredCondition } from "./conditions.ts";
import { buildGatewayStatus } from "./gateway-status.ts";

function messageOf(conditions: readonly DesiredCondition[], type: string): string | undefined {
  return conditions.find((condition) => condition.type === type)?.message;
}

function certificate(name: string, fields: Partial<ListenerCertificates> = {}): ListenerCertificates {
  return { gateway: "a/gw", name, secrets: ["a/s"], dnsNames: [], problems: [], ...fields };
}

/** The same where Envoy runs in pods, with such addresses of its Service. */
function inCluster(spec: string, given: readonly string[]): GatewayReport {
  const addresses = given.map((value) => ({ type: "IPAddress", value }));
  return report(spec, { addresses }, { ...settings, hostInfrastructure: false });
}

/** A report on Gateway `a/gw` with such a spec, in YAML, which Envoy has accepted as far as nothing else is said. */
function report(spec: string, fields: Partial<GatewayReport> = {}, where: Settings = settings): GatewayReport {
  const object = {
    metadata: { namespace: "a", name: "gw", generation: GENERATION },
    spec: { gatewayClassName: "c", ...parse(spec) },
  } as Gateway;
  const [plan] = planParents(planOfGateway(object, where));
  if (plan === undefined) throw new Error("no plan");
  return {
    kind: "Gateway",
    object,
    plan,
    certificates: {},
    referenceProblems: [],
    attachedRoutes: {},
    tlsOverlaps: Object.fromEntries(
      plan.ports
        .flatMap((port) => [...overlappingTls(port, Object.values(fields.certificates ?? {}))])
        .map(([key, problem]) => [key.slice(`${plan.key}/`.length), problem]),
    ),
    progress: Object.fromEntries(
      plan.listeners.filter(({ valid }) => valid).map(({ name }) => [name, { state: "Accepted" }]),
    ),
    addresses: [{ type: "IPAddress", value: "10.0.0.1" }],
    connected: 1,
    listenerSets: { attached: 0 },
    ...fields,
  };
}

const resolved = "ResolvedRefs=True/ResolvedRefs";
const unresolved = "ResolvedRefs=False/ListenersNotResolved";
const fine = ["Accepted=True/Accepted", "Programmed=True/Programmed", resolved];
const listenerFine = [...fine, "Conflicted=False/NoConflicts"];
const plain = "listeners: [{name: x, port: 80, protocol: HTTP}]";
const secure = "listeners: [{name: x, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: s}]}}]";

describe("a Gateway", () => {
  const rejected = { state: "Rejected", resource: "port 80", error: "Envoy's own words" } as const;
  const unusable = {
    state: "Rejected",
    resource: "port 80",
    error: "cannot bind '192.0.2.1:80': Cannot assign requested address",
  } as const;
  test.each<[string, GatewayReport, string[], string[]]>([
    ["that serves", report(plain), fine, listenerFine],
    ["with HTTPS", report(secure, { certificates: { x: certificate("x") } }), fine, listenerFine],
    [
      "without an Envoy",
      report(plain, { connected: 0 }),
      ["Accepted=True/Accepted", "Programmed=False/NoResources", resolved],
      ["Accepted=True/Accepted", "Programmed=False/Pending", resolved, "Conflicted=False/NoConflicts"],
    ],
    [
      "without an address",
      report(plain, { addresses: [] }),
      ["Accepted=True/Accepted", "Programmed=False/AddressNotAssigned", resolved],
      listenerFine,
    ],
    [
      "without a ready pod",
      report(plain, { waits: { pods: "so" } }),
      ["Accepted=True/Accepted", "Programmed=False/NoResources", resolved],
      listenerFine,
    ],
    [
      "with an address, whatever could be waited for",
      report(plain, { waits: { address: "so" } }),
      ["Accepted=True/Accepted", "Programmed=True/Programmed", resolved],
      listenerFine,
    ],
    [
      "that Envoy has not acknowledged",
      report(plain, { progress: { x: { state: "Pending" } } }),
      ["Accepted=True/Accepted", "Programmed=False/Pending", resolved],
      ["Accepted=True/Accepted", "Programmed=False/Pending", resolved, "Conflicted=False/NoConflicts"],
    ],
    [
      "that Envoy refused",
      report(plain, { progress: { x: rejected } }),
      ["Accepted=True/Accepted", "Programmed=False/Invalid", resolved],
      ["Accepted=True/Accepted", "Programmed=False/Invalid", resolved, "Conflicted=False/NoConflicts"],
    ],
    [
      "whose objects the API server refuses",
      report(plain, { fault: { text: "apply Deployment a/b: spec.replicas is wrong (422)" } }),
      ["Accepted=True/Accepted", "Programmed=False/NoResources", resolved],
      ["Accepted=True/Accepted", "Programmed=True/Programmed", resolved, "Conflicted=False/NoConflicts"],
    ],
    [
      "with parameters",
      report(`infrastructure: {parametersRef: {group: g, kind: K, name: n}}\n${plain}`),
      ["Accepted=False/InvalidParameters", "Programmed=False/Invalid", resolved],
      ["Accepted=True/Accepted", "Programmed=True/Programmed", resolved, "Conflicted=False/NoConflicts"],
    ],
    [
      "with an address of a kind that is not served",
      report(`addresses: [{type: Hostname, value: a.com}]\n${plain}`),
      ["Accepted=False/UnsupportedAddress", "Programmed=False/Invalid", resolved],
      ["Accepted=True/Accepted", "Programmed=False/Invalid", resolved, "Conflicted=False/NoConflicts"],
    ],
    [
      "with two reasons to refuse it",
      report(`infrastructure: {parametersRef: {group: g, kind: K, name: n}}\naddresses: [{type: Hostname}]\n${plain}`),
      ["Accepted=False/UnsupportedAddress,InvalidParameters", "Programmed=False/Invalid", resolved],
      ["Accepted=True/Accepted", "Programmed=False/Invalid", resolved, "Conflicted=False/NoConflicts"],
    ],
    [
      "with a protocol that is not served",
      report("listeners: [{name: x, port: 80, protocol: example.com/own}]"),
      ["Accepted=False/ListenersNotValid", "Programmed=False/Invalid", resolved],
      ["Accepted=False/UnsupportedProtocol", "Programmed=False/Invalid", resolved, "Conflicted=False/NoConflicts"],
    ],
    [
      "with a protocol that is not served beside one that is",
      report("listeners: [{name: x, port: 80, protocol: example.com/own}, {name: y, port: 81, protocol: HTTP}]"),
      ["Accepted=True/ListenersNotValid", "Programmed=True/Programmed", resolved],
      ["Accepted=False/UnsupportedProtocol", "Programmed=False/Invalid", resolved, "Conflicted=False/NoConflicts"],
    ],
    [
      "with a hostname twice",
      report("listeners: [{name: x, port: 80, protocol: HTTP}, {name: y, port: 80, protocol: HTTP}]"),
      ["Accepted=False/ListenersNotValid", "Programmed=False/Invalid", resolved],
      ["Accepted=False/HostnameConflict", "Programmed=False/Invalid", resolved, "Conflicted=True/HostnameConflict"],
    ],
    [
      "with two protocols on a port",
      report(
        "listeners: [{name: x, port: 80, protocol: HTTP}, {name: y, port: 80, protocol: HTTPS, tls: {certificateRefs: [{name: s}]}}]",
      ),
      ["Accepted=False/ListenersNotValid", "Programmed=False/Invalid", resolved],
      ["Accepted=False/ProtocolConflict", "Programmed=False/Invalid", resolved, "Conflicted=True/ProtocolConflict"],
    ],
    [
      "with a kind that the listener cannot take beside one that it can",
      report(
        "listeners: [{name: x, port: 80, protocol: HTTP, allowedRoutes: {kinds: [{kind: TCPRoute}, {kind: HTTPRoute}]}}]",
      ),
      ["Accepted=True/ListenersNotValid", "Programmed=True/Programmed", unresolved],
      [...fine.slice(0, 2), "ResolvedRefs=False/InvalidRouteKinds", "Conflicted=False/NoConflicts"],
    ],
    [
      "with no usable certificate",
      report(secure, {
        certificates: {
          x: certificate("x", { secrets: [], problems: [some("ResolvedRefs", "InvalidCertificateRef")] }),
        },
      }),
      ["Accepted=True/ListenersNotValid", "Programmed=False/Invalid", unresolved],
      [
        "Accepted=True/Accepted",
        "Programmed=False/Invalid",
        "ResolvedRefs=False/InvalidCertificateRef",
        "Conflicted=False/NoConflicts",
      ],
    ],
    [
      "with a certificate that it may not use",
      report(secure, {
        certificates: { x: certificate("x", { secrets: [], problems: [some("ResolvedRefs", "RefNotPermitted")] }) },
      }),
      ["Accepted=True/ListenersNotValid", "Programmed=False/Invalid", unresolved],
      [
        "Accepted=True/Accepted",
        "Programmed=False/Invalid",
        "ResolvedRefs=False/RefNotPermitted",
        "Conflicted=False/NoConflicts",
      ],
    ],
    [
      "with one certificate of two",
      report(secure, {
        certificates: { x: certificate("x", { problems: [some("ResolvedRefs", "PartiallyInvalidCertificateRef")] }) },
      }),
      ["Accepted=True/ListenersNotValid", "Programmed=True/Programmed", unresolved],
      [...fine.slice(0, 2), "ResolvedRefs=False/PartiallyInvalidCertificateRef", "Conflicted=False/NoConflicts"],
    ],
    [
      "refused, with a certificate that does not exist: everything is told at once",
      report(`addresses: [{type: Hostname}]\n${secure}`, {
        certificates: {
          x: certificate("x", { secrets: [], problems: [some("ResolvedRefs", "InvalidCertificateRef")] }),
        },
      }),
      ["Accepted=False/UnsupportedAddress", "Programmed=False/Invalid", unresolved],
      [
        "Accepted=True/Accepted",
        "Programmed=False/Invalid",
        "ResolvedRefs=False/InvalidCertificateRef",
        "Conflicted=False/NoConflicts",
      ],
    ],
    [
      "with an address that is none of this host",
      report(`addresses: [{value: 192.0.2.1}]\n${plain}`, { progress: { x: unusable } }),
      ["Accepted=True/Accepted", "Programmed=False/AddressNotUsable", resolved],
      ["Accepted=True/Accepted", "Programmed=False/Invalid", resolved, "Conflicted=False/NoConflicts"],
    ],
    [
      "with addresses that the API server refuses",
      report(plain, { fault: { text: "apply Service a/b: spec.clusterIPs is wrong (422)", ofAddresses: true } }),
      ["Accepted=True/Accepted", "Programmed=False/AddressNotUsable", resolved],
      listenerFine,
    ],
    [
      "with the address that it asks for, however it is spelt",
      inCluster(`addresses: [{value: "FD00::0:1"}]\n${plain}`, ["10.0.0.1", "fd00::1"]),
      fine,
      listenerFine,
    ],
    [
      "with another address than it asks for",
      inCluster(`addresses: [{value: 10.0.0.1}, {value: 10.0.0.2}]\n${plain}`, ["10.0.0.1"]),
      ["Accepted=True/Accepted", "Programmed=False/AddressNotUsable", resolved],
      listenerFine,
    ],
    [
      "without the address that it asks for",
      inCluster(`addresses: [{value: 10.0.0.1}]\n${plain}`, []),
      ["Accepted=True/Accepted", "Programmed=False/AddressNotUsable", resolved],
      listenerFine,
    ],
    [
      "with any address, as it asks for",
      inCluster(`addresses: [{type: IPAddress}]\n${plain}`, ["10.0.0.1"]),
      fine,
      listenerFine,
    ],
    [
      "with no address, as long as it asks for any",
      inCluster(`addresses: [{type: IPAddress}]\n${plain}`, []),
      ["Accepted=True/Accepted", "Programmed=False/AddressNotAssigned", resolved],
      listenerFine,
    ],
    [
      "with hostnames that overlap",
      report(
        "listeners: [{name: x, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: s}]}}, {name: y, port: 443, protocol: HTTPS, hostname: a.com, tls: {certificateRefs: [{name: s}]}}]",
        { certificates: { x: certificate("x"), y: certificate("y") } },
      ),
      fine,
      [...listenerFine, "OverlappingTLSConfig=True/OverlappingHostnames"],
    ],
  ])("%s", (_name, given, gateway, firstListener) => {
    const status = buildGatewayStatus(given);
    expect(short(status.conditions)).toEqual(gateway);
    expect(short(status.listeners[0]?.conditions ?? [])).toEqual(firstListener);
  });

  test("names the listeners that are bad and those that are accepted", () => {
    const { conditions } = buildGatewayStatus(
      report("listeners: [{name: x, port: 80, protocol: example.com/own}, {name: y, port: 81, protocol: HTTP}]"),
    );
    expect(messageOf(conditions, "Accepted")).toBe(
      "Something is wrong with listener x, and accepted are y; see the conditions of the listeners.",
    );
    const certificates = { x: certificate("x", { secrets: [], problems: [some("ResolvedRefs", "RefNotPermitted")] }) };
    expect(messageOf(buildGatewayStatus(report(secure, { certificates })).conditions, "Accepted")).toBe(
      "Something is wrong with listener x, and all are accepted nevertheless; see the conditions of the listeners.",
    );
  });

  test("costs only the listener whose certificate Envoy refused", () => {
    const certificates = { x: certificate("x"), y: certificate("y") };
    const refused = { state: "Rejected", resource: "Secret a/s", error: "bad" } as const;
    const { conditions, listeners } = buildGatewayStatus(
      report(
        "listeners: [{name: x, port: 443, protocol: HTTPS, hostname: a.com, tls: {certificateRefs: [{name: s}]}}, {name: y, port: 443, protocol: HTTPS, hostname: b.com, tls: {certificateRefs: [{name: t}]}}]",
        { certificates, progress: { x: refused, y: { state: "Accepted" } } },
      ),
    );
    expect(short(conditions)).toContain("Programmed=True/Programmed");
    expect(listeners.map(({ conditions }) => short(conditions)[1])).toEqual([
      "Programmed=False/Invalid",
      "Programmed=True/Programmed",
    ]);
  });

  test("passes on Envoy's own words", () => {
    const { listeners } = buildGatewayStatus(report(plain, { progress: { x: rejected } }));
    expect(messageOf(listeners[0]?.conditions ?? [], "Programmed")).toContain("Envoy's own words");
  });

  test("counts routes and lists kinds, on listeners that serve and that do not", () => {
    const given = report(
      "listeners: [{name: x, port: 80, protocol: HTTP}, {name: y, port: 81, protocol: example.com/own}]",
      {
        attachedRoutes: { x: 2, y: 1 },
      },
    );
    const seen = buildGatewayStatus(given).listeners;
    expect(
      seen.map(({ name, attachedRoutes, supportedKinds }) => [name, attachedRoutes, supportedKinds.length]),
    ).toEqual([
      ["x", 2, 2],
      ["y", 1, 0],
    ]);
  });

  test("lists at most sixteen addresses", () => {
    const addresses = Array.from({ length: 17 }, (_one, index) => ({ type: "IPAddress", value: `10.0.0.${index}` }));
    expect(buildGatewayStatus(report(plain, { addresses })).addresses).toEqual(addresses.slice(0, 16));
  });
});
