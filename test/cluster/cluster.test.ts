import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { IService } from "kubernetes-models/v1";
import { pause, waitFor } from "../harness/waiting.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import {
  createObject,
  createPod,
  deletePod,
  fetchJson,
  fetchText,
  probeMe,
  READY_LIMIT_MS,
  START_LIMIT_MS,
  untilReady,
  webContainer,
} from "./fixtures/workloads.ts";

/** Traffic through Services, seen from pods and from this machine. */

interface Answer {
  readonly pod: string;
  readonly client: string;
  readonly version?: string;
}

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ images: [probeMe], loadBalancerClasses: ["example.com/ours"] });
  await createObject(cluster, "apps/v1/deployments", deployment("1"));
  await createObject(cluster, "services", service("web", { type: "LoadBalancer" }));
}, START_LIMIT_MS);

afterAll(() => cluster?.stop(), START_LIMIT_MS);

function deployment(version: string): object {
  const env = [
    { name: "VERSION", value: version },
    { name: "LINGER_MS", value: "1000" },
  ];
  return {
    metadata: { name: "web" },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [webContainer({ env })] } },
    },
  };
}

function service(name: string, spec: object): object {
  return { metadata: { name }, spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }], ...spec } };
}

const readService = (name: string) => cluster.rest.json<IService>(`/api/v1/namespaces/default/services/${name}`);
const addressOf = async (name: string) => (await readService(name)).status?.loadBalancer?.ingress?.[0]?.ip;
const untilAddress = (name: string) => waitFor(`an address of ${name}`, () => addressOf(name), READY_LIMIT_MS);

async function untilAnswered(address: string): Promise<Answer> {
  return waitFor(`an answer of ${address}`, () => fetchJson<Answer>(address, "/", 80), READY_LIMIT_MS);
}

test(
  "this machine reaches a Deployment by its load balancer's address and its ClusterIP",
  async () => {
    const address = await untilAddress("web");
    expect(address).toMatch(/^10\.\d+\.128\./);
    expect((await untilAnswered(address)).pod).toMatch(/^web-[a-z0-9]+-[a-z0-9]{5}$/);
    expect((await untilAnswered((await readService("web")).spec!.clusterIP!)).version).toBe("1");
  },
  START_LIMIT_MS,
);

test(
  "a pod reaches Services by name, by load balancer and itself, and its own API server",
  async () => {
    await createPod(cluster, "client", {}, { labels: { app: "client" } });
    await createObject(cluster, "services", service("itself", { selector: { app: "client" } }));
    const pod = (await untilReady(cluster, "client")).status!.podIP!;
    const from = (url: string) => fetchText(pod, `/fetch?url=${encodeURIComponent(url)}`);
    const loadBalancer = await untilAddress("web");
    const byName = await waitFor(
      "DNS",
      async () => JSON.parse(await from("http://web.default.svc.cluster.local/")) as Answer,
    );
    expect(byName.client).toBe(pod);
    expect(JSON.parse(await from(`http://${loadBalancer}/`))).toMatchObject({ version: "1" });
    const itself = await waitFor("a pod behind its own Service", () => from("http://itself/"));
    expect(JSON.parse(itself)).toMatchObject({ pod: "client" });
    // The ServiceAccount may ask who it is, and nothing else.
    expect(await fetchText(pod, "/api?path=/apis")).toBe("200");
    expect(await fetchText(pod, "/api?path=/api/v1/secrets")).toBe("403");
    await deletePod(cluster, "client");
  },
  START_LIMIT_MS,
);

test(
  "a Deployment rolls while it serves",
  async () => {
    const address = await untilAddress("web");
    await untilAnswered(address);
    let failures = 0;
    const seen = new Set<string | undefined>();
    let rolling = true;
    const traffic = (async () => {
      while (rolling) {
        await fetchJson<Answer>(address, "/", 80).then(
          (answer) => seen.add(answer.version),
          () => failures++,
        );
        await pause(20);
      }
    })();
    await cluster.rest.json("/apis/apps/v1/namespaces/default/deployments/web", {
      method: "PATCH",
      contentType: "application/strategic-merge-patch+json",
      body: deployment("2"),
    });
    await waitFor(
      "the new version alone",
      async () => {
        const pods = JSON.parse(await cluster.kubectl(["get", "pods", "-l", "app=web", "-o", "json"])) as {
          items: unknown[];
        };
        const answer = await fetchJson<Answer>(address, "/", 80);
        return answer.version === "2" && pods.items.length === 2;
      },
      READY_LIMIT_MS,
    );
    rolling = false;
    await traffic;
    expect([...seen]).toEqual(expect.arrayContaining(["1", "2"]));
    expect(failures).toBe(0);
  },
  START_LIMIT_MS,
);

test(
  "wanted addresses, classes and external addresses of Services are honoured",
  async () => {
    const wanted = cluster.addresses.loadBalancerRange.replace(".0/18", ".77");
    const external = cluster.addresses.loadBalancerRange.replace(".0/18", ".99");
    await createObject(cluster, "services", service("wanted", { type: "LoadBalancer", loadBalancerIP: wanted }));
    await createObject(
      cluster,
      "services",
      service("ours", { type: "LoadBalancer", loadBalancerClass: "example.com/ours" }),
    );
    await createObject(
      cluster,
      "services",
      service("theirs", { type: "LoadBalancer", loadBalancerClass: "example.com/theirs" }),
    );
    await createObject(cluster, "services", service("external", { externalIPs: [external] }));
    expect(await untilAddress("wanted")).toBe(wanted);
    await untilAnswered(wanted);
    await untilAnswered(external);
    await untilAddress("ours");
    expect(await addressOf("theirs")).toBeUndefined();

    // A taken address is nobody else's until it is free.
    await createObject(cluster, "services", service("rival", { type: "LoadBalancer", loadBalancerIP: wanted }));
    await createObject(cluster, "services", service("later", { type: "LoadBalancer" }));
    await untilAddress("later");
    expect(await addressOf("rival")).toBeUndefined();
    await cluster.rest.json("/api/v1/namespaces/default/services/wanted", { method: "DELETE" });
    expect(await untilAddress("rival")).toBe(wanted);
    await createObject(cluster, "services", service("third", { type: "LoadBalancer", loadBalancerIP: wanted }));
    const another = cluster.addresses.loadBalancerRange.replace(".0/18", ".78");
    const body = { spec: { loadBalancerIP: another } };
    const patch = { method: "PATCH", body, contentType: "application/merge-patch+json" };
    await cluster.rest.json("/api/v1/namespaces/default/services/rival", patch);
    expect(await untilAddress("third")).toBe(wanted);
    expect(await untilAddress("rival")).toBe(another);
  },
  START_LIMIT_MS,
);

test(
  "pods go on while the API server is away, and what changed meanwhile happens on its return",
  async () => {
    const address = await untilAddress("web");
    await cluster.apiServer.down("SIGKILL");
    await expect(cluster.rest.ask("/readyz")).rejects.toThrow();
    await untilAnswered(address);
    await cluster.apiServer.up();
    await cluster.rest.json("/apis/apps/v1/namespaces/default/deployments/web/scale", {
      method: "PATCH",
      contentType: "application/merge-patch+json",
      body: { spec: { replicas: 1 } },
    });
    await waitFor(
      "one pod",
      async () =>
        (await cluster.kubectl(["get", "pods", "-l", "app=web", "-o", "name"])).trim().split("\n").length === 1,
      READY_LIMIT_MS,
    );
  },
  START_LIMIT_MS,
);
