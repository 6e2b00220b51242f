/**
 * The inside of a cluster: the process that `cluster.ts` starts in network, mount and process namespaces of its own. It speaks in
 * lines of JSON: commands come in on standard input, whose end is the order to stop, answers and events go out on standard output.
 * Its parent in the namespaces is process 1: with it ends everything that was started here.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { planAddresses } from "./addresses.ts";
import { runCommand } from "./commands.ts";
import { componentUsers, startComponents } from "./components.ts";
import { type ApiServer, startApiServer } from "./control-plane.ts";
import { startKubelet } from "./kubelet/kubelet.ts";
import { startLoadBalancer } from "./load-balancer.ts";
import { createNodeNetwork } from "./node-network.ts";
import type { ClusterMessage, ClusterOrder, InsideOptions } from "./protocol.ts";

const PORTS = { apiServer: 6443, etcd: 2379, etcdPeer: 2380 };
const SERVICE_PORT = 443;

function say(message: ClusterMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function start(options: InsideOptions): Promise<ApiServer> {
  const plan = planAddresses(options.slot);
  await prepareMounts();
  const network = await createNodeNetwork(plan);
  const server = await startApiServer({
    address: plan.node,
    ports: PORTS,
    directory: options.directory,
    serviceRange: plan.serviceRange,
    users: [...componentUsers, ...options.users],
    withControllers: true,
    extraArgs: options.apiServerArgs,
  });
  const nodes = options.nodes.length > 0 ? options.nodes : [{ name: "node-1" }];
  const { failed } = startComponents(server, plan, nodes[0]!.name);
  void failed.then((message) => say({ event: "failed", message }));
  startLoadBalancer(server.rest, plan, { classes: options.loadBalancerClasses });
  const serving = server.authority.issue({ dnsNames: ["kubelet"], ipAddresses: [plan.node], usage: "serverAuth" });
  const folder = join(options.directory, "pods");
  mkdirSync(folder, { recursive: true });
  const kubelet = await startKubelet({
    rest: server.rest,
    network,
    images: options.images,
    nodes,
    nodeAddress: plan.node,
    nameserver: plan.node,
    apiServer: { host: plan.serviceRange.replace(/\d+\/\d+$/, "1"), port: SERVICE_PORT },
    // So much that the scheduler never refuses a pod; nothing is enforced.
    capacity: { cpu: "256", memory: "1Ti", pods: "1000", "ephemeral-storage": "1Ti" },
    folder,
    serving,
    clientAuthority: server.caCertificate,
  });
  await kubelet.ready;
  return server;
}

/** What is under /run belongs to this cluster; crun refuses to run where both versions of cgroups are mounted, so one goes. */
async function prepareMounts(): Promise<void> {
  await runCommand("mount", ["-t", "tmpfs", "tmpfs", "/run"]);
  const unified = "/sys/fs/cgroup/unified";
  if (existsSync(unified)) await runCommand("mount", ["--rbind", unified, "/sys/fs/cgroup"]);
}

async function obey(server: ApiServer, order: ClusterOrder): Promise<void> {
  if (order.do === "down") await server.down(order.signal);
  else await server.up();
}

async function main(): Promise<void> {
  const lines = createInterface({ input: process.stdin });
  const orders = lines[Symbol.asyncIterator]();
  say({ event: "entered" });
  const first = await orders.next();
  if (first.done) return;
  // The end of standard input ends the cluster, whatever it is doing.
  lines.once("close", () => process.exit(0));
  const server = await start(JSON.parse(first.value) as InsideOptions);
  say({ event: "ready" });
  for await (const line of orders) {
    const order = JSON.parse(line) as ClusterOrder;
    await obey(server, order).then(
      () => say({ event: "done", id: order.id }),
      (error) => say({ event: "refused", id: order.id, message: String(error) }),
    );
  }
}

main().catch((error) => {
  say({ event: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.exit(1);
});
