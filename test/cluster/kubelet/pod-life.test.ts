import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { waitFor } from "../../harness/waiting.ts";
import { type Cluster, startCluster } from "../cluster.ts";
import {
  createPod,
  deletePod,
  fetchJson,
  fetchText,
  isReady,
  probeMe,
  READY_LIMIT_MS,
  readPod,
  START_LIMIT_MS,
  untilGone,
  untilPod,
  untilReady,
  webContainer,
} from "../fixtures/workloads.ts";
import type { Container, ContainerStatus, Pod } from "./objects.ts";

/** From the first init container to the last signal. */

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ images: [probeMe] });
}, START_LIMIT_MS);

afterAll(() => cluster?.stop(), START_LIMIT_MS);

const firstStatus = (pod: Pod): ContainerStatus => pod.status!.containerStatuses![0]!;
const shell = (script: string, extra: Partial<Container> = {}): Container => ({
  name: "shell",
  image: "registry.example/probe-me:1",
  command: ["sh", "-c", script],
  ...extra,
});

/** Address of a ready pod with one container. */
async function runPod(name: string, container: Partial<Container>, spec: object = {}): Promise<string> {
  await createPod(cluster, name, { containers: [webContainer(container)], ...spec });
  return (await untilReady(cluster, name)).status!.podIP!;
}

const readLog = (...args: string[]) => cluster.kubectl(["logs", ...args]);

test.concurrent(
  "init containers run one after the other, a sidecar stays, and containers share their network and volumes",
  async () => {
    const mount = { volumeMounts: [{ name: "shared", mountPath: "/shared" }] };
    await createPod(cluster, "steps", {
      volumes: [{ name: "shared", emptyDir: {} }],
      initContainers: [
        shell("echo first >>/shared/steps", { ...mount, name: "first" }),
        webContainer({
          ...mount,
          name: "sidecar",
          restartPolicy: "Always",
          ports: [],
          env: [{ name: "PORT", value: "9090" }],
          readinessProbe: undefined,
          startupProbe: { httpGet: { path: "/health", port: 9090 }, periodSeconds: 1 },
        }),
        shell("echo second >>/shared/steps", { ...mount, name: "second" }),
      ],
      containers: [webContainer(mount)],
    });
    const { status } = await untilReady(cluster, "steps");
    expect(status?.initContainerStatuses?.map(({ name, state }) => [name, Object.keys(state ?? {})[0]])).toEqual([
      ["first", "terminated"],
      ["sidecar", "running"],
      ["second", "terminated"],
    ]);
    const address = status!.podIP!;
    expect(await fetchText(address, "/file/shared/steps")).toBe("first\nsecond\n");
    expect(await fetchText(address, "/file/shared/steps", 9090)).toBe("first\nsecond\n");
    expect(JSON.parse(await fetchText(address, "/fetch?url=http://localhost:9090/"))).toMatchObject({ pod: "steps" });
    await deletePod(cluster, "steps");
    await untilGone(cluster, "steps");
  },
  START_LIMIT_MS,
);

test.concurrent(
  "readiness follows its probe, and liveness restarts",
  async () => {
    const probe = {
      httpGet: { path: "/health", port: "http" as const },
      periodSeconds: 1,
      timeoutSeconds: 10,
      failureThreshold: 1,
    };
    const readiness = async () => {
      const address = await runPod("readiness", { readinessProbe: probe });
      await fetchText(address, "/sicken");
      await untilPod(cluster, "readiness", "to be unready", (pod) => !isReady(pod));
      await fetchText(address, "/heal");
      expect(firstStatus(await untilReady(cluster, "readiness")).restartCount).toBe(0);
    };
    const liveness = async () => {
      const name = "liveness";
      const address = await runPod(name, { livenessProbe: probe, startupProbe: { ...probe, failureThreshold: 60 } });
      await fetchText(address, "/sicken");
      const restarted = await untilPod(cluster, name, "to be restarted", (pod) => firstStatus(pod).restartCount === 1);
      expect(firstStatus(restarted).lastState?.terminated?.exitCode).toBe(0);
      await untilReady(cluster, name);
      expect(await readLog(name, "--previous")).toContain("asked to stop");
    };
    await Promise.all([readiness(), liveness()]);
  },
  START_LIMIT_MS,
);

test.concurrent(
  "a status that somebody else wrote is corrected",
  async () => {
    await runPod("slandered", {});
    const contentType = "application/strategic-merge-patch+json";
    const body = { status: { conditions: [{ type: "Ready", status: "False" }] } };
    const path = "/api/v1/namespaces/default/pods/slandered/status";
    expect(isReady(await cluster.rest.json<Pod>(path, { method: "PATCH", contentType, body }))).toBe(false);
    await untilReady(cluster, "slandered");
  },
  START_LIMIT_MS,
);

test.concurrent(
  "probes by command, connection and gRPC",
  async () => {
    const base = { periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 60 };
    await runPod("command", {
      readinessProbe: { ...base, exec: { command: ["sh", "-c", 'test "$FROM_IMAGE" = yes'] } },
    });
    await runPod("connection", { readinessProbe: { ...base, tcpSocket: { port: "http" } } });
    // An HTTP/1 server is no healthy gRPC server.
    await createPod(cluster, "grpc", {
      containers: [webContainer({ readinessProbe: { ...base, grpc: { port: 8080 } } })],
    });
    const events = () => cluster.kubectl(["get", "events", "-o", "jsonpath={.items[*].message}"]);
    await waitFor(
      "a failed gRPC probe",
      async () => /Readiness probe failed: Error: 14/.test(await events()),
      READY_LIMIT_MS,
    );
    expect(isReady((await readPod(cluster, "grpc"))!)).toBe(false);
  },
  START_LIMIT_MS,
);

test.concurrent(
  "a pod that ends is asked first, in the order preStop, SIGTERM, and stays ready to the last",
  async () => {
    const hooks = [
      { exec: { command: ["sh", "-c", "echo exec hook >/proc/1/fd/1"] } },
      { httpGet: { path: "/say?text=http+hook", port: 8080 } },
    ];
    const watchEnd = async (preStop: (typeof hooks)[number], index: number) => {
      const name = `stops-${index}`;
      const env = [{ name: "LINGER_MS", value: "2000" }];
      await runPod(name, { lifecycle: { preStop }, env }, { terminationGracePeriodSeconds: 60 });
      const log = readLog("--follow", name);
      await deletePod(cluster, name);
      const ending = await untilPod(
        cluster,
        name,
        "to be ending",
        (pod) => pod.metadata.deletionTimestamp !== undefined,
      );
      expect(isReady(ending)).toBe(true);
      await untilGone(cluster, name);
      return (await log).split("\n").slice(1);
    };
    expect(await Promise.all(hooks.map(watchEnd))).toEqual([
      ["exec hook", "asked to stop", ""],
      ["http hook", "asked to stop", ""],
    ]);
  },
  START_LIMIT_MS,
);

test.concurrent(
  "the grace period bounds everything",
  async () => {
    const never = { env: [{ name: "LINGER_MS", value: "never" }] };
    const stubborn = async () => {
      const lifecycle = { preStop: { sleep: { seconds: 1 } } };
      await runPod("stubborn", { ...never, lifecycle }, { terminationGracePeriodSeconds: 3 });
      const begin = Date.now();
      await deletePod(cluster, "stubborn");
      await untilGone(cluster, "stubborn");
      expect(Date.now() - begin).toBeGreaterThanOrEqual(2_900);
    };
    // Its own grace is an hour: only the second, shorter deletion can end it in time.
    const hurried = async (name: string, ...grace: string[]) => {
      await runPod(name, never, { terminationGracePeriodSeconds: 3_600 });
      await deletePod(cluster, name);
      await cluster.kubectl(["delete", "pod", name, "--wait=false", ...grace]);
      await untilGone(cluster, name);
    };
    await Promise.all([
      stubborn(),
      hurried("hurried", "--grace-period=1"),
      hurried("forced", "--grace-period=0", "--force"),
    ]);
  },
  START_LIMIT_MS,
);

test.concurrent(
  "restart policies, back-off, exit codes and last words",
  async () => {
    const crashing = await runPod("crashes", {});
    const exit = (address: string) => fetchText(address, "/exit?code=7");
    await exit(crashing);
    const once = await untilPod(
      cluster,
      "crashes",
      "to be restarted",
      (pod) => firstStatus(pod).restartCount === 1 && isReady(pod),
    );
    expect(firstStatus(once).lastState?.terminated).toMatchObject({
      exitCode: 7,
      reason: "Error",
      message: "told to exit",
    });
    await exit(crashing);
    const backing = (pod: Pod) => firstStatus(pod).state?.waiting?.reason === "CrashLoopBackOff";
    await untilPod(cluster, "crashes", "to back off", backing);

    await createPod(cluster, "done", { restartPolicy: "OnFailure", containers: [shell("true")] });
    await createPod(cluster, "failed", { restartPolicy: "Never", containers: [shell("exit 3")] });
    const done = await untilPod(cluster, "done", "to succeed", (pod) => pod.status?.phase === "Succeeded");
    expect(firstStatus(done).state?.terminated).toMatchObject({ exitCode: 0, reason: "Completed" });
    const failed = await untilPod(cluster, "failed", "to fail", (pod) => pod.status?.phase === "Failed");
    expect(firstStatus(failed).state?.terminated?.exitCode).toBe(3);
  },
  START_LIMIT_MS,
);

test.concurrent(
  "logs by time, by number, and as they come",
  async () => {
    const address = await runPod("talks", {});
    await fetchText(address, "/say?text=old");
    await waitFor("the line", async () => (await readLog("talks")).includes("old"), READY_LIMIT_MS);
    const stamped = (await readLog("talks", "--timestamps")).trim().split("\n").at(-1)!.split(" ")[0]!;
    const since = new Date(Date.parse(stamped) + 1).toISOString();
    await fetchText(address, "/say?text=new");
    const later = () =>
      readLog("talks", `--since-time=${new Date(Math.ceil(Date.parse(since) / 1_000) * 1_000).toISOString()}`);
    await waitFor("the last line", async () => (await readLog("talks", "--tail=1")) === "new\n", READY_LIMIT_MS);
    expect(await later()).not.toContain("old");
    expect(await fetchJson(address)).toMatchObject({ pod: "talks" });
  },
  START_LIMIT_MS,
);
