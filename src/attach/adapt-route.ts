import type { Route } from "../api/gateway-api.ts";
import { objectKey } from "../base/keys.ts";
import { completeTls } from "./backend-tls.ts";
import { buildClusterSpec } from "./cluster-spec.ts";
import type { ClusterReach, ClusterSpec, ResolvedRoute, ResolvedRule } from "./model.ts";
import type { RoutingSettings } from "./routing-settings.ts";

/**
 * A route as the Envoys of one Gateway serve it: the same backends, reached as the Gateway's EnvoyProxy says. Without such settings,
 * which is the rule, it is the route itself, and all Gateways share its clusters.
 *
 * @param object is asked for only when its names matter
 */
export function adaptRoute(
  resolved: ResolvedRoute,
  settings: RoutingSettings | undefined,
  object: () => Route | undefined,
): ResolvedRoute {
  if (settings === undefined) return resolved;
  const route = settings.statName === undefined ? undefined : object();
  const rules = resolved.rules.map((rule, index): ResolvedRule => {
    const statName = route && nameStatistics(settings.statName ?? "", resolved.routeKind, route, index);
    const adapt = (target: ClusterSpec | undefined) => target && adaptCluster(target, settings, statName);
    return {
      ...rule,
      backends: rule.backends.map((backend) => replaceTarget(backend, adapt(backend.target))),
      mirrors: rule.mirrors.map((mirror) => replaceTarget(mirror, adapt(mirror.target))),
    };
  });
  return { ...resolved, rules };
}

function replaceTarget<T extends { readonly target?: ClusterSpec }>(holder: T, target: ClusterSpec | undefined): T {
  return target === undefined ? holder : { ...holder, target };
}

/** A cluster as the Envoys of one Gateway have it. */
export function adaptCluster(
  spec: ClusterSpec,
  settings: RoutingSettings | undefined,
  statName: string | undefined = undefined,
): ClusterSpec {
  if (settings === undefined) return spec;
  const reach = settings.serviceAddresses ? addressServices(spec.reach) : spec.reach;
  const family = familyOf(spec.reach, settings.ipFamily);
  const stats = { ...settings.stats, ...(statName !== undefined && { name: statName }) };
  return buildClusterSpec(reach, {
    protocol: spec.protocol,
    ...(spec.credential && { credential: spec.credential }),
    ...(spec.connection && { connection: spec.connection }),
    ...(spec.tls && { tls: completeTls(spec.tls, settings.tls) }),
    ...(family && { family }),
    ...(Object.keys(stats).length > 0 && { stats }),
  });
}

function addressServices(reach: ClusterReach): ClusterReach {
  switch (reach.kind) {
    case "Service":
      return { ...reach, address: "Service" };
    case "Fallback":
      return {
        ...reach,
        members: reach.members.map((member) =>
          member.reach.kind === "Service" ? { ...member, reach: { ...member.reach, address: "Service" } } : member,
        ),
      };
    default:
      return reach;
  }
}

/** Only what differs from the usual is said, so that Gateways with and without the field share clusters. */
function familyOf(reach: ClusterReach, ipFamily: RoutingSettings["ipFamily"]): ClusterSpec["family"] {
  const usesNames = reach.kind === "Dns" || reach.kind === "DnsFallback" || reach.kind === "DynamicResolver";
  if (usesNames) return ipFamily;
  const usesServices =
    reach.kind === "Service" ||
    (reach.kind === "Fallback" && reach.members.some(({ reach: { kind } }) => kind === "Service"));
  return usesServices && ipFamily === "IPv6" ? ipFamily : undefined;
}

/** Where an operator has nothing to say. */
const NOTHING = "-";

/** Puts what a rule is into a pattern (`telemetry.metrics.clusterStatName`). */
function nameStatistics(
  pattern: string,
  kind: ResolvedRoute["routeKind"],
  { metadata, spec }: Route,
  index: number,
): string {
  const rule: { readonly name?: string; readonly backendRefs?: readonly { name: string; namespace?: string }[] } =
    spec.rules?.[index] ?? {};
  const backends = (rule.backendRefs ?? []).map(({ name, namespace }) =>
    objectKey(namespace ?? metadata.namespace, name),
  );
  const values: Readonly<Record<string, string>> = {
    "%ROUTE_NAME%": metadata.name,
    "%ROUTE_NAMESPACE%": metadata.namespace ?? NOTHING,
    "%ROUTE_KIND%": kind.toLowerCase(),
    "%ROUTE_RULE_NAME%": rule.name ?? NOTHING,
    "%ROUTE_RULE_NUMBER%": String(index),
    "%BACKEND_REFS%": backends.join("|") || NOTHING,
  };
  return pattern.replace(/%[^%]*%/g, (operator) => values[operator] ?? operator);
}
