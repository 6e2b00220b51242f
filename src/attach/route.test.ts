import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { Gateway, HTTPRoute } from "../api/gateway-api.ts";
import { planOfGateway } from "./gateway.test-support.ts";
import type { GatewayPlan, RouteAttachment } from "./model.ts";
import { explained } from "./objects.test-support.ts";
import { type ParentKind, type ParentPlan, planParents } from "./parents.ts";
import { attachRoute } from "./route.ts";

const settings = { controllerNames: [], hostInfrastructure: true, privilegedPortOffset: 0 };

function planOf(listeners: string, name = "gw"): GatewayPlan {
  const spec = { gatewayClassName: "c", listeners: parse(listeners) };
  return planOfGateway({ metadata: { namespace: "a", name }, spec } as Gateway, settings);
}

const certificate = "tls: {certificateRefs: [{name: s}]}";

const gateways = new Map([
  [
    "a/gw",
    planOf(`
    - {name: all, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
    - {name: same, port: 81, protocol: HTTP}
    - {name: none, port: 82, protocol: HTTP, allowedRoutes: {namespaces: {from: None}}}
    - {name: red, port: 83, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: red}}}}}
    - {name: grpc, port: 84, protocol: HTTP, allowedRoutes: {namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}}
    - {name: secure, port: 443, protocol: HTTPS, hostname: "*.a.com", allowedRoutes: {namespaces: {from: All}}, ${certificate}}
    - {name: udp, port: 85, protocol: example.com/own}
    - {name: twin1, port: 86, protocol: HTTP, hostname: twin.com, allowedRoutes: {namespaces: {from: All}}}
    - {name: twin2, port: 86, protocol: HTTP, hostname: twin.com, allowedRoutes: {namespaces: {from: All}}}`),
  ],
]);

function parentOf(kind: ParentKind, key: string): ParentPlan | undefined {
  return [...gateways.values()].flatMap(planParents).find((parent) => parent.kind === kind && parent.key === key);
}

/** The attachment of route `namespace/r` with such a spec, in YAML. */
function attach(spec: string, namespace = "a", kind: RouteAttachment["routeKind"] = "HTTPRoute"): RouteAttachment {
  const route = { metadata: { namespace, name: "r" }, spec: parse(spec) } as HTTPRoute;
  const attachment = attachRoute(kind, route, {
    parent: parentOf,
    namespaceLabels: (name): Record<string, string> => (name === "reds" ? { team: "red" } : {}),
  });
  for (const { message } of attachment.parents.flatMap(({ problems }) => problems)) {
    expect(message).toMatch(explained);
  }
  return attachment;
}

/** For each parent its reasons or its listeners, each with its hosts. */
function outcome({ parents }: RouteAttachment): string[] {
  return parents.map(({ problems, listeners }) =>
    [
      ...problems.map(({ condition, reason }) => `${condition}/${reason}`),
      ...listeners.map(({ listener, hostnames }) => `${listener}[${hostnames.map(({ host }) => host).join(" ")}]`),
    ].join(" "),
  );
}

test.each([
  ["by section", "a", "[{name: gw, sectionName: all}]", ["all[*]"]],
  ["by port", "a", "[{name: gw, port: 81}]", ["same[*]"]],
  ["by section and port", "a", "[{name: gw, sectionName: all, port: 80}]", ["all[*]"]],
  ["section and port disagree", "a", "[{name: gw, sectionName: all, port: 81}]", ["Accepted/NoMatchingParent"]],
  ["no such section", "a", "[{name: gw, sectionName: absent}]", ["Accepted/NoMatchingParent"]],
  ["no such port", "a", "[{name: gw, port: 9}]", ["Accepted/NoMatchingParent"]],
  ["not a Gateway of ours", "a", "[{name: other}, {kind: Service, group: '', name: gw}, {group: g, name: gw}]", []],
  ["the Gateway's namespace is the route's own", "b", "[{name: gw}]", []],
  ["all that allow it", "b", "[{name: gw, namespace: a}]", ["all[*] secure[*.a.com] twin1[twin.com] twin2[twin.com]"]],
  ["another namespace", "b", "[{name: gw, namespace: a, sectionName: same}]", ["Accepted/NotAllowedByListeners"]],
  ["no namespace", "a", "[{name: gw, sectionName: none}]", ["Accepted/NotAllowedByListeners"]],
  ["labels match", "reds", "[{name: gw, namespace: a, sectionName: red}]", ["red[*]"]],
  ["labels do not match", "blues", "[{name: gw, namespace: a, sectionName: red}]", ["Accepted/NotAllowedByListeners"]],
  ["not this kind", "a", "[{name: gw, sectionName: grpc}]", ["Accepted/NotAllowedByListeners"]],
  ["a protocol that is not served", "a", "[{name: gw, sectionName: udp}]", ["Accepted/NotAllowedByListeners"]],
  [
    "several parents",
    "a",
    "[{name: gw, sectionName: same}, {name: gw, sectionName: none}]",
    ["same[*]", "Accepted/NotAllowedByListeners"],
  ],
])("parentRefs: %s", (_name, namespace, parentRefs, expected) => {
  expect(outcome(attach(`parentRefs: ${parentRefs}`, namespace))).toEqual(expected);
});

test("a GRPCRoute attaches where its kind is allowed", () => {
  const spec = "parentRefs: [{name: gw, sectionName: grpc}, {name: gw, sectionName: all}]";
  expect(outcome(attach(spec, "a", "GRPCRoute"))).toEqual(["grpc[*]", "all[*]"]);
});

test("a route without parentRefs belongs to nobody", () => {
  expect(attach("rules: []").parents).toEqual([]);
});

test.each([
  ["[]", ["secure[*.a.com]"]],
  ["[x.a.com, X.A.com, b.com]", ["secure[x.a.com]"]],
  ["['*.com', x.y.a.com]", ["secure[*.a.com x.y.a.com]"]],
  ["[a.com]", ["Accepted/NoMatchingListenerHostname"]],
  ["['*.a.com.org', b.com]", ["Accepted/NoMatchingListenerHostname"]],
])("hostnames %s at a listener for *.a.com", (hostnames, expected) => {
  expect(outcome(attach(`{parentRefs: [{name: gw, sectionName: secure}], hostnames: ${hostnames}}`))).toEqual(expected);
});

test("what is attached says how it is served", () => {
  const { routeKind, key, parents } = attach(
    "{parentRefs: [{name: gw, sectionName: secure}], hostnames: ['*.com', x.a.com]}",
  );
  expect([routeKind, key]).toEqual(["HTTPRoute", "a/r"]);
  expect(parents).toEqual([
    {
      parentRef: { name: "gw", sectionName: "secure" },
      gateway: "a/gw",
      fleet: "a/gw",
      controllerName: "example.com/ours",
      problems: [],
      listeners: [
        {
          listener: "secure",
          routeTable: "a/gw/secure",
          port: 443,
          scheme: "https",
          hostnames: [
            { host: "*.a.com", routeHostname: "*.com" },
            { host: "x.a.com", routeHostname: "x.a.com" },
          ],
        },
      ],
    },
  ]);
});

test("of several hostnames that lead to one host, the most specific counts", () => {
  gateways.set("a/exact", planOf("[{name: x, port: 80, protocol: HTTP, hostname: x.a.com}]", "exact"));
  const { parents } = attach("{parentRefs: [{name: exact}], hostnames: ['*.com', '*.a.com']}");
  expect(parents[0]?.listeners[0]?.hostnames).toEqual([{ host: "x.a.com", routeHostname: "*.a.com" }]);
});

test("a listener that serves nothing still counts the route, without a table", () => {
  const { parents } = attach("parentRefs: [{name: gw, sectionName: twin1}]");
  expect(parents[0]?.problems).toEqual([]);
  expect(parents[0]?.listeners.map(({ listener, routeTable }) => [listener, routeTable])).toEqual([
    ["twin1", undefined],
  ]);
});

describe("listener isolation", () => {
  const layered = `
    - {name: any, port: 80, protocol: HTTP}
    - {name: wide, port: 80, protocol: HTTP, hostname: "*.a.com"}
    - {name: deep, port: 80, protocol: HTTP, hostname: "*.x.a.com"}
    - {name: exact, port: 80, protocol: HTTP, hostname: q.x.a.com}
    - {name: elsewhere, port: 81, protocol: HTTP, hostname: b.com}`;
  const hostnames = "[b.com, z.a.com, '*.a.com', '*.x.a.com', p.x.a.com, q.x.a.com]";

  test.each([
    ["any", ["any[b.com]"]],
    ["wide", ["wide[*.a.com z.a.com]"]],
    ["deep", ["deep[*.x.a.com p.x.a.com]"]],
    ["exact", ["exact[q.x.a.com]"]],
  ])("listener %s keeps what no more specific one claims", (sectionName, expected) => {
    gateways.set("a/layered", planOf(layered, "layered"));
    const spec = `{parentRefs: [{name: layered, sectionName: ${sectionName}}], hostnames: ${hostnames}}`;
    expect(outcome(attach(spec))).toEqual(expected);
  });

  test("a route whose hosts are all claimed stays attached and serves nothing", () => {
    gateways.set("a/layered", planOf(layered, "layered"));
    const spec = "{parentRefs: [{name: layered, sectionName: any}], hostnames: [q.x.a.com]}";
    expect(outcome(attach(spec))).toEqual(["any[]"]);
  });

  test("a listener that is off claims nothing", () => {
    const off = "{port: 80, protocol: HTTP, hostname: x.com}";
    gateways.set(
      "a/off",
      planOf(`[{name: any, port: 80, protocol: HTTP}, {name: p, ${off.slice(1)}, {name: q, ${off.slice(1)}]`, "off"),
    );
    expect(outcome(attach("{parentRefs: [{name: off, sectionName: any}], hostnames: [x.com]}"))).toEqual([
      "any[x.com]",
    ]);
  });
});

test("labels of namespaces are read only where a selector needs them", () => {
  const route = { metadata: { namespace: "a", name: "r" }, spec: { parentRefs: [{ name: "gw", sectionName: "all" }] } };
  const read = {
    parent: parentOf,
    namespaceLabels(): never {
      throw new Error("read without need");
    },
  };
  expect(outcome(attachRoute("HTTPRoute", route as HTTPRoute, read))).toEqual(["all[*]"]);
});

test("messages name the field, the Gateway and the way out", () => {
  const [missing, denied] = ["absent", "none"].map(
    (sectionName) => attach(`parentRefs: [{name: gw, sectionName: ${sectionName}}]`).parents[0]?.problems[0],
  );
  expect(missing).toMatchObject({ field: "spec.parentRefs[0]" });
  expect(missing?.message).toMatch(/^Field spec.parentRefs\[0\] .*listener absent of Gateway a\/gw.*all \(port 80\)/);
  expect(denied?.message).toMatch(
    /Gateway a\/gw, where no HTTPRoutes of namespace a are taken by none; change allowedRoutes/,
  );
});
