import type { ReferenceGrant } from "../api/gateway-api.ts";
import {
  mergesGateways,
  type ProxyLevel,
  type ProxyReader,
  resolveClassProxy,
  resolveGatewayProxy,
} from "../attach/envoy-proxy.ts";
import { type GatewayParameters, planParameters } from "../attach/gateway.ts";
import {
  type GatewayClientCertificate,
  resolveGatewayClientCertificate,
  withClientCertificate,
} from "../attach/gateway-client-certificate.ts";
import { type ListenerSettings, planListenerSettings } from "../attach/listener-settings.ts";
import type { Settings } from "../attach/model.ts";
import type { ResolveReader } from "../attach/resolve-reader.ts";
import { planRouting, type RoutingPlan } from "../attach/routing-settings.ts";
import { planTelemetry, type TelemetryPlan } from "../attach/telemetry.ts";
import { planSampling, type Sampling } from "../attach/tracing-traffic.ts";
import type { FleetKey, ObjectKey } from "../base/keys.ts";
import type { Collection, Graph, Index, Reader } from "../dataflow/graph.ts";
import { judgeBootstrap } from "../translate/proxy-bootstrap.ts";
import { readSettings, type Sources } from "./sources.ts";
import { readTlsPolicies, type TlsPolicyNodes } from "./tls-policies.ts";

/** That a GatewayClass or Gateway of ours refers to an EnvoyProxy. */
export interface ProxyUse {
  readonly proxy: ObjectKey;
  readonly ancestor: { readonly kind: "GatewayClass" | "Gateway"; readonly key: ObjectKey };
  readonly level: Pick<ProxyLevel, "refused" | "warnings">;
}

export interface ProxyNodes {
  /** Key: class of ours. */
  readonly ofClasses: Collection<ProxyLevel>;
  /** Key: Gateway of a class of ours. */
  readonly fleets: Collection<FleetKey>;
  /** Key: Gateway of a class of ours: the EnvoyProxy in effect. */
  readonly ofGateways: Collection<ProxyLevel>;
  /** Key: Gateway. The little of it on which the ports and the judgement of a Gateway depend. */
  readonly parameters: Collection<GatewayParameters>;
  /** Key: Gateway that asks for a certificate of its own towards backends. */
  readonly clientCertificates: Collection<GatewayClientCertificate>;
  /** Key: Gateway. Servers of logs, traces and metrics, with references followed. */
  readonly telemetry: Collection<TelemetryPlan>;
  /** Key: Gateway. What shapes its listeners. */
  readonly listenerSettings: Collection<ListenerSettings>;
  /** Key: Gateway that has some requests traced and others not. */
  readonly sampling: Collection<Sampling>;
  /** Group: the namespace that grants. For every reference across namespaces. */
  readonly grantsByNamespace: Index<ReferenceGrant>;
  /** Group: EnvoyProxy. */
  readonly usesByProxy: Index<ProxyUse>;
}

/** The EnvoyProxy in effect for each Gateway. One that changes re-runs only the Gateways that use it. */
export function createProxyNodes(graph: Graph, sources: Sources, policies: TlsPolicyNodes): ProxyNodes {
  const reader =
    (read: Reader): ProxyReader =>
    (key) =>
      read.get(sources.envoyProxies, key);
  const ofClasses = graph.map("classProxies", sources.gatewayClasses, (gatewayClass, _name, read) => {
    const settings = readSettings(sources, read);
    if (!settings.controllerNames.includes(gatewayClass.spec.controllerName)) return undefined;
    return withBootstrap(resolveClassProxy(gatewayClass, settings, reader(read)), settings);
  });
  const grantsByNamespace = graph.index("grantsByNamespace", sources.referenceGrants, (grant) => [
    grant.metadata.namespace ?? "",
  ]);
  const follow = (level: ProxyLevel, read: Reader, certificate?: GatewayClientCertificate) =>
    followReferences(level, createResolveReader(sources, grantsByNamespace, policies, read), certificate);
  const ofClassReferences = graph.map("classReferences", ofClasses, (level, _name, read) =>
    level.source === undefined ? undefined : follow(level, read),
  );
  const fleets = createFleets(graph, sources, ofClasses, ofClassReferences);
  const ofGateways = graph.map("gatewayProxies", sources.gateways, (gateway, key, read) => {
    const classLevel = read.get(ofClasses, gateway.spec.gatewayClassName);
    if (classLevel === undefined) return undefined;
    const settings = readSettings(sources, read);
    const isMerged = read.get(fleets, key) !== key;
    const level = resolveGatewayProxy(gateway, classLevel, isMerged, settings, reader(read));
    return level.source === undefined ? level : withBootstrap(level, settings);
  });
  const clientCertificates = graph.map("gatewayClientCertificates", sources.gateways, (gateway, key, read) =>
    read.get(fleets, key) === undefined
      ? undefined
      : resolveGatewayClientCertificate(gateway, createResolveReader(sources, grantsByNamespace, policies, read)),
  );
  const references = graph.map("gatewayReferences", ofGateways, (level, key, read) =>
    follow(level, read, read.get(clientCertificates, key)),
  );
  const telemetry = graph.map("gatewayTelemetry", references, (followed) => followed.telemetry);
  const listenerSettings = graph.map("listenerSettings", ofGateways, (level, key, read) =>
    planListenerSettings(level.spec, read.get(telemetry, key), readSettings(sources, read).rateLimit),
  );
  const sampling = graph.map("gatewaySampling", ofGateways, ({ spec }) => planSampling(spec.telemetry?.tracing));
  const parameters = graph.map("gatewayParameters", ofGateways, (level, key, read) => {
    const gateway = read.get(sources.gateways, key);
    const fleet = read.get(fleets, key);
    const followed = read.get(references, key);
    const whole = withFindings(level, followed);
    if (gateway === undefined || fleet === undefined) return undefined;
    return planParameters(gateway, whole, fleet, readSettings(sources, read), followed?.routing.settings);
  });
  const uses = graph.union(
    "proxyUses",
    usesOf(graph, "GatewayClass", ofClasses, ofClassReferences),
    usesOf(graph, "Gateway", ofGateways, references),
  );
  return {
    ofClasses,
    fleets,
    ofGateways,
    parameters,
    clientCertificates,
    telemetry,
    listenerSettings,
    sampling,
    grantsByNamespace,
    usesByProxy: graph.index("usesByProxy", uses, ({ proxy }) => [proxy]),
  };
}

function createFleets(
  graph: Graph,
  sources: Sources,
  ofClasses: Collection<ProxyLevel>,
  references: Collection<FollowedReferences>,
): Collection<FleetKey> {
  const levelOfClass = graph.index("classProxyByName", ofClasses, (_level, name) => name);
  const merged = graph.reduce<ProxyLevel, boolean>("mergedClasses", levelOfClass, (name, levels, read, before) => {
    const level = levels.get(name);
    if (level === undefined) return undefined;
    return mergesGateways(withFindings(level, read.get(references, name)), readSettings(sources, read), before);
  });
  return graph.map("fleets", sources.gateways, ({ spec: { gatewayClassName } }, key, read) => {
    const isMerged = read.get(merged, gatewayClassName);
    return isMerged === undefined ? undefined : isMerged ? gatewayClassName : key;
  });
}

function withBootstrap(level: ProxyLevel, settings: Settings): ProxyLevel {
  const findings = judgeBootstrap(level.spec, settings);
  return findings.length === 0 ? level : { ...level, refused: [...level.refused, ...findings] };
}

/** What the references of an EnvoyProxy lead to. */
interface FollowedReferences {
  readonly routing: RoutingPlan;
  readonly telemetry?: TelemetryPlan;
}

function followReferences(
  { spec, namespaces }: ProxyLevel,
  read: ResolveReader,
  certificate: GatewayClientCertificate | undefined,
): FollowedReferences {
  const { settings: common, refused } = planRouting(spec, namespaces.backendTls, read);
  const settings = withClientCertificate(common, certificate);
  const routing: RoutingPlan = settings === undefined ? { refused } : { settings, refused };
  if (spec.telemetry === undefined) return { routing };
  return { routing, telemetry: planTelemetry(spec.telemetry, namespaces, read, routing.settings) };
}

/** With what cannot be had because of what its references lead to. */
function withFindings(level: ProxyLevel, followed: FollowedReferences | undefined): ProxyLevel {
  const refused = [...(followed?.routing.refused ?? []), ...(followed?.telemetry?.refused ?? [])];
  return refused.length === 0 ? level : { ...level, refused: [...level.refused, ...refused] };
}

function usesOf(
  graph: Graph,
  kind: "GatewayClass" | "Gateway",
  levels: Collection<ProxyLevel>,
  references: Collection<FollowedReferences>,
): Collection<ProxyUse> {
  return graph.flatMap(`proxyUsesOf${kind}`, levels, (level, key, read) => {
    const use = (proxy: ObjectKey, findings: ProxyUse["level"]): [string, ProxyUse][] => [
      [`${kind}/${key}`, { proxy, ancestor: { kind, key }, level: findings }],
    ];
    if (level.unused !== undefined) return use(level.unused, { refused: [inVain], warnings: [] });
    const { source, reference, refused, warnings } = withFindings(level, read.get(references, key));
    return source === undefined || reference !== undefined ? [] : use(source, { refused, warnings });
  });
}

const inVain = {
  field: "spec",
  text: "has no effect here, because all Gateways of this one's class share their Envoys (mergeGateways); write it into the EnvoyProxy of the GatewayClass, or remove the reference to this one",
};

/** Reads what references lead to. */
export function createResolveReader(
  sources: Sources,
  grantsByNamespace: Index<ReferenceGrant>,
  policies: TlsPolicyNodes,
  read: Reader,
): ResolveReader {
  return {
    service: (key) => read.get(sources.services, key),
    backend: (key) => read.get(sources.backends, key),
    staticBackend: (key) => read.get(sources.staticBackends, key),
    routeFilter: (key) => read.get(sources.httpRouteFilters, key),
    secret: (key) => read.get(sources.secrets, key),
    configMap: (key) => read.get(sources.configMaps, key),
    ...readTlsPolicies(policies, read),
    grants: (namespace) => read.lookup(grantsByNamespace, namespace).values(),
    settings: readSettings(sources, read),
  };
}
