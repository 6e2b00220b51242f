import type { ObjectKey } from "../base/keys.ts";
import type { ClusterInfrastructure } from "../infra/kubernetes/cluster-infrastructure.ts";
import type { GatewayInfrastructure } from "../pipeline/infrastructure.ts";

type InfrastructureChanges = ReadonlyMap<ObjectKey, GatewayInfrastructure | undefined>;

/** What runs for Gateways: known to every replica, written by the one that leads. */
export interface LeaderInfrastructure {
  readonly known: ReadonlyMap<ObjectKey, GatewayInfrastructure>;
  wanted(changes: InfrastructureChanges): void;
  lead(): void;
  stop(): Promise<void>;
}

export function createLeaderInfrastructure(start: () => ClusterInfrastructure): LeaderInfrastructure {
  const known = new Map<ObjectKey, GatewayInfrastructure>();
  let running: ClusterInfrastructure | undefined;
  return {
    known,
    wanted(changes) {
      for (const [gateway, infrastructure] of changes) {
        if (infrastructure === undefined) known.delete(gateway);
        else known.set(gateway, infrastructure);
      }
      running?.apply(changes);
    },
    lead() {
      running = start();
      running.apply(known);
    },
    async stop() {
      const ending = running;
      running = undefined;
      await ending?.stop();
    },
  };
}
