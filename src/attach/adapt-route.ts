import type { Route } from "../api/gateway-api.ts";
import { objectKey } from "../base/keys.ts";
import { completeTls } from "./backend-tls.ts";
import type { BackendTraffic, RouteTraffic } from "./backend-traffic.ts";
import { buildClusterSpec } from "./cluster-spec.ts";
import type { ConnectionSettings } from "./connection-settings.ts";
import type { ClusterReach, ClusterSpec, ResolvedRoute, ResolvedRule } from "./model.ts";
import type { RoutingSettings } from "./routing-settings.ts";
import type { Security, SecurityModel } from "./security/model.ts";
import type { Sampling } from "./tracing-traffic.ts";

/** The status of answers where a policy cannot do what it says (Envoy Gateway: fail closed). */
const POLICY_FAILURE = 500;

/** What policies say of a rule, each undefined where there is none. */
export interface RulePolicies {
  readonly traffic: BackendTraffic | undefined;
  readonly security: Security | undefined;
}

/**
 * A route as the Envoys of one Gateway serve it at one listener: the same backends, reached as the Gateway's EnvoyProxy and policies
 * say. Without such settings, which is the rule, it is the route itself, and all Gateways share its clusters.
 *
 * @param object is asked for only when its names matter
 * @param ofRules one for each rule; undefined: no rule has any policy
 * @param sampling is asked for only where a policy says something of tracing
 */
export function adaptRoute(
  resolved: ResolvedRoute,
  settings: RoutingSettings | undefined,
  object: () => Route | undefined,
  ofRules?: readonly RulePolicies[],
  sampling: () => Sampling | undefined = () => undefined,
): ResolvedRoute {
  if (settings === undefined && ofRules === undefined) return resolved;
  const pattern = settings?.statName;
  const route = pattern === undefined ? undefined : object();
  const carriesRequests = resolved.routeKind === "HTTPRoute" || resolved.routeKind === "GRPCRoute";
  const rules = resolved.rules.map((rule, index): ResolvedRule => {
    const { traffic: own, security } = ofRules?.[index] ?? {};
    if (own?.invalid || isClosed(resolved.routeKind, security)) {
      return { ...rule, backends: [], mirrors: [], failureStatus: POLICY_FAILURE };
    }
    const statName = route && nameStatistics(pattern ?? "", resolved.routeKind, route, index);
    const traffic = own?.cluster && nameHost(own.cluster, object);
    const adapt = (target: ClusterSpec | undefined) => target && adaptCluster(target, settings, statName, traffic);
    return {
      ...rule,
      ...(own?.route && {
        traffic: sampleRoute(nameRoute(own.route, resolved.routeKind, object, index), sampling),
      }),
      ...(carriesRequests && security?.model && { security: adaptServers(security.model, settings) }),
      ...(!carriesRequests && security?.connections && { connections: security.connections }),
      backends: rule.backends.map((backend) => replaceTarget(backend, adapt(backend.target))),
      mirrors: rule.mirrors.map((mirror) => replaceTarget(mirror, adapt(mirror.target))),
    };
  });
  return { ...resolved, rules };
}

/** Whether nothing may pass. Nobody looks at whom datagrams come from. */
function isClosed(kind: ResolvedRoute["routeKind"], security: Security | undefined): boolean {
  if (kind === "HTTPRoute" || kind === "GRPCRoute") return security?.refused === true;
  return security?.connectionsRefused === true || (kind === "UDPRoute" && security?.connections !== undefined);
}

/** Servers that a SecurityPolicy names, as the Envoys of one Gateway have them. What its BackendTrafficPolicy says is about backends. */
function adaptServers(model: SecurityModel, settings: RoutingSettings | undefined): SecurityModel {
  if (model.servers === undefined || settings === undefined) return model;
  const servers = Object.entries(model.servers).map(([use, spec]) => [use, adaptCluster(spec, settings)] as const);
  return { ...model, servers: Object.fromEntries(servers) };
}

function replaceTarget<T extends { readonly target?: ClusterSpec }>(holder: T, target: ClusterSpec | undefined): T {
  return target === undefined ? holder : { ...holder, target };
}

/** A cluster as the Envoys of one Gateway have it. */
export function adaptCluster(
  spec: ClusterSpec,
  settings: RoutingSettings | undefined,
  statName: string | undefined = undefined,
  traffic: ConnectionSettings | undefined = undefined,
): ClusterSpec {
  const connection = spec.connection ?? (traffic && settingsFor(spec, traffic));
  const byAddress = traffic?.routingType ? traffic.routingType === "Service" : settings?.serviceAddresses;
  if (settings === undefined && !byAddress && connection === spec.connection) return spec;
  const reach = byAddress ? addressServices(spec.reach) : spec.reach;
  const family = settings && familyOf(spec.reach, settings.ipFamily);
  const stats = { ...settings?.stats, ...(statName !== undefined && { name: statName }) };
  return buildClusterSpec(reach, {
    protocol: spec.protocol,
    ...(spec.credential && { credential: spec.credential }),
    ...(connection && { connection }),
    ...(spec.tls && { tls: completeTls(spec.tls, settings?.tls) }),
    ...(family && { family }),
    ...(Object.keys(stats).length > 0 && { stats }),
  });
}

/** Statistics of routes are called what the pattern comes to for a rule, and the rate limit service counts under the rule's own name. */
function nameRoute(
  traffic: RouteTraffic,
  kind: ResolvedRoute["routeKind"],
  object: () => Route | undefined,
  index: number,
): RouteTraffic {
  const { statName, globalRateLimit } = traffic;
  const route = statName === undefined && globalRateLimit === undefined ? undefined : object();
  if (route === undefined) return traffic;
  const { namespace = "", name } = route.metadata;
  return {
    ...traffic,
    ...(statName !== undefined && { statName: nameStatistics(statName, kind, route, index) }),
    ...(globalRateLimit && {
      globalRateLimit: { ...globalRateLimit, route: `${kind.toLowerCase()}/${namespace}/${name}/rule/${index}` },
    }),
  };
}

function sampleRoute(traffic: RouteTraffic, sampling: () => Sampling | undefined): RouteTraffic {
  if (traffic.tracing === undefined) return traffic;
  return { ...traffic, tracing: { ...sampling(), ...traffic.tracing } };
}

/** Health checks by HTTP ask for the route's host unless they name one. */
function nameHost(traffic: ConnectionSettings, object: () => Route | undefined): ConnectionSettings {
  const { healthCheck } = traffic;
  const http = healthCheck?.active?.http;
  if (healthCheck?.active === undefined || http === undefined || http.hostname !== undefined) return traffic;
  const route = object();
  const hostnames: readonly string[] = (route && "hostnames" in route.spec && route.spec.hostnames) || [];
  const hostname = hostnames.find((each) => !each.startsWith("*"))?.toLowerCase();
  if (hostname === undefined) return traffic;
  return {
    ...traffic,
    healthCheck: { ...healthCheck, active: { ...healthCheck.active, http: { ...http, hostname } } },
  };
}

/** A policy counts for backends of all kinds: what has no meaning for one is left out, so that it shares its cluster with others. */
function settingsFor({ reach, protocol }: ClusterSpec, traffic: ConnectionSettings): ConnectionSettings | undefined {
  const { dns, healthCheck, http2, loadBalancer, preserveHeaderCase, routingType: _, ...rest } = traffic;
  const usesNames = reach.kind === "Dns" || reach.kind === "DnsFallback" || reach.kind === "DynamicResolver";
  const settings = {
    ...rest,
    ...(dns && usesNames && { dns }),
    ...(healthCheck && checksFor(protocol === "http2" || traffic.useClientProtocol === true, healthCheck)),
    ...(http2 && (protocol === "http2" || traffic.useClientProtocol) && { http2 }),
    ...(preserveHeaderCase && (protocol === "http1" || traffic.useClientProtocol) && { preserveHeaderCase }),
    // Where the request's own host decides there is nothing to choose.
    ...(loadBalancer && reach.kind !== "DynamicResolver" && { loadBalancer }),
  };
  return Object.keys(settings).length === 0 ? undefined : settings;
}

/** Envoy refuses a cluster of HTTP/1.1 that is to be asked by gRPC. */
function checksFor(
  speaksHttp2: boolean,
  { active, ...rest }: NonNullable<ConnectionSettings["healthCheck"]>,
): Pick<ConnectionSettings, "healthCheck"> {
  const asked = active?.type === "GRPC" && !speaksHttp2 ? undefined : active;
  const healthCheck = { ...(asked && { active: asked }), ...rest };
  return Object.keys(healthCheck).length === 0 ? {} : { healthCheck };
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
