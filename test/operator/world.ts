import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Cluster, type ClusterOptions, startCluster } from "../cluster/cluster.ts";
import { images as systemImages } from "../cluster/system-images.ts";
import { waitFor } from "../harness/waiting.ts";
import { gatewayApiCrds, gatewayApiFile } from "../kube/gateway-api.ts";
import { images } from "./images.ts";

/** Namespace in which our manifests install Gatehouse. */
export const SYSTEM = "gatehouse-system";
/** A cluster takes half a minute, and more on a busy machine. */
export const START_LIMIT_MS = 240_000;
export const STEP_LIMIT_MS = 90_000;
const root = fileURLToPath(new URL("../../", import.meta.url));

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

export interface Status {
  readonly conditions?: readonly Condition[];
  readonly addresses?: readonly { readonly value: string }[];
  readonly parents?: readonly { readonly conditions: readonly Condition[] }[];
}

/** A cluster in which Gatehouse is installed as users do it, and what they do there. */
export interface World {
  readonly cluster: Cluster;
  kubectl(...args: string[]): Promise<string>;
  /** `kubectl apply -f` of a text. */
  apply(manifests: string): Promise<void>;
  /** `kubectl apply -k` of a folder of the project; `isWanted`: which of its manifests (YAML documents), default: all. */
  install(folder: string, isWanted?: (manifest: string) => boolean): Promise<void>;
  statusOf(resource: string): Promise<Status>;
  condition(resource: string, type: string): Promise<Condition | undefined>;
  /** Waits for the Gateway's address and a 200 under it; returns the address. */
  untilServed(gateway: string, path: string, limitMs?: number): Promise<string>;
}

/** A cluster with the Gateway API's kinds, and nothing of ours yet. `crds`: names of those to have; default: all. */
export async function startWorld(
  options: Omit<ClusterOptions, "images"> = {},
  replaced = images,
  crds?: readonly string[],
): Promise<World> {
  const cluster = await startCluster({ ...options, images: [...replaced, ...systemImages] });
  const kubectl = (...args: string[]) => cluster.kubectl(args);
  const folder = gatewayApiCrds("experimental");
  const files = crds?.map((name) => join(folder, gatewayApiFile(name))) ?? [folder];
  await kubectl("apply", "--server-side", ...files.flatMap((file) => ["-f", file]));
  await kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all");
  const statusOf = async (resource: string): Promise<Status> =>
    JSON.parse(await kubectl("get", resource, "-o", "json")).status ?? {};
  return {
    cluster,
    kubectl,
    statusOf,
    apply: async (manifests) => void (await cluster.kubectl(["apply", "-f", "-"], manifests)),
    async install(folder, isWanted = () => true) {
      const manifests = (await kubectl("kustomize", join(root, folder))).split(/^---\n/m).filter(isWanted);
      await cluster.kubectl(["apply", "--server-side", "-f", "-"], manifests.join("---\n"));
    },
    condition: async (resource, type) =>
      (await statusOf(resource)).conditions?.find((condition) => condition.type === type),
    async untilServed(gateway, path, limitMs = STEP_LIMIT_MS) {
      const answered = async () => {
        const address = (await statusOf(`gateway/${gateway}`)).addresses?.[0]?.value;
        return address !== undefined && (await statusCode(address, path)) === 200 && address;
      };
      return waitFor(`200 at ${path} through ${gateway}`, answered, limitMs);
    },
  };
}

/** Undefined: no answer. */
export async function statusCode(address: string, path: string): Promise<number | undefined> {
  const signal = AbortSignal.timeout(2_000);
  return fetch(`http://${address}${path}`, { signal }).then(
    ({ status }) => status,
    () => undefined,
  );
}

/** GatewayClass, Gateway, backend and route of the README. */
export const quickstart = readFileSync(new URL("quickstart.yaml", import.meta.url), "utf8");
