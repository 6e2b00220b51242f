import { expect, test } from "@jest/globals";
import type { ObjectStatus } from "../status/render.ts";
import { createStatusPrinter } from "./status-printer.ts";
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

test("a condition that is as it should be takes no line", () => {
  expect(formatStatus("Gateway/ns/a", gateway(good, noConflict))).toEqual({
    verdict: "good",
    lines: ["ok      Gateway ns/a: listener http has 1 route"],
  });
});

test("what is wrong is told with its place, reason and message", () => {
  const route: ObjectStatus = {
    parents: [{ parentRef: { name: "a", sectionName: "http" }, controllerName: "c", conditions: [good, bad] }],
  };
  expect(formatStatus("HTTPRoute/ns/r", route)).toEqual({
    verdict: "bad",
    lines: [
      "PROBLEM HTTPRoute ns/r: on a",
      "          on a/http: ResolvedRefs=False (BackendNotFound): There is no Backend x.",
    ],
  });
});

test("one cause that shows in several conditions and on several Gateways is one line", () => {
  const parent = (name: string) => ({ parentRef: { name }, controllerName: "c", conditions: [bad] });
  const route: ObjectStatus = { parents: ["a", "b", "c", "d", "e", "f", "g"].map(parent) };
  expect(formatStatus("HTTPRoute/ns/r", route).lines).toEqual([
    "PROBLEM HTTPRoute ns/r: on a, b, c, d, e and 2 more",
    "          on a, b, c, d, e and 2 more: ResolvedRefs=False (BackendNotFound): There is no Backend x.",
  ]);
  const unprogrammed = { ...bad, type: "Programmed", reason: "Invalid" };
  expect(formatStatus("Gateway/ns/a", gateway(bad, unprogrammed as typeof bad)).lines[1]).toBe(
    "          listener http: ResolvedRefs=False (BackendNotFound), Programmed=False (Invalid): There is no Backend x.",
  );
});

test("a crowd of listeners is counted, and a long message is cut", () => {
  const status = gateway({ ...bad, message: "x".repeat(10_000) } as unknown as typeof bad);
  const listeners = "listeners" in status ? Array(64).fill(status.listeners[0]) : [];
  const { lines } = formatStatus("Gateway/ns/a", { ...status, listeners });
  expect(lines[0]).toBe("PROBLEM Gateway ns/a: 64 listeners");
  expect(lines.map(({ length }) => length).filter((length) => length > 600)).toEqual([]);
});

test("a Gateway that serves is told with its address", () => {
  const programmed = { type: "Programmed", status: "True", reason: "Programmed", message: "" } as const;
  const status = {
    ...gateway(good),
    addresses: [{ type: "IPAddress", value: "10.0.0.1" }],
    conditions: [good, programmed],
  };
  expect(formatStatus("Gateway/ns/a", status).lines).toEqual([
    "ok      Gateway ns/a: Programmed at 10.0.0.1, listener http has 1 route",
  ]);
});

test("waiting for Envoy is no problem unless there is another", () => {
  expect(formatStatus("Gateway/ns/a", gateway(good, pending)).verdict).toBe("pending");
  expect(formatStatus("Gateway/ns/a", gateway(bad, pending)).verdict).toBe("bad");
  expect(awaitsEnvoy(gateway(bad, pending))).toBe(true);
  expect(awaitsEnvoy(gateway(bad, noConflict))).toBe(false);
});

test("a status is printed when it reads differently, and a crowd is summed up", () => {
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
  expect(print("Gateway/ns/a")).toHaveLength(1);
  expect(print("Gateway/ns/a")).toEqual([]);
  statuses.set("Gateway/ns/a", gateway(good, bad));
  expect(print("Gateway/ns/a")).toHaveLength(2);
  statuses.delete("Gateway/ns/a");
  expect(print("Gateway/ns/a")).toEqual(["gone    Gateway ns/a"]);

  for (let i = 0; i < 1_000; i++) statuses.set(`Gateway/ns/${i}`, gateway(i === 7 ? bad : good));
  const summary = print(...statuses.keys());
  expect(summary).toHaveLength(3);
  expect(summary[0]).toContain("PROBLEM Gateway ns/7");
  expect(summary[2]).toContain("999 more");
});
