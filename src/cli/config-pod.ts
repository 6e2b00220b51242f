import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { type Command, Option } from "commander";
import type { WatchScope } from "../kube/watch-set.ts";

/** What this process has to know of the pod that it runs in. */
export interface PodIdentity {
  /** Where Gatehouse's own objects are. */
  readonly namespace: string;
  /** Tells replicas apart, in the Lease and in logs. */
  readonly podName: string;
  /** Service by which Envoys reach the xDS servers of all replicas. */
  readonly serviceName: string;
  /** Domain of the cluster's DNS. */
  readonly clusterDomain: string;
  /** Who issues the certificates of xDS. */
  readonly certificates: CertificateIssuer;
}

/** `own`: Gatehouse. */
export type CertificateIssuer = "own" | "cert-manager";

/** Flags of the operator, as commander hands them over. Each has an environment variable too. */
export interface OperatorFlags {
  readonly config?: string;
  readonly namespace?: string;
  readonly podName?: string;
  readonly serviceName: string;
  readonly clusterDomain: string;
  readonly certificates: CertificateIssuer;
  readonly kubeconfig?: string;
  /** The only ones to read; none: as the configuration file says. */
  readonly watchNamespace: readonly string[];
  /** More controller names than the one of the configuration file. */
  readonly controllerName: readonly string[];
}

const SERVICE_ACCOUNT_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/** Adds what a pod needs to be told and the configuration file does not say. */
export function addOperatorOptions(command: Command): Command {
  const option = (flags: string, description: string, variable: string) => new Option(flags, description).env(variable);
  return command
    .addOption(option("--config <file>", "configuration file, kind EnvoyGateway; followed", "GATEHOUSE_CONFIG"))
    .addOption(option("--namespace <name>", "of Gatehouse itself (default: that of the pod)", "GATEHOUSE_NAMESPACE"))
    .addOption(option("--pod-name <name>", "of this replica (default: the host's name)", "GATEHOUSE_POD_NAME"))
    .addOption(
      option("--service-name <name>", "Service in front of all replicas", "GATEHOUSE_SERVICE_NAME").default(
        "gatehouse",
      ),
    )
    .addOption(
      option("--cluster-domain <domain>", "of the cluster's DNS", "KUBERNETES_CLUSTER_DOMAIN").default("cluster.local"),
    )
    .addOption(
      option("--certificates <issuer>", "who issues the certificates of xDS", "GATEHOUSE_CERTIFICATES")
        .choices(["own", "cert-manager"] satisfies CertificateIssuer[])
        .default("own"),
    )
    .addOption(
      option(
        "--watch-namespace <name...>",
        "read these namespaces only, whatever the configuration file says",
        "WATCH_NAMESPACE",
      )
        .argParser(addNames)
        .default([], "as the file says"),
    )
    .option("--kubeconfig <file>", "cluster to serve (default: KUBECONFIG, then the pod's own service account)")
    .addOption(
      option(
        "--controller-name <name...>",
        "serve GatewayClasses with these controllerNames too",
        "GATEHOUSE_CONTROLLER_NAMES",
      )
        .argParser(addNames)
        .default([], "none"),
    );
}

/** An environment variable holds all names in one text. */
function addNames(text: string, before: readonly string[] = []): string[] {
  return [...before, ...text.split(/[\s,]+/).filter((name) => name !== "")];
}

/**
 * Puts together who this process is.
 *
 * @throws Error when neither a flag nor the pod tells the namespace
 */
export function readPodIdentity(flags: OperatorFlags, namespaceFile = SERVICE_ACCOUNT_NAMESPACE): PodIdentity {
  const { serviceName, clusterDomain, certificates } = flags;
  const namespace = flags.namespace ?? readNamespace(namespaceFile);
  if (namespace === undefined) {
    throw new Error("the namespace of Gatehouse is not known: set --namespace or GATEHOUSE_NAMESPACE");
  }
  return { namespace, podName: flags.podName ?? hostname(), serviceName, clusterDomain, certificates };
}

function readNamespace(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Where to read. Whoever installs Gatehouse for some namespaces (OLM by its OperatorGroup) permits no more than those, so their
 * word counts before the file's.
 */
export function watchScopeOf(
  configured: WatchScope,
  { watchNamespace }: Pick<OperatorFlags, "watchNamespace">,
): WatchScope {
  return watchNamespace.length === 0 ? configured : { type: "Namespaces", namespaces: [...new Set(watchNamespace)] };
}

/** The names whose GatewayClasses are ours: the configured one first, each once. */
export function controllerNamesOf(configured: string, flags: Pick<OperatorFlags, "controllerName">): string[] {
  return [...new Set([configured, ...flags.controllerName])];
}
