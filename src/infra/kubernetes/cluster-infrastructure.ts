import { infrastructureLabels } from "../../attach/infrastructure-name.ts";
import type { ObjectKey } from "../../base/keys.ts";
import type { Logger } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { FollowedKind } from "../../kube/kind-follower.ts";
import type { ListWatchTiming } from "../../kube/list-watch.ts";
import { startWatchSet, type WatchScope, type WatchSet } from "../../kube/watch-set.ts";
import type { GatewayInfrastructure } from "../../pipeline/infrastructure.ts";
import { createInfrastructureApplier, type InfrastructureState } from "./apply.ts";
import type { ClusterEnvironment } from "./environment.ts";
import { createGatewayPods } from "./gateway-pods.ts";
import { aliasKinds, managedKinds, POD, podKind } from "./managed-kinds.ts";

export interface ClusterInfrastructureOptions {
  readonly client: KubeClient;
  readonly environment: ClusterEnvironment;
  /** Namespaces of the Gateways. */
  readonly scope: WatchScope;
  readonly log: Logger;
  readonly timing?: ListWatchTiming;
  readonly onState: (gateway: ObjectKey, state: InfrastructureState | undefined) => void;
}

/** What runs Envoy in a cluster: the objects of all gateways, kept as they should be. Only the leader has one. */
export interface ClusterInfrastructure {
  /** Consumer of the pipeline's infrastructure output; the first call holds all gateways there are. */
  apply(changes: ReadonlyMap<ObjectKey, GatewayInfrastructure | undefined>): void;
  /** Resolves when nothing is left to do that is known of. */
  idle(): Promise<void>;
  /** Resolves when nothing is written any more; what runs goes on. */
  stop(): Promise<void>;
}

/**
 * Watches the objects that carry our label and writes what differs. Nothing is written before both are known in full: what is there,
 * and, by the first `apply`, what should be. So no object is taken for a leftover only because its gateway has not been read yet.
 */
export function startClusterInfrastructure(options: ClusterInfrastructureOptions): ClusterInfrastructure {
  const { client, environment, log, onState, timing } = options;
  const pods = createGatewayPods();
  const applier = createInfrastructureApplier({ client, environment, log, onState, pods });
  const ours = `${infrastructureLabels.installation}=${environment.namespace}`;
  const { inGatewayNamespace, namespace } = environment;
  let knowsWanted = false;
  let unknown = inGatewayNamespace ? 1 : 2;
  const startIfKnown = () => {
    if (knowsWanted && unknown === 0) applier.start();
  };
  const watch = (kinds: readonly FollowedKind[], scope: WatchScope): WatchSet =>
    startWatchSet({
      client,
      kinds,
      scope,
      log,
      ...(timing && { timing }),
      onChanges(kind, changes) {
        if (kind !== POD) applier.observe(changes, kind);
        else for (const gateway of pods.observe(changes)) applier.moved(gateway);
      },
      onSynced() {
        unknown--;
        startIfKnown();
      },
    });
  const own: WatchScope = { type: "Namespaces", namespaces: [namespace] };
  // Which namespaces are selected is the input's to know; our label tells enough.
  const gateways: WatchScope = options.scope.type === "NamespaceSelector" ? { type: "All" } : options.scope;
  const watches = [watch([...managedKinds(ours), podKind(ours)], inGatewayNamespace ? gateways : own)];
  if (!inGatewayNamespace) watches.push(watch(aliasKinds(ours), gateways));
  return {
    apply(changes) {
      applier.apply(changes);
      knowsWanted = true;
      startIfKnown();
    },
    async idle() {
      while (unknown > 0 || !knowsWanted) await new Promise((resolve) => setTimeout(resolve, IDLE_POLL_MS));
      await applier.idle();
    },
    async stop() {
      for (const set of watches) set.stop();
      await applier.stop();
    },
  };
}

const IDLE_POLL_MS = 20;
