import { afterAll, afterEach, beforeAll, expect, jest, test } from "@jest/globals";
import { silentLogger } from "../../src/base/log.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import {
  type Election,
  type ElectionClock,
  type ElectionTiming,
  type Leadership,
  startElection,
} from "../../src/kube/leader-election.ts";
import { leases } from "../../src/kube/lease.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import { connectTo } from "./input-world.ts";

// A machine that does other things as well takes its time.
jest.setTimeout(60_000);

let server: ApiServer;
let lease = "";
let count = 0;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  server = await startApiServer();
}, 150_000);
afterAll(() => server?.stop());
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const timing: ElectionTiming = { leaseMilliseconds: 2000, renewDeadlineMilliseconds: 1200, retryMilliseconds: 150 };

/** A process that wants to lead, with a network of its own, and what happened to it. */
interface Candidate {
  readonly election: Election;
  readonly proxy: FaultProxy;
  readonly client: KubeClient;
  /** `elected` and `lost`, with the time of each. */
  readonly story: readonly { readonly what: "elected" | "lost"; readonly at: number }[];
  leadership(): Leadership | undefined;
}

interface CandidateOptions {
  readonly clock?: ElectionClock;
  /** How long the end of a leadership takes. */
  readonly windUpMs?: number;
}

async function join(identity: string, { clock, windUpMs = 0 }: CandidateOptions = {}): Promise<Candidate> {
  const proxy = await startFaultProxy({
    url: server.url,
    caCertificate: server.caCertificate,
    token: server.adminToken,
  });
  const client = connectTo({ url: proxy.url });
  const story: { what: "elected" | "lost"; at: number }[] = [];
  let leadership: Leadership | undefined;
  const election = startElection({
    client,
    namespace: "default",
    name: lease,
    identity,
    timing,
    log: silentLogger,
    ...(clock && { clock }),
    onElected(given) {
      leadership = given;
      story.push({ what: "elected", at: performance.now() });
    },
    async onLost() {
      if (windUpMs > 0) await pause(windUpMs);
      story.push({ what: "lost", at: performance.now() });
    },
  });
  closers.push(async () => {
    await election.stop();
    await client.close();
    await proxy.close();
  });
  return { election, proxy, client, story, leadership: () => leadership };
}

const elected = (candidate: Candidate) => waitFor("an election", () => candidate.election.leading);
const last = (candidate: Candidate, what: "elected" | "lost") =>
  candidate.story.findLast((event) => event.what === what)?.at ?? Number.NaN;

test("one of several leads, and when it stops in order another follows at once", async () => {
  lease = `lease-${count++}`;
  const first = await join("first", { windUpMs: 100 });
  await elected(first);
  const others = [await join("second"), await join("third")];
  await pause(timing.leaseMilliseconds + 500);
  expect(others.map(({ election }) => election.leading)).toEqual([false, false]);
  expect(others.map(({ election }) => election.leader)).toEqual(["first", "first"]);
  const begin = performance.now();
  await first.election.stop();
  expect(first.leadership()?.signal.aborted).toBe(true);
  const next = await waitFor("a successor", () => others.find(({ election }) => election.leading));
  expect(performance.now() - begin).toBeLessThan(1000);
  // Writes had ended before another could begin.
  expect(last(first, "lost")).toBeLessThan(last(next, "elected"));
  await pause(timing.leaseMilliseconds);
  expect(others.filter(({ election }) => election.leading)).toHaveLength(1);
});

test("a leader that is cut off stops leading before another begins, and can lead again", async () => {
  lease = `lease-${count++}`;
  const first = await join("first");
  await elected(first);
  const second = await join("second");
  await pause(500);
  const cut = performance.now();
  await first.proxy.down();
  await elected(second);
  const gap = last(second, "elected") - last(first, "lost");
  expect(gap).toBeGreaterThan((timing.leaseMilliseconds - timing.renewDeadlineMilliseconds) / 2);
  expect(last(second, "elected") - cut).toBeLessThan(timing.leaseMilliseconds + 1500);
  expect(first.leadership()?.holds()).toBe(false);
  await first.proxy.up();
  await second.election.stop();
  await elected(first);
  expect(first.story.map(({ what }) => what)).toEqual(["elected", "lost", "elected"]);
});

test("a server that does not answer is as bad as none, and one hiccup is nothing", async () => {
  lease = `lease-${count++}`;
  const only = await join("only");
  await elected(only);
  let left = 2;
  only.proxy.intercept(() => (left-- > 0 ? { status: 503 } : undefined));
  await pause(timing.renewDeadlineMilliseconds + 500);
  expect(only.story).toHaveLength(1);
  const begin = performance.now();
  only.proxy.intercept(() => "silence");
  await waitFor("the end of the leadership", () => only.story.length === 2);
  expect(last(only, "lost") - begin).toBeLessThan(timing.renewDeadlineMilliseconds + 200);
  only.proxy.intercept(undefined);
  await elected(only);
});

test.each(["1970-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"])(
  "a lease that another clock dates %s is judged by how long we have seen it unchanged",
  async (renewTime) => {
    lease = `lease-${count++}`;
    const body = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: lease },
      spec: { holderIdentity: "elsewhere", leaseDurationSeconds: 2, renewTime, acquireTime: renewTime },
    };
    await server.rest.json("/apis/coordination.k8s.io/v1/namespaces/default/leases", { method: "POST", body });
    const begin = performance.now();
    const candidate = await join("here");
    await elected(candidate);
    expect(performance.now() - begin).toBeGreaterThan(2000);
    expect(performance.now() - begin).toBeLessThan(3500);
    const written = await candidate.client.get(leases, { namespace: "default", name: lease });
    expect(written).toMatchObject({ value: { spec: { holderIdentity: "here", leaseTransitions: 1 } } });
  },
);

test("a machine that slept does not wake up as a leader", async () => {
  lease = `lease-${count++}`;
  let slept = 0;
  // Linux's monotonic clock stands still while the machine sleeps; the time of day does not.
  const clock = { monotonic: () => performance.now(), wall: () => Date.now() + slept };
  const sleeper = await join("sleeper", { clock });
  await elected(sleeper);
  const leadership = sleeper.leadership();
  slept = 3_600_000;
  expect(leadership?.holds()).toBe(false);
  await waitFor("the end of that leadership", () => leadership?.signal.aborted);
});

test("a lease that is deleted is put back by its leader, and nobody else takes it meanwhile", async () => {
  lease = `lease-${count++}`;
  const first = await join("first");
  await elected(first);
  const second = await join("second");
  await waitFor("the other to see the leader", () => second.election.leader === "first");
  for (let times = 0; times < 3; times++) {
    await server.rest.json(`/apis/coordination.k8s.io/v1/namespaces/default/leases/${lease}`, { method: "DELETE" });
    await pause(400);
  }
  expect(first.story.map(({ what }) => what)).toEqual(["elected"]);
  expect(second.story).toEqual([]);
});

test("a leader whose lease was taken stops at its next look", async () => {
  lease = `lease-${count++}`;
  const robbed = await join("robbed");
  await elected(robbed);
  const path = `/apis/coordination.k8s.io/v1/namespaces/default/leases/${lease}`;
  const body = { spec: { holderIdentity: "robber", leaseDurationSeconds: 60 } };
  await server.rest.json(path, { method: "PATCH", contentType: "application/merge-patch+json", body });
  await waitFor("the end of the leadership", () => robbed.story.length === 2, 1000);
  expect(robbed.election.leader).toBe("robber");
});
