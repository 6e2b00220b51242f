import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Pod, PodFacts } from "./objects.ts";

const DOMAIN = "cluster.local";

/** Writes the pod's `hosts`, `resolv.conf` and `hostname` into a folder. */
export function writeNameFiles(folder: string, pod: Pod, facts: PodFacts, nameserver: string): void {
  mkdirSync(folder, { recursive: true });
  const hostname = pod.spec.hostname ?? pod.metadata.name;
  const files = {
    hosts: hostsText(pod, facts.podAddress, hostname),
    "resolv.conf": resolverText(pod, nameserver),
    hostname: `${hostname}\n`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o644 });
}

function hostsText(pod: Pod, address: string, hostname: string): string {
  const { subdomain, hostAliases = [] } = pod.spec;
  const qualified = subdomain ? `${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${DOMAIN}\t` : "";
  const aliases = hostAliases.map((alias) => `${alias.ip}\t${(alias.hostnames ?? []).join("\t")}\n`);
  return `127.0.0.1\tlocalhost\n::1\tlocalhost\n${address}\t${qualified}${hostname}\n${aliases.join("")}`;
}

/** Every policy but `None` means the cluster's DNS, because the machine's is out of reach of a pod. */
function resolverText(pod: Pod, nameserver: string): string {
  const { dnsPolicy, dnsConfig } = pod.spec;
  const own = dnsPolicy === "None";
  const services = `svc.${DOMAIN}`;
  const nameservers = [...(own ? [] : [nameserver]), ...(dnsConfig?.nameservers ?? [])];
  const searches = [
    ...(own ? [] : [`${pod.metadata.namespace}.${services}`, services, DOMAIN]),
    ...(dnsConfig?.searches ?? []),
  ];
  const options = new Map(own ? [] : [["ndots", "5"]]);
  for (const option of dnsConfig?.options ?? []) options.set(option.name ?? "", option.value ?? "");
  const lines = [
    ...nameservers.map((address) => `nameserver ${address}`),
    ...(searches.length > 0 ? [`search ${searches.join(" ")}`] : []),
    ...[...options].map(([name, value]) => `options ${name}${value === "" ? "" : `:${value}`}`),
  ];
  return `${lines.join("\n")}\n`;
}
