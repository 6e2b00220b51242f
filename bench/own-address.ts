import { networkInterfaces } from "node:os";
import { runCommand } from "../test/cluster/commands.ts";

/** TEST-NET-1 of RFC 5737: in nobody's way. */
const ADDED = "192.0.2.1";

/**
 * An IPv4 address of this machine that is not loopback, which a Backend of a cluster may not name. A network namespace that has
 * none, as one for a user without rights, is given one.
 */
export async function ownAddress(): Promise<string> {
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, address }) => family === "IPv4" && !address.startsWith("127."));
  if (found !== undefined) return found.address;
  await runCommand("ip", ["address", "add", `${ADDED}/32`, "dev", "lo"]);
  return ADDED;
}
