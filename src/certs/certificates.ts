import type { Logger } from "../base/log.ts";
import type { KubeClient } from "../kube/client.ts";
import type { FollowedKind } from "../kube/kind-follower.ts";
import type { ResourceType } from "../kube/resource-type.ts";
import { startWatchSet, type WatchScope, type WatchSet, type WatchSetOptions } from "../kube/watch-set.ts";
import { createCertManagerIssuer } from "./cert-manager-issuer.ts";
import { certificateType, issuerType } from "./cert-manager-objects.ts";
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
  /** Default `own`. */
  readonly issuer?: "own" | "cert-manager";
  readonly lifetimes?: Lifetimes;
}

/** Certificates of the xDS server and its clients, kept in the cluster and followed by every replica. */
export type Certificates = Pick<Upkeep, "demand" | "lead" | "figures" | "hindrance" | "close">;

export function startCertificates(options: CertificatesOptions): Certificates {
  const { client, namespace, log, lifetimes = defaultLifetimes } = options;
  const state = emptyState();
  const watches: WatchSet[] = [];
  const withCertManager = options.issuer === "cert-manager";
  const states = () => watches.flatMap((watch) => watch.states());
  const isInstalled = () => states().every(({ doing }) => doing !== "absent");
  const issuing = { client, namespace, lifetimes, state, isInstalled };
  const issuer = withCertManager ? createCertManagerIssuer(issuing) : createOwnIssuer(issuing);
  const upkeep = createUpkeep({ client, issuer, state, lifetimes, log, onMaterial: options.onMaterial });
  const own: WatchScope = { type: "Namespaces", namespaces: [namespace] };
  const scopes = [
    { kinds: withCertManager ? [secrets, certificates, issuers] : [secrets], scope: own },
    { kinds: [trust], scope: options.trustScope ?? own },
  ];
  const changed = () => {
    if (watches.length === scopes.length && watches.every(({ synced }) => synced)) upkeep.stateChanged();
  };
  for (const { kinds, scope } of scopes) {
    const onChanges: WatchSetOptions["onChanges"] = (kind, changes) => {
      holdChanges(state, kind, changes);
      changed();
    };
    watches.push(startWatchSet({ client, kinds, scope, log, onChanges, onSynced: changed }));
  }
  return {
    demand: upkeep.demand,
    lead: upkeep.lead,
    figures: upkeep.figures,
    hindrance: () => states().find(({ synced, error }) => !synced && error)?.error ?? upkeep.hindrance(),
    async close() {
      for (const watch of watches) watch.stop();
      await upkeep.close();
    },
  };
}

const follow = ({ version, ...type }: ResourceType): FollowedKind => ({
  ...type,
  versions: [version],
  collection: type.kind,
  labelSelector: ROLE_LABEL,
});

const [secrets, trust, certificates, issuers] = [
  follow(secretType),
  follow(configMapType),
  follow(certificateType),
  follow(issuerType),
];
