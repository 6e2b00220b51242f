/**
 * A whole Kubernetes cluster on this machine without a container runtime: the real control plane and kube-proxy, and two stand-ins,
 * a kubelet that runs pods as local processes and a load balancer. README.md says how it works and what is not faithful.
 *
 * Exports: `startCluster(options) → Cluster`. Everything ends when the process that started it does, however that ends.
 */
import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { logTail } from "../harness/process.ts";
import type { AddressPlan } from "./addresses.ts";
import { runCommand } from "./commands.ts";
import type { User } from "./control-plane.ts";
import { connectCluster } from "./host-link.ts";
import type { Image } from "./images.ts";
import { readKubeconfig, runKubectl } from "./kubeconfig.ts";
import type { NodeDescription } from "./kubelet/node.ts";
import type { ClusterMessage, InsideOptions } from "./protocol.ts";
import { findHindrances } from "./requirements.ts";
import { createRest, type Rest } from "./rest.ts";
import { createWorkFolder } from "./work-folder.ts";

export interface ClusterOptions {
  /** What runs in the place of which container image; the first match counts. */
  readonly images: readonly Image[];
  /** Default: one, named `node-1`. All are this machine; kube-proxy stands on the first. */
  readonly nodes?: readonly NodeDescription[];
  /** Users with bearer tokens beside the administrator. */
  readonly users?: readonly User[];
  /** Further flags of kube-apiserver. */
  readonly apiServerArgs?: readonly string[];
  /** Values of `spec.loadBalancerClass` that the load balancer serves beside Services without one. */
  readonly loadBalancerClasses?: readonly string[];
}

export interface Cluster {
  /** Of an administrator. */
  readonly kubeconfigPath: string;
  readonly addresses: AddressPlan;
  /** Logs of the components, data, the pods' files; deleted by `stop`. */
  readonly directory: string;
  /** Acts as administrator. */
  readonly rest: Rest;
  /** kubectl as administrator; resolves with standard output, rejects with standard error. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Runs a command in the node's network namespace to its end, and resolves with its standard output. */
  runOnNode(command: readonly string[]): Promise<string>;
  /** The API server goes away, and comes back with its data. Pods go on. */
  readonly apiServer: {
    down(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
    up(): Promise<void>;
  };
  /** Resolves with a description when a component ends by itself; it never should. */
  readonly failed: Promise<string>;
  stop(): Promise<void>;
}

const START_LIMIT_MS = 180_000;
const insidePath = fileURLToPath(new URL("inside.ts", import.meta.url));
/** Process 1 of the cluster: with it everything ends, and it takes care of orphans, which Node would not. */
const INIT = 'exec 3<&0; "$@" <&3 3<&- & exec 3<&-; wait $!';

/** @throws Error that says what is missing on this machine and how to get it */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const hindrances = await findHindrances();
  if (hindrances.length > 0) throw new Error(hindrances.join("\n"));
  const directory = createWorkFolder("cluster");
  const inside = enter(directory);
  const stop = async () => {
    inside.process.stdin?.end();
    await inside.ended;
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await inside.next("entered");
    const addresses = await connectCluster(inside.process.pid!);
    const { images, nodes = [], users = [], apiServerArgs = [], loadBalancerClasses = [] } = options;
    inside.tell({
      slot: addresses.slot,
      directory,
      images,
      nodes,
      users,
      apiServerArgs,
      loadBalancerClasses,
    } satisfies InsideOptions);
    await inside.next("ready");
    return describe(directory, addresses, inside, stop);
  } catch (error) {
    const log = logTail(join(directory, "inside.log"));
    await stop();
    throw new Error(`${String(error)}\n${log}`);
  }
}

function describe(directory: string, addresses: AddressPlan, inside: Inside, stop: () => Promise<void>): Cluster {
  const kubeconfigPath = join(directory, "kubeconfig");
  const rest = createRest(readKubeconfig(kubeconfigPath));
  return {
    kubeconfigPath,
    addresses,
    directory,
    rest,
    kubectl: (args, input) => runKubectl(kubeconfigPath, args, input),
    runOnNode: ([command = "true", ...args]) =>
      runCommand("nsenter", [`--net=/proc/${inside.process.pid}/ns/net`, "--", command, ...args]),
    apiServer: {
      down: (signal = "SIGTERM") => inside.order({ do: "down", signal }),
      up: () => inside.order({ do: "up" }),
    },
    failed: inside.failed,
    async stop() {
      rest.close();
      await stop();
    },
  };
}

interface Inside {
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
  readonly failed: Promise<string>;
  /** Resolves with the next message of this kind; rejects when the cluster fails before. */
  next(event: "entered" | "ready"): Promise<void>;
  tell(line: unknown): void;
  order(order: { readonly do: "down"; readonly signal: "SIGTERM" | "SIGKILL" } | { readonly do: "up" }): Promise<void>;
}

function enter(directory: string): Inside {
  const namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const args = [...namespaces, "sh", "-c", INIT, "sh", process.execPath, insidePath];
  const log = openSync(join(directory, "inside.log"), "a");
  // A session of its own: Ctrl-C is for whoever started the cluster, who stops it in order.
  const child = spawn("unshare", args, { stdio: ["pipe", "pipe", log], detached: true }) as ChildProcessByStdio<
    Writable,
    Readable,
    null
  >;
  child.stdin.on("error", () => {});
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const { promise: failed, resolve: fail } = Promise.withResolvers<string>();
  const waiting = new Map<string, (message: ClusterMessage) => void>();
  let counter = 0;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const message = JSON.parse(line) as ClusterMessage;
    if (message.event === "failed") return fail(message.message);
    waiting.get("id" in message ? String(message.id) : message.event)?.(message);
  });
  const expect = (key: string) =>
    new Promise<ClusterMessage>((resolve) => waiting.set(key, resolve)).finally(() => waiting.delete(key));
  const unlessFailed = async <T>(what: Promise<T>): Promise<T> => {
    const limit = AbortSignal.timeout(START_LIMIT_MS);
    return Promise.race([
      what,
      failed.then((message) => Promise.reject(new Error(message))),
      ended.then(() => Promise.reject(new Error("the cluster ended"))),
      new Promise<never>((_, reject) =>
        limit.addEventListener("abort", () => reject(new Error("the cluster did not answer in time"))),
      ),
    ]);
  };
  const tell = (line: unknown) => void child.stdin.write(`${JSON.stringify(line)}\n`);
  return {
    process: child,
    ended,
    failed,
    next: async (event) => void (await unlessFailed(expect(event))),
    tell,
    async order(order) {
      const id = counter++;
      const answer = expect(String(id));
      tell({ id, ...order });
      const message = await unlessFailed(answer);
      if (message.event === "refused") throw new Error(message.message);
    },
  };
}
