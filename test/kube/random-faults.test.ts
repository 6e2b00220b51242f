import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { expiredStatus, type Fault, type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import type { FollowerReport } from "./follower-process.ts";
import { configMap } from "./input-world.ts";

// A machine that does other things as well takes its time.
jest.setTimeout(60_000);

/*
 * Faults of all sorts at random, one after another and on top of each other, while objects come, change and go. In the end the
 * follower must have what the server has, must have told every deletion, and its process must still be the same.
 */

const PATH = "/api/v1/namespaces/default/configmaps";
const STORM_MS = 15_000;
const NAMES = 60;

let server: ApiServer;
let proxy: FaultProxy;
let follower: ChildProcess;

beforeAll(async () => {
  server = await startApiServer();
  proxy = await startFaultProxy({ url: server.url, caCertificate: server.caCertificate, token: server.adminToken });
  follower = fork(fileURLToPath(new URL("./follower-process.ts", import.meta.url)), [proxy.url], { execArgv: [] });
}, 150_000);
afterAll(async () => {
  follower?.disconnect();
  await proxy?.close();
  await server?.stop();
});

function ask(): Promise<FollowerReport> {
  return new Promise((resolve, reject) => {
    if (!follower.connected) return reject(new Error(`the follower ended with ${follower.exitCode}`));
    follower.once("message", (report) => resolve(report as FollowerReport));
    follower.send("report");
  });
}

/** A small generator of numbers that can be had again: mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("nothing is lost in a storm of faults", async () => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
  const random = createRandom(seed);
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  for (let i = 0; i < NAMES; i++) await put(`once-${i}`, "first");
  await waitFor("the follower to be there", async () => Object.keys((await ask()).objects).length >= NAMES);
  const until = performance.now() + STORM_MS;
  const deleted = await Promise.all([edit(random, until), breakThings(random, pick, until)]).then(([names]) => names);
  proxy.intercept(undefined);
  try {
    await waitFor("the follower to have what the server has", async () => {
      const { items } = await server.rest.json<{ items: ListItem[] }>(PATH);
      const there = items.map(({ metadata, data }) => [`default/${metadata.name}`, `${metadata.uid} ${data?.value}`]);
      expect((await ask()).objects).toEqual(Object.fromEntries(there));
      return true;
    });
    const report = await ask();
    const told = new Set(report.deletions);
    expect(deleted.length).toBeGreaterThan(5);
    expect(deleted.filter((name) => !told.has(`configMaps default/${name}`))).toEqual([]);
    expect(report.synced).toBe(1);
  } catch (error) {
    throw new Error(`with SEED=${seed}`, { cause: error });
  }
  expect(follower.exitCode).toBeNull();
});

interface ListItem {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly data?: { readonly value?: string };
}

const put = (name: string, value: string) =>
  server.rest.json(`${PATH}/${name}?fieldManager=test&force=true`, {
    method: "PATCH",
    contentType: "application/apply-patch+yaml",
    body: configMap(name, value),
  });

/**
 * Creates, changes and deletes at random; resolves with the names that were deleted for good. The follower has had all of these,
 * so it has to tell; one that comes back in the same gap is a change.
 */
async function edit(random: () => number, until: number): Promise<readonly string[]> {
  const deleted: string[] = [];
  for (let count = 0; performance.now() < until; count++) {
    const index = Math.floor(random() * NAMES);
    const name = random() < 0.1 ? `once-${index}` : `again-${index}`;
    if (random() < 0.3) {
      const { status } = await server.rest.ask(`${PATH}/${name}`, { method: "DELETE" });
      if (status === 200 && name.startsWith("once")) deleted.push(name);
    } else if (!deleted.includes(name)) await put(name, String(count));
    await pause(10);
  }
  return deleted;
}

async function breakThings(random: () => number, pick: <T>(choices: readonly T[]) => T, until: number): Promise<void> {
  const status = (code: number, headers = {}): Fault => ({ status: code, headers, body: { kind: "Status", code } });
  const answers: readonly Fault[] = [
    ...[500, 503, 404, 401, 403].map((code) => status(code)),
    status(429, { "retry-after": "1" }),
    { status: 410, body: expiredStatus },
    { status: 200, body: "<html>" },
    "reset",
  ];
  await pause(500);
  while (performance.now() < until) {
    const watch = proxy.watches("configmaps")[0];
    const fault = pick(["cut", "freeze", "reset", "end", "gone", "garbage", "answers", "answers", "down"] as const);
    if (fault === "cut") watch?.cutNextLine();
    else if (fault === "freeze") watch?.freeze();
    else if (fault === "reset") watch?.reset();
    else if (fault === "end") watch?.end();
    else if (fault === "gone") watch?.forge({ type: "ERROR", object: expiredStatus });
    else if (fault === "garbage") watch?.forge({ type: "ADDED", object: { metadata: {} } });
    else if (fault === "answers") {
      const answer = pick(answers);
      const share = random();
      proxy.intercept(() => (Math.random() < share ? answer : undefined));
      if (random() < 0.5) watch?.reset();
      await pause(random() * 400);
      proxy.intercept(undefined);
    } else {
      await proxy.down();
      await pause(random() * 300);
      await proxy.up();
    }
    await pause(random() * 200);
  }
}
