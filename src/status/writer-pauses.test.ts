import { expect, test } from "@jest/globals";
import { createPauses } from "./writer-pauses.ts";
import { createPostponed } from "./writer-postponed.ts";

const limits = { first: 100, max: 1_000 };

test("a pause doubles while the trouble goes on, up to a bound, and starts anew after it has been quiet", () => {
  const pauses = createPauses();
  let now = 0;
  const lengths: number[] = [];
  for (let i = 0; i < 6; i++) {
    pauses.extend("a", limits, now);
    const until = pauses.until("a", now)!;
    lengths.push(until - now);
    now = until;
  }
  expect(lengths).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  now += 1_001;
  pauses.extend("a", limits, now);
  expect(pauses.until("a", now)).toBe(now + 100);
});

test("while a pause lasts, more of the same does not lengthen it", () => {
  const pauses = createPauses();
  for (let now = 0; now < 50; now++) pauses.extend("a", limits, now);
  expect(pauses.until("a", 50)).toBe(100);
  expect(pauses.until("a", 100)).toBeUndefined();
});

test("the server's own wish counts beyond the bound, but does not lengthen later pauses", () => {
  const pauses = createPauses();
  pauses.extend("a", limits, 0, 5_000);
  expect(pauses.until("a", 0)).toBe(5_000);
  pauses.extend("a", limits, 5_000);
  expect(pauses.until("a", 5_000)).toBe(6_000);
  pauses.clear("a");
  pauses.extend("a", limits, 5_000);
  expect(pauses.until("a", 5_000)).toBe(5_100);
});

test("keys come when their time has come, in any order of adding, and not when removed", async () => {
  const due: string[] = [];
  const postponed = createPostponed((key) => void due.push(key));
  const now = performance.now();
  postponed.add("late", { since: 1, until: now + 60 });
  postponed.add("early", { since: 2, until: now + 20 });
  postponed.add("removed", { since: 3, until: now + 20 });
  postponed.add("moved", { since: 4, until: now + 10 });
  postponed.add("moved", { since: 5, until: now + 90 });
  expect(postponed.remove("removed")).toBe(3);
  await new Promise((resolve) => setTimeout(resolve, 130));
  expect(due).toEqual(["early", "late", "moved"]);
  expect(postponed.size).toBe(0);
});
