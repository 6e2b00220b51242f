import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { Gateway } from "../api/gateway-api.ts";
import { planGateway } from "../attach/gateway.ts";
import type { ListenerCertificates } from "../attach/model.ts";
import type { GatewayReport } from "../pipeline/status-reports.ts";
import { GENERATION, settings, short, some } from "./conditions.test-support.ts";
import type { DesiredCondition } from "./conditions.ts";
import { buildGatewayStatus } from "./gateway-status.ts";

function messageOf(conditions: readonly DesiredCondition[], type: string): string | undefined {
  return conditions.find((condition) => condition.type === type)?.message;
}

function certificate(listener: string, fields: Partial<ListenerCertificates> = {}): ListenerCertificates {
  return { gateway: "a/gw", listener, secrets: ["a/s"], dnsNames: [], problems: [], ...fields };
}

/** A report on Gateway `a/gw` with such a spec, in YAML, which Envoy has accepted as far as nothing else is said. */
function report(spec: string, fields: Partial<GatewayReport> = {}): GatewayReport {
  const object = {
    metadata: { namespace: "a", name: "gw", generation: GENERATION },
    spec: { gatewayClassName: "c", ...parse(spec) },
  } as Gateway;
  const plan = planGateway(object, settings, () => undefined);
  return {
    kind: "Gateway",
    object,
    plan,
    certificates: {},
    attachedRoutes: {},
    progress: Object.fromEntries(plan.ports.map(({ name }) => [name, { state: "Accepted" }])),
    addresses: [{ type: "IPAddress", value: "10.0.0.1" }],
    connected: 1,
    ...fields,
  };
}

const fine = ["Accepted=True/Accepted", "Programmed=True/Programmed"];
const listenerFine = [...fine, "ResolvedRefs=True/ResolvedRefs", "Conflicted=False/NoConflicts"];
const plain = "listeners: [{name: x, port: 80, protocol: HTTP}]";
const secure = "listeners: [{name: x, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: s}]}}]";

describe("a Gateway", () => {
  const rejected = { state: "Rejected", error: "Envoy's own words" } as const;
  test.each<[string, GatewayReport, string[], string[]]>([
    ["that serves", report(plain), fine, listenerFine],
    ["with HTTPS", report(secure, { certificates: { x: certificate("x") } }), fine, listenerFine],
    [
      "without an Envoy",
      report(plain, { connected: 0 }),
      ["Accepted=True/Accepted", "Programmed=False/NoResources"],
      ["Accepted=True/Accepted", "Programmed=False/Pending", ...listenerFine.slice(2)],
    ],
    [
      "without an address",
      report(plain, { addresses: [] }),
      ["Accepted=True/Accepted", "Programmed=False/AddressNotAssigned"],
      listenerFine,
    ],
    [
      "that Envoy has not acknowledged",
      report(plain, { progress: { "a/gw/x": { state: "Pending" } } }),
      ["Accepted=True/Accepted", "Programmed=False/Pending"],
      ["Accepted=True/Accepted", "Programmed=False/Pending", ...listenerFine.slice(2)],
    ],
    [
      "that Envoy refused",
      report(plain, { progress: { "a/gw/x": rejected } }),
      ["Accepted=True/Accepted", "Programmed=False/Invalid"],
      ["Accepted=True/Accepted", "Programmed=False/Invalid", ...listenerFine.slice(2)],
    ],
    [
      "with parameters",
      report(`infrastructure: {parametersRef: {group: g, kind: K, name: n}}\n${plain}`),
      ["Accepted=False/InvalidParameters", "Programmed=False/Invalid"],
      ["Accepted=True/Accepted", "Programmed=False/Invalid", ...listenerFine.slice(2)],
    ],
    [
      "with an address of a kind that is not served",
      report(`addresses: [{type: Hostname, value: a.com}]\n${plain}`),
      ["Accepted=False/UnsupportedAddress", "Programmed=False/Invalid"],
      ["Accepted=True/Accepted", "Programmed=False/Invalid", ...listenerFine.slice(2)],
    ],
    [
      "with two reasons to refuse it",
      report(`infrastructure: {parametersRef: {group: g, kind: K, name: n}}\naddresses: [{type: Hostname}]\n${plain}`),
      ["Accepted=False/InvalidParameters,UnsupportedAddress", "Programmed=False/Invalid"],
      ["Accepted=True/Accepted", "Programmed=False/Invalid", ...listenerFine.slice(2)],
    ],
    [
      "with a protocol that is not served",
      report("listeners: [{name: x, port: 80, protocol: UDP}]"),
      ["Accepted=False/ListenersNotValid", "Programmed=False/Invalid"],
      ["Accepted=False/UnsupportedProtocol", "Programmed=False/Invalid", ...listenerFine.slice(2)],
    ],
    [
      "with a protocol that is not served beside one that is",
      report("listeners: [{name: x, port: 80, protocol: UDP}, {name: y, port: 81, protocol: HTTP}]"),
      ["Accepted=True/ListenersNotValid", "Programmed=True/Programmed"],
      ["Accepted=False/UnsupportedProtocol", "Programmed=False/Invalid", ...listenerFine.slice(2)],
    ],
    [
      "with a hostname twice",
      report("listeners: [{name: x, port: 80, protocol: HTTP}, {name: y, port: 80, protocol: HTTP}]"),
      ["Accepted=False/ListenersNotValid", "Programmed=False/Invalid"],
      [
        "Accepted=False/HostnameConflict",
        "Programmed=False/Invalid",
        "ResolvedRefs=True/ResolvedRefs",
        "Conflicted=True/HostnameConflict",
      ],
    ],
    [
      "with two protocols on a port",
      report(
        "listeners: [{name: x, port: 80, protocol: HTTP}, {name: y, port: 80, protocol: HTTPS, tls: {certificateRefs: [{name: s}]}}]",
      ),
      ["Accepted=False/ListenersNotValid", "Programmed=False/Invalid"],
      [
        "Accepted=False/ProtocolConflict",
        "Programmed=False/Invalid",
        "ResolvedRefs=True/ResolvedRefs",
        "Conflicted=True/ProtocolConflict",
      ],
    ],
    [
      "with a kind that the listener cannot take beside one that it can",
      report(
        "listeners: [{name: x, port: 80, protocol: HTTP, allowedRoutes: {kinds: [{kind: TCPRoute}, {kind: HTTPRoute}]}}]",
      ),
      ["Accepted=True/ListenersNotValid", "Programmed=True/Programmed"],
      [...fine, "ResolvedRefs=False/InvalidRouteKinds", "Conflicted=False/NoConflicts"],
    ],
    [
      "with no usable certificate",
      report(secure, {
        certificates: {
          x: certificate("x", { secrets: [], problems: [some("ResolvedRefs", "InvalidCertificateRef")] }),
        },
      }),
      ["Accepted=True/ListenersNotValid", "Programmed=False/Invalid"],
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
      ["Accepted=True/ListenersNotValid", "Programmed=False/Invalid"],
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
      ["Accepted=True/ListenersNotValid", "Programmed=True/Programmed"],
      [...fine, "ResolvedRefs=False/PartiallyInvalidCertificateRef", "Conflicted=False/NoConflicts"],
    ],
    [
      "whose certificates were not looked at, because it is refused",
      report(`addresses: [{type: Hostname}]\n${secure}`),
      ["Accepted=False/UnsupportedAddress", "Programmed=False/Invalid"],
      [
        "Accepted=True/Accepted",
        "Programmed=False/Invalid",
        "ResolvedRefs=Unknown/Pending",
        "Conflicted=False/NoConflicts",
      ],
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

  test("passes on Envoy's own words", () => {
    const { listeners } = buildGatewayStatus(report(plain, { progress: { "a/gw/x": rejected } }));
    expect(messageOf(listeners[0]?.conditions ?? [], "Programmed")).toContain("Envoy's own words");
  });

  test("counts routes and lists kinds, on listeners that serve and that do not", () => {
    const given = report("listeners: [{name: x, port: 80, protocol: HTTP}, {name: y, port: 81, protocol: UDP}]", {
      attachedRoutes: { x: 2, y: 1 },
    });
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
