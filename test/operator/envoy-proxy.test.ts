import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Load, type LoadOptions, startLoad } from "../harness/load.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { quickstart, START_LIMIT_MS, STEP_LIMIT_MS, SYSTEM, startWorld, statusCode, type World } from "./world.ts";

/** What an EnvoyProxy says about pods, where there are pods: they come, are probed, drained and replaced, under traffic. */

const ROLLOUT_LIMIT_MS = 240_000;
const OURS = ["-n", SYSTEM, "-l", "gateway.envoyproxy.io/owning-gateway-name=eg"];
const LOAD_BALANCER_CLASS = "example.com/balancer";

let world: World;
let address = "";

const kubectl = (...args: string[]) => world.kubectl(...args);
const read = async (...args: string[]) => JSON.parse(await kubectl("get", ...args, "-o", "json"));

type Kubernetes = Record<string, unknown>;

/** Enough time for kube-proxy, and little enough for a test. */
const shutdown = { drainTimeout: "30s", minDrainDuration: "3s" };
const small = { resources: { requests: { cpu: "10m", memory: "32Mi" } } };

function applyProxy(kubernetes: Kubernetes, name = "eg"): Promise<unknown> {
  const spec = { shutdown, provider: { type: "Kubernetes", kubernetes } };
  return apply({
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "EnvoyProxy",
    metadata: { name, namespace: "default" },
    spec,
  });
}

const apply = (...items: readonly object[]): Promise<unknown> =>
  world.cluster.kubectl(
    ["apply", "--server-side", "--force-conflicts", "-f", "-"],
    JSON.stringify({ apiVersion: "v1", kind: "List", items }),
  );

const gateway = (name: string, proxy: string) => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: { name, namespace: "default" },
  spec: {
    gatewayClassName: "gatehouse",
    infrastructure: { parametersRef: { group: "gateway.envoyproxy.io", kind: "EnvoyProxy", name: proxy } },
    listeners: [{ name: "http", protocol: "HTTP", port: 80 }],
  },
});

beforeAll(async () => {
  world = await startWorld({ loadBalancerClasses: [LOAD_BALANCER_CLASS] });
  await world.install("config/default");
  await world.apply(quickstart);
  await kubectl("delete", "gateway", "eg");
  await kubectl("rollout", "status", "deployment/echo", "--timeout=60s");
}, START_LIMIT_MS);

afterAll(() => world?.cluster.stop(), START_LIMIT_MS);

const ask = (host: string) => statusCode(host, "/");
const programmed = () => world.condition("gateway/eg", "Programmed");

test(
  "a Gateway says that it is programmed when its address answers",
  async () => {
    await applyProxy({ envoyDeployment: { container: small } });
    await apply(gateway("eg", "eg"));
    await kubectl("wait", "--for=condition=Programmed", "gateway/eg", "--timeout=60s");
    address = (await world.statusOf("gateway/eg")).addresses?.[0]?.value ?? "";
    // What kube-proxy takes to learn of a pod.
    await waitFor("an answer", async () => (await ask(address)) === 200, 2_000);
  },
  STEP_LIMIT_MS,
);

test(
  "a Gateway whose pods cannot run says why",
  async () => {
    const message = async () => {
      const condition = await world.condition("gateway/stuck", "Programmed");
      return `${condition?.status} ${condition?.message}`;
    };
    const untilItSays = (pattern: RegExp) =>
      waitFor(String(pattern), async () => pattern.test(await message()), STEP_LIMIT_MS).catch(async (error: Error) => {
        throw new Error(`${error.message}, and it says: ${await message()}`);
      });
    await applyProxy({ envoyDeployment: { container: { image: "nowhere.example.com/envoy:none" } } }, "stuck");
    await apply(gateway("stuck", "stuck"));
    await untilItSays(
      /^False No pod of Envoy is ready: .*container envoy of pod .* waits with (ErrImagePull|ImagePullBackOff)/,
    );
    await applyProxy({ envoyDeployment: { pod: { nodeSelector: { disk: "none" } } } }, "stuck");
    await untilItSays(/^False .*cannot be scheduled: /);
    await applyProxy({ envoyDeployment: { replicas: 0 } }, "stuck");
    await untilItSays(/^False .*replicas is 0/);
    const service = { type: "LoadBalancer", loadBalancerClass: "example.com/nobody" };
    await applyProxy({ envoyDeployment: { container: small }, envoyService: service }, "stuck");
    await untilItSays(/^False .*(has no address yet: no load balancer has given Service|loadBalancerClass)/);
    await kubectl("delete", "gateway/stuck", "envoyproxy/stuck");
  },
  2 * STEP_LIMIT_MS,
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
  const since = (await programmed())?.lastTransitionTime;
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
  expect(await programmed()).toMatchObject({ status: "True", lastTransitionTime: since });
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

test(
  "pods, their number and their Service are what the EnvoyProxy says",
  async () => {
    const work = { name: "work", mountPath: "/work" };
    const shell = (name: string, script: string) => {
      return { name, image: "busybox:1", command: ["sh", "-c", script], volumeMounts: [work] };
    };
    const witness = shell("witness", "cat /work/words; trap exit TERM; sleep 100000 & wait");
    await applyProxy({
      envoyDeployment: {
        name: "my-envoy",
        initContainers: [shell("prepare", "echo prepared > /work/words")],
        pod: { volumes: [{ name: "work", emptyDir: {} }] },
        container: { ...small, volumeMounts: [work] },
        patch: { value: { spec: { template: { spec: { containers: [witness] } } } } },
      },
      envoyHpa: { minReplicas: 2, maxReplicas: 3 },
      envoyPDB: { minAvailable: 1 },
      envoyService: {
        name: "my-service",
        type: "LoadBalancer",
        loadBalancerClass: LOAD_BALANCER_CLASS,
        externalTrafficPolicy: "Cluster",
        annotations: { "example.com/for": "clients" },
        loadBalancerSourceRanges: ["10.0.0.0/8"],
      },
    });
    // An autoscaler without figures still keeps to its bounds.
    const workload = () => read("deployment/my-envoy", "-n", SYSTEM);
    await waitFor(
      "two pods",
      async () => (await workload().catch(() => ({}))).status?.readyReplicas === 2,
      STEP_LIMIT_MS,
    );
    expect((await workload()).spec.replicas).toBe(2);
    expect(await kubectl("logs", "-n", SYSTEM, "deployment/my-envoy", "-c", "witness")).toBe("prepared\n");
    const service = await waitFor("the new address", async () => {
      const found = await read("service/my-service", "-n", SYSTEM);
      const ingress = found.status.loadBalancer.ingress?.[0]?.ip;
      return (await world.statusOf("gateway/eg")).addresses?.[0]?.value === ingress && ingress !== address && found;
    });
    address = service.status.loadBalancer.ingress[0].ip;
    await waitFor("an answer there", async () => (await ask(address)) === 200, STEP_LIMIT_MS);
    expect(service.spec).toMatchObject({ externalTrafficPolicy: "Cluster", loadBalancerClass: LOAD_BALANCER_CLASS });
    expect(service.metadata.annotations).toMatchObject({ "example.com/for": "clients" });
    const budget = async () => (await read("pdb", ...OURS)).items[0]?.status;
    await waitFor("the budget", async () => (await budget())?.disruptionsAllowed === 1, STEP_LIMIT_MS);
    // What went before is gone, and nothing else.
    await waitFor("the former workload gone", async () => (await workloadName("daemonset")) === "", STEP_LIMIT_MS);
    expect(await kubectl("get", "services", ...OURS, "-o", "name")).toBe("service/my-service\n");
  },
  2 * STEP_LIMIT_MS,
);

test(
  "what somebody does to a Deployment is undone, and the number of pods is the autoscaler's",
  async () => {
    const { generation } = (await read("deployment/my-envoy", "-n", SYSTEM)).metadata;
    await kubectl("set", "image", "-n", SYSTEM, "deployment/my-envoy", "envoy=nowhere.example.com/other:1");
    await waitFor("the image", async () => {
      const { metadata, spec } = await read("deployment/my-envoy", "-n", SYSTEM);
      const image = spec.template.spec.containers.find(({ name }: { name: string }) => name === "envoy")?.image;
      return metadata.generation >= generation + 2 && image.startsWith("docker.io/envoyproxy/envoy:");
    });
    await kubectl("scale", "-n", SYSTEM, "deployment/my-envoy", "--replicas=3");
    await kubectl("annotate", "-n", SYSTEM, "deployment/my-envoy", "gatehouse.dev/rendered=changed", "--overwrite");
    await waitFor("another write of ours", async () => {
      const { metadata } = await read("deployment/my-envoy", "-n", SYSTEM);
      return metadata.annotations["gatehouse.dev/rendered"] !== "changed";
    });
    expect((await read("deployment/my-envoy", "-n", SYSTEM)).spec.replicas).toBe(3);
    expect(await ask(address)).toBe(200);
  },
  STEP_LIMIT_MS,
);

test(
  "a Gateway that is deleted leaves nothing of any kind",
  async () => {
    await kubectl("delete", "gateway", "eg");
    await waitFor("the end of the pods", async () => (await podNames()).length === 0, STEP_LIMIT_MS);
    const kinds = (await kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name")).trim().split("\n");
    const everything = kinds.filter((kind) => !kind.startsWith("events")).join(",");
    const left = async () =>
      (await kubectl("get", everything, "-n", SYSTEM, "-o", "name", "--ignore-not-found"))
        .split("\n")
        .filter((name) => /envoy|my-service|default-eg/.test(name));
    const deadline = Date.now() + STEP_LIMIT_MS;
    while (Date.now() < deadline && (await left()).length > 0) await pause(1_000);
    expect(await left()).toEqual([]);
  },
  3 * STEP_LIMIT_MS,
);
