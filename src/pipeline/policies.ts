import type {
  GRPCRoute,
  HTTPRoute,
  ListenerSet,
  ReferenceGrant,
  TCPRoute,
  TLSRoute,
  UDPRoute,
} from "../api/gateway-api.ts";
import type { KubernetesObject } from "../api/object.ts";
import { type BackendTrafficPlan, planBackendTraffic } from "../attach/backend-traffic.ts";
import { type ClientTrafficPlan, planClientTraffic } from "../attach/client-traffic.ts";
import { listenerKey } from "../attach/model.ts";
import type { ParentPlan } from "../attach/parents.ts";
import {
  claimOf,
  claimsOf,
  headOf,
  placeOfSelector,
  placesOfTarget,
  policyId,
  type SelectingPolicy,
  selects,
  settlePolicies,
  targetKey,
} from "../attach/policy-claims.ts";
import { policiesOfListener } from "../attach/policy-effect.ts";
import type {
  AttachedPolicy,
  AttachedPolicyKind,
  ListenerPolicies,
  PoliciesByKind,
  PolicyClaim,
  PolicyHead,
} from "../attach/policy-model.ts";
import type { SecurityPlan } from "../attach/security/model.ts";
import { planSecurity } from "../attach/security/plan.ts";
import { flatText } from "../base/memory.ts";
import type { Collection, Graph, Index, Source } from "../dataflow/graph.ts";
import { createResolveReader } from "./envoy-proxies.ts";
import { readSettings, type Sources } from "./sources.ts";
import type { TlsPolicyNodes } from "./tls-policies.ts";

/**
 * Policies of ours: where each wants to be, who is there when several do, and what each means. The first two do not depend on settings,
 * the last does not depend on targets, so an edit of settings runs what uses them and nothing else.
 */
export interface PolicyNodes {
  /** Key: policy id (`policyId`). */
  readonly heads: Collection<PolicyHead>;
  /** Group: target. */
  readonly claimsByTarget: Index<PolicyClaim>;
  /** Key: target. Only targets that have a policy. */
  readonly ofTargets: Collection<PoliciesByKind>;
  /** Key: policy. */
  readonly backendTraffic: Collection<BackendTrafficPlan>;
  /** Key: policy. */
  readonly clientTraffic: Collection<ClientTrafficPlan>;
  /** Key: policy. */
  readonly security: Collection<SecurityPlan>;
}

export function createPolicyNodes(
  graph: Graph,
  sources: Sources,
  grantsByNamespace: Index<ReferenceGrant>,
  tlsPolicies: TlsPolicyNodes,
): PolicyNodes {
  const heads = graph.union(
    "policyHeads",
    headsOf(graph, "BackendTrafficPolicy", sources.backendTrafficPolicies),
    headsOf(graph, "ClientTrafficPolicy", sources.clientTrafficPolicies),
    headsOf(graph, "SecurityPolicy", sources.securityPolicies),
  );
  const named = graph.flatMap<PolicyHead, PolicyClaim>("namedTargets", heads, (head) => claimsOf(head));
  const claims = graph.union("policyClaims", named, createSelections(graph, sources, grantsByNamespace, heads));
  const claimsByTarget = graph.index("claimsByTarget", claims, ({ target }) => target);
  const ofTargets = graph.reduce<PolicyClaim, PoliciesByKind>("targetPolicies", claimsByTarget, (_target, members) =>
    members.size === 0 ? undefined : settlePolicies(members.values()),
  );
  return {
    heads,
    claimsByTarget,
    ofTargets,
    backendTraffic: graph.map("backendTraffic", sources.backendTrafficPolicies, (policy, _key, read) =>
      planBackendTraffic(
        policy,
        { configMap: (key) => read.get(sources.configMaps, key) },
        readSettings(sources, read).rateLimit,
      ),
    ),
    clientTraffic: graph.map("clientTraffic", sources.clientTrafficPolicies, (policy, _key, read) =>
      planClientTraffic(policy, createResolveReader(sources, grantsByNamespace, tlsPolicies, read)),
    ),
    security: graph.map("security", sources.securityPolicies, (policy, _key, read) =>
      planSecurity(policy, createResolveReader(sources, grantsByNamespace, tlsPolicies, read)),
    ),
  };
}

function headsOf<P extends AttachedPolicy>(
  graph: Graph,
  kind: AttachedPolicyKind,
  source: Source<P>,
): Collection<PolicyHead> {
  return graph.flatMap<P, PolicyHead>(`headsOf${kind}`, source, (policy, key) => [
    [policyId(kind, key), headOf(kind, policy)],
  ]);
}

/** What `targetSelectors` select. Each object looks only at selectors that ask for a label it has. */
function createSelections(
  graph: Graph,
  sources: Sources,
  grantsByNamespace: Index<ReferenceGrant>,
  heads: Collection<PolicyHead>,
): Collection<PolicyClaim> {
  const selecting = graph.flatMap<PolicyHead, SelectingPolicy>("selectingPolicies", heads, (head, id) =>
    head.selectors.map((selector, index): [string, SelectingPolicy] => {
      const { references: _, selectors: __, ...rest } = head;
      return [flatText(id, "|", String(index)), { ...rest, selector }];
    }),
  );
  const byArea = graph.index("selectorsByArea", selecting, (policy) => placeOfSelector(policy).area);
  // One small value for all objects of an area: nearly always there is none, and that is all that an object comes to know.
  const labelsOfArea = graph.reduce<SelectingPolicy, readonly string[]>("selectorLabels", byArea, (_area, members) =>
    members.size === 0
      ? undefined
      : [...new Set([...members.values()].map((each) => placeOfSelector(each).label))].sort(),
  );
  const byLabel = graph.index("selectorsByLabel", selecting, (policy) => {
    const { area, label } = placeOfSelector(policy);
    return flatText(area, "|", label);
  });
  const select = <T extends KubernetesObject>(kind: string, source: Source<T>) =>
    graph.flatMap<T, PolicyClaim>(`selectionsOf${kind}`, source, (object, _key, read) => {
      const { areas, labels } = placesOfTarget(kind, object);
      const target = targetKey(kind, object.metadata.namespace, object.metadata.name);
      const result = new Map<string, PolicyClaim>();
      for (const area of areas) {
        for (const label of read.get(labelsOfArea, area) ?? []) {
          if (!labels.includes(label)) continue;
          for (const policy of read.lookup(byLabel, flatText(area, "|", label)).values()) {
            const isSelected = selects(policy, kind, object, {
              grants: (namespace) => read.lookup(grantsByNamespace, namespace).values(),
              namespaceLabels: (namespace) => ({
                "kubernetes.io/metadata.name": namespace,
                ...read.get(sources.namespaces, namespace)?.metadata.labels,
              }),
            });
            if (!isSelected) continue;
            result.set(flatText("selected|", target, "|", policyId(policy.kind, policy.key)), claimOf(policy, target));
          }
        }
      }
      return result;
    });
  return graph.union(
    "policySelections",
    select("Gateway", sources.gateways),
    select<ListenerSet>("ListenerSet", sources.listenerSets),
    select<HTTPRoute>("HTTPRoute", sources.httpRoutes),
    select<GRPCRoute>("GRPCRoute", sources.grpcRoutes),
    select<TLSRoute>("TLSRoute", sources.tlsRoutes),
    select<TCPRoute>("TCPRoute", sources.tcpRoutes),
    select<UDPRoute>("UDPRoute", sources.udpRoutes),
  );
}

/** Policies of each listener that has any. Key: listener. */
export function createListenerPolicies(
  graph: Graph,
  policies: PolicyNodes,
  parents: Collection<ParentPlan>,
): Collection<ListenerPolicies> {
  return graph.flatMap("listenerPolicies", parents, ({ listeners }, _key, read) =>
    listeners.flatMap((listener) => {
      const found = policiesOfListener(listener, (target) => read.get(policies.ofTargets, target));
      return found === undefined ? [] : [[listenerKey(listener), found] as const];
    }),
  );
}
