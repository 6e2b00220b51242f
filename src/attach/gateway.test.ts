import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { Gateway, GatewayClass } from "../api/gateway-api.ts";
import { planOfClass, planOfGateway } from "./gateway.test-support.ts";
import type { GatewayPlan, Settings } from "./model.ts";
import { explained, parseObject } from "./objects.test-support.ts";

const settings: Settings = { controllerNames: ["example.com/ours"], hostInfrastructure: true, privilegedPortOffset: 0 };

/** The plan of Gateway `a/gw` with such a spec, in YAML. */
function plan(
  spec: string,
  given: Partial<Settings> = {},
  owner: (port: number) => string | undefined = () => undefined,
) {
  const metadata = { namespace: "a", name: "gw", creationTimestamp: "2026-01-01T00:00:00Z" };
  const gateway = { metadata, spec: { gatewayClassName: "c", ...parse(spec) } } as unknown as Gateway;
  const found = planOfGateway(gateway, { ...settings, ...given }, (bindPort) => {
    const other = owner(bindPort);
    return other === undefined ? [] : [{ gateway: other, fleet: other, created: "", port: bindPort, protocol: "HTTP" }];
  });
  for (const { message } of [found, ...found.listeners].flatMap(({ problems }) => problems)) {
    expect(message).toMatch(explained);
  }
  return found;
}

/** A line for each listener: `name ok` or its problems as `condition/reason`. */
function verdicts({ listeners }: GatewayPlan): string[] {
  return listeners.map(({ name, valid, problems }) => {
    const said = problems.map(({ condition, reason }) => `${condition}/${reason}`).join(" ");
    return `${name} ${valid ? "ok" : "off"}${said === "" ? "" : ` ${said}`}`;
  });
}

const HOSTNAME = "Conflicted/HostnameConflict Accepted/HostnameConflict";
const PROTOCOL = "Conflicted/ProtocolConflict Accepted/ProtocolConflict";
const certificate = "tls: {certificateRefs: [{name: s}]}";

test.each([
  ["one plain listener", "[{name: x, port: 80, protocol: HTTP}]", ["x ok"]],
  [
    "hostnames tell listeners apart",
    "[{name: x, port: 80, protocol: HTTP}, {name: y, port: 80, protocol: HTTP, hostname: a.com}, {name: z, port: 80, protocol: HTTP, hostname: '*.a.com'}]",
    ["x ok", "y ok", "z ok"],
  ],
  [
    "nobody wins a hostname, whatever its case",
    "[{name: x, port: 80, protocol: HTTP, hostname: A.com}, {name: y, port: 80, protocol: HTTP, hostname: a.com}, {name: z, port: 80, protocol: HTTP}]",
    [`x off ${HOSTNAME}`, `y off ${HOSTNAME}`, "z ok"],
  ],
  [
    "an empty hostname is none",
    "[{name: x, port: 80, protocol: HTTP, hostname: ''}, {name: y, port: 80, protocol: HTTP}]",
    [`x off ${HOSTNAME}`, `y off ${HOSTNAME}`],
  ],
  [
    "two protocols cannot share a port",
    `[{name: x, port: 80, protocol: HTTP, hostname: a.com}, {name: y, port: 80, protocol: HTTPS, hostname: b.com, ${certificate}}, {name: z, port: 81, protocol: HTTP}]`,
    [`x off ${PROTOCOL}`, `y off ${PROTOCOL}`, "z ok"],
  ],
  [
    "the same hostname on different ports",
    "[{name: x, port: 80, protocol: HTTP, hostname: a.com}, {name: y, port: 81, protocol: HTTP, hostname: a.com}]",
    ["x ok", "y ok"],
  ],
  [
    "a listener that cannot be served takes nothing from others",
    "[{name: x, port: 80, protocol: HTTP}, {name: y, port: 80, protocol: example.com/own}, {name: z, port: 80, protocol: HTTP, hostname: 10.0.0.1}]",
    ["x ok", "y off Accepted/UnsupportedProtocol", "z off Accepted/UnsupportedValue"],
  ],
  [
    "protocols that are not served, whose kinds are not judged",
    "[{name: x, port: 1, protocol: SCTP}, {name: y, port: 2, protocol: example.com/tcp, allowedRoutes: {kinds: [{kind: TCPRoute}]}}, {name: z, port: 3, protocol: example.com/own}]",
    ["x", "y", "z"].map((name) => `${name} off Accepted/UnsupportedProtocol`),
  ],
  [
    "TLS settings that are not served",
    "[{name: x, port: 1, protocol: HTTPS, tls: {mode: Passthrough, certificateRefs: [{name: s}]}}, {name: y, port: 2, protocol: HTTPS, tls: {certificateRefs: [{name: s}], options: {example.com/o: v}}}]",
    ["x off Accepted/UnsupportedValue", "y off Accepted/UnsupportedValue"],
  ],
  ["HTTPS without a certificate", "[{name: x, port: 1, protocol: HTTPS}]", ["x ok ResolvedRefs/InvalidCertificateRef"]],
  [
    "kinds that a listener cannot take",
    "[{name: x, port: 1, protocol: HTTP, allowedRoutes: {kinds: [{kind: TCPRoute}, {kind: HTTPRoute}]}}, {name: y, port: 2, protocol: HTTP, allowedRoutes: {kinds: [{kind: TCPRoute}]}}, {name: z, port: 3, protocol: HTTP, allowedRoutes: {kinds: [{group: example.com, kind: HTTPRoute}]}}]",
    ["x ok", "y off", "z off"].map((start) => `${start} ResolvedRefs/InvalidRouteKinds`),
  ],
  [
    "selectors that cannot be understood",
    "[{name: x, port: 1, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector}}}, {name: y, port: 2, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchExpressions: [{key: k, operator: Near}]}}}}, {name: z, port: 3, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchExpressions: [{key: k, operator: In}]}}}}]",
    ["x", "y", "z"].map((name) => `${name} off Accepted/UnsupportedValue`),
  ],
])("listeners: %s", (_name, listeners, expected) => {
  expect(verdicts(plan(`listeners: ${listeners}`))).toEqual(expected);
});

test("supportedKinds are what the protocol and allowedRoutes have in common", () => {
  const { listeners } = plan(
    "listeners: [{name: x, port: 1, protocol: HTTP}, {name: y, port: 2, protocol: HTTP, allowedRoutes: {kinds: [{kind: GRPCRoute}, {kind: UDPRoute}]}}, {name: z, port: 3, protocol: example.com/own, allowedRoutes: {kinds: [{kind: UDPRoute}]}}]",
  );
  expect(listeners.map(({ supportedKinds }) => supportedKinds.map(({ kind }) => kind))).toEqual([
    ["HTTPRoute", "GRPCRoute"],
    ["GRPCRoute"],
    [],
  ]);
});

test("certificate references get their defaults", () => {
  const { listeners } = plan(
    "listeners: [{name: x, port: 1, protocol: HTTPS, tls: {certificateRefs: [{name: s}, {group: g, kind: K, namespace: n, name: t}]}}]",
  );
  expect(listeners[0]?.certificateRefs).toEqual([
    { group: "", kind: "Secret", namespace: "a", name: "s" },
    { group: "g", kind: "K", namespace: "n", name: "t" },
  ]);
});

describe("ports", () => {
  const mixed = `
    listeners:
    - {name: bad, port: 443, protocol: HTTPS, tls: {mode: Passthrough}}
    - {name: s1, port: 443, protocol: HTTPS, hostname: a.com, ${certificate}}
    - {name: s2, port: 443, protocol: HTTPS, hostname: b.com, ${certificate}}
    - {name: h1, port: 80, protocol: HTTP, hostname: a.com}
    - {name: h2, port: 80, protocol: HTTP}
    - {name: h3, port: 8080, protocol: HTTP}`;

  test("are named after their first valid listener; HTTP shares a table, HTTPS has one each", () => {
    const { ports, listeners } = plan(mixed);
    expect(ports.map(({ name, protocol, listeners: on }) => [name, protocol, on.map((one) => one.name)])).toEqual([
      ["a/gw/h1", "HTTP", ["h1", "h2"]],
      ["a/gw/s1", "HTTPS", ["s1", "s2"]],
      ["a/gw/h3", "HTTP", ["h3"]],
    ]);
    expect(listeners.map(({ routeTable }) => routeTable)).toEqual([
      undefined,
      "a/gw/s1",
      "a/gw/s2",
      "a/gw/h1",
      "a/gw/h1",
      "a/gw/h3",
    ]);
  });

  test.each([
    [0, [80, 443, 8080]],
    [10_000, [10_080, 10_443, 8080]],
  ])("below 1024 are moved by %i", (privilegedPortOffset, expected) => {
    expect(plan(mixed, { privilegedPortOffset }).ports.map(({ bindPort }) => bindPort)).toEqual(expected);
  });

  test("that meet once they are moved: the first in the spec has it", () => {
    const found = plan(
      "listeners: [{name: x, port: 10080, protocol: HTTP}, {name: y, port: 80, protocol: HTTP}, {name: z, port: 10080, protocol: HTTP, hostname: a.com}]",
      { privilegedPortOffset: 10_000 },
    );
    expect(verdicts(found)).toEqual(["x ok", "y off Accepted/PortUnavailable", "z ok"]);
    expect(found.ports.map(({ bindPort }) => bindPort)).toEqual([10_080]);
    expect(found.listeners[1]?.problems[0]?.message).toMatch(/port 10080 .*listener x;/);
  });

  test("of an older Gateway on the host are told with their owner", () => {
    const found = plan(mixed, { privilegedPortOffset: 10_000 }, (port) => (port === 10_080 ? "b/older" : undefined));
    expect(verdicts(found).slice(3)).toEqual([
      "h1 off Accepted/PortUnavailable",
      "h2 off Accepted/PortUnavailable",
      "h3 ok",
    ]);
    expect(found.listeners[3]?.problems[0]?.message).toContain("b/older");
    expect(found.ports.map(({ name }) => name)).toEqual(["a/gw/s1", "a/gw/h3"]);
  });
});

test("a Gateway whose EnvoyProxy cannot be used is not accepted, and its listeners stay for the Envoys that run", () => {
  const gateway = parseObject<Gateway>(
    "{metadata: {name: gw}, spec: {gatewayClassName: c, listeners: [{name: x, port: 80, protocol: HTTP}]}}",
  );
  const classProxy = { spec: {}, namespaces: {}, reference: "names nothing", refused: [], warnings: [] };
  const found = planOfGateway(gateway, settings, undefined, classProxy);
  expect(found.problems).toMatchObject([
    { condition: "Accepted", reason: "InvalidParameters", field: "spec.gatewayClassName" },
  ]);
  expect(verdicts(found)).toEqual(["x ok"]);
  const own = parseObject<Gateway>(
    "{metadata: {name: gw}, spec: {gatewayClassName: c, infrastructure: {parametersRef: {group: g, kind: K, name: n}}, listeners: [{name: x, port: 80, protocol: HTTP}]}}",
  );
  expect(planOfGateway(own, settings).problems).toMatchObject([
    { condition: "Accepted", reason: "InvalidParameters", field: "spec.infrastructure.parametersRef" },
  ]);
});

test("an EnvoyProxy can make Envoy bind the ports of the listeners as they are, in a cluster", () => {
  const provider = { type: "Kubernetes", kubernetes: { useListenerPortAsContainerPort: true } } as const;
  const gateway = parseObject<Gateway>(
    "{metadata: {name: gw}, spec: {gatewayClassName: c, listeners: [{name: x, port: 80, protocol: HTTP}]}}",
  );
  const bound = (hostInfrastructure: boolean, keeps: boolean) => {
    const proxy = { spec: keeps ? { provider } : {}, namespaces: {}, refused: [], warnings: [] };
    const offset = { ...settings, hostInfrastructure, privilegedPortOffset: 10_000 };
    return planOfGateway(gateway, offset, undefined, proxy).ports.map(({ bindPort }) => bindPort);
  };
  expect([bound(false, true), bound(false, false), bound(true, true)]).toEqual([[80], [10_080], [10_080]]);
});

const plain = "listeners: [{name: x, port: 80, protocol: HTTP}]";

test.each([
  ["defaultScope: All", "Invalid", "spec.defaultScope"],
  [
    "infrastructure: {labels: {app.kubernetes.io/name: x}}",
    "InvalidParameters",
    'spec.infrastructure.labels["app.kubernetes.io/name"]',
  ],
  [
    "infrastructure: {annotations: {gatehouse.dev/gateway: x}}",
    "InvalidParameters",
    'spec.infrastructure.annotations["gatehouse.dev/gateway"]',
  ],
  ["addresses: [{type: Hostname, value: a.com}]", "UnsupportedAddress", "spec.addresses[0].type"],
  ["addresses: [{type: example.com/own, value: x}]", "UnsupportedAddress", "spec.addresses[0].type"],
  ["addresses: [{value: not-an-address}]", "UnsupportedAddress", "spec.addresses[0].value"],
  ["addresses: [{value: 127.0.0.1}, {value: 127.0.0.2}]", "UnsupportedAddress", "spec.addresses"],
])("a field that is not implemented refuses the Gateway: %s", (field, reason, path) => {
  const found = plan(`${field}\n${plain}`);
  expect(found.problems).toEqual([{ condition: "Accepted", reason, field: path, message: expect.any(String) }]);
  expect(found.problems[0]?.message).toContain(`Field ${path} `);
  expect([found.ports, verdicts(found)]).toEqual([[], ["x off"]]);
});

test.each([
  ["addresses: []", undefined],
  ["addresses: [{value: 127.0.0.1}]", "127.0.0.1"],
  ["addresses: [{type: IPAddress, value: '::1'}]", "::1"],
  ["addresses: [{type: IPAddress}]", undefined],
  ["allowedListeners: {namespaces: {from: All}}", undefined],
  ["infrastructure: {labels: {a: b}}", undefined],
  ["defaultScope: None", undefined],
])("a Gateway that is fine: %s", (field, bindAddress) => {
  const found = plan(`${field}\n${plain}`);
  expect([found.problems, verdicts(found), found.bindAddress]).toEqual([[], ["x ok"], bindAddress]);
});

test("an address without a value is any address, wherever Envoy runs", () => {
  expect(plan(`addresses: [{type: IPAddress}]\n${plain}`, { hostInfrastructure: false }).problems).toEqual([]);
});

test("in a cluster, ports of Envoy's own pages are no listener's, and labels of ours no user's", () => {
  const found = plan("listeners: [{name: x, port: 19001, protocol: HTTP}, {name: y, port: 80, protocol: HTTP}]", {
    hostInfrastructure: false,
  });
  expect(verdicts(found)).toEqual(["x off Accepted/PortUnavailable", "y ok"]);
  const labelled = plan(`infrastructure: {labels: {app.kubernetes.io/managed-by: me}}\n${plain}`);
  expect(labelled.problems).toMatchObject([
    { reason: "InvalidParameters", field: 'spec.infrastructure.labels["app.kubernetes.io/managed-by"]' },
  ]);
});

test("in a cluster a Gateway may ask for several addresses, and binds none", () => {
  const found = plan(`addresses: [{value: 10.0.0.1}, {value: 10.0.0.2}]\n${plain}`, { hostInfrastructure: false });
  expect([found.problems, found.addresses, found.bindAddress]).toEqual([[], ["10.0.0.1", "10.0.0.2"], undefined]);
});

test("a plan does not change with what changes nothing", () => {
  const make = (generation: number) =>
    parseObject<Gateway>(`
      metadata: {name: gw, generation: ${generation}, resourceVersion: "${generation}", labels: {l: "${generation}"}}
      spec: {gatewayClassName: c, listeners: [{name: x, port: 80, protocol: HTTP}]}`);
  const [first, second] = [1, 2].map((generation) => planOfGateway(make(generation), settings));
  expect(first).toEqual(second);
});

test.each([
  ["{controllerName: example.com/theirs}", undefined],
  ["{controllerName: example.com/ours}", { accepted: true, reasons: [] }],
  [
    "{controllerName: example.com/ours, parametersRef: {group: g, kind: K, name: n}}",
    { accepted: false, reasons: ["Accepted/InvalidParameters"] },
  ],
])("GatewayClass %s", (spec, expected) => {
  const found = planOfClass({ metadata: { name: "c" }, spec: parse(spec) } as GatewayClass, settings);
  const seen = found && {
    accepted: found.accepted,
    reasons: found.problems.map(({ condition, reason }) => `${condition}/${reason}`),
  };
  expect(seen).toEqual(expected);
});
