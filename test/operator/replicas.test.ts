import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startLoad } from "../harness/load.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { quickstart, START_LIMIT_MS, STEP_LIMIT_MS, SYSTEM, startWorld, type World } from "./world.ts";

/**
 * Replicas come, go and are replaced, and the API server is away, while clients send 200 requests a second: none of them fails, no
 * Envoy is sent anything, and no status is written, because nothing has changed.
 */

const CONTROL_PLANE = "app.kubernetes.io/name=gatehouse,app.kubernetes.io/component=control-plane";
/** After an event, for what it might still bring about. */
const AFTERMATH_MS = 5_000;
const AWAY_MS = 60_000;

let world: World;
let address = "";

interface Pod {
  readonly name: string;
  readonly ip: string;
  readonly restarts: number;
}

/** Replicas that run and are not about to end, with their figures. */
interface Replica extends Pod {
  readonly leads: boolean;
  /** Open xDS streams; Envoy has one. */
  readonly streams: number;
  readonly sent: number;
  /** Other replicas that tell this one of their Envoys. */
  readonly heard: number;
}

async function pods(selector: string): Promise<Pod[]> {
  const { items } = JSON.parse(await world.kubectl("get", "pods", "-n", SYSTEM, "-l", selector, "-o", "json"));
  return items
    .filter(({ metadata, status }: never) => !metadata["deletionTimestamp"] && status["phase"] === "Running")
    .map(({ metadata, status }: { metadata: { name: string }; status: { podIP: string; containerStatuses: [] } }) => {
      const restarts = status.containerStatuses.reduce((sum, { restartCount }) => sum + restartCount, 0);
      return { name: metadata.name, ip: status.podIP, restarts };
    });
}

async function replicas(): Promise<Replica[]> {
  return Promise.all((await pods(CONTROL_PLANE)).map(readFigures));
}

async function readFigures(pod: Pod): Promise<Replica> {
  const text = await (await fetch(`http://${pod.ip}:19001/metrics`, { signal: AbortSignal.timeout(2_000) })).text();
  const figure = (start: string) => {
    const line = text.split("\n").find((each) => each.startsWith(start));
    return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(" ") + 1));
  };
  return {
    ...pod,
    leads: figure("gatehouse_leader") === 1,
    streams: figure("gatehouse_xds_streams"),
    sent: figure("gatehouse_xds_resources_sent_total"),
    heard: figure('gatehouse_other_replicas{heard="true"}'),
  };
}

/** So many replicas that hear each other, one of them leads, and Envoy is connected to one. */
const untilWhole = (count: number) =>
  waitFor(
    `${count} replicas, a leader and Envoy's stream`,
    async () => {
      const all = await replicas();
      const whole = all.length === count && all.every(({ heard }) => heard === count - 1);
      const [leaders, streams] = [
        all.filter(({ leads }) => leads).length,
        all.reduce((sum, { streams: n }) => sum + n, 0),
      ];
      return whole && leaders === 1 && streams === 1 && all;
    },
    STEP_LIMIT_MS,
  );

const ALL = "gateway,httproute,gatewayclass";

const versions = async (kinds: string) =>
  JSON.parse(await world.kubectl("get", kinds, "-A", "-o", "json")).items.map(
    ({ kind, metadata, status }: { kind: string; metadata: Record<string, string>; status: unknown }) =>
      `${kind} ${metadata["name"]} ${metadata["resourceVersion"]} ${JSON.stringify(status)}`,
  );

/** Does something under load, and returns what it cost. `written`: objects of these kinds that were written to. */
async function costOf(event: () => Promise<unknown>, kinds = ALL) {
  const before = new Map((await replicas()).map(({ name, sent }) => [name, sent]));
  const versionsBefore = new Set(await versions(kinds));
  const load = await startLoad({ address, port: 80, path: "/hello" });
  try {
    await event();
    await pause(AFTERMATH_MS);
  } catch (error) {
    await load.stop();
    throw error;
  }
  const { requests, failures } = await load.stop();
  expect(requests).toBeGreaterThan(500);
  const sent = (await replicas()).reduce((sum, replica) => sum + replica.sent - (before.get(replica.name) ?? 0), 0);
  return { failures, sent, written: (await versions(kinds)).filter((each: string) => !versionsBefore.has(each)) };
}

const nothing = { failures: [], sent: 0, written: [] };

const findLeader = (all: readonly Replica[]) => all.find(({ leads }) => leads)!;
const findHome = (all: readonly Replica[]) => all.find(({ streams }) => streams > 0)!;
const scale = async (count: number) => {
  await world.kubectl("scale", "-n", SYSTEM, "deployment/gatehouse", `--replicas=${count}`);
  return untilWhole(count);
};
const programmed = async (generation: number) => {
  const condition = (await world.condition("gateway/eg", "Programmed")) as
    | { readonly status: string; readonly observedGeneration?: number }
    | undefined;
  return condition?.status === "True" && condition.observedGeneration === generation;
};

beforeAll(async () => {
  world = await startWorld();
  await world.install("config/default");
  await world.apply(quickstart);
  address = await world.untilServed("eg", "/hello");
  await waitFor("Programmed", () => programmed(1), STEP_LIMIT_MS);
}, START_LIMIT_MS);

afterAll(() => world?.cluster.stop(), START_LIMIT_MS);

test("a second replica is added", async () => expect(await costOf(() => scale(2))).toEqual(nothing), STEP_LIMIT_MS);

test(
  "the leader is killed, and Envoy with its stream to it goes to the other",
  async () => {
    const all = await scale(2);
    const { name } = findLeader(all);
    expect(findHome(all).name).toBe(name);
    const kill = async () => {
      await world.kubectl("delete", "pod", "-n", SYSTEM, name, "--grace-period=0", "--force");
      await untilWhole(2);
    };
    expect(await costOf(kill)).toEqual(nothing);
    expect((await replicas()).map((replica) => replica.name)).not.toContain(name);
  },
  STEP_LIMIT_MS,
);

test(
  "the leader ends as it should",
  async () => {
    const { name } = findLeader(await scale(2));
    const end = async () => {
      await world.kubectl("delete", "pod", "-n", SYSTEM, name);
      await untilWhole(2);
    };
    expect(await costOf(end)).toEqual(nothing);
  },
  STEP_LIMIT_MS,
);

test(
  "all replicas are replaced by a rollout",
  async () => {
    await scale(2);
    const rollOut = async () => {
      await world.kubectl("rollout", "restart", "-n", SYSTEM, "deployment/gatehouse");
      await world.kubectl("rollout", "status", "-n", SYSTEM, "deployment/gatehouse", "--timeout=80s");
      await untilWhole(2);
    };
    expect(await costOf(rollOut)).toEqual(nothing);
  },
  2 * STEP_LIMIT_MS,
);

test(
  "the API server is away for a minute, and what is changed right after its return comes into effect",
  async () => {
    await scale(2);
    const before = await pods(CONTROL_PLANE);
    const redirect = {
      type: "RequestRedirect",
      requestRedirect: { hostname: "elsewhere.example.com", statusCode: 302 },
    };
    const rule = { matches: [{ path: { value: "/moved" } }], filters: [redirect] };
    const patch = JSON.stringify([{ op: "add", path: "/spec/rules/-", value: rule }]);
    const away = async () => {
      await world.cluster.apiServer.down("SIGKILL");
      await pause(AWAY_MS);
      await world.cluster.apiServer.up();
      await world.kubectl("patch", "httproute", "echo", "--type=json", "-p", patch);
      await waitFor("the change", async () => {
        const { status } = await fetch(`http://${address}/moved`, { redirect: "manual" });
        return status === 302;
      });
      await untilWhole(2);
    };
    // The table of the changed route, and its status.
    expect(await costOf(away, "gateway,gatewayclass")).toEqual({ ...nothing, sent: 1 });
    expect(await pods(CONTROL_PLANE)).toEqual(before);
  },
  4 * STEP_LIMIT_MS,
);

test(
  "statuses are true of an Envoy that is connected to another replica than the one that writes them",
  async () => {
    await scale(2);
    const envoys = "gateway.envoyproxy.io/owning-gateway-name=eg";
    await waitFor(
      "Envoy to choose the other replica",
      async () => {
        const all = await untilWhole(2);
        if (findHome(all).name !== findLeader(all).name) return true;
        // A new Envoy is led to any of the two.
        const [envoy] = await pods(envoys);
        await world.kubectl("delete", "pod", "-n", SYSTEM, envoy!.name, "--grace-period=1");
        await waitFor("the next Envoy", async () => (await pods(envoys)).some(({ name }) => name !== envoy!.name));
        await pause(3_000);
        return false;
      },
      3 * STEP_LIMIT_MS,
    );
    const listeners = [80, 81].map((port) => ({ name: `http-${port}`, protocol: "HTTP", port }));
    const { streams } = findLeader(await untilWhole(2));
    await world.kubectl("patch", "gateway", "eg", "--type=merge", "-p", JSON.stringify({ spec: { listeners } }));
    await waitFor("Programmed", () => programmed(2));
    expect(streams).toBe(0);
    const { metadata } = JSON.parse(await world.kubectl("get", "httproute", "echo", "-o", "json"));
    const generation = metadata.generation + 1;
    const hostnames = ["any.example.com", "other.example.com"];
    await world.kubectl("patch", "httproute", "echo", "--type=merge", "-p", JSON.stringify({ spec: { hostnames } }));
    await waitFor("the route's status", async () => {
      const conditions = (await world.statusOf("httproute/echo")).parents?.[0]?.conditions ?? [];
      return conditions.every(
        (condition) => (condition as { observedGeneration?: number }).observedGeneration === generation,
      );
    });
  },
  5 * STEP_LIMIT_MS,
);
