import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { isBad } from "../../src/status/conditions.ts";
import type { ObjectStatus } from "../../src/status/render.ts";
import { apiReasons } from "./api-reasons.ts";
import { checklist, impossible } from "./checklist.ts";
import { GENERATION, runCase } from "./run-case.ts";

type Conditions = Extract<ObjectStatus, { readonly listeners: unknown }>["conditions"];

interface Seen {
  readonly kind: string;
  readonly object: string;
  readonly goldenCase: string;
  readonly condition: Conditions[number];
}

const folder = join(import.meta.dirname, "cases");
const suffix = ".in.yaml";
const cases = readdirSync(folder).flatMap((file) => (file.endsWith(suffix) ? [file.slice(0, -suffix.length)] : []));
const seen: readonly Seen[] = cases.flatMap((goldenCase) =>
  Object.entries(runCase(readFileSync(join(folder, `${goldenCase}${suffix}`), "utf8")).statuses).flatMap(
    ([object, status]) =>
      listConditions(object.slice(0, object.indexOf("/")), status).flatMap(([kind, conditions]) =>
        conditions.map((condition) => ({ kind, object, goldenCase, condition })),
      ),
  ),
);

/** Conditions of an object and of its parts, by kind. */
function listConditions(kind: string, status: ObjectStatus): [string, Conditions][] {
  if ("parents" in status) return status.parents.map(({ conditions }) => [kind, conditions]);
  if ("ancestors" in status) return status.ancestors.map(({ conditions }) => [kind, conditions]);
  const listeners = "listeners" in status ? status.listeners : [];
  return [
    [kind, status.conditions],
    ...listeners.map(({ conditions }): [string, Conditions] => [
      kind === "ListenerSet" ? "ListenerEntry" : "Listener",
      conditions,
    ]),
  ];
}

const describeCondition = ({ type, status, reason }: Conditions[number]) => `${type}=${status}/${reason}`;
const idOf = ({ kind, condition }: Seen) => `${kind} ${describeCondition(condition)}`;

describe.each(Object.keys(checklist))("%s", (kind) => {
  const rows = checklist[kind] ?? [];

  test.each(rows)("%s comes from %s and is shown by %s", (wanted, source, goldenCase) => {
    const shown = seen.filter((one) => one.kind === kind && one.goldenCase === goldenCase);
    expect(shown.map(({ condition }) => describeCondition(condition))).toContain(wanted);
    const path = join(import.meta.dirname, "../../src", source);
    expect(existsSync(path)).toBe(true);
    const reason = wanted.slice(wanted.indexOf("/") + 1);
    // Several reasons are joined where conditions are made, and come from several places.
    if (!reason.includes(",")) expect(readFileSync(path, "utf8")).toContain(`"${reason}"`);
  });

  test("has no other condition", () => {
    const listed = new Set(rows.map(([condition]) => condition));
    const found = new Set(seen.filter((one) => one.kind === kind).map(({ condition }) => describeCondition(condition)));
    expect([...found].filter((condition) => !listed.has(condition))).toEqual([]);
  });
});

test.each(Object.keys(checklist).filter((kind) => kind in apiReasons))(
  "every reason that Gateway API has for %s is shown",
  (kind) => {
    const withoutStatus = (condition: string) => condition.replace(/=\w+/, "");
    const shown = new Set((checklist[kind] ?? []).map(([condition]) => withoutStatus(condition)));
    const excused = new Set(Object.keys(impossible).map(withoutStatus));
    const missing = (apiReasons[kind] ?? []).filter(
      (reason) => !shown.has(reason) && !excused.has(`${kind} ${reason}`),
    );
    expect(missing).toEqual([]);
  },
);

test("what is called impossible is not seen", () => {
  expect(seen.map(idOf).filter((id) => id in impossible)).toEqual([]);
});

test("every condition observes the generation of its object", () => {
  // The objects of quickstart state generations of their own, and its output shows them.
  for (const { condition } of seen.filter(({ goldenCase }) => goldenCase !== "quickstart")) {
    expect(condition.observedGeneration).toBe(GENERATION);
  }
});

test("every message is a sentence, and a bad one says what to do unless Envoy is only awaited", () => {
  for (const { condition } of seen) {
    expect(condition.message).toMatch(/^\p{Lu}.*\.$/su);
    const awaited = ["Pending", "NoResources", "AddressNotAssigned"].includes(condition.reason);
    if (isBad(condition) && !awaited) expect(condition.message).toMatch(/; \p{Ll}/u);
  }
});

test("no message repeats its own object, and none a field twice for one problem", () => {
  for (const { object, condition } of seen) {
    const [kind, ...key] = object.split("/");
    if (!condition.message.startsWith("Envoy")) expect(condition.message).not.toContain(`${kind} ${key.join("/")}:`);
    const fields = condition.message.match(/(?<=Field )\S+/g) ?? [];
    expect(new Set(fields).size).toBe(fields.length);
  }
});
