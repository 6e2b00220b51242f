import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { Gateway, ListenerSet } from "../api/gateway-api.ts";
import { draftOfGateway } from "./gateway.test-support.ts";
import { planGateway } from "./gateway.ts";
import { draftListenerSet, type ListenerSetDraft } from "./listener-set.ts";
import type { GatewayPlan } from "./model.ts";
import { explained } from "./objects.test-support.ts";
import { isAttached, planParents } from "./parents.ts";

const settings = { controllerNames: [], hostInfrastructure: true, privilegedPortOffset: 0 };

/** A ListenerSet `namespace/name` of Gateway `infra/gw`, created on such a day of a month, with listeners in YAML. */
function setOf(key: string, day: number, listeners: string): ListenerSetDraft {
  const [namespace, name] = key.split("/");
  const draft = draftListenerSet({
    metadata: { namespace, name, creationTimestamp: `2026-01-0${day}T00:00:00Z` },
    spec: { parentRef: { namespace: "infra", name: "gw" }, listeners: parse(listeners) },
  } as unknown as ListenerSet);
  if (draft === undefined) throw new Error("no draft");
  return draft;
}

/** Gateway `infra/gw` with such ListenerSets, in any order. */
function planOf(
  listeners: string,
  sets: readonly ListenerSetDraft[],
  { allowed = "{from: All}", listenersMax = 100, labels = {} as Record<string, Record<string, string>> } = {},
): GatewayPlan {
  const gateway = {
    metadata: { namespace: "infra", name: "gw" },
    spec: {
      gatewayClassName: "c",
      listeners: parse(listeners),
      ...(allowed !== "" && { allowedListeners: { namespaces: parse(allowed) } }),
    },
  } as unknown as Gateway;
  const namedBy = { listenerSets: sets, labelsOf: (namespace: string) => labels[namespace] ?? {} };
  const plan = planGateway(draftOfGateway(gateway, { ...settings, listenersMax }, undefined, namedBy), () => []);
  for (const { problems } of [...plan.listeners, ...plan.listenerSets]) {
    for (const { message } of problems) expect(message).toMatch(explained);
  }
  return plan;
}

/** A line for each listener: where it stands, and `ok` or the reasons against it. */
function verdicts({ listeners }: GatewayPlan): string[] {
  return listeners.map(({ listenerSet = "gw", name, valid, problems }) => {
    const reasons = new Set(problems.map(({ reason }) => reason));
    return `${listenerSet} ${name} ${valid ? "ok" : [...reasons].join(" ")}`;
  });
}

const http = (name: string, port: number, hostname?: string) =>
  `{name: ${name}, port: ${port}, protocol: HTTP${hostname === undefined ? "" : `, hostname: "${hostname}"`}}`;
const https = (name: string, port: number, hostname: string) =>
  `{name: ${name}, port: ${port}, protocol: HTTPS, hostname: "${hostname}", tls: {certificateRefs: [{name: s}]}}`;

describe("which ListenerSets a Gateway takes", () => {
  const labels = { "team-a": { edge: "yes" } };
  test.each([
    ["", []],
    ["{from: None}", []],
    ["{from: Same}", ["infra/own"]],
    ["{from: All}", ["infra/own", "team-a/x", "team-b/x"]],
    ["{from: Selector, selector: {matchLabels: {edge: 'yes'}}}", ["team-a/x"]],
    ["{from: Selector, selector: {matchExpressions: [{key: edge, operator: Is}]}}", []],
    ["{from: Selector}", []],
  ])("%s", (allowed, expected) => {
    const sets = ["infra/own", "team-a/x", "team-b/x"].map((key) => setOf(key, 1, `[${http("l", 80)}]`));
    const plan = planOf(`[${http("l", 81)}]`, sets, { allowed, labels });
    expect(plan.listenerSets.filter(({ problems }) => problems.length === 0).map(({ key }) => key)).toEqual(expected);
    const reasons = plan.listenerSets.flatMap(({ problems }) => problems.map(({ reason }) => reason));
    expect(reasons).toEqual(Array(3 - expected.length).fill("NotAllowed"));
    const served = new Set(plan.listeners.flatMap(({ listenerSet }) => listenerSet ?? []));
    expect([...served].sort()).toEqual(expected);
  });

  test("one that names something else is nobody's", () => {
    const parentRef = { group: "example.com", name: "gw" };
    const set = { metadata: { namespace: "a", name: "x" }, spec: { parentRef, listeners: [] } };
    expect(draftListenerSet(set as unknown as ListenerSet)).toBeUndefined();
  });
});

test.each<[string, string, ListenerSetDraft[], string[]]>([
  [
    "the Gateway comes first, then the oldest, then the first by name",
    `[${http("g", 80, "a.com")}]`,
    [
      setOf("c/z", 2, `[${http("l", 80, "b.com")}, ${http("m", 80, "d.com")}]`),
      setOf("b/z", 1, `[${http("l", 80, "b.com")}, ${http("m", 80, "c.com")}]`),
      setOf("a/z", 2, `[${http("l", 80, "a.com")}, ${http("m", 80, "d.com")}]`),
    ],
    [
      "gw g ok",
      "b/z l ok",
      "b/z m ok",
      "a/z l HostnameConflict",
      "a/z m ok",
      "c/z l HostnameConflict",
      "c/z m HostnameConflict",
    ],
  ],
  [
    "who has lost is in nobody's way, not even in its own ListenerSet",
    `[${http("g", 80, "a.com")}]`,
    [
      setOf("a/x", 1, `[${https("lost", 80, "b.com")}, ${http("l", 80, "c.com")}]`),
      setOf("b/x", 2, `[${http("l", 80, "b.com")}]`),
    ],
    ["gw g ok", "a/x lost ProtocolConflict", "a/x l ok", "b/x l ok"],
  ],
  [
    "equals that are at odds with each other still come before others",
    `[${http("g", 80, "a.com")}, ${https("h", 80, "b.com")}]`,
    [setOf("a/x", 1, `[${http("l", 80, "a.com")}, ${http("m", 80, "c.com")}]`)],
    ["gw g ProtocolConflict", "gw h ProtocolConflict", "a/x l ListenerConflict", "a/x m ProtocolConflict"],
  ],
  [
    "inside one ListenerSet nobody wins",
    `[${http("g", 80)}]`,
    [setOf("a/x", 1, `[${http("l", 81, "a.com")}, ${https("m", 81, "b.com")}, ${http("n", 82)}]`)],
    ["gw g ok", "a/x l ProtocolConflict", "a/x m ProtocolConflict", "a/x n ok"],
  ],
])("%s", (_name, listeners, sets, expected) => {
  expect(verdicts(planOf(listeners, sets))).toEqual(expected);
  expect(verdicts(planOf(listeners, [...sets].reverse()))).toEqual(expected);
});

test("of too many listeners the last have no place, and those that do not serve take none", () => {
  const sets = [
    setOf("a/x", 1, `[${http("lost", 80, "a.com")}, ${http("l", 80, "b.com")}]`),
    setOf("b/x", 2, `[${http("l", 80, "c.com")}]`),
  ];
  expect(verdicts(planOf(`[${http("g", 80, "a.com")}]`, sets, { listenersMax: 2 }))).toEqual([
    "gw g ok",
    "a/x lost HostnameConflict",
    "a/x l ok",
    "b/x l TooManyListeners",
  ]);
});

test("a ListenerSet learns the names of its Gateway's listeners, and none of other ListenerSets", () => {
  const sets = [
    setOf("a/x", 1, `[${http("secret", 81, "b.com")}]`),
    setOf("b/x", 2, `[${http("l", 80, "a.com")}, ${http("m", 81, "b.com")}]`),
  ];
  const plan = planOf(`[${http("g", 80, "a.com")}]`, sets);
  const messages = plan.listeners.flatMap(({ problems }) => problems.map(({ message }) => message));
  expect(messages.filter((message) => message.includes("listener g of Gateway infra/gw"))).toHaveLength(2);
  expect(messages.join()).not.toMatch(/secret|a\/x/);
});

test("a port keeps its name whichever ListenerSet comes or goes; tables of HTTPS listeners are named as in Envoy Gateway", () => {
  const [old, young] = [
    setOf("a/x", 1, `[${https("l", 443, "a.com")}]`),
    setOf("b/x", 2, `[${https("l", 443, "b.com")}]`),
  ];
  const own = `[${http("g", 80)}]`;
  const namesOf = (plan: GatewayPlan) => plan.ports.map(({ name }) => name);
  for (const sets of [[old, young], [old], [young]]) {
    expect(namesOf(planOf(own, sets))).toEqual(["infra/gw/g", "infra/gw/tcp/443"]);
  }
  expect(namesOf(planOf(`[${https("g", 443, "g.com")}]`, [old]))).toEqual(["infra/gw/g"]);
  const tables = planOf(own, [old, young]).listeners.map(({ routeTable }) => routeTable);
  expect(tables).toEqual(["infra/gw/g", "infra/gw/a/x/l", "infra/gw/b/x/l"]);
});

describe("as parents of routes", () => {
  const sets = [
    setOf("a/x", 1, `[${http("l", 80, "*.a.com")}, ${https("m", 443, "a.com")}]`),
    setOf("b/x", 2, `[${http("l", 80, "b.a.com")}, ${http("lost", 80, "*.a.com")}]`),
  ];
  const parents = planParents(planOf(`[${http("g", 80)}]`, sets));

  test("a Gateway and its ListenerSets have their own listeners and ports, and what others claim of their hosts", () => {
    const shown = parents.map(({ kind, key, listeners, ports }) => [
      `${kind} ${key}`,
      ...listeners.map(({ name, claimed = [] }) => [name, ...claimed].join(" ")),
      ports.map(({ port }) => port).join(),
    ]);
    expect(shown).toEqual([
      ["Gateway infra/gw", "g *.a.com b.a.com", "80"],
      ["ListenerSet a/x", "l b.a.com", "m", "80,443"],
      ["ListenerSet b/x", "l", "lost b.a.com", "80"],
    ]);
  });

  test("one is attached when something of it can be served", () => {
    const [, a, b] = parents;
    expect([isAttached(a!, () => undefined), isAttached(b!, () => undefined)]).toEqual([true, true]);
    const only = planParents(planOf(`[${http("g", 80)}]`, [setOf("a/x", 1, `[${https("m", 443, "a.com")}]`)]))[1]!;
    const held = (...secrets: string[]) => ({ gateway: "infra/gw", name: "m", secrets, dnsNames: [], problems: [] });
    expect([held(), held("a/s")].map((one) => isAttached(only, () => one))).toEqual([false, true]);
    const [, refused] = planParents(planOf(`[${http("g", 80)}]`, sets, { allowed: "" }));
    expect(isAttached(refused!, () => undefined)).toBe(false);
  });
});
