import type { ReferenceGrant } from "../api/gateway-api.ts";
import { bindPortOf, draftGateway, planGateway } from "../attach/gateway.ts";
import { type GatewayClassPlan, planGatewayClass } from "../attach/gateway-class.ts";
import { transportOf } from "../attach/listener-protocol.ts";
import { type GatewayDraft, type GatewayPlan, listenerKey } from "../attach/model.ts";
import type { ListenerPolicies } from "../attach/policy-model.ts";
import { claimPort, meetingPlace, type PortClaim } from "../attach/port-claims.ts";
import type { FleetKey } from "../base/keys.ts";
import type { Collection, Graph, Index } from "../dataflow/graph.ts";
import { type EncodedResource, sameResource } from "../envoy/resource.ts";
import type { ProxyNodes } from "./envoy-proxies.ts";
import { createListenerPolicies, type PolicyNodes } from "./policies.ts";
import { readSettings, type Sources } from "./sources.ts";

/** A resource that belongs to exactly one fleet. */
export interface FleetResource {
  readonly fleet: FleetKey;
  readonly resource: EncodedResource;
}

export function sameFleetResource(a: FleetResource, b: FleetResource): boolean {
  return a.fleet === b.fleet && sameResource(a.resource, b.resource);
}

export interface GatewayNodes {
  readonly classPlans: Collection<GatewayClassPlan>;
  /** Gateways of classes of ours, accepted or not. */
  readonly plans: Collection<GatewayPlan>;
  /** Group: fleet. */
  readonly plansByFleet: Index<GatewayPlan>;
  /** Key: listener. Only listeners that have a policy. */
  readonly listenerPolicies: Collection<ListenerPolicies>;
  /** Group: the namespace that grants. For every reference across namespaces, of listeners and routes alike. */
  readonly grantsByNamespace: Index<ReferenceGrant>;
}

/** Classes, Gateways, and what their listeners come to beside those of other Gateways. */
export function createGatewayNodes(
  graph: Graph,
  sources: Sources,
  proxies: ProxyNodes,
  policies: PolicyNodes,
): GatewayNodes {
  const classPlans = graph.map("classPlans", sources.gatewayClasses, (gatewayClass, key, read) =>
    planGatewayClass(gatewayClass, readSettings(sources, read), read.get(proxies.ofClasses, key)),
  );
  const drafts = graph.map("gatewayDrafts", sources.gateways, (gateway, key, read) => {
    const gatewayClass = read.get(classPlans, gateway.spec.gatewayClassName);
    const parameters = read.get(proxies.parameters, key);
    if (gatewayClass === undefined || parameters === undefined) return undefined;
    return draftGateway(gateway, gatewayClass, parameters, readSettings(sources, read));
  });
  const plans = createPlans(graph, sources, drafts);
  const { grantsByNamespace } = proxies;
  const plansByFleet = graph.index("plansByFleet", plans, ({ fleet }) => fleet);
  const listenerPolicies = createListenerPolicies(graph, policies, plans);
  return { classPlans, plans, plansByFleet, listenerPolicies, grantsByNamespace };
}

/** Ports are settled between Gateways only where they can meet: on one host, or in one fleet. */
function createPlans(graph: Graph, sources: Sources, drafts: Collection<GatewayDraft>): Collection<GatewayPlan> {
  const claims = graph.flatMap("portClaims", drafts, (draft, key, read): [string, PlacedClaim][] => {
    const { hostInfrastructure } = readSettings(sources, read);
    if (!hostInfrastructure && draft.fleet === key) return [];
    return draft.listeners
      .filter(({ valid }) => valid)
      .map((listener) => {
        const bindPort = bindPortOf(listener.port, draft.portOffset);
        const place = meetingPlace(draft.fleet, bindPort, transportOf(listener.protocol), hostInfrastructure);
        return [listenerKey(listener), { place, ...claimPort(draft, listener) }];
      });
  });
  const claimsByPlace = graph.index("claimsByPlace", claims, ({ place }) => place);
  return graph.map("gatewayPlans", drafts, (draft, _key, read) => {
    const { hostInfrastructure } = readSettings(sources, read);
    return planGateway(draft, (bindPort, transport) =>
      read.lookup(claimsByPlace, meetingPlace(draft.fleet, bindPort, transport, hostInfrastructure)).values(),
    );
  });
}

interface PlacedClaim extends PortClaim {
  readonly place: string;
}
