/**
 * The kubelet stand-in: runs the pods that are bound to its nodes as local processes, each pod in a network namespace of its own
 * and each container in namespaces of its own (crun makes them), and reports what becomes of them.
 */
import type { IConfigMap, ISecret } from "kubernetes-models/v1";
import type { KeyPair } from "../../harness/certificates.ts";
import { type Identified, watchObjects } from "../watch.ts";
import { keepNode, type NodeDescription } from "./node.ts";
import type { NodeContext, Pod } from "./objects.ts";
import { PodWorker } from "./pod-worker.ts";
import { startKubeletServer } from "./server.ts";

export interface KubeletOptions extends Omit<NodeContext, "sources"> {
  /** All of them are this machine; several are for tests of topology. */
  readonly nodes: readonly NodeDescription[];
  readonly serving: KeyPair;
  /** PEM: who may ask for logs. */
  readonly clientAuthority: string;
}

export interface Kubelet {
  /** Resolves when the nodes are registered and pods are being watched. */
  readonly ready: Promise<void>;
}

/** Tokens in volumes are renewed when it is time; everything else follows its objects at once. */
const TOKEN_CHECK_MS = 30_000;
const PORT = 10_250;

export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { rest } = options;
  const workers = new Map<string, PodWorker>();
  const names = new Set(options.nodes.map((node) => node.name));

  const refreshNamespace = (object: Identified) => {
    for (const pod of pods.all()) {
      if (pod.metadata.namespace === object.metadata?.namespace) workers.get(pod.metadata.uid)?.refresh();
    }
  };
  const onRelated = { onSet: refreshNamespace, onDelete: refreshNamespace };
  const secrets = watchObjects<ISecret>(rest, "/api/v1/secrets", onRelated);
  const configMaps = watchObjects<IConfigMap>(rest, "/api/v1/configmaps", onRelated);
  const context: NodeContext = {
    ...options,
    sources: { secret: secrets.get, configMap: configMaps.get },
  };
  const pods = watchObjects<Pod>(rest, "/api/v1/pods", {
    onSet(pod) {
      const { uid } = pod.metadata;
      const known = workers.get(uid);
      if (known !== undefined) known.update(pod);
      else if (names.has(pod.spec.nodeName ?? "") && !isFinished(pod)) {
        workers.set(uid, new PodWorker(pod, context, () => workers.delete(uid)));
      }
    },
    onDelete: (pod) => void workers.get(pod.metadata.uid)?.abandon(),
  });
  setInterval(() => {
    for (const worker of workers.values()) worker.refresh();
  }, TOKEN_CHECK_MS).unref();

  const findLog = (namespace: string, name: string, container: string) => {
    const pod = pods.get(namespace, name);
    return pod === undefined ? undefined : workers.get(pod.metadata.uid)?.log(container);
  };
  await startKubeletServer(options.nodeAddress, PORT, options.serving, options.clientAuthority, findLog);
  const registered = options.nodes.map((node) => keepNode(rest, node, options.nodeAddress, PORT, options.capacity));
  const ready = Promise.all([...registered, secrets.synced, configMaps.synced, pods.synced]).then(() => {});
  return { ready };
}

/** Only deletion is left to confirm for those, and nobody waits for that: no kubelet ran them here. */
function isFinished(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}
