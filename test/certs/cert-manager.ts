import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.ts";
import { boundToParent } from "../cluster/programs.ts";
import { launch, type MeasuredProcess } from "../harness/process.ts";
import { toolFolder } from "../harness/tool-folder.ts";

const goModule = fileURLToPath(new URL("../../tools/cert-manager/go.mod", import.meta.url));

/**
 * Folder of cert-manager's controllers and CRDs; the same as CERT_MANAGER_TOOL of the Makefile.
 *
 * @throws Error that names the command which builds them
 */
function certManagerFolder(): string {
  const version = /cert-manager v(\S+)/.exec(readFileSync(goModule, "utf8"))?.[1];
  const folder = toolFolder(`cert-manager-${version}`);
  if (!existsSync(join(folder, ".built"))) {
    throw new Error(`cert-manager is not in ${folder}: run \`make cert-manager\``);
  }
  return folder;
}

/** An API server alone, or that of a cluster. */
type Server = Pick<Cluster, "kubectl" | "kubeconfigPath" | "directory" | "rest">;

export async function installCertManagerCrds(server: Server): Promise<void> {
  await server.kubectl(["apply", "--server-side", "-f", join(certManagerFolder(), "crds")]);
  await server.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
}

/**
 * Runs cert-manager's controllers with its gateway-shim: no webhook, so what is applied must be right. The CRDs of cert-manager and of
 * the Gateway API must be there.
 */
export function runCertManager(server: Server): MeasuredProcess {
  return launch({
    ...boundToParent(join(certManagerFolder(), "cert-manager"), ["--kubeconfig", server.kubeconfigPath]),
    logPath: join(server.directory, "cert-manager.log"),
  });
}

export async function startCertManager(server: Server): Promise<MeasuredProcess> {
  await installCertManagerCrds(server);
  return runCertManager(server);
}

/** What `cmctl renew` does. */
export async function renew(server: Server, namespace: string, certificate: string): Promise<void> {
  const path = `/apis/cert-manager.io/v1/namespaces/${namespace}/certificates/${certificate}`;
  const { status } = await server.rest.json<{ status?: { conditions?: { type: string }[] } }>(path);
  const condition = {
    type: "Issuing",
    status: "True",
    reason: "ManuallyTriggered",
    message: "asked for by hand",
    lastTransitionTime: new Date().toISOString().replace(/\.\d+/, ""),
  };
  const conditions = [...(status?.conditions ?? []).filter(({ type }) => type !== "Issuing"), condition];
  await server.rest.json(`${path}/status`, {
    method: "PATCH",
    contentType: "application/merge-patch+json",
    body: { status: { conditions } },
  });
}
