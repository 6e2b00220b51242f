import { expect, test } from "@jest/globals";
import { type CommitReport, Graph, type Source } from "./graph.ts";
import {
  createScheduler,
  maximumPauseMilliseconds,
  maximumRestMilliseconds,
  minimumRestMilliseconds,
  pauseStepMilliseconds,
  sliceMilliseconds,
} from "./scheduler.ts";

/** A clock and an event loop that run by hand. Each key that a transform computes takes `costMilliseconds`. */
function simulate(costMilliseconds: number, synced = true, isBehind: () => boolean = () => false) {
  let time = 0;
  let due: { at: number; callback: () => void }[] = [];
  const enqueue = (callback: () => void, milliseconds: number) => {
    const entry = { at: time + milliseconds, callback };
    due.push(entry);
    return () => {
      due = due.filter((other) => other !== entry);
    };
  };
  const graph = new Graph({ now: () => time });
  const source = graph.source<number>("source");
  graph.map("slow", source, (value) => {
    time += costMilliseconds;
    return value;
  });
  const limits = graph.source<number>("limits");
  limits.markSynced();
  const behind = { behind: [limits], keys: 2 };
  graph.pacedMap("paced", source, (_value, _key, read) => read.get(limits, "limit"), behind);
  if (synced) source.markSynced();
  const commits: { at: number; runs: number }[] = [];
  const extra: { onCommit?: (report: CommitReport) => void } = {};
  const scheduler = createScheduler({
    graph,
    onCommit: (report) => {
      commits.push({ at: time, runs: report.runs.get("slow") ?? 0 });
      extra.onCommit?.(report);
    },
    isBehind,
    now: () => time,
    setImmediate: (callback) => enqueue(callback, 0),
    setTimer: enqueue,
  });
  /** Runs the next callback of the loop; false when there is none. */
  const turn = (): boolean => {
    const next = due.toSorted((a, b) => a.at - b.at)[0];
    if (next === undefined) return false;
    due = due.filter((other) => other !== next);
    time = Math.max(time, next.at);
    next.callback();
    return true;
  };
  const pass = (milliseconds: number) => {
    time += milliseconds;
  };
  const fill = (count: number) => {
    for (let i = 0; i < count; i += 1) source.set(`${i}`, time + i);
  };
  return { graph, source, limits, scheduler, commits, extra, turn, fill, nextAt: () => due[0]?.at, pass };
}

test("a lone edit commits in the next turn, with all that is staged in this one", () => {
  const { source, scheduler, commits, turn } = simulate(0);
  source.set("a", 1);
  scheduler.notify();
  source.set("b", 1);
  scheduler.notify();
  expect(commits).toEqual([]);
  expect(turn()).toBe(true);
  expect(commits).toEqual([{ at: 0, runs: 2 }]);
  expect(turn()).toBe(false);
});

test.each([
  ["a cheap commit", 0, minimumRestMilliseconds],
  ["a commit", 7, 7],
  ["a costly commit", 1000, maximumRestMilliseconds],
])("after %s the next one waits as long as it took, within bounds", (_name, cost, rest) => {
  const { source, scheduler, commits, turn, nextAt } = simulate(cost);
  source.set("a", 1);
  scheduler.notify();
  while (turn());
  for (let value = 2; value < 5; value += 1) {
    source.set("a", value);
    scheduler.notify();
  }
  expect(nextAt()).toBe(cost + rest);
  while (turn());
  source.set("a", 5);
  scheduler.notify();
  while (turn());
  expect(commits).toEqual([
    { at: cost, runs: 1 },
    { at: 2 * cost + rest, runs: 1 },
    { at: 3 * cost + 2 * rest, runs: 1 },
  ]);
});

test("an edit after the rest is over commits at once", () => {
  const { source, scheduler, commits, turn, pass } = simulate(10);
  source.set("a", 1);
  scheduler.notify();
  while (turn());
  pass(10);
  source.set("a", 2);
  scheduler.notify();
  while (turn());
  expect(commits.map((commit) => commit.at)).toEqual([10, 10 + 10 + 10]);
});

test("a long commit is sliced, other work goes between, and its rest follows the sum of the slices", () => {
  const { scheduler, commits, turn, fill, nextAt } = simulate(5);
  fill(10);
  scheduler.notify();
  let turns = 0;
  while (commits.length === 0) {
    turn();
    turns += 1;
  }
  expect(turns).toBe((10 * 5) / sliceMilliseconds + 1);
  scheduler.notify();
  expect(nextAt()).toBe(50 + 50);
});

test("what is staged during a sliced commit is the next commit", () => {
  const { source, scheduler, commits, turn, fill } = simulate(5);
  fill(10);
  scheduler.notify();
  turn();
  source.set("late", 1);
  scheduler.notify();
  while (turn());
  expect(commits.map((commit) => commit.runs)).toEqual([10, 1]);
});

test("keys that lag are committed without rests, and wait a while for who takes the outcome", () => {
  let isBusy = false;
  const { source, limits, scheduler, commits, turn, fill } = simulate(10, true, () => isBusy);
  fill(5);
  scheduler.notify();
  while (turn());
  const start = commits.at(-1)!.at + maximumRestMilliseconds;
  commits.length = 0;
  limits.set("limit", 1);
  scheduler.notify();
  while (turn());
  // The edit itself, and five keys in shares of two.
  expect(commits.map(({ at }) => at - start)).toEqual([-50, -50, -50, -50]);
  commits.length = 0;

  isBusy = true;
  limits.set("limit", 2);
  scheduler.notify();
  while (commits.length === 0) turn();
  const edited = commits[0]!.at;
  while (commits.length === 1) turn();
  const [waited] = commits.slice(1);
  expect(waited!.at - edited).toBeGreaterThanOrEqual(maximumPauseMilliseconds);
  expect(waited!.at - edited).toBeLessThan(maximumPauseMilliseconds + pauseStepMilliseconds);
  // An edit does not wait, nor does anything when nobody is busy.
  source.set("new", 1);
  scheduler.notify();
  turn();
  turn();
  expect(commits.at(-1)).toMatchObject({ runs: 1 });
  isBusy = false;
  const end = commits.at(-1)!.at;
  while (turn());
  expect(commits.at(-1)!.at - end).toBeLessThanOrEqual(pauseStepMilliseconds);
});

test("what is staged by who is told of a commit is committed without another notification", () => {
  const { source, scheduler, commits, extra, turn } = simulate(0);
  extra.onCommit = () => {
    if (commits.length === 1) source.set("answer", 1);
  };
  source.set("a", 1);
  scheduler.notify();
  while (turn());
  expect(commits.map((commit) => commit.runs)).toEqual([1, 1]);
});

test("before all sources have synced nothing is reported and nothing spins", () => {
  const { source, scheduler, commits, turn } = simulate(0, false);
  source.set("a", 1);
  scheduler.notify();
  while (turn());
  expect(commits).toEqual([]);
  source.markSynced();
  scheduler.notify();
  while (turn());
  expect(commits).toEqual([{ at: minimumRestMilliseconds, runs: 1 }]);
});

test("the first commit is reported even when all sources are empty", () => {
  const { scheduler, commits, turn } = simulate(0);
  scheduler.notify();
  while (turn());
  expect(commits).toEqual([{ at: 0, runs: 0 }]);
});

test("stop ends it between slices, and a later notification starts nothing", async () => {
  const { scheduler, commits, turn, fill } = simulate(5);
  fill(10);
  scheduler.notify();
  turn();
  const idle = scheduler.idle();
  scheduler.stop();
  await idle;
  scheduler.notify();
  expect(turn()).toBe(false);
  expect(commits).toEqual([]);
});

test("stop inside the report of a commit lets nothing follow", () => {
  const { source, scheduler, commits, extra, turn } = simulate(0);
  extra.onCommit = () => {
    source.set("answer", 1);
    scheduler.notify();
    scheduler.stop();
  };
  source.set("a", 1);
  scheduler.notify();
  while (turn());
  expect(commits).toHaveLength(1);
});

test("a report that throws does not end the scheduling", () => {
  const { source, scheduler, commits, extra, turn } = simulate(0);
  extra.onCommit = () => {
    throw new Error("consumer");
  };
  source.set("a", 1);
  scheduler.notify();
  expect(turn).toThrow("consumer");
  source.set("a", 2);
  scheduler.notify();
  expect(turn).toThrow("consumer");
  expect(commits).toHaveLength(2);
});

test("with the real event loop, idle resolves after everything staged before has been committed", async () => {
  const graph = new Graph();
  const source: Source<number> = graph.source<number>("source");
  source.markSynced();
  const copy = graph.map("copy", source, (value) => value);
  const scheduler = createScheduler({ graph, onCommit: () => {} });
  await scheduler.idle();
  source.set("a", 1);
  scheduler.notify();
  await scheduler.idle();
  expect(copy.get("a")).toBe(1);
  source.set("a", 2);
  scheduler.notify();
  await scheduler.idle();
  expect(copy.get("a")).toBe(2);
  scheduler.stop();
});
