import { expect, test } from "@jest/globals";
import type { DesiredCondition } from "../status/conditions.ts";
import type { ObjectStatus } from "../status/render.ts";
import { createStatusPrinter } from "./status-printer.ts";
import { type ObjectNews, summarize } from "./status-summary.ts";
import { awaitsEnvoy, formatStatus } from "./status-text.ts";

const good = { type: "Accepted", status: "True", reason: "Accepted", message: "Fine." } as const;
const pending = { type: "Programmed", status: "False", reason: "Pending", message: "Not yet." } as const;
const bad = {
  type: "ResolvedRefs",
  status: "False",
  reason: "BackendNotFound",
  message: "There is no Backend x.",
} as const;
const noConflict = { type: "Conflicted", status: "False", reason: "NoConflicts", message: "" } as const;

function gateway(...conditions: (typeof good | typeof pending | typeof bad | typeof noConflict)[]): ObjectStatus {
  return {
    addresses: [],
    conditions: [good],
    listeners: [{ name: "http", supportedKinds: [], attachedRoutes: 1, conditions }],
  };
}

test("a condition that is as it should be is no finding", () => {
  expect(formatStatus(gateway(good, noConflict))).toEqual({
    verdict: "good",
    details: "listener http has 1 route",
    findings: [],
  });
});

test("what is wrong is told with its place, reason and message", () => {
  const route: ObjectStatus = {
    parents: [{ parentRef: { name: "a", sectionName: "http" }, controllerName: "c", conditions: [good, bad] }],
  };
  expect(formatStatus(route)).toEqual({
    verdict: "bad",
    details: "on a",
    findings: ["on a/http: ResolvedRefs=False (BackendNotFound): There is no Backend x."],
  });
});

test("one cause that shows in several conditions and on several Gateways is one line", () => {
  const parent = (name: string) => ({ parentRef: { name }, controllerName: "c", conditions: [bad] });
  const route: ObjectStatus = { parents: ["a", "b", "c", "d", "e", "f", "g"].map(parent) };
  expect(formatStatus(route)).toMatchObject({
    details: "on a, b, c, d, e and 2 more",
    findings: ["on a, b, c, d, e and 2 more: ResolvedRefs=False (BackendNotFound): There is no Backend x."],
  });
  const unprogrammed = { ...bad, type: "Programmed", reason: "Invalid" };
  expect(formatStatus(gateway(bad, unprogrammed as typeof bad)).findings).toEqual([
    "listener http: ResolvedRefs=False (BackendNotFound), Programmed=False (Invalid): There is no Backend x.",
  ]);
});

test("a crowd of listeners is counted, and a long message is cut", () => {
  const status = gateway({ ...bad, message: "x".repeat(10_000) } as unknown as typeof bad);
  const listeners = "listeners" in status ? Array(64).fill(status.listeners[0]) : [];
  const { details, findings } = formatStatus({ ...status, listeners });
  expect(details).toBe("64 listeners");
  expect(findings).toHaveLength(1);
  expect(findings[0]?.length).toBeLessThan(600);
});

test("a Gateway that serves is told with its address", () => {
  const programmed = { type: "Programmed", status: "True", reason: "Programmed", message: "" } as const;
  const status = {
    ...gateway(good),
    addresses: [{ type: "IPAddress", value: "10.0.0.1" }],
    conditions: [good, programmed],
  };
  expect(formatStatus(status).details).toBe("Programmed at 10.0.0.1, listener http has 1 route");
});

test("waiting for Envoy is no problem unless there is another", () => {
  expect(formatStatus(gateway(good, pending)).verdict).toBe("pending");
  expect(formatStatus(gateway(bad, pending)).verdict).toBe("bad");
  expect(awaitsEnvoy(gateway(bad, pending))).toBe(true);
  expect(awaitsEnvoy(gateway(bad, noConflict))).toBe(false);
});

test("what is in effect and only has something to tell is no problem", () => {
  const warning = { type: "Warning", status: "True", reason: "DeprecatedField", message: "Old." } as const;
  const ancestorRef = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "a" };
  const policy = (...conditions: DesiredCondition[]): ObjectStatus => ({
    ancestors: [{ ancestorRef, controllerName: "c", conditions }],
  });
  expect(formatStatus(policy(good, warning))).toMatchObject({
    verdict: "noted",
    findings: ["for Gateway a: Warning=True (DeprecatedField): Old."],
  });
  expect(formatStatus(policy({ ...good, status: "False" }, warning)).verdict).toBe("bad");
  expect(formatStatus(policy(pending, warning)).verdict).toBe("pending");
});

const news = (kind: string, name: string, ...findings: string[]): ObjectNews => ({
  kind,
  name,
  verdict: findings.length === 0 ? "good" : "bad",
  details: "",
  findings,
});

test("a crowd is told in a few lines: what is fine counted, a common cause once, the rest bounded", () => {
  const routes = Array.from({ length: 10_000 }, (_, i) => news("HTTPRoute", `ns/r${i}`, "no Backend x"));
  const fine = Array.from({ length: 500 }, (_, i) => news("Backend", `ns/b${i}`));
  const each = Array.from({ length: 30 }, (_, i) => news("GRPCRoute", `ns/g${i}`, `cause ${i}`));
  const lines = summarize([...fine, ...each, news("Gateway", "ns/g"), ...routes], { fineMax: 10, wrongMax: 4 });
  expect(lines).toEqual([
    "ok      Gateway ns/g",
    "PROBLEM HTTPRoute ns/r0, ns/r1, ns/r2, ns/r3, ns/r4 and 9995 more",
    "          no Backend x",
    ...[0, 1, 2].flatMap((i) => [`PROBLEM GRPCRoute ns/g${i}`, `          cause ${i}`]),
    "ok      500 of kind Backend",
    "        and 27 more with something to tell",
  ]);
});

test("a status is printed when it reads differently", () => {
  const statuses = new Map<string, ObjectStatus>([["Gateway/ns/a", gateway(good)]]);
  const lines: string[] = [];
  const printer = createStatusPrinter(
    (key) => statuses.get(key),
    (line) => lines.push(line),
  );
  const print = (...keys: string[]) => {
    lines.length = 0;
    printer.changed(keys);
    printer.flush();
    return [...lines];
  };
  expect(print("Gateway/ns/a")).toEqual(["ok      Gateway ns/a: listener http has 1 route"]);
  expect(print("Gateway/ns/a")).toEqual([]);
  statuses.set("Gateway/ns/a", gateway(good, bad));
  expect(print("Gateway/ns/a")).toEqual([
    "PROBLEM Gateway ns/a: listener http has 1 route",
    "          listener http: ResolvedRefs=False (BackendNotFound): There is no Backend x.",
  ]);
  statuses.delete("Gateway/ns/a");
  expect(print("Gateway/ns/a")).toEqual(["gone    Gateway ns/a"]);
});
