import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { Backend } from "../api/backend.ts";
import type { Gateway, GatewayClass, HTTPRoute } from "../api/gateway-api.ts";
import { planGateway } from "../attach/gateway.ts";
import { planGatewayClass } from "../attach/gateway-class.ts";
import type { ListenerCertificates } from "../attach/model.ts";
import type { Problem } from "../base/problems.ts";
import type { GatewayReport, RouteReport } from "../pipeline/status-reports.ts";
import type { DesiredCondition } from "./conditions.ts";
import { buildGatewayStatus } from "./gateway-status.ts";
import { renderStatus } from "./render.ts";
import { buildRouteStatus } from "./route-status.ts";
import { supportedFeatures } from "./supported-features.ts";

const settings = { controllerNames: ["example.com/ours"], hostInfrastructure: true, privilegedPortOffset: 0 };
const GENERATION = 7;

/** `Type=Status/Reason`, the way tests compare conditions. */
function short(conditions: readonly DesiredCondition[]): string[] {
  for (const { observedGeneration } of conditions) expect(observedGeneration).toBe(GENERATION);
  return conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`);
}

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
const some = (condition: string, reason: string, message = "because"): Problem => ({ condition, reason, message });

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

/** A report on route `a/r` with two parents, the second refused when `second` says why. */
function routeReport(problems: Problem[] = [], extra: Problem[] = [], second: Problem[] = []): RouteReport {
  const refs = [
    { name: "gw", sectionName: "x" },
    { name: "gw", sectionName: "y" },
  ];
  const on = (listener: string) => [{ listener, port: 80, scheme: "http" as const, hostnames: [] }];
  return {
    kind: "HTTPRoute",
    object: {
      metadata: { namespace: "a", name: "r", generation: GENERATION },
      spec: { parentRefs: refs },
    } as HTTPRoute,
    attachment: {
      routeKind: "HTTPRoute",
      key: "a/r",
      parents: [
        { parentRef: refs[0]!, gateway: "a/gw", listeners: on("x"), problems: [] },
        { parentRef: refs[1]!, gateway: "a/gw", listeners: second.length > 0 ? [] : on("y"), problems: second },
      ],
    },
    resolved: { routeKind: "HTTPRoute", key: "a/r", rules: [], problems },
    extra,
    controllerName: "example.com/ours",
  };
}

describe("a route", () => {
  const resolved = "ResolvedRefs=True/ResolvedRefs";
  test.each<[string, RouteReport, string[]]>([
    ["that serves", routeReport(), ["Accepted=True/Accepted", resolved]],
    ...["BackendNotFound", "RefNotPermitted", "InvalidKind", "UnsupportedProtocol"].map(
      (reason): [string, RouteReport, string[]] => [
        reason,
        routeReport([some("ResolvedRefs", reason)]),
        ["Accepted=True/Accepted", `ResolvedRefs=False/${reason}`],
      ],
    ),
    [
      "several reasons",
      routeReport([
        some("ResolvedRefs", "BackendNotFound"),
        some("ResolvedRefs", "RefNotPermitted"),
        some("ResolvedRefs", "BackendNotFound"),
      ]),
      ["Accepted=True/Accepted", "ResolvedRefs=False/BackendNotFound,RefNotPermitted"],
    ],
    ...["UnsupportedValue", "IncompatibleFilters"].map((reason): [string, RouteReport, string[]] => [
      reason,
      routeReport([some("Accepted", reason)]),
      [`Accepted=False/${reason}`, resolved],
    ]),
    [
      "PartiallyInvalid",
      routeReport([some("PartiallyInvalid", "UnsupportedValue")]),
      ["Accepted=True/Accepted", resolved, "PartiallyInvalid=True/UnsupportedValue"],
    ],
    [
      "what was found out later",
      routeReport(
        [],
        [
          some("RouteRulesOverlap", "Overlapping"),
          some("BackendsAvailable", "EndpointsNotFound"),
          some("Programmed", "Invalid"),
        ],
      ),
      [
        "Accepted=True/Accepted",
        resolved,
        "Programmed=False/Invalid",
        "BackendsAvailable=False/EndpointsNotFound",
        "RouteRulesOverlap=True/Overlapping",
      ],
    ],
  ])("%s", (_name, given, expected) => {
    const { parents } = buildRouteStatus(given);
    expect(parents.map(({ conditions }) => short(conditions))).toEqual([expected, expected]);
  });

  test.each(["NotAllowedByListeners", "NoMatchingListenerHostname", "NoMatchingParent"])(
    "%s at one parent",
    (reason) => {
      const { parents } = buildRouteStatus(routeReport([], [], [some("Accepted", reason)]));
      expect(
        parents.map(({ parentRef, controllerName, conditions }) => [
          parentRef.sectionName,
          controllerName,
          short(conditions),
        ]),
      ).toEqual([
        ["x", "example.com/ours", ["Accepted=True/Accepted", resolved]],
        ["y", "example.com/ours", [`Accepted=False/${reason}`, resolved]],
      ]);
    },
  );
});

test.each([
  ["{controllerName: example.com/ours}", "Accepted=True/Accepted"],
  [
    "{controllerName: example.com/ours, parametersRef: {group: g, kind: K, name: n}}",
    "Accepted=False/InvalidParameters",
  ],
])("GatewayClass %s", (spec, expected) => {
  const object = { metadata: { name: "c", generation: GENERATION }, spec: parse(spec) } as GatewayClass;
  const plan = planGatewayClass(object, settings);
  if (plan === undefined) throw new Error("not ours");
  const status = renderStatus({ kind: "GatewayClass", object, plan });
  expect(short("conditions" in status ? status.conditions : [])).toContain(expected);
  expect("supportedFeatures" in status && status.supportedFeatures).toEqual(
    supportedFeatures.map((name) => ({ name })),
  );
});

test("features are sorted, each once, and no more than the CRD takes", () => {
  expect([...new Set(supportedFeatures)].sort()).toEqual(supportedFeatures);
  expect(supportedFeatures.length).toBeLessThanOrEqual(64);
});

test.each([
  [[], "Accepted=True/Accepted"],
  [[some("Accepted", "Invalid")], "Accepted=False/Invalid"],
])("a Backend", (problems, expected) => {
  const object = { metadata: { namespace: "a", name: "b", generation: GENERATION }, spec: {} } as Backend;
  const status = renderStatus({ kind: "Backend", object, problems });
  expect(short("conditions" in status ? status.conditions : [])).toEqual([expected]);
});
