import type { Logger } from "../base/log.ts";
import type { KubeClient } from "../kube/client.ts";
import type { FollowedKind } from "../kube/kind-follower.ts";
import { startWatchSet, type WatchScope, type WatchSet } from "../kube/watch-set.ts";
import { defaultLifetimes, type Lifetimes } from "./lifetimes.ts";
import { configMapType, ROLE_LABEL, secretType } from "./objects.ts";
import { createOwnIssuer } from "./own-issuer.ts";
import { emptyState, holdChanges } from "./state.ts";
import { createUpkeep, type ServerMaterial, type Upkeep } from "./upkeep.ts";

export interface CertificatesOptions {
  readonly client: KubeClient;
  /** The controller's. */
  readonly namespace: string;
  /** Where Envoys run, as far as it is read. Default: the controller's namespace only. */
  readonly trustScope?: WatchScope;
  readonly log: Logger;
  readonly onMaterial: (material: ServerMaterial) => void;
  readonly lifetimes?: Lifetimes;
}

/** Certificates of the xDS server and its clients, kept in the cluster and followed by every replica. */
export type Certificates = Pick<Upkeep, "demand" | "lead" | "figures" | "close">;

export function startCertificates(options: CertificatesOptions): Certificates {
  const { client, namespace, log, lifetimes = defaultLifetimes } = options;
  const state = emptyState();
  const issuer = createOwnIssuer({ client, namespace, lifetimes, state });
  const upkeep = createUpkeep({ client, issuer, state, lifetimes, log, onMaterial: options.onMaterial });
  const own: WatchScope = { type: "Namespaces", namespaces: [namespace] };
  const watches: WatchSet[] = [];
  const follow = (kind: FollowedKind, scope: WatchScope) =>
    watches.push(
      startWatchSet({
        client,
        kinds: [kind],
        scope,
        log,
        onChanges(collection, changes) {
          holdChanges(state, collection, changes);
          if (isComplete()) upkeep.stateChanged();
        },
        onSynced: () => isComplete() && upkeep.stateChanged(),
      }),
    );
  const isComplete = () => watches.length === 2 && watches.every(({ synced }) => synced);
  follow(secrets, own);
  follow(trust, options.trustScope ?? own);
  return {
    demand: upkeep.demand,
    lead: upkeep.lead,
    figures: upkeep.figures,
    async close() {
      for (const watch of watches) watch.stop();
      await upkeep.close();
    },
  };
}

const secrets: FollowedKind = { ...secretType, versions: ["v1"], collection: "Secret", labelSelector: ROLE_LABEL };
const trust: FollowedKind = { ...configMapType, versions: ["v1"], collection: "ConfigMap", labelSelector: ROLE_LABEL };
