import { runCommand } from "./commands.ts";
import { findCommand } from "./programs.ts";

/** System commands that a cluster needs, and the Debian package that has each. */
const COMMANDS: Readonly<Record<string, string>> = {
  crun: "crun",
  ip: "iproute2",
  mount: "mount",
  nft: "nftables",
  nsenter: "util-linux",
  openssl: "openssl",
  setpriv: "util-linux",
  unshare: "util-linux",
};

/** What keeps this machine from running a cluster, each with the way out; empty when nothing does. */
export async function findHindrances(): Promise<string[]> {
  if (process.platform !== "linux") return ["a cluster needs Linux: its pods are processes in Linux namespaces"];
  const packages = new Set(
    Object.keys(COMMANDS)
      .filter((name) => findCommand(name) === undefined)
      .map((name) => COMMANDS[name]!),
  );
  if (packages.size > 0)
    return [`missing: ${[...packages].join(" ")}    install with: apt-get install ${[...packages].join(" ")}`];
  try {
    await runCommand("unshare", ["--net", "--mount", "--pid", "--fork", "--mount-proc", "true"]);
    return [];
  } catch (error) {
    return [`this process may not make namespaces (${String(error)}): run it as root, or by tools/in-namespaces.sh`];
  }
}
