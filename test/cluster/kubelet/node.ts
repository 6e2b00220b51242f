import { pause } from "../../harness/waiting.ts";
import type { Rest } from "../rest.ts";

export interface NodeDescription {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** The node lifecycle controller gives up on a node after 50 s without a sign of life. */
const HEARTBEAT_MS = 10_000;
const LEASE_SECONDS = 40;
const RETRY_MS = 200;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Registers a node, reports it ready and keeps its Lease fresh. Resolves when it has been registered. */
export async function keepNode(
  rest: Rest,
  node: NodeDescription,
  address: string,
  port: number,
  capacity: Readonly<Record<string, string>>,
): Promise<void> {
  await insist(() => register(rest, node, address, port, capacity));
  const beat = async () => {
    for (;;) {
      await insist(() => renewLease(rest, node.name));
      await pause(HEARTBEAT_MS);
    }
  };
  void beat();
}

async function insist(work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch {
      await pause(RETRY_MS);
    }
  }
}

async function register(
  rest: Rest,
  node: NodeDescription,
  address: string,
  port: number,
  capacity: Readonly<Record<string, string>>,
): Promise<void> {
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  const labels = {
    "kubernetes.io/hostname": node.name,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": architecture,
    ...node.labels,
  };
  const body = { apiVersion: "v1", kind: "Node", metadata: { name: node.name, labels } };
  const { status } = await rest.ask("/api/v1/nodes", { method: "POST", body });
  if (status >= 400 && status !== 409) throw new Error(`registering node ${node.name}: ${status}`);
  const time = now();
  const report = {
    capacity,
    allocatable: capacity,
    addresses: [
      { type: "InternalIP", address },
      { type: "Hostname", address: node.name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
    nodeInfo: {
      machineID: node.name,
      systemUUID: node.name,
      bootID: node.name,
      kernelVersion: "local",
      osImage: "this machine",
      containerRuntimeVersion: "crun://1",
      kubeletVersion: "v1.36.3",
      kubeProxyVersion: "",
      operatingSystem: "linux",
      architecture,
    },
    conditions: ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"].map((type) => ({
      type,
      status: type === "Ready" ? "True" : "False",
      reason: "KubeletReady",
      lastHeartbeatTime: time,
      lastTransitionTime: time,
    })),
  };
  const contentType = "application/merge-patch+json";
  await rest.json(`/api/v1/nodes/${node.name}/status`, { method: "PATCH", contentType, body: { status: report } });
}

async function renewLease(rest: Rest, node: string): Promise<void> {
  const path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
  const spec = {
    holderIdentity: node,
    leaseDurationSeconds: LEASE_SECONDS,
    renewTime: new Date().toISOString().replace("Z", "000Z"),
  };
  const contentType = "application/merge-patch+json";
  const { status } = await rest.ask(`${path}/${node}`, { method: "PATCH", contentType, body: { spec } });
  if (status === 404) await rest.json(path, { method: "POST", body: { metadata: { name: node }, spec } });
  else if (status >= 400) throw new Error(`lease of node ${node}: ${status}`);
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+/, "");
}
