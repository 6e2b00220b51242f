import type { Backend } from "../api/backend.ts";
import type { BackendTrafficPolicy } from "../api/backendtrafficpolicy.ts";
import type { ClientTrafficPolicy } from "../api/clienttrafficpolicy.ts";
import type { ConfigMap, EndpointSlice, Namespace, Secret, Service } from "../api/core.ts";
import type { EnvoyProxy } from "../api/envoyproxy.ts";
import type {
  BackendTLSPolicy,
  Gateway,
  GatewayClass,
  GRPCRoute,
  HTTPRoute,
  ListenerSet,
  ReferenceGrant,
  TCPRoute,
  TLSRoute,
  UDPRoute,
} from "../api/gateway-api.ts";
import type { HTTPRouteFilter } from "../api/httproutefilter.ts";
import type { SecurityPolicy } from "../api/securitypolicy.ts";
import type { StaticBackend } from "../api/static-backend.ts";
import type { Settings } from "../attach/model.ts";
import type { FleetKey } from "../base/keys.ts";
import type { Graph, Reader, Source } from "../dataflow/graph.ts";
import type { EnvoyAnswer } from "./envoys.ts";
import type { ListenerVersion } from "./listener-progress.ts";
import type { HeldEntries, Rejection } from "./verdicts.ts";

/** The objects that users write, one source collection a kind, keyed by `namespace/name`. */
export interface ObjectSources {
  readonly gatewayClasses: Source<GatewayClass>;
  readonly gateways: Source<Gateway>;
  readonly listenerSets: Source<ListenerSet>;
  readonly httpRoutes: Source<HTTPRoute>;
  readonly grpcRoutes: Source<GRPCRoute>;
  readonly tlsRoutes: Source<TLSRoute>;
  readonly tcpRoutes: Source<TCPRoute>;
  readonly udpRoutes: Source<UDPRoute>;
  readonly referenceGrants: Source<ReferenceGrant>;
  readonly backendTlsPolicies: Source<BackendTLSPolicy>;
  readonly namespaces: Source<Namespace>;
  readonly services: Source<Service>;
  readonly endpointSlices: Source<EndpointSlice>;
  readonly secrets: Source<Secret>;
  readonly configMaps: Source<ConfigMap>;
  readonly backends: Source<Backend>;
  readonly staticBackends: Source<StaticBackend>;
  readonly httpRouteFilters: Source<HTTPRouteFilter>;
  readonly envoyProxies: Source<EnvoyProxy>;
  readonly clientTrafficPolicies: Source<ClientTrafficPolicy>;
  readonly backendTrafficPolicies: Source<BackendTrafficPolicy>;
  readonly securityPolicies: Source<SecurityPolicy>;
}

/** Number of Envoys of a fleet that are connected now. */
export interface Connection {
  readonly connected: number;
  /** Of these, how many have said something of a Listener: a new one serves nobody before it has. */
  readonly answering: number;
}

export interface GatewayAddress {
  readonly type: string;
  readonly value: string;
}

/** Gateway API as the cluster has it. */
export interface InstalledApi {
  /** Bundle versions of its CustomResourceDefinitions, as in `v1.6.3`, each once; empty text for one that says none. */
  readonly bundleVersions: readonly string[];
  /** `standard`: experimental fields are dropped by the API server. Undefined: not told, as in `experimental`. */
  readonly channel?: string;
  /** Its kinds that are not installed, sorted, out of those that are read. */
  readonly absentKinds: readonly string[];
  /** True: its GatewayClass has no `status.supportedFeatures`, or one of another shape, as before v1.4 in the standard channel. */
  readonly withoutFeatures?: true;
}

/** Why an object that runs a gateway cannot be written. */
export interface InfrastructureFault {
  /** In the API server's words. */
  readonly text: string;
  /** The addresses that Gateways ask for are at fault. */
  readonly ofAddresses?: true;
}

/** What keeps clients from a gateway: texts that say who waits for what. */
export interface InfrastructureWaits {
  /** Why no pod is ready; absent: at least one is. */
  readonly pods?: string;
  /** Why there is no address, should there be none. */
  readonly address?: string;
}

/** Everything that flows into the graph: what users write, and what the running system says back. */
export interface Sources extends ObjectSources {
  /** One key: `settings`. */
  readonly settings: Source<Settings>;
  /** One key: `installed`. Empty where no cluster is: then objects are read by the schemas that are built in. */
  readonly installedApi: Source<InstalledApi>;
  /** Key: {@link acknowledgementKey}. One a connected Envoy, by its node: on Listeners always, on other types only while refused. */
  readonly acknowledgements: Source<readonly EnvoyAnswer[]>;
  /** Key: name of an Envoy Listener. What was published of it lately; filled by the pipeline itself. */
  readonly listenerVersions: Source<readonly ListenerVersion[]>;
  /** Key: fleet. */
  readonly connections: Source<Connection>;
  /** Key: fleet. Where clients reach it. */
  readonly addresses: Source<readonly GatewayAddress[]>;
  /** Key: fleet. Why what runs it cannot be written as asked. */
  readonly infrastructureFaults: Source<InfrastructureFault>;
  /** Key: fleet. What is waited for of what runs it; nothing on a host. */
  readonly infrastructureWaits: Source<InfrastructureWaits>;
  /** Key: as in the collection `routeEntries`. Filled by the quarantine only. */
  readonly heldEntries: Source<HeldEntries>;
  /** Key: `<route key>|<route table>`. Filled by the quarantine only. */
  readonly rejections: Source<Rejection>;
}

export const SETTINGS_KEY = "settings";
export const INSTALLED_API_KEY = "installed";

export function readSettings(sources: Sources, read: Reader): Settings {
  const settings = read.get(sources.settings, SETTINGS_KEY);
  if (settings === undefined) throw new Error("the settings source is empty");
  return settings;
}

export function acknowledgementKey(fleet: FleetKey, type: string, name: string): string {
  return `${fleet}|${type}|${name}`;
}

/** Creates all sources. Only the objects wait to be synced; what the running system says starts empty. */
export function createSources(graph: Graph, settings: Settings): Sources {
  const sources: Sources = {
    settings: graph.source("settings"),
    gatewayClasses: graph.source("gatewayClasses"),
    gateways: graph.source("gateways"),
    listenerSets: graph.source("listenerSets"),
    httpRoutes: graph.source("httpRoutes"),
    grpcRoutes: graph.source("grpcRoutes"),
    tlsRoutes: graph.source("tlsRoutes"),
    tcpRoutes: graph.source("tcpRoutes"),
    udpRoutes: graph.source("udpRoutes"),
    referenceGrants: graph.source("referenceGrants"),
    backendTlsPolicies: graph.source("backendTlsPolicies"),
    namespaces: graph.source("namespaces"),
    services: graph.source("services"),
    endpointSlices: graph.source("endpointSlices"),
    secrets: graph.source("secrets"),
    configMaps: graph.source("configMaps"),
    backends: graph.source("backends"),
    staticBackends: graph.source("staticBackends"),
    httpRouteFilters: graph.source("httpRouteFilters"),
    envoyProxies: graph.source("envoyProxies"),
    clientTrafficPolicies: graph.source("clientTrafficPolicies"),
    backendTrafficPolicies: graph.source("backendTrafficPolicies"),
    securityPolicies: graph.source("securityPolicies"),
    installedApi: graph.source("installedApi"),
    acknowledgements: graph.source("acknowledgements", { isBackground: true }),
    listenerVersions: graph.source("listenerVersions", { isBackground: true }),
    connections: graph.source("connections", { isBackground: true }),
    addresses: graph.source("addresses"),
    infrastructureFaults: graph.source("infrastructureFaults"),
    infrastructureWaits: graph.source("infrastructureWaits"),
    heldEntries: graph.source("heldEntries"),
    rejections: graph.source("rejections"),
  };
  sources.settings.set(SETTINGS_KEY, settings);
  for (const source of [
    sources.settings,
    sources.installedApi,
    sources.acknowledgements,
    sources.listenerVersions,
    sources.connections,
    sources.addresses,
    sources.infrastructureFaults,
    sources.infrastructureWaits,
    sources.heldEntries,
    sources.rejections,
  ]) {
    source.markSynced();
  }
  return sources;
}
