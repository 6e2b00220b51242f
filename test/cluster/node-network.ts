import { mkdirSync, writeFileSync } from "node:fs";
import type { AddressPlan } from "./addresses.ts";
import { createAddressPool } from "./addresses.ts";
import { runCommand, runIp } from "./commands.ts";

/** Name of the cluster's end of the link to the machine, which the machine makes. */
export const CLUSTER_LINK = "host0";

/** Number of the routing table for packets that the node itself sends. */
const OWN_ROUTES = 100;

export interface PodNetwork {
  /** Name for `ip netns` and {@link netnsPath}. */
  readonly name: string;
  readonly address: string;
  remove(): Promise<void>;
}

export interface NodeNetwork {
  /**
   * A network namespace with one address, reachable from the node, from other pods and from the machine.
   *
   * @param sysctls names with dots, as in a pod's securityContext
   */
  addPod(name: string, sysctls: readonly { readonly name: string; readonly value: string }[]): Promise<PodNetwork>;
}

export function netnsPath(name: string): string {
  return `/run/netns/${name}`;
}

/**
 * Prepares the network namespace that this process is in.
 *
 * Pods are routed, not bridged: each has a veth pair and an address of its own without neighbours, so that every packet passes
 * the node's IP layer, where kube-proxy's rules are. On a bridge, answers of a Service's pod would go straight to their
 * neighbour and never be translated back.
 */
export async function createNodeNetwork(plan: AddressPlan): Promise<NodeNetwork> {
  // iproute2's folder of named namespaces; /run is this mount namespace's own.
  mkdirSync("/run/netns", { recursive: true });
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  await runIp([
    "link set lo up",
    // `dummy` links do not exist everywhere; an address on lo is answered for on every link.
    `address add ${plan.node}/32 dev lo`,
    `address add ${plan.clusterEnd}/30 dev ${CLUSTER_LINK}`,
    `link set ${CLUSTER_LINK} up`,
    `route add default via ${plan.hostEnd} src ${plan.node}`,
    // What has no pod, or no rule of kube-proxy, ends here. A packet that went in circles instead would leave a connection behind that
    // conntrack takes up again, without the rule that there is by then, when its port is used once more.
    ...[plan.podRange, plan.serviceRange, plan.loadBalancerRange].map((range) => `route add unreachable ${range}`),
    // The node's own packets meet kube-proxy only after they have a route.
    `rule add iif lo lookup ${OWN_ROUTES}`,
    ...[plan.serviceRange, plan.loadBalancerRange].map(
      (range) => `route add ${range} dev lo src ${plan.node} table ${OWN_ROUTES}`,
    ),
  ]);
  const pool = createAddressPool(plan.podRange);
  let counter = 0;
  return {
    async addPod(name, sysctls) {
      const address = pool.take();
      // Link names have at most 15 characters.
      const link = `pod${counter++}`;
      try {
        await runIp([
          `netns add ${name}`,
          `link add ${link} type veth peer name eth0 netns ${name}`,
          `link set ${link} up`,
          `route add ${address}/32 dev ${link} src ${plan.node}`,
        ]);
        await runIp(
          [
            "link set lo up",
            `address add ${address}/32 dev eth0`,
            "link set eth0 up",
            `route add ${plan.node}/32 dev eth0`,
            `route add default via ${plan.node} dev eth0`,
          ],
          name,
        );
        for (const sysctl of sysctls) {
          const file = `/proc/sys/${sysctl.name.replaceAll(".", "/")}`;
          await runCommand("nsenter", [
            `--net=${netnsPath(name)}`,
            "sh",
            "-c",
            'printf %s "$1" >"$2"',
            "sh",
            sysctl.value,
            file,
          ]);
        }
      } catch (error) {
        await runIp([`netns delete ${name}`]).catch(() => {});
        pool.release(address);
        throw error;
      }
      return {
        name,
        address,
        async remove() {
          // The namespace takes its link along, and the link the route.
          await runIp([`netns delete ${name}`]);
          pool.release(address);
        },
      };
    },
  };
}
