import type { BackendTLSPolicy } from "../api/gateway-api.ts";
import type { ResolvedRoute, RouteAttachment } from "../attach/model.ts";
import type { ResolveReader } from "../attach/resolve-reader.ts";
import type { TelemetryPlan } from "../attach/telemetry.ts";
import { planTlsPolicy, type TlsPolicyPlan } from "../attach/tls-policy.ts";
import {
  judgeTarget,
  settleClaims,
  type TargetFacts,
  type TlsClaim,
  type TlsTarget,
  targetOf,
} from "../attach/tls-targets.ts";
import { compareStrings, type ObjectKey, objectKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import type { Problem } from "../base/problems.ts";
import type { Collection, Graph, Index, Reader } from "../dataflow/graph.ts";
import type { ProxyNodes } from "./envoy-proxies.ts";
import type { GatewayNodes } from "./gateways.ts";
import type { PolicyAncestor, PolicyReport } from "./policy-reports.ts";
import type { RouteNodes } from "./routes.ts";
import type { Sources } from "./sources.ts";

/** BackendTLSPolicies: what each comes to, and which is in effect for what. */
export interface TlsPolicyNodes {
  /** Key: policy. */
  readonly plans: Collection<TlsPolicyPlan>;
  /** Key: target. */
  readonly claims: Collection<readonly TlsClaim[]>;
}

/** A policy that changes re-runs its own plan, the claims on its targets, and the routes that lead there. */
export function createTlsPolicyNodes(graph: Graph, sources: Sources): TlsPolicyNodes {
  const plans = graph.map("tlsPolicies", sources.backendTlsPolicies, (policy, _key, read) =>
    planTlsPolicy(policy, {
      secret: (key) => read.get(sources.secrets, key),
      configMap: (key) => read.get(sources.configMaps, key),
    }),
  );
  const byTarget = graph.index("tlsPoliciesByTarget", sources.backendTlsPolicies, (policy) => [
    ...new Set(policy.spec.targetRefs.map((reference) => targetOf(policy, reference))),
  ]);
  const claims = graph.reduce<BackendTLSPolicy, readonly TlsClaim[]>("tlsClaims", byTarget, (target, policies) =>
    settleClaims(target, policies),
  );
  return { plans, claims };
}

export function readTlsPolicies(
  { plans, claims }: TlsPolicyNodes,
  read: Reader,
): Pick<ResolveReader, "tlsClaims" | "tlsPolicy"> {
  return {
    tlsClaims: (target) => read.get(claims, target),
    tlsPolicy: (key) => read.get(plans, key),
  };
}

/** That the Envoys of a Gateway reach a target of policies. Key `<target>|<gateway>`. */
interface TargetUse {
  readonly target: TlsTarget;
  readonly gateway: ObjectKey;
  readonly controllerName: string;
}

/**
 * What BackendTLSPolicies say in their statuses: one entry for each Gateway that reaches a target. However many routes lead
 * there, an edit of one costs a constant.
 */
export function createTlsPolicyReports(
  graph: Graph,
  sources: Sources,
  policies: TlsPolicyNodes,
  proxies: ProxyNodes,
  gateways: GatewayNodes,
  routes: RouteNodes,
): Collection<PolicyReport> {
  const usesByTarget = createTargetUses(graph, proxies, gateways, routes);
  return graph.flatMap<BackendTLSPolicy, PolicyReport>(
    "tlsPolicyReports",
    sources.backendTlsPolicies,
    (object, key, read) => {
      const own = read.get(policies.plans, key)?.problems ?? [];
      const ancestors = new Map<ObjectKey, { controllerName: string; problems: Problem[] }>();
      for (const [index, reference] of object.spec.targetRefs.entries()) {
        const target = targetOf(object, reference);
        const uses = [...read.lookup(usesByTarget, target).values()];
        if (uses.length === 0) continue;
        const facts = readTarget(sources, reference, object.metadata.namespace, read);
        const problem = judgeTarget(key, reference, index, read.get(policies.claims, target) ?? [], facts);
        for (const { gateway, controllerName } of uses) {
          const entry = ancestors.get(gateway) ?? { controllerName, problems: [...own] };
          if (problem !== undefined) entry.problems.push(problem);
          ancestors.set(gateway, entry);
        }
      }
      const sorted = [...ancestors].sort(([a], [b]) => compareStrings(a, b));
      return [
        [
          flatText("BackendTLSPolicy/", key),
          {
            kind: "BackendTLSPolicy",
            object,
            ancestors: sorted.map(([gateway, entry]): PolicyAncestor => ({ kind: "Gateway", key: gateway, ...entry })),
          },
        ],
      ];
    },
  );
}

/** Which Gateways reach what policies target: a route of theirs leads there, or what they tell of their work. */
function createTargetUses(
  graph: Graph,
  proxies: ProxyNodes,
  gateways: GatewayNodes,
  routes: RouteNodes,
): Index<TargetUse> {
  const byRoutes = graph.flatMap<ResolvedRoute, TargetUse>("tlsTargetUses", routes.resolved, (resolved, key, read) => {
    if (resolved.tlsTargets === undefined) return [];
    return usesOf(key, resolved.tlsTargets, read.get(routes.attachments, key));
  });
  const byTelemetry = graph.flatMap<TelemetryPlan, TargetUse>(
    "tlsTargetUsesOfTelemetry",
    proxies.telemetry,
    ({ tlsTargets = [] }, gateway, read) => {
      const controllerName = tlsTargets.length === 0 ? undefined : read.get(gateways.plans, gateway)?.controllerName;
      if (controllerName === undefined) return [];
      return tlsTargets.map((target) => [
        flatText(target, "|", gateway, "|telemetry"),
        { target, gateway, controllerName },
      ]);
    },
  );
  const all = graph.union("allTlsTargetUses", byRoutes, byTelemetry);
  const byPlace = graph.index("tlsTargetUsesByPlace", all, ({ target, gateway }) => [flatText(target, "|", gateway)]);
  const uses = graph.reduce<TargetUse, TargetUse>(
    "tlsTargetGateways",
    byPlace,
    (_place, members) => members.values().next().value,
  );
  return graph.index("tlsTargetGatewaysByTarget", uses, ({ target }) => [target]);
}

function usesOf(
  route: string,
  targets: readonly TlsTarget[],
  attachment: RouteAttachment | undefined,
): Iterable<readonly [string, TargetUse]> {
  const uses = new Map<string, TargetUse>();
  for (const { gateway, controllerName, listeners } of attachment?.parents ?? []) {
    // Where TLS passes through, nobody asks what a policy says.
    if (listeners.every(({ streams }) => streams?.passesTls)) continue;
    for (const target of targets) {
      uses.set(flatText(target, "|", gateway, "|", route), { target, gateway, controllerName });
    }
  }
  return uses;
}

function readTarget(
  sources: Sources,
  { group, kind, name }: BackendTLSPolicy["spec"]["targetRefs"][number],
  namespace: string | undefined,
  read: Reader,
): TargetFacts | undefined {
  const key = objectKey(namespace, name);
  if (group === "" && kind === "Service") {
    const service = read.get(sources.services, key);
    const ports = service?.spec?.ports ?? [];
    return service && { sections: ports.flatMap(({ name: port }) => (port === undefined ? [] : [port])) };
  }
  if (kind !== "Backend") return undefined;
  const backend =
    group === "gateway.envoyproxy.io" ? read.get(sources.backends, key) : read.get(sources.staticBackends, key);
  return backend && {};
}
