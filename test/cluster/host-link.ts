import { type AddressPlan, planAddresses, rangesOverlap } from "./addresses.ts";
import { runCommand, runIp } from "./commands.ts";
import { CLUSTER_LINK } from "./node-network.ts";

const FIRST_SLOT = 180;
const LAST_SLOT = 250;

/**
 * Connects this machine with the network namespace of a process: a veth pair, and one route to everything inside. The name of the
 * link is what clusters compete for; it goes away, with its route, when the namespace does.
 */
export async function connectCluster(pid: number): Promise<AddressPlan> {
  const inUse = await rangesInUse();
  for (let slot = FIRST_SLOT; slot <= LAST_SLOT; slot++) {
    const plan = planAddresses(slot);
    if (inUse.some((range) => rangesOverlap(range, plan.range))) continue;
    const link = `cluster${slot}`;
    try {
      await runIp([`link add ${link} type veth peer name ${CLUSTER_LINK} netns ${pid}`]);
    } catch (error) {
      if (String(error).includes("File exists")) continue;
      throw error;
    }
    await runIp([
      `address add ${plan.hostEnd}/30 dev ${link}`,
      `link set ${link} up`,
      `route add ${plan.range} via ${plan.clusterEnd}`,
    ]);
    return plan;
  }
  throw new Error(`no range 10.N.0.0/16 with N from ${FIRST_SLOT} to ${LAST_SLOT} is free on this machine`);
}

/** Destinations of this machine's IPv4 routes, its own addresses among them. */
async function rangesInUse(): Promise<string[]> {
  const routes = JSON.parse(await runCommand("ip", ["-json", "-4", "route", "show", "table", "all"])) as {
    dst: string;
  }[];
  return routes.map((route) => route.dst).filter((range) => range !== "default");
}
