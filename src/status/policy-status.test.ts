import { expect, test } from "@jest/globals";
import type { PolicyAncestor } from "../pipeline/policy-reports.ts";
import { buildPolicyStatus } from "./policy-status.ts";

const object = { apiVersion: "v1", kind: "BackendTLSPolicy", metadata: { name: "p", namespace: "a", generation: 3 } };
const ancestor = (index: number, problems: PolicyAncestor["problems"] = []): PolicyAncestor => ({
  kind: "Gateway",
  key: `a/gw-${index}`,
  controllerName: "example.com/c",
  problems,
});
const conflict = { condition: "Accepted", reason: "Conflicted", message: "Another is in effect; remove one." };
const build = (ancestors: readonly PolicyAncestor[]) =>
  buildPolicyStatus({ kind: "BackendTLSPolicy", object, ancestors }).ancestors;

test("without an ancestor nothing is said", () => {
  expect(build([])).toEqual([]);
});

test("those in trouble come first", () => {
  const entries = build([ancestor(0), ancestor(1, [conflict])]);
  expect(entries.map(({ ancestorRef, conditions }) => [ancestorRef.name, conditions[0]?.reason])).toEqual([
    ["gw-1", "Conflicted"],
    ["gw-0", "Accepted"],
  ]);
  expect(entries[0]?.ancestorRef).toEqual({
    group: "gateway.networking.k8s.io",
    kind: "Gateway",
    namespace: "a",
    name: "gw-1",
  });
  for (const { controllerName, conditions } of entries) {
    expect(controllerName).toBe("example.com/c");
    expect(conditions.map(({ observedGeneration }) => observedGeneration)).toEqual([3, 3]);
  }
});

test("of more than 16 those stay that are not in effect, then those that others take the place of", () => {
  const overridden = { condition: "Overridden", reason: "Overridden", message: "Others take its place." };
  const troubles = new Map([
    [17, [overridden]],
    [18, [conflict]],
  ]);
  const entries = build(Array.from({ length: 19 }, (_, index) => ancestor(index, troubles.get(index))));
  expect(entries.slice(0, 3).map(({ ancestorRef }) => ancestorRef.name)).toEqual(["gw-18", "gw-17", "gw-0"]);
});

test("several warnings have the reason of many", () => {
  const warn = (reason: string) => ({ condition: "Warning", reason, message: `Of ${reason}` });
  const [entry] = build([ancestor(0, [warn("DeprecatedField"), warn("NoEffect")])]);
  expect(entry?.conditions.at(-1)).toMatchObject({ type: "Warning", status: "True", reason: "Warnings" });
  expect(build([ancestor(0, [warn("NoEffect")])])[0]?.conditions.at(-1)).toMatchObject({ reason: "NoEffect" });
});

test("the last of 16 tells how many more there are", () => {
  const entries = build(Array.from({ length: 19 }, (_, index) => ancestor(index, index === 18 ? [conflict] : [])));
  expect(entries).toHaveLength(16);
  expect(entries[0]?.ancestorRef.name).toBe("gw-18");
  expect(entries.flatMap(({ conditions }) => conditions.filter(({ type }) => type === "Aggregated"))).toEqual([
    {
      type: "Aggregated",
      status: "True",
      reason: "Aggregated",
      message: "3 more ancestors are not listed, because a status holds 16.",
      observedGeneration: 3,
    },
  ]);
  expect(entries.at(-1)?.conditions.map(({ type }) => type)).toEqual(["Accepted", "ResolvedRefs", "Aggregated"]);
});
