import { rmSync } from "node:fs";
import { join } from "node:path";
import { netnsPath, type PodNetwork } from "../node-network.ts";
import { writeNameFiles } from "./name-files.ts";
import type { NodeContext, Pod, PodFacts } from "./objects.ts";
import { createTokenIssuer } from "./tokens.ts";
import { createPodVolumes, type Mount, type PodVolumes } from "./volumes.ts";

/** What the containers of a pod share: network, names, volumes. */
export interface Sandbox {
  readonly facts: PodFacts;
  /** Path of the network namespace; undefined for `hostNetwork`. */
  readonly netns: string | undefined;
  readonly volumes: PodVolumes;
  /** Files that the kubelet lays over every container's own. */
  readonly nameFiles: readonly Mount[];
  remove(): Promise<void>;
}

export async function createSandbox(pod: Pod, context: NodeContext, folder: string): Promise<Sandbox> {
  const { nodeAddress, apiServer, capacity } = context;
  const sysctls = pod.spec.securityContext?.sysctls ?? [];
  const network: PodNetwork | undefined = pod.spec.hostNetwork
    ? undefined
    : await context.network.addPod(`pod-${pod.metadata.uid}`, sysctls);
  const facts = { podAddress: network?.address ?? nodeAddress, nodeAddress, apiServer, capacity };
  writeNameFiles(folder, pod, facts, context.nameserver);
  const issueToken = createTokenIssuer(context.rest, pod);
  return {
    facts,
    netns: network === undefined ? undefined : netnsPath(network.name),
    volumes: createPodVolumes(join(folder, "volumes"), facts, context.sources, issueToken),
    nameFiles: ["hosts", "resolv.conf", "hostname"].map((name) => ({
      source: join(folder, name),
      destination: `/etc/${name}`,
      readOnly: false,
    })),
    async remove() {
      await network?.remove().catch((error) => console.error(`pod ${pod.metadata.name}: ${String(error)}`));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
