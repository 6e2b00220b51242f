import { expect, test } from "@jest/globals";
import type { ApiError } from "./api-error.ts";
import { countFailure, createSharedWaits, noFailures, totalOf } from "./back-off.ts";

const error = (status: number, more: Partial<ApiError> = {}): ApiError => ({
  reason: status === 410 ? "Expired" : "Unavailable",
  status,
  subject: "",
  message: "",
  causes: [],
  ...more,
});
const longest = () => 1;

test("waits double up to a bound, and each sort of failure counts for itself", () => {
  const failures = noFailures();
  const unreachable = Array.from({ length: 6 }, () => countFailure(failures, error(0), longest));
  expect(unreachable).toEqual([100, 200, 400, 800, 1000, 1000]);
  // Reachable again, but not yet well.
  expect(countFailure(failures, error(503), longest)).toBe(100);
  expect(countFailure(failures, error(410), longest)).toBe(100);
  const refused = Array.from({ length: 8 }, () => countFailure(failures, error(500), longest));
  expect(refused.at(-1)).toBe(10_000);
  expect(totalOf(failures)).toBe(16);
  expect(countFailure(noFailures(), error(500), () => 0)).toBe(50);
});

test("what the server asks for is the least", () => {
  const asked = error(429, { reason: "TooManyRequests", retryAfterMilliseconds: 5000 });
  expect(countFailure(noFailures(), asked, () => 0)).toBe(5000);
  expect(countFailure(noFailures(), asked, longest)).toBe(6000);
});

test("a server that is starting is asked again sooner than it says, so many times", () => {
  const failures = noFailures();
  const starting = error(503, { retryAfterMilliseconds: 5000 });
  const waits = Array.from({ length: 21 }, () => countFailure(failures, starting, longest));
  expect(waits.slice(0, 6)).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect(waits.slice(-2)).toEqual([1000, 6000]);
  expect(totalOf(failures)).toBe(21);
});

test("a success after a failure ends the others' waits, but not those that the server asked for", async () => {
  const waits = createSharedWaits(() => 0);
  const giveUp = new AbortController();
  const ended: string[] = [];
  const wait = (name: string, firm: boolean) =>
    waits.wait(60_000, { firm, signal: giveUp.signal }).then(() => ended.push(name));
  const firm = wait("firm", true);
  const soft = wait("soft", false);
  waits.succeeded();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(ended).toEqual([]);
  waits.failed();
  waits.succeeded();
  await soft;
  expect(ended).toEqual(["soft"]);
  // Not again so soon.
  const later = wait("later", false);
  waits.failed();
  waits.succeeded();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(ended).toEqual(["soft"]);
  giveUp.abort();
  await Promise.all([firm, later]);
});
