import { setTimeout as delay } from "node:timers/promises";
import type { EndpointSlice } from "../api/core.ts";
import type { Logger } from "../base/log.ts";
import { replicaUri, type ServerService, serverName } from "../certs/identity.ts";
import { followedKinds } from "../inputs/kubernetes/followed-kinds.ts";
import type { KubeClient } from "../kube/client.ts";
import { startWatchSet, type WatchSet } from "../kube/watch-set.ts";
import type { Replicas } from "../pipeline/replicas.ts";
import { createPeers, type Peers } from "../xds/peers/peers.ts";

export interface OtherReplicasOptions {
  readonly client: KubeClient;
  readonly replicas: Replicas;
  /** Of the xDS server: its endpoints are the replicas. */
  readonly service: ServerService;
  /** Of this replica. */
  readonly podName: string;
  readonly log: Logger;
}

/** The other replicas of this control plane, as the EndpointSlices of its Service name them. */
export interface OtherReplicas extends Pick<Peers, "setCertificates" | "figures"> {
  /** Resolves when all others have told what they know, or that has taken too long. */
  start(): Promise<void>;
  close(): void;
}

/** On which replicas tell each other of their Envoys. */
const REPLICAS_PORT = 18_002;
/** A replica that starts is not ready before the others have told it which routes Envoy refuses, or after so long without. */
const FIRST_NEWS_LIMIT_MS = 5_000;
const FIRST_NEWS_POLL_MS = 50;

export function createOtherReplicas({ client, replicas, service, podName, log }: OtherReplicasOptions): OtherReplicas {
  const peers = createPeers({
    replicas,
    identity: replicaUri(service.namespace),
    serverName: serverName(service),
    port: REPLICAS_PORT,
    log,
  });
  const slices = new Map<string, EndpointSlice>();
  let watch: WatchSet | undefined;
  let synced = false;

  const apply = () => {
    if (synced) peers.setOthers(findOthers([...slices.values()], podName));
  };

  return {
    setCertificates: peers.setCertificates,
    figures: peers.figures,
    async start() {
      await peers.listen("0.0.0.0");
      watch = startWatchSet({
        client,
        kinds: endpointSlices.map((kind) => ({ ...kind, labelSelector: `kubernetes.io/service-name=${service.name}` })),
        scope: { type: "Namespaces", namespaces: [service.namespace] },
        log,
        onChanges(_collection, changes) {
          for (const [key, slice] of changes) {
            if (slice === undefined) slices.delete(key);
            else slices.set(key, slice as unknown as EndpointSlice);
          }
          apply();
        },
        onSynced() {
          synced = true;
          apply();
        },
      });
      const deadline = performance.now() + FIRST_NEWS_LIMIT_MS;
      while (!(synced && peers.tried) && performance.now() < deadline) {
        await delay(FIRST_NEWS_POLL_MS);
      }
    },
    close() {
      watch?.stop();
      peers.close();
    },
  };
}

const endpointSlices = followedKinds.filter(({ collection }) => collection === "endpointSlices");

/** Addresses of pods by name, of those too that are not ready: they may be leaving, with Envoys that have not left yet. */
export function findOthers(slices: readonly EndpointSlice[], podName: string): Map<string, string> {
  const others = new Map<string, string>();
  for (const { endpoints } of slices) {
    for (const { addresses, targetRef } of endpoints ?? []) {
      const [address] = addresses;
      const name = targetRef?.name ?? address;
      if (name !== undefined && address !== undefined && name !== podName) others.set(name, address);
    }
  }
  return others;
}
