import { describe, expect, test } from "@jest/globals";
import { type Condition, formatMessage, isBad, judge, judgeExtra, mergeConditions } from "./conditions.ts";

describe("a message", () => {
  test.each([
    ["", ""],
    ["  the port is taken ", "The port is taken."],
    ["Is it so?", "Is it so?"],
    ["Done.", "Done."],
    ["éa", "Éa."],
  ])("%j reads %j", (text, expected) => {
    expect(formatMessage(text)).toBe(expected);
  });

  test.each(["x".repeat(40_000), "€".repeat(40_000), `x${"😀".repeat(20_000)}`])("is cut to 32768 bytes", (text) => {
    const message = formatMessage(text);
    const bytes = Buffer.byteLength(message);
    expect(bytes).toBeLessThanOrEqual(32_768);
    expect(bytes).toBeGreaterThan(32_760);
    expect(message.endsWith(" (message truncated).")).toBe(true);
    expect(message.isWellFormed()).toBe(true);
  });

  test("that just fits is left alone", () => {
    expect(formatMessage(`${"X".repeat(32_767)}.`)).toHaveLength(32_768);
  });
});

const good = { reason: "Fine", message: "all is well" };

describe("a verdict", () => {
  test("without problems is the good one", () => {
    expect(judge("Accepted", [], good, 3)).toEqual({
      type: "Accepted",
      status: "True",
      reason: "Fine",
      message: "All is well.",
      observedGeneration: 3,
    });
  });

  test("of one type minds problems of that type only, each reason and message once", () => {
    const problems = [
      { condition: "ResolvedRefs", reason: "BackendNotFound", message: "a is missing" },
      { condition: "Accepted", reason: "Other", message: "not this" },
      { condition: "ResolvedRefs", reason: "RefNotPermitted", message: "b is not yours" },
      { condition: "ResolvedRefs", reason: "BackendNotFound", message: "a is missing" },
    ];
    expect(judge("ResolvedRefs", problems, good, 1)).toMatchObject({
      status: "False",
      reason: "BackendNotFound,RefNotPermitted",
      message: "A is missing. B is not yours.",
    });
  });

  test.each(["Conflicted", "OverlappingTLSConfig", "PartiallyInvalid", "RouteRulesOverlap"])(
    "of %s is bad when True",
    (type) => {
      const bad = judge(type, [{ condition: type, reason: "R", message: "m" }], good, 1);
      const fine = judge(type, [], good, 1);
      expect([bad.status, isBad(bad), fine.status, isBad(fine)]).toEqual(["True", true, "False", false]);
    },
  );

  test("without a generation, as in files, observes none", () => {
    expect(judge("Accepted", [], good, undefined)).not.toHaveProperty("observedGeneration");
  });

  test("of an extra type is there only when it is bad", () => {
    const problems = [{ condition: "Programmed", reason: "Invalid", message: "refused" }];
    expect(judgeExtra(["PartiallyInvalid", "Programmed"], problems, 1).map(({ type }) => type)).toEqual(["Programmed"]);
  });
});

describe("merging with what stands", () => {
  const then = "2026-01-01T00:00:00Z";
  const now = "2026-02-02T00:00:00Z";
  const condition = (type: string, status: "True" | "False", reason = "R"): Condition => ({
    type,
    status,
    reason,
    message: "M.",
    observedGeneration: 1,
    lastTransitionTime: then,
  });
  const owned = new Set(["Accepted", "PartiallyInvalid"]);
  const desired = (status: "True" | "False", reason = "R") => {
    const { lastTransitionTime: _, ...rest } = condition("Accepted", status, reason);
    return [{ ...rest, observedGeneration: 2 }];
  };

  test("the time moves only when the status flips", () => {
    const stands = [condition("Accepted", "True")];
    expect(mergeConditions(stands, desired("True", "Other"), owned, now)).toEqual([
      { ...condition("Accepted", "True", "Other"), observedGeneration: 2 },
    ]);
    expect(mergeConditions(stands, desired("False"), owned, now)[0]?.lastTransitionTime).toBe(now);
    expect(mergeConditions([], desired("True"), owned, now)[0]?.lastTransitionTime).toBe(now);
  });

  test("conditions of others stay, ours that are no longer wanted go", () => {
    const stands = [
      condition("example.com/Theirs", "True"),
      condition("PartiallyInvalid", "True"),
      condition("Accepted", "True"),
    ];
    const merged = mergeConditions(stands, desired("True"), owned, now);
    expect(merged.map(({ type }) => type)).toEqual(["Accepted", "example.com/Theirs"]);
    expect(merged[1]).toBe(stands[0]);
  });
});
