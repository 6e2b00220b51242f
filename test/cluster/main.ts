/**
 * `make cluster`: keeps a cluster up in the foreground until Ctrl-C.
 *
 * usage: main.ts [--images FILE]... [--apply FILE-OR-FOLDER]...
 *
 * FILE of images: a JSON list, or a module that exports `images` (see `images.ts`). What is to be applied goes to `kubectl apply
 * --server-side`; a folder with a kustomization.yaml is built by it.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { type Cluster, startCluster } from "./cluster.ts";
import type { Image } from "./images.ts";
import type { Pod } from "./kubelet/objects.ts";
import { findProgram } from "./programs.ts";
import { images as systemImages } from "./system-images.ts";
import { watchObjects } from "./watch.ts";

/** Set by `tools/in-namespaces.sh`. */
const ROOTLESS_MARK = "IN_USER_NAMESPACE";

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { images: { type: "string", multiple: true }, apply: { type: "string", multiple: true } },
  });
  const images = [...(await Promise.all((values.images ?? []).map(readImages))).flat(), ...systemImages];
  console.log("starting a cluster: etcd, API server, controllers, scheduler, kube-proxy, DNS");
  const cluster = await startCluster({ images });
  const interrupted = new Promise<string>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => resolve(signal));
  });
  try {
    console.log(greeting(cluster));
    for (const path of values.apply ?? []) await apply(cluster, path);
    const watched = watchObjects<Pod>(cluster.rest, "/api/v1/pods", podPrinter());
    const end = await Promise.race([interrupted.then(() => undefined), cluster.failed]);
    watched.stop();
    if (end !== undefined) console.error(`a component ended by itself:\n${end}`);
    return end === undefined ? 0 : 1;
  } finally {
    console.log("stopping the cluster");
    await cluster.stop();
  }
}

function greeting(cluster: Cluster): string {
  const rootless = process.env[ROOTLESS_MARK] !== undefined;
  const enter = `    nsenter --preserve-credentials --user --net --mount --target ${process.pid}\n`;
  return `
The cluster is up. ${rootless ? `It is in namespaces of its own; enter them first:\n${enter}` : ""}In a shell:

    export KUBECONFIG=${cluster.kubeconfigPath} PATH=${dirname(findProgram("kubectl"))}:$PATH

Everything at ${cluster.addresses.range} is reachable from ${rootless ? "there" : "this machine"}: pods, Services, load balancers
(${cluster.addresses.loadBalancerRange}). Logs of the components: ${cluster.directory}/*.log. Ctrl-C stops it and leaves nothing behind.
`;
}

async function readImages(path: string): Promise<readonly Image[]> {
  if (path.endsWith(".json")) return JSON.parse(readFileSync(path, "utf8")) as Image[];
  const module = (await import(pathToFileURL(resolve(path)).href)) as { images: readonly Image[] };
  return module.images;
}

async function apply(cluster: Cluster, path: string): Promise<void> {
  const isKustomization = existsSync(join(path, "kustomization.yaml"));
  console.log(await cluster.kubectl(["apply", "--server-side", isKustomization ? "-k" : "-f", path]));
}

/** Says what becomes of each pod, one line a change. */
function podPrinter() {
  const last = new Map<string, string>();
  const print = (name: string, state: string) => {
    if (last.get(name) !== state) console.log(`${new Date().toLocaleTimeString("en-GB")} ${name}: ${state}`);
    last.set(name, state);
  };
  const nameOf = (pod: Pod) => `${pod.metadata.namespace}/${pod.metadata.name}`;
  return {
    onSet: (pod: Pod) => print(nameOf(pod), describePod(pod)),
    onDelete(pod: Pod) {
      print(nameOf(pod), "gone");
      last.delete(nameOf(pod));
    },
  };
}

function describePod({ metadata, status }: Pod): string {
  if (metadata.deletionTimestamp !== undefined) return "ending";
  const statuses = status?.containerStatuses ?? [];
  const waiting = statuses.map(({ state }) => state?.waiting?.message).find((message) => message !== undefined);
  const ready = statuses.filter((container) => container.ready).length;
  return `${status?.phase ?? "Pending"}, ${ready} of ${statuses.length} ready${waiting === undefined ? "" : `: ${waiting}`}`;
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
