import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { toolFolder } from "../harness/tool-folder.ts";

/** What `make kubernetes` builds. */
export type Program =
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-proxy"
  | "kube-scheduler"
  | "kubectl"
  | "coredns";

const toolsPath = fileURLToPath(new URL("../../tools/", import.meta.url));

/**
 * Path of a built program: in `$KUBEBUILDER_ASSETS` when it is there, else in the tool folder.
 *
 * @throws Error that names the command which builds it
 */
export function findProgram(program: Program): string {
  const folders = [process.env["KUBEBUILDER_ASSETS"], join(kubernetesFolder(), "bin")];
  const found = findIn(folders, program);
  if (found === undefined) throw new Error(`${program} is not in ${folders[1]}: run \`make kubernetes\``);
  return found;
}

/** Path of a system command, or undefined. Administrators' folders count even when PATH lacks them. */
export function findCommand(command: string): string | undefined {
  return findIn([...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"], command);
}

/**
 * The command line that makes a program end when the thread that starts it ends, even by SIGKILL: Linux can, and tests that are
 * killed should leave nothing behind.
 */
export function boundToParent(command: string, args: readonly string[]): { command: string; args: string[] } {
  const setpriv = process.platform === "linux" ? findCommand("setpriv") : undefined;
  if (setpriv === undefined) return { command, args: [...args] };
  return { command: setpriv, args: ["--pdeathsig", "KILL", "--", command, ...args] };
}

function findIn(folders: readonly (string | undefined)[], program: string): string | undefined {
  return folders
    .filter((folder) => folder !== undefined && folder !== "")
    .map((folder) => join(folder!, program))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The same folder as KUBERNETES_TOOL of the Makefile. */
function kubernetesFolder(): string {
  const kubernetes = pinnedVersion("kubernetes", "k8s.io/kubernetes");
  const etcd = pinnedVersion("etcd", "go.etcd.io/etcd/server/v3");
  return toolFolder(`kubernetes-${kubernetes}-etcd-${etcd}`);
}

function pinnedVersion(folder: string, module: string): string {
  const text = readFileSync(join(toolsPath, folder, "go.mod"), "utf8");
  const line = text.split("\n").find((candidate) => candidate.startsWith(`require ${module} v`));
  if (line === undefined) throw new Error(`tools/${folder}/go.mod does not require ${module}`);
  return line.split(" ")[2]!.slice(1);
}
