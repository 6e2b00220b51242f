import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { DesiredCondition } from "./conditions.ts";
import {
  type DesiredEntry,
  entriesOf,
  fitEntries,
  isOwn,
  mergeEntries,
  NO_PRINT,
  printOf,
  type StandingEntry,
} from "./writer-entries.ts";
import { ENTRIES_MAX } from "./writer-kinds.ts";

const ours = ["gatehouse.dev/a", "gatehouse.dev/b"];
const THEN = "2026-01-01T00:00:00Z";
const NOW = "2026-06-01T00:00:00Z";

const condition: fc.Arbitrary<DesiredCondition> = fc.record({
  type: fc.constantFrom("Accepted", "ResolvedRefs"),
  status: fc.constantFrom("True", "False"),
  reason: fc.constantFrom("Good", "Bad"),
  message: fc.constantFrom("", "a message"),
  observedGeneration: fc.nat(3),
});
const conditions = fc.uniqueArray(condition, { selector: ({ type }) => type, minLength: 1 });
const reference = fc.record({ name: fc.constantFrom("g1", "g2", "g3"), sectionName: fc.constantFrom("http", "https") });
const entryOf = (controllers: readonly string[]): fc.Arbitrary<DesiredEntry> =>
  fc.record({ parentRef: reference, controllerName: fc.constantFrom(...controllers), conditions });
const stood = (entry: DesiredEntry): StandingEntry => ({
  ...entry,
  conditions: entry.conditions.map((one) => ({ ...one, lastTransitionTime: THEN })),
});
const own = fc.uniqueArray(entryOf(ours), { selector: (entry) => printOf([entry["parentRef"], entry.controllerName]) });
const standing = fc.array(fc.oneof(entryOf(ours), entryOf(["example.com/other"])), { maxLength: 30 });

test("a merged list holds the entries of others untouched, and ours so that nothing is left to write", () => {
  fc.assert(
    fc.property(standing, own, fc.constantFrom("parents" as const, "ancestors" as const), (before, wanted, list) => {
      const list0 = before.map(stood).filter((entry, index) => isOwn(entry, ours) || index < ENTRIES_MAX[list]);
      const foreign = list0.filter((entry) => !isOwn(entry, ours));
      const merged = mergeEntries(list0, wanted, list, ours, NOW);
      expect(merged.filter((entry) => !isOwn(entry, ours))).toEqual(foreign);
      expect(merged.length).toBeLessThanOrEqual(Math.max(ENTRIES_MAX[list], foreign.length));
      const now = merged.filter((entry) => isOwn(entry, ours));
      expect(printOf(now)).toBe(printOf(fitEntries(wanted, list, foreign.length)));
      expect(mergeEntries(merged, wanted, list, ours, "later")).toEqual(merged);
    }),
    { numRuns: 500 },
  );
});

test("the time of a condition changes when its status flips, and only then", () => {
  const entry = (status: "True" | "False", message: string): DesiredEntry => ({
    parentRef: { name: "g" },
    controllerName: ours[0]!,
    conditions: [{ type: "Accepted", status, reason: "R", message, observedGeneration: 2 }],
  });
  const merge = (to: DesiredEntry) => mergeEntries([stood(entry("True", "as it was"))], [to], "parents", ours, NOW);
  const [same] = merge(entry("True", "another message"));
  expect(same?.conditions).toEqual([
    {
      type: "Accepted",
      status: "True",
      reason: "R",
      message: "another message",
      observedGeneration: 2,
      lastTransitionTime: THEN,
    },
  ]);
  const [flipped] = merge(entry("False", "as it was"));
  expect(flipped?.conditions?.[0]?.lastTransitionTime).toBe(NOW);
});

test("a reference that the API server completes is the same reference", () => {
  const desired: DesiredEntry = {
    parentRef: { name: "g" },
    controllerName: ours[0]!,
    conditions: [{ type: "Accepted", status: "True", reason: "R", message: "" }],
  };
  const completed = { ...desired, parentRef: { group: "gateway.networking.k8s.io", kind: "Gateway", name: "g" } };
  expect(printOf([completed])).toBe(printOf([desired]));
  const [merged] = mergeEntries([stood(completed)], [desired], "parents", ours, NOW);
  expect(merged?.conditions?.[0]?.lastTransitionTime).toBe(THEN);
  const listenerSet = { ...completed, parentRef: { ...completed.parentRef, kind: "ListenerSet" } };
  expect(printOf([listenerSet])).not.toBe(printOf([desired]));
});

const policyEntry = (name: string, accepted: "True" | "False"): DesiredEntry => ({
  ancestorRef: { name },
  controllerName: ours[0]!,
  conditions: [{ type: "Accepted", status: accepted, reason: "R", message: "", observedGeneration: 7 }],
});

test("what does not fit is counted by the last entry, and entries that are not accepted are kept first", () => {
  const many = Array.from({ length: 20 }, (_, i) => policyEntry(`g${i}`, i === 19 ? "False" : "True"));
  const fitted = fitEntries(many, "ancestors", 3);
  expect(fitted).toHaveLength(13);
  expect(fitted[0]?.["ancestorRef"]).toEqual({ name: "g19" });
  expect(fitted[12]?.conditions).toEqual([
    { type: "Accepted", status: "True", reason: "R", message: "", observedGeneration: 7 },
    {
      type: "Aggregated",
      status: "True",
      reason: "Aggregated",
      message: "7 more ancestors are not listed, because a status holds 16 of all controllers.",
      observedGeneration: 7,
    },
  ]);
  expect(fitEntries(many.slice(0, 13), "ancestors", 3)).toEqual(many.slice(0, 13));
  expect(fitEntries(many, "ancestors", 16)).toEqual([]);
});

test("prints differ when content differs, and not by order, times or emptiness", () => {
  const a = { conditions: [{ type: "A", status: "True", lastTransitionTime: THEN }, { type: "B" }], listeners: [] };
  const b = { conditions: [{ type: "B" }, { status: "True", type: "A", lastTransitionTime: NOW }] };
  expect(printOf(a)).toBe(printOf(b));
  expect(printOf({ ...b, addresses: [{ value: "10.0.0.1" }] })).not.toBe(printOf(b));
  expect(printOf({ text: "1" })).not.toBe(printOf({ text: 1 }));
  for (const nothing of [undefined, {}, { parents: [] }, []]) expect(printOf(nothing)).toBe(NO_PRINT);
  expect(printOf({ attachedRoutes: 0 })).not.toBe(NO_PRINT);
});

test("an object without a status has no entries", () => {
  expect(entriesOf(undefined, "parents")).toEqual([]);
  expect(entriesOf({ parents: null }, "parents")).toEqual([]);
});
