import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { silentLogger } from "../../src/base/log.ts";
import type { InfrastructureState } from "../../src/infra/kubernetes/apply.ts";
import {
  type ClusterInfrastructure,
  startClusterInfrastructure,
} from "../../src/infra/kubernetes/cluster-infrastructure.ts";
import { type ClusterEnvironment, ENVOY_IMAGE, podTls } from "../../src/infra/kubernetes/environment.ts";
import { managedTypes } from "../../src/infra/kubernetes/managed-kinds.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import type { KubeObject } from "../../src/kube/resource-type.ts";
import type { GatewayInfrastructure } from "../../src/pipeline/infrastructure.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { waitFor } from "../harness/waiting.ts";
import { connectTo } from "../kube/input-world.ts";

let server: ApiServer;
let client: KubeClient;
const running: ClusterInfrastructure[] = [];
let writes: string[] = [];
let states: Map<string, InfrastructureState>;
const told: (InfrastructureState | undefined)[] = [];
let namespaces = 0;
let environment: ClusterEnvironment;

beforeAll(async () => {
  server = await startApiServer();
  const { caCertificate, token, url } = server.rest.access;
  client = connectTo({ url, token, caCertificate });
}, 120_000);

afterAll(async () => {
  await client?.close();
  await server?.stop();
}, 60_000);

/** Every test has a namespace, and so an installation, of its own. */
beforeEach(async () => {
  const namespace = `system-${++namespaces}`;
  await server.kubectl(["create", "namespace", namespace]);
  environment = {
    namespace,
    inGatewayNamespace: false,
    controlPlane: {
      address: { host: "gatehouse.example", port: 18000 },
      tls: podTls("gatehouse.example", false),
    },
    envoyImage: ENVOY_IMAGE,
    clusterDomain: "cluster.local",
    gatehouseImage: "example.com/gatehouse:v1",
  };
  states = new Map();
  writes = [];
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

/**
 * A leader that counts what it writes.
 *
 * @param beforeAnswer awaited when a write is done and before its answer arrives
 */
function start(beforeAnswer: (kind: string) => Promise<unknown> = async () => {}): ClusterInfrastructure {
  const counted: KubeClient = {
    ...client,
    async serverSideApply<T extends KubeObject>(
      ...[type, object, options]: Parameters<typeof client.serverSideApply<T>>
    ) {
      writes.push(
        `apply ${type.kind} ${object.metadata.name}${options.fieldManager === "gatehouse" ? "" : " replicas"}`,
      );
      const answer = await client.serverSideApply<T>(type, object, options);
      await beforeAnswer(type.kind);
      return answer;
    },
    delete: (type, target, options) => {
      writes.push(`delete ${type.kind} ${target.name}`);
      return client.delete(type, target, options);
    },
  };
  const infrastructure = startClusterInfrastructure({
    client: counted,
    environment,
    scope: { type: "All" },
    log: silentLogger,
    onState(gateway, state) {
      told.push(state);
      if (state === undefined) states.delete(gateway);
      else states.set(gateway, state);
    },
  });
  running.push(infrastructure);
  return infrastructure;
}

function gatewayOf(changes: Partial<GatewayInfrastructure> = {}, kubernetes: object = {}): GatewayInfrastructure {
  return {
    gateway: "default/eg",
    ports: [10_080],
    served: [{ name: "http-80", port: 80, bindPort: 10_080, protocol: "TCP" }],
    settings: { provider: { type: "Kubernetes", kubernetes } } as GatewayInfrastructure["settings"],
    held: false,
    gatewayClass: { name: "gatehouse" },
    members: [],
    addresses: [],
    labels: {},
    annotations: {},
    ...changes,
  };
}

const wanting = (...gateways: GatewayInfrastructure[]) =>
  new Map(gateways.map((each) => [each.gateway, each] as const));

async function settle(infrastructure: ClusterInfrastructure): Promise<string[]> {
  await infrastructure.idle();
  return writes.splice(0);
}

async function names(): Promise<string[]> {
  const lists = await Promise.all(
    managedTypes.map(async (type) => {
      const answer = await client.list(type, {
        namespace: environment.namespace,
        labelSelector: "app.kubernetes.io/managed-by=gatehouse",
      });
      if (!answer.ok) throw new Error(answer.error.message);
      return answer.value.map(({ metadata }) => `${type.kind} ${metadata.name}`);
    }),
  );
  return lists.flat();
}

async function read<T>(kind: string, name: string): Promise<T & KubeObject> {
  const type = managedTypes.find((each) => each.kind === kind)!;
  const answer = await client.get<T & KubeObject>(type, { namespace: environment.namespace, name });
  if (!answer.ok) throw new Error(answer.error.message);
  return answer.value;
}

const patch = (kind: string, name: string, value: object) =>
  server.kubectl(["-n", environment.namespace, "patch", kind, name, "--type", "merge", "-p", JSON.stringify(value)]);

const patchStatus = (kind: string, name: string, value: object) =>
  server.kubectl([
    ...["-n", environment.namespace, "patch", kind, name, "--subresource", "status", "--type", "merge"],
    ...["-p", JSON.stringify(value)],
  ]);

const NAME = "envoy-default-eg-e41e7b31";

describe("a gateway", () => {
  test("comes with its objects, once each, and a second leader writes nothing", async () => {
    const first = start();
    first.apply(wanting(gatewayOf({}, { envoyHpa: { maxReplicas: 3 }, envoyPDB: { minAvailable: 1 } })));
    expect(await settle(first)).toEqual([
      `apply ServiceAccount ${NAME}`,
      `apply ConfigMap ${NAME}`,
      `apply Deployment ${NAME}`,
      `apply Service ${NAME}`,
      `apply HorizontalPodAutoscaler ${NAME}`,
      `apply PodDisruptionBudget ${NAME}`,
    ]);
    // What the watches bring of it changes nothing.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await settle(first)).toEqual([]);
    await first.stop();
    const second = start();
    second.apply(wanting(gatewayOf({}, { envoyHpa: { maxReplicas: 3 }, envoyPDB: { minAvailable: 1 } })));
    expect(await settle(second)).toEqual([]);
  }, 60_000);

  test("goes without a trace, and so does one that went while nobody looked", async () => {
    const first = start();
    first.apply(wanting(gatewayOf({}, { envoyPDB: { minAvailable: 1 } }), gatewayOf({ gateway: "other/gw" })));
    await settle(first);
    first.apply(new Map([["default/eg", undefined]]));
    await settle(first);
    expect((await names()).every((name) => name.includes("envoy-other-gw"))).toBe(true);
    expect(states.has("default/eg")).toBe(false);
    await first.stop();
    const second = start();
    second.apply(new Map());
    await settle(second);
    expect(await names()).toEqual([]);
  }, 60_000);

  test("that is held keeps what it has, and gets nothing new", async () => {
    const infrastructure = start();
    infrastructure.apply(wanting(gatewayOf(), gatewayOf({ gateway: "other/new", held: true })));
    await settle(infrastructure);
    infrastructure.apply(wanting(gatewayOf({ held: true, ports: [], served: [] })));
    expect(await settle(infrastructure)).toEqual([]);
    expect((await names()).sort()).toEqual(
      ["ConfigMap", "Deployment", "Service", "ServiceAccount"].map((kind) => `${kind} ${NAME}`),
    );
  }, 60_000);

  test("changes only what changed", async () => {
    const infrastructure = start();
    infrastructure.apply(wanting(gatewayOf()));
    await settle(infrastructure);
    const served = [{ name: "http-81", port: 81, bindPort: 10_081, protocol: "TCP" as const }];
    infrastructure.apply(wanting(gatewayOf({ served, ports: [10_081] })));
    // Not the Deployment: another port replaces no pod.
    expect(await settle(infrastructure)).toEqual([`apply Service ${NAME}`]);
    const { spec } = await read<{ spec: { ports: { port: number }[] } }>("Service", NAME);
    expect(spec.ports.map(({ port }) => port)).toEqual([81]);
    // A field that is no longer asked for is taken away.
    infrastructure.apply(wanting(gatewayOf({ served, ports: [10_081], annotations: { a: "b" } })));
    await settle(infrastructure);
    infrastructure.apply(wanting(gatewayOf({ served, ports: [10_081] })));
    await settle(infrastructure);
    expect((await read("Service", NAME)).metadata.annotations).not.toHaveProperty("a");
  }, 60_000);
});

describe("drift", () => {
  test("is put right, and what others add stays", async () => {
    const infrastructure = start();
    infrastructure.apply(wanting(gatewayOf()));
    await settle(infrastructure);
    await patch("service", NAME, { metadata: { annotations: { theirs: "x" } }, spec: { selector: { app: "else" } } });
    await waitFor("the selector", async () => {
      const { spec } = await read<{ spec: { selector: Record<string, string> } }>("Service", NAME);
      return spec.selector["app.kubernetes.io/name"] === "envoy" || undefined;
    });
    expect((await read("Service", NAME)).metadata.annotations).toHaveProperty("theirs", "x");
    await settle(infrastructure);
    await server.kubectl(["-n", environment.namespace, "delete", "deployment", NAME]);
    await waitFor("the Deployment", async () => (await names()).includes(`Deployment ${NAME}`) || undefined);
    expect((await settle(infrastructure)).filter((write) => write.startsWith("delete"))).toEqual([]);
  }, 60_000);

  test("after a change nobody saw is found by the next leader", async () => {
    const first = start();
    first.apply(wanting(gatewayOf()));
    await settle(first);
    await first.stop();
    await patch("service", NAME, { spec: { externalTrafficPolicy: "Cluster" } });
    const second = start();
    second.apply(wanting(gatewayOf()));
    expect(await settle(second)).toContain(`apply Service ${NAME}`);
    expect(await read("Service", NAME)).toMatchObject({ spec: { externalTrafficPolicy: "Local" } });
  }, 60_000);
});

describe("the number of pods", () => {
  const replicasOf = async () => (await read<{ spec: { replicas: number } }>("Deployment", NAME)).spec.replicas;

  test("is ours without an autoscaler, kept when one comes, and then its own to say", async () => {
    const infrastructure = start();
    infrastructure.apply(wanting(gatewayOf({}, { envoyDeployment: { replicas: 3 } })));
    await settle(infrastructure);
    await server.kubectl(["-n", environment.namespace, "scale", "deployment", NAME, "--replicas", "1"]);
    await waitFor("three pods again", async () => (await replicasOf()) === 3 || undefined);
    infrastructure.apply(wanting(gatewayOf({}, { envoyHpa: { maxReplicas: 9 } })));
    expect(await settle(infrastructure)).toEqual(
      expect.arrayContaining([`apply Deployment ${NAME} replicas`, `apply Deployment ${NAME}`]),
    );
    expect(await replicasOf()).toBe(3);
    await server.kubectl(["-n", environment.namespace, "scale", "deployment", NAME, "--replicas", "7"]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await settle(infrastructure);
    expect(await replicasOf()).toBe(7);
  }, 60_000);
});

describe("a workload of another name or kind", () => {
  test("goes only when pods of the new one are there", async () => {
    const infrastructure = start();
    infrastructure.apply(wanting(gatewayOf()));
    await settle(infrastructure);
    infrastructure.apply(
      wanting(gatewayOf({}, { envoyDaemonSet: { name: "nodes" }, envoyService: { name: "front" } })),
    );
    await settle(infrastructure);
    expect((await names()).sort()).toEqual([
      `ConfigMap ${NAME}`,
      "DaemonSet nodes",
      `Deployment ${NAME}`,
      "Service front",
      `ServiceAccount ${NAME}`,
    ]);
    await patchStatus("daemonset", "nodes", {
      status: {
        currentNumberScheduled: 1,
        desiredNumberScheduled: 1,
        numberAvailable: 1,
        numberMisscheduled: 0,
        numberReady: 1,
      },
    });
    await waitFor("the Deployment gone", async () => !(await names()).includes(`Deployment ${NAME}`) || undefined);
  }, 60_000);
});

describe("states", () => {
  test("say the addresses of the Service as they come", async () => {
    const infrastructure = start();
    infrastructure.apply(wanting(gatewayOf()));
    await settle(infrastructure);
    expect(states.get("default/eg")).toMatchObject({ addresses: [], waits: { pods: expect.any(String) } });
    await patchStatus("service", NAME, {
      status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }, { hostname: "lb.example.com" }] } },
    });
    await waitFor("addresses", () => (states.get("default/eg")?.addresses.length ?? 0) > 0 || undefined);
    expect(states.get("default/eg")?.addresses).toEqual([
      { type: "IPAddress", value: "192.0.2.1" },
      { type: "Hostname", value: "lb.example.com" },
    ]);
  }, 60_000);

  test("are those of before to a new leader, which says nothing until it knows all", async () => {
    const first = start();
    first.apply(wanting(gatewayOf()));
    await settle(first);
    await patchStatus("service", NAME, { status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } } });
    await waitFor("the address", () => states.get("default/eg")?.addresses.length === 1);
    await first.stop();
    told.splice(0);
    const second = start();
    second.apply(wanting(gatewayOf()));
    expect(await settle(second)).toEqual([]);
    expect(told.length).toBeGreaterThan(0);
    expect(told.filter((state) => state?.addresses.length !== 1)).toEqual([]);
  }, 60_000);

  test("say the nodes on which Envoys are ready, where the Service is a port of each node", async () => {
    const infrastructure = start();
    infrastructure.apply(wanting(gatewayOf({}, { envoyService: { type: "NodePort" } })));
    await settle(infrastructure);
    expect(states.get("default/eg")).toMatchObject({ addresses: [], waits: { pods: expect.any(String) } });
    const { spec } = await read<{ spec: { template: { metadata: KubeObject["metadata"]; spec: object } } }>(
      "Deployment",
      NAME,
    );
    const { metadata, spec: podSpec } = spec.template;
    const addressesAre = (...addresses: string[]) =>
      waitFor(`the addresses ${addresses}`, () => {
        const values = states.get("default/eg")?.addresses.map(({ value }) => value);
        return values?.join() === addresses.join();
      });
    const placePod = async (name: string, hostIP: string, ready: "True" | "False") => {
      const pod = { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name }, spec: podSpec };
      await server.kubectl(["-n", environment.namespace, "apply", "-f", "-"], JSON.stringify(pod));
      const conditions = [{ type: "Ready", status: ready }];
      await patchStatus("pod", name, { status: { hostIP, hostIPs: [{ ip: hostIP }], conditions } });
    };
    await placePod("one", "192.0.2.2", "True");
    await addressesAre("192.0.2.2");
    await placePod("two", "192.0.2.1", "True");
    await placePod("three", "192.0.2.3", "False");
    await addressesAre("192.0.2.1", "192.0.2.2");
    await placePod("one", "192.0.2.2", "False");
    await addressesAre("192.0.2.1");
    await server.kubectl(["-n", environment.namespace, "delete", "pod", "two", "--grace-period=0", "--force"]);
    await addressesAre();
  }, 60_000);

  test("know an address that was there before the answer to the write of the Service", async () => {
    const infrastructure = start(async (kind) => {
      if (kind !== "Service") return;
      await patchStatus("Service", NAME, { status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } } });
      await waitFor("the watch to tell", () => states.get("default/eg")?.addresses.length === 1);
    });
    infrastructure.apply(wanting(gatewayOf()));
    await settle(infrastructure);
    expect(states.get("default/eg")?.addresses).toEqual([{ type: "IPAddress", value: "192.0.2.1" }]);
  });

  test("say what the API server refuses, until it is mended", async () => {
    const infrastructure = start();
    const volumes = [{ name: "twice", emptyDir: {}, configMap: { name: "x" } }];
    infrastructure.apply(wanting(gatewayOf({}, { envoyDeployment: { pod: { volumes } } })));
    await settle(infrastructure);
    expect(states.get("default/eg")?.fault?.text).toMatch(/Deployment .*may not specify more than 1 volume type/s);
    infrastructure.apply(wanting(gatewayOf()));
    await settle(infrastructure);
    expect(states.get("default/eg")).toMatchObject({ addresses: [], waits: { pods: expect.any(String) } });
  }, 60_000);

  test("ask for addresses in the way of each type of Service, and say that the API server refuses one", async () => {
    const infrastructure = start();
    const specOf = async (type: string, ...addresses: string[]) => {
      infrastructure.apply(wanting(gatewayOf({ addresses }, { envoyService: { type } })));
      await settle(infrastructure);
      const { spec } = await read<{ spec: Record<string, unknown> }>("Service", NAME);
      return [spec["type"], spec["loadBalancerIP"], spec["externalIPs"]];
    };
    expect(await specOf("LoadBalancer", "198.51.100.1", "198.51.100.2")).toEqual([
      "LoadBalancer",
      "198.51.100.1",
      undefined,
    ]);
    expect(await specOf("LoadBalancer")).toEqual(["LoadBalancer", undefined, undefined]);
    expect(await specOf("NodePort", "198.51.100.1")).toEqual(["NodePort", undefined, ["198.51.100.1"]]);
    expect(states.get("default/eg")?.fault).toBeUndefined();
    expect((await specOf("ClusterIP", "198.51.100.1"))[0]).toBe("NodePort");
    expect(states.get("default/eg")?.fault).toMatchObject({ ofAddresses: true });
  }, 60_000);

  test("say that another Gateway has the name; an account may be shared", async () => {
    const infrastructure = start();
    const named = { envoyDeployment: { name: "edge" }, envoyServiceAccount: { name: "shared" } };
    infrastructure.apply(wanting(gatewayOf({}, named)));
    await settle(infrastructure);
    const second = gatewayOf({ gateway: "other/gw" }, named);
    infrastructure.apply(wanting(second));
    await settle(infrastructure);
    expect(states.get("other/gw")?.fault?.text).toContain("runs Gateway default/eg already");
    infrastructure.apply(wanting(gatewayOf({ gateway: "other/gw" }, { envoyServiceAccount: { name: "shared" } })));
    await settle(infrastructure);
    expect(states.get("other/gw")).toMatchObject({ addresses: [], waits: { pods: expect.any(String) } });
    infrastructure.apply(new Map([["default/eg", undefined]]));
    await waitFor("the account again", async () => {
      const all = await names();
      return (!all.some((name) => name.includes("edge")) && all.includes("ServiceAccount shared")) || undefined;
    });
  }, 60_000);
});

test("beside their Gateways, objects are called like them", async () => {
  environment = { ...environment, inGatewayNamespace: true };
  const infrastructure = start();
  infrastructure.apply(wanting(gatewayOf({ gateway: `${environment.namespace}/web` })));
  await settle(infrastructure);
  expect((await names()).sort()).toEqual(["ConfigMap web", "Deployment web", "Service web", "ServiceAccount web"]);
}, 60_000);

test("a server that is away for a while is written to when it is back", async () => {
  const infrastructure = start();
  infrastructure.apply(wanting(gatewayOf()));
  await settle(infrastructure);
  await server.down("SIGKILL");
  infrastructure.apply(wanting(gatewayOf({ annotations: { changed: "meanwhile" } })));
  await server.up();
  await waitFor("the change", async () => {
    const answer = await read("Service", NAME).catch(() => undefined);
    return answer?.metadata.annotations?.["changed"] === "meanwhile" || undefined;
  });
}, 120_000);
