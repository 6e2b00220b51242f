import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { launch, logTail, type MeasuredProcess } from "../harness/process.ts";
import type { AddressPlan } from "./addresses.ts";
import type { ApiServer, User } from "./control-plane.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import { findProgram, type Program } from "./programs.ts";

/** The users of the components: the names and groups that Kubernetes' own ClusterRoleBindings know. */
export const componentUsers: readonly User[] = [
  // Controllers run with these rights, not each with a ServiceAccount of its own.
  { name: "system:kube-controller-manager", token: "controller-manager-token", groups: ["system:masters"] },
  { name: "system:kube-scheduler", token: "scheduler-token", groups: [] },
  { name: "system:kube-proxy", token: "proxy-token", groups: [] },
  // `system:node-proxier` may list and watch Services and EndpointSlices; names need namespaces too.
  { name: "coredns", token: "coredns-token", groups: ["system:masters"] },
];

export interface Components {
  /** The first one that ended by itself, described with the end of its log. Never resolves while all run. */
  readonly failed: Promise<string>;
}

/** Starts kube-controller-manager, kube-scheduler, kube-proxy and CoreDNS beside an API server, in this network namespace. */
export function startComponents(server: ApiServer, plan: AddressPlan, nodeName: string): Components {
  const kubeconfig = (user: string) =>
    writeKubeconfig(join(server.directory, `${user.replace("system:", "")}.kubeconfig`), server.accessFor(user));
  const run = (program: Program, args: readonly string[]) =>
    launch({ command: findProgram(program), args, logPath: join(server.directory, `${program}.log`) });
  const proxyConfig = writeJson(
    server,
    "kube-proxy.json",
    kubeProxyConfig(plan, nodeName, kubeconfig("system:kube-proxy")),
  );
  const corefile = join(server.directory, "Corefile");
  writeFileSync(corefile, corefileText(plan, kubeconfig("coredns")));
  const processes = [
    run("kube-controller-manager", controllerManagerArgs(server, kubeconfig("system:kube-controller-manager"))),
    run("kube-scheduler", [`--kubeconfig=${kubeconfig("system:kube-scheduler")}`, "--leader-elect=false"]),
    run("kube-proxy", [`--config=${proxyConfig}`]),
    run("coredns", ["-conf", corefile]),
  ];
  return { failed: Promise.race(processes.map(describeEnd)) };
}

async function describeEnd(child: MeasuredProcess): Promise<string> {
  const how = await child.exited;
  return `${child.logPath}: ended with ${how}\n${logTail(child.logPath)}`;
}

function controllerManagerArgs(server: ApiServer, kubeconfig: string): string[] {
  const file = (name: string) => join(server.directory, name);
  return [
    `--kubeconfig=${kubeconfig}`,
    "--leader-elect=false",
    `--root-ca-file=${file("ca.crt")}`,
    `--service-account-private-key-file=${file("service-accounts.key")}`,
    `--cluster-signing-cert-file=${file("ca.crt")}`,
    `--cluster-signing-key-file=${file("ca.key")}`,
    // Nodes are this machine: a lost heartbeat only means that the API server was away, and no reason to take pods out of Services.
    "--node-monitor-grace-period=1h",
    // The defaults (20 a second) are for clusters that share their API server.
    "--kube-api-qps=500",
    "--kube-api-burst=1000",
  ];
}

function kubeProxyConfig(plan: AddressPlan, nodeName: string, kubeconfig: string): unknown {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    hostnameOverride: nodeName,
    clientConnection: { kubeconfig, qps: 500, burst: 1000 },
    clusterCIDR: plan.podRange,
    detectLocalMode: "ClusterCIDR",
    // Those are settings of the machine, which a namespace may not change.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    // Rules follow the objects at once: the default waits up to a second to save work in big clusters.
    nftables: { minSyncPeriod: "0s" },
  };
}

function corefileText(plan: AddressPlan, kubeconfig: string): string {
  return `.:53 {
  bind ${plan.node}
  errors
  kubernetes cluster.local {
    kubeconfig ${kubeconfig}
    ttl 1
  }
}
`;
}

function writeJson(server: ApiServer, name: string, value: unknown): string {
  const path = join(server.directory, name);
  writeFileSync(path, JSON.stringify(value, null, 2));
  return path;
}
