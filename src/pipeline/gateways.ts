import type { ReferenceGrant } from "../api/gateway-api.ts";
import { bindPortOf, draftGateway, planGateway } from "../attach/gateway.ts";
import { type GatewayClassPlan, planGatewayClass } from "../attach/gateway-class.ts";
import { transportOf } from "../attach/listener-protocol.ts";
import { draftListenerSet } from "../attach/listener-set.ts";
import { type GatewayDraft, type GatewayPlan, listenerKey } from "../attach/model.ts";
import { type ParentPlan, parentKey, planParents } from "../attach/parents.ts";
import type { ListenerPolicies } from "../attach/policy-model.ts";
import { claimPorts, firstClaims, hostnameOf, meetingPlace, type PortClaim, reachOf } from "../attach/port-claims.ts";
import type { FleetKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import type { Collection, Graph, Index, Reader } from "../dataflow/graph.ts";
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
  /** Key: {@link parentKey}. The Gateways, and the ListenerSets that name one of them, each by itself. */
  readonly parents: Collection<ParentPlan>;
  /** Group: the namespace that grants. For every reference across namespaces, of listeners and routes alike. */
  readonly grantsByNamespace: Index<ReferenceGrant>;
}

/** Classes, Gateways with their ListenerSets, and what their listeners come to beside those of other Gateways. */
export function createGatewayNodes(
  graph: Graph,
  sources: Sources,
  proxies: ProxyNodes,
  policies: PolicyNodes,
): GatewayNodes {
  const classPlans = graph.map("classPlans", sources.gatewayClasses, (gatewayClass, key, read) =>
    planGatewayClass(gatewayClass, readSettings(sources, read), read.get(proxies.ofClasses, key)),
  );
  const setsByGateway = graph.index(
    "listenerSetsByGateway",
    graph.map("listenerSetDrafts", sources.listenerSets, draftListenerSet),
    ({ gateway }) => gateway,
  );
  const drafts = graph.map("gatewayDrafts", sources.gateways, (gateway, key, read) => {
    const gatewayClass = read.get(classPlans, gateway.spec.gatewayClassName);
    const parameters = read.get(proxies.parameters, key);
    if (gatewayClass === undefined || parameters === undefined) return undefined;
    return draftGateway(gateway, gatewayClass, parameters, readSettings(sources, read), {
      listenerSets: read.lookup(setsByGateway, key).values(),
      labelsOf: (namespace) => readLabels(sources, namespace, read),
    });
  });
  const plans = createPlans(graph, sources, drafts);
  const { grantsByNamespace } = proxies;
  const parents = graph.flatMap("parents", plans, (plan) =>
    planParents(plan).map((parent): [string, ParentPlan] => [parentKey(parent.kind, parent.key), parent]),
  );
  const plansByFleet = graph.index("plansByFleet", plans, ({ fleet }) => fleet);
  const listenerPolicies = createListenerPolicies(graph, policies, parents);
  return { classPlans, plans, plansByFleet, parents, listenerPolicies, grantsByNamespace };
}

/** Labels of a namespace; one that is not known has at least its name as a label. */
export function readLabels({ namespaces }: Sources, namespace: string, read: Reader): Readonly<Record<string, string>> {
  return { "kubernetes.io/metadata.name": namespace, ...read.get(namespaces, namespace)?.metadata.labels };
}

/** Ports are settled between Gateways only where they can meet: on one host, or in one fleet. */
function createPlans(graph: Graph, sources: Sources, drafts: Collection<GatewayDraft>): Collection<GatewayPlan> {
  const claims = graph.flatMap("portClaims", drafts, (draft, key, read): [string, PlacedClaim][] => {
    const { hostInfrastructure } = readSettings(sources, read);
    if (!hostInfrastructure && draft.fleet === key) return [];
    return [...claimPorts(draft)].map(([listener, claim]) => {
      const bindPort = bindPortOf(listener.port, draft.portOffset);
      const place = meetingPlace(draft.fleet, bindPort, transportOf(listener.protocol), hostInfrastructure);
      return [listenerKey(listener), { place, ...claim }];
    });
  });
  const firsts = graph.reduce(
    "firstClaims",
    graph.index("claimsByPlace", claims, ({ place }) => place),
    (_place, members) => firstClaims(members.values()),
  );
  const claimsInReach = graph.index("claimsInReach", claims, (claim) =>
    reachOf(claim).map((reach) => flatText(claim.place, "|", reach)),
  );
  return graph.map("gatewayPlans", drafts, (draft, _key, read) => {
    const { hostInfrastructure } = readSettings(sources, read);
    return planGateway(draft, (bindPort, transport, own) => {
      const place = meetingPlace(draft.fleet, bindPort, transport, hostInfrastructure);
      const near = own.flatMap((claim) => [...read.lookup(claimsInReach, `${place}|${hostnameOf(claim)}`).values()]);
      return [...(read.get(firsts, place) ?? []), ...near];
    });
  });
}

interface PlacedClaim extends PortClaim {
  readonly place: string;
}
