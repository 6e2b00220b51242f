import { KubeConfig } from "@kubernetes/client-node";
import type { CollectionName } from "../../src/api/kinds.ts";
import type { KubernetesObject } from "../../src/api/object.ts";
import { type ObjectKey, objectKey } from "../../src/base/keys.ts";
import { silentLogger } from "../../src/base/log.ts";
import {
  type KubernetesInput,
  type KubernetesInputOptions,
  type ObjectProblem,
  startKubernetesInput,
} from "../../src/inputs/kubernetes/kubernetes-input.ts";
import { createKubeClient, type KubeClient } from "../../src/kube/client.ts";
import type { KubeObject } from "../../src/kube/resource-type.ts";
import type { InstalledApi } from "../../src/pipeline/sources.ts";
import type { ApiServer } from "../cluster/control-plane.ts";
import { waitFor } from "../harness/waiting.ts";

/** What an input has handed on, put together as the pipeline's sources would. */
export interface Mirror {
  readonly input: KubernetesInput;
  readonly client: KubeClient;
  /** Number of `onSynced`; anything but 1 in the end is a fault. */
  readonly synced: number;
  readonly problems: ReadonlyMap<string, ObjectProblem>;
  /** Deletions handed on, as `collection key`. */
  readonly deletions: readonly string[];
  /** Objects handed on for a collection, as often as they were. */
  handedOn(collection: CollectionName): number;
  /** Told as installed, newest last. */
  readonly installedApi: readonly InstalledApi[];
  observed(collection: CollectionName, key: ObjectKey): KubeObject | undefined;
  get(collection: CollectionName, key: ObjectKey): KubernetesObject | undefined;
  keys(collection: CollectionName): readonly ObjectKey[];
  stop(): Promise<void>;
}

export interface MirrorOptions extends Partial<Pick<KubernetesInputOptions, "scope" | "kinds" | "timing" | "log">> {
  readonly url: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly caCertificate?: string;
  /** Called before each batch is taken. */
  readonly beforeBatch?: () => void;
}

export function connectTo({ url, token, tokenFile, caCertificate }: MirrorOptions): KubeClient {
  const config = new KubeConfig();
  const caData = caCertificate && Buffer.from(caCertificate).toString("base64");
  const authProvider = tokenFile && { name: "tokenFile", config: { tokenFile } };
  const cluster = { name: "test", server: url, skipTLSVerify: url.startsWith("http:"), ...(caData && { caData }) };
  config.loadFromClusterAndUser(cluster, {
    name: "test",
    ...(token && { token }),
    ...(authProvider && { authProvider }),
  });
  return createKubeClient({ config, rate: { queriesPerSecond: 500, burst: 1000 } });
}

/** Runs the Kubernetes input against an address. */
export function startMirror(options: MirrorOptions): Mirror {
  const client = connectTo(options);
  const collections = new Map<CollectionName, Map<ObjectKey, KubernetesObject>>();
  const observed = new Map<string, KubeObject>();
  const counts = new Map<string, number>();
  const problems = new Map<string, ObjectProblem>();
  const deletions: string[] = [];
  const installedApi: InstalledApi[] = [];
  let synced = 0;
  const input = startKubernetesInput({
    client,
    scope: options.scope ?? { type: "All" },
    log: options.log ?? silentLogger,
    ...(options.kinds && { kinds: options.kinds }),
    timing: options.timing ?? { idleMilliseconds: 2000, watchSeconds: 300 },
    discoveryIntervalMilliseconds: 500,
    onBatch(batch) {
      options.beforeBatch?.();
      for (const [name, changes] of Object.entries(batch)) {
        const objects = collections.get(name as CollectionName) ?? new Map<ObjectKey, KubernetesObject>();
        collections.set(name as CollectionName, objects);
        for (const [key, object] of changes) {
          counts.set(name, (counts.get(name) ?? 0) + 1);
          if (object !== undefined) objects.set(key, object as KubernetesObject);
          else if (objects.delete(key)) deletions.push(`${name} ${key}`);
        }
      }
    },
    // Whoever names kinds wants to see these and nothing else on the wire.
    ...(options.kinds === undefined && { onInstalledApi: (installed) => void installedApi.push(installed) }),
    onSynced: () => {
      synced++;
    },
    onObserved(collection, key, object) {
      if (object === undefined) observed.delete(`${collection} ${key}`);
      else observed.set(`${collection} ${key}`, object);
    },
    onProblem(collection, key, problem) {
      if (problem === undefined) problems.delete(`${collection} ${key}`);
      else problems.set(`${collection} ${key}`, problem);
    },
  });
  return {
    input,
    client,
    get synced() {
      return synced;
    },
    problems,
    installedApi,
    deletions,
    handedOn: (collection) => counts.get(collection) ?? 0,
    observed: (collection, key) => observed.get(`${collection} ${key}`),
    get: (collection, key) => collections.get(collection)?.get(key),
    keys: (collection) => [...(collections.get(collection)?.keys() ?? [])].sort(),
    async stop() {
      input.stop();
      await client.close();
    },
  };
}

/** Applies objects of any kinds, as `kubectl apply --server-side` does. */
export async function applyTo(server: ApiServer, ...objects: readonly object[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items: objects };
  await server.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], JSON.stringify(list));
}

interface ListBody {
  readonly items: readonly {
    readonly metadata: { readonly namespace?: string; readonly name: string; readonly uid: string };
  }[];
}

/** Waits until a mirror has exactly the objects that the server has, the same ones and not just of the same names. */
export async function untilEqual(
  server: ApiServer,
  mirror: Mirror,
  collection: CollectionName,
  path: string,
): Promise<void> {
  await waitFor(
    `the mirror to have what ${path} has`,
    async () => {
      const { items } = await server.rest.json<ListBody>(path);
      const there = items
        .map(({ metadata }) => `${objectKey(metadata.namespace, metadata.name)} ${metadata.uid}`)
        .sort();
      const here = mirror.keys(collection).map((key) => `${key} ${mirror.get(collection, key)?.metadata.uid}`);
      return JSON.stringify(there) === JSON.stringify(here);
    },
    30_000,
  );
}

export function configMap(
  name: string,
  value: string,
  namespace = "default",
): KubeObject & { readonly data: { readonly value: string } } {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data: { value } };
}
