import type { GatewayPlan } from "../attach/model.ts";
import type { ObjectKey } from "../base/keys.ts";
import type { Collection, Graph } from "../dataflow/graph.ts";
import type { GatewayNodes } from "./gateways.ts";

/** What must run so that a gateway can serve. */
export interface GatewayInfrastructure {
  readonly gateway: ObjectKey;
  /** Ports that Envoy binds, ascending. Never empty. */
  readonly ports: readonly number[];
  /** Address to bind to; undefined = all. */
  readonly bindAddress?: string;
}

/** Key: gateway. A gateway without a port that can be served has no infrastructure. */
export function createInfrastructure(graph: Graph, gateways: GatewayNodes): Collection<GatewayInfrastructure> {
  return graph.map("infrastructure", gateways.plans, (plan: GatewayPlan, gateway) => {
    if (plan.ports.length === 0) return undefined;
    const ports = plan.ports.map((port) => port.bindPort).sort((a, b) => a - b);
    return plan.bindAddress === undefined ? { gateway, ports } : { gateway, ports, bindAddress: plan.bindAddress };
  });
}
