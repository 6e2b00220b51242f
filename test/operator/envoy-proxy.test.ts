import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import { images as systemImages } from "../cluster/system-images.ts";
import { type Load, type LoadOptions, startLoad } from "../harness/load.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { installCrds } from "../kube/gateway-api.ts";
import { images } from "./images.ts";

/** What an EnvoyProxy says about pods, where there are pods: they come, are probed, drained and replaced, under traffic. */

const START_LIMIT_MS = 240_000;
const STEP_LIMIT_MS = 90_000;
const ROLLOUT_LIMIT_MS = 240_000;
const root = fileURLToPath(new URL("../../", import.meta.url));
const SYSTEM = "gatehouse-system";
const OURS = ["-n", SYSTEM, "-l", "gateway.envoyproxy.io/owning-gateway-name=eg"];

let cluster: Cluster;
let address = "";

const kubectl = (...args: string[]) => cluster.kubectl(args);
const read = async (...args: string[]) => JSON.parse(await kubectl("get", ...args, "-o", "json"));

type Kubernetes = Record<string, unknown>;

/** Enough time for kube-proxy, and little enough for a test. */
const shutdown = { drainTimeout: "30s", minDrainDuration: "3s" };
const small = { resources: { requests: { cpu: "10m", memory: "32Mi" } } };

function applyProxy(kubernetes: Kubernetes, spec: object = {}): Promise<string> {
  const proxy = {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "EnvoyProxy",
    metadata: { name: "eg", namespace: "default" },
    spec: { shutdown, provider: { type: "Kubernetes", kubernetes }, ...spec },
  };
  return apply(proxy);
}

const apply = (...items: readonly object[]): Promise<string> =>
  cluster.kubectl(
    ["apply", "--server-side", "--force-conflicts", "-f", "-"],
    JSON.stringify({ apiVersion: "v1", kind: "List", items }),
  );

beforeAll(async () => {
  cluster = await startCluster({ images: [...images, ...systemImages] });
  await installCrds(cluster);
  await kubectl("apply", "--server-side", "-k", join(root, "config/default"));
  await cluster.kubectl(["apply", "-f", "-"], readFileSync(new URL("quickstart.yaml", import.meta.url), "utf8"));
  await applyProxy({ envoyDeployment: { container: small } });
  const parametersRef = { group: "gateway.envoyproxy.io", kind: "EnvoyProxy", name: "eg" };
  await kubectl(
    "patch",
    "gateway/eg",
    "--type=merge",
    "-p",
    JSON.stringify({ spec: { infrastructure: { parametersRef } } }),
  );
  address = await waitFor(
    "an address",
    async () => (await read("gateway/eg")).status?.addresses?.[0]?.value as string | undefined,
    STEP_LIMIT_MS,
  );
  await waitFor("an answer", async () => (await ask(address)) === 200, STEP_LIMIT_MS);
}, START_LIMIT_MS);

afterAll(() => cluster?.stop(), START_LIMIT_MS);

const ask = (host: string) =>
  fetch(`http://${host}/`, { signal: AbortSignal.timeout(2_000) }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status;
    },
    () => 0,
  );

/** Clients of every kind, 200 requests a second together. */
const clients: readonly Pick<LoadOptions, "style" | "requestsPerSecond" | "connections">[] = [
  { style: "keep-alive", requestsPerSecond: 100, connections: 20 },
  { style: "new-connections", requestsPerSecond: 50 },
  { style: "http2", requestsPerSecond: 50, connections: 4 },
];

const podNames = async (): Promise<string[]> =>
  (await read("pods", ...OURS)).items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);

/** Changes something, and waits until every pod has been replaced and the last of them has ended. */
async function roll(workload: string, change: () => Promise<unknown>): Promise<void> {
  const before = await podNames();
  const loads: Load[] = await Promise.all(clients.map((client) => startLoad({ address, port: 80, ...client })));
  await pause(1_000);
  await change();
  await waitFor("new pods", async () => (await podNames()).some((name) => !before.includes(name)), STEP_LIMIT_MS);
  await kubectl("rollout", "status", "-n", SYSTEM, workload, "--timeout=120s");
  await waitFor(
    "the end of the old ones",
    async () => !(await podNames()).some((name) => before.includes(name)),
    STEP_LIMIT_MS,
  );
  await pause(1_000);
  const reports = await Promise.all(loads.map((load) => load.stop()));
  const failures = reports.map((report, index) => ({ style: clients[index]?.style, failures: report.failures }));
  expect(failures).toEqual(clients.map(({ style }) => ({ style, failures: [] })));
  for (const { requests } of reports) expect(requests).toBeGreaterThan(200);
}

const workloadName = async (kind: string): Promise<string> =>
  (await kubectl("get", kind, ...OURS, "-o", "name")).trim();

test(
  "a Backend that leads wherever a client says does not lead to what could harm Envoy",
  async () => {
    const backend = { group: "gateway.envoyproxy.io", kind: "Backend", name: "anywhere" };
    const match = { headers: [{ name: "x-anywhere", value: "yes" }] };
    await apply(
      {
        apiVersion: "gateway.envoyproxy.io/v1alpha1",
        kind: "Backend",
        metadata: { name: "anywhere", namespace: "default" },
        spec: { type: "DynamicResolver" },
      },
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        metadata: { name: "anywhere", namespace: "default" },
        spec: { parentRefs: [{ name: "eg" }], rules: [{ matches: [match], backendRefs: [backend] }] },
      },
    );
    const [pod] = (await read("pods", ...OURS)).items as { status: { podIP: string } }[];
    // The loopback of the pod is in reach.
    await waitFor("the route", async () => (await through("127.0.0.1:19003", "/ready")) === 200, STEP_LIMIT_MS);
    expect(await through("127.0.0.1:19001", "/stats/prometheus")).toBe(200);
    const harmful: [port: number, path: string, method: string, status: number][] = [
      [19_000, "/config_dump", "GET", 503],
      [19_000, "/quitquitquit", "POST", 503],
      [19_001, "/config_dump", "GET", 404],
      [19_001, "/quitquitquit", "POST", 404],
      [19_001, "/stats/prometheus/../../config_dump", "GET", 404],
      [19_001, "/stats/prometheus", "POST", 404],
      [19_002, "/shutdown", "POST", 404],
      [19_003, "/healthcheck/fail", "POST", 404],
    ];
    for (const [port, path, method, status] of harmful) {
      for (const host of ["127.0.0.1", "localhost", pod?.status.podIP]) {
        expect([host, port, path, await through(`${host}:${port}`, path, method)]).toEqual([host, port, path, status]);
      }
    }
    expect(await ask(address)).toBe(200);
    await kubectl("delete", "httproute/anywhere", "backend.gateway.envoyproxy.io/anywhere");
  },
  STEP_LIMIT_MS,
);

/** The status that Envoy answers with, made to ask somebody. */
function through(host: string, path: string, method = "GET"): Promise<number> {
  return new Promise((resolve) => {
    const headers = { host, "x-anywhere": "yes" };
    const call = request({ host: address, port: 80, path, method, headers, agent: false }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode ?? 0));
    });
    call.once("error", () => resolve(0)).end();
  });
}

test(
  "a changed EnvoyProxy replaces the pods of a Deployment, and no client notices",
  async () => {
    const change = () => applyProxy({ envoyDeployment: { container: small, pod: { annotations: { version: "2" } } } });
    await roll(await workloadName("deployment"), change);
  },
  ROLLOUT_LIMIT_MS,
);

test(
  "a DaemonSet takes the place of a Deployment and is rolled, and no client notices",
  async () => {
    const daemonSet = (version: string) =>
      applyProxy({ envoyDaemonSet: { container: small, pod: { annotations: { version } } } });
    const name = (await workloadName("deployment")).replace("deployment.apps", "daemonset");
    await roll(name, () =>
      daemonSet("1").then(() => waitFor("it", async () => (await workloadName("daemonset")) !== "")),
    );
    await roll(name, () => daemonSet("2"));
  },
  2 * ROLLOUT_LIMIT_MS,
);
