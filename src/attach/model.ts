import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import type { FleetKey, ObjectKey } from "../base/keys.ts";
import type { Problem } from "../base/problems.ts";
import type { ControlPlaneAddress } from "../envoy/control-plane.ts";
import type { ClientTls } from "./client-tls.ts";
import type { ClientValidation, FrontendValidation } from "./client-validation.ts";
import type { ListenerProtocol } from "./listener-protocol.ts";
import type { ListenerSetPlan } from "./listener-set.ts";
import type { RateLimitService } from "./rate-limit.ts";
import type { RoutingSettings } from "./routing-settings.ts";

export type * from "./cluster-model.ts";
export type * from "./route-model.ts";

/**
 * The attached objects: what `attach/` finds out and `translate/` builds Envoy messages from. Everything is plain readonly
 * data, compared structurally by the dataflow engine, so a value must not depend on anything that does not change the outcome
 * (no generation, no resourceVersion).
 */

/** Settings of this instance that change what objects mean. A source with the one key `settings`. */
export interface Settings {
  /** Controller names whose GatewayClasses are ours. */
  readonly controllerNames: readonly string[];
  /** Envoy runs as a process on this host: Backends may be loopback addresses and ports are bound on the host itself. */
  readonly hostInfrastructure: boolean;
  /** Absolute path of the folder with Gatehouse's and Envoy's own sockets on this host, which no Backend may reach. */
  readonly guardedFolder?: string;
  /** Added to listener ports below 1024 when Envoy may not bind them (names and ports as in Envoy Gateway): 0 or 10000. */
  readonly privilegedPortOffset: number;
  /** What an EnvoyProxy is when neither class nor Gateway refers to one (`envoyProxy` of the configuration file). */
  readonly defaultProxy?: EnvoyProxySpec;
  /** Where Envoys find this instance; their EnvoyProxies must not change it. */
  readonly controlPlane?: ControlPlaneAddress;
  /** True: Envoys run in the namespaces of their Gateways, so that no two Gateways can share them. */
  readonly inGatewayNamespace?: boolean;
  /** File with the authorities that the system of Envoy trusts; undefined: where Envoy's own images have it. */
  readonly systemTrustFile?: string;
  /** True: whoever runs this instance does not let routes refer to Backends, which reach any address. */
  readonly backendsRefused?: boolean;
  /** How many listeners a Gateway may have with those of its ListenerSets; default {@link LISTENERS_MAX}. */
  readonly listenersMax?: number;
  /**
   * What the cookies of those who have logged in are known by, at least 32 bytes in hexadecimal. Whoever knows it passes every login.
   * Undefined: policies with oidc are refused.
   */
  readonly loginKey?: string;
  /** Undefined: policies with global rate limits are refused. */
  readonly rateLimit?: RateLimitService;
}

/**
 * Of one Gateway with its ListenerSets. The Envoy Listener of a port holds a filter chain for each HTTPS listener, and Envoy takes
 * some 180 µs for each of them whenever one changes.
 */
export const LISTENERS_MAX = 4096;

export interface RouteKindReference {
  readonly group: string;
  readonly kind: string;
}

/** Which namespaces a listener takes routes from, or a Gateway ListenerSets. */
export type AllowedNamespaces =
  | { readonly from: "All" | "Same" | "None" }
  | { readonly from: "Selector"; readonly selector: LabelSelector };

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** A Gateway of ours and what its listeners come to by themselves: ports may turn out to belong to another Gateway. */
export interface GatewayDraft extends Omit<GatewayPlan, "ports"> {
  /** Of `metadata.creationTimestamp`, empty when it has none: the oldest has a port that two ask for. */
  readonly created: string;
}

/** A Gateway of ours and what its listeners come to, before certificates and routes. */
export interface GatewayPlan {
  readonly key: ObjectKey;
  /** Its Envoys. */
  readonly fleet: FleetKey;
  readonly className: string;
  /** Of its GatewayClass: who writes the statuses of its routes. */
  readonly controllerName: string;
  /**
   * Its own listeners in the order of the spec, then those of its ListenerSets in theirs, the invalid ones included (they have statuses
   * too).
   */
  readonly listeners: readonly ListenerPlan[];
  /** ListenerSets that name it, the refused ones included: oldest first, then by key (Gateway API, ListenerSetSpec.listeners). */
  readonly listenerSets: readonly ListenerSetPlan[];
  /** One per port that Envoy must open; holds valid listeners of this Gateway only. Sorted by port. */
  readonly ports: readonly PortPlan[];
  /** Problems of the Gateway as a whole. */
  readonly problems: readonly Problem[];
  /** What is told of it without being in the way: conditions that exist only while they hold. */
  readonly notices?: readonly Problem[];
  /** Added to ports below 1024 when Envoy binds them. */
  readonly portOffset: number;
  /** Addresses of `spec.addresses`: to bind to on a host, to be reached at in a cluster. Empty: any. */
  readonly addresses: readonly string[];
  /** How its Envoys reach backends; undefined: as usual. */
  readonly routing?: RoutingSettings;
  /** The one to bind to (host infrastructure only); undefined = all. */
  readonly bindAddress?: string;
}

export interface ListenerPlan {
  readonly gateway: ObjectKey;
  /** The ListenerSet that it stands in; undefined: the Gateway itself. */
  readonly listenerSet?: ObjectKey;
  /** Unique inside its Gateway or ListenerSet. */
  readonly name: string;
  /** Position in `spec.listeners`. */
  readonly index: number;
  readonly protocol: string;
  /** As in the spec. */
  readonly port: number;
  /** Lower case; undefined = every host. */
  readonly hostname?: string;
  /** Kinds of route that may attach: protocol's kinds intersected with `allowedRoutes.kinds`; goes to the status as it is. */
  readonly supportedKinds: readonly RouteKindReference[];
  readonly allowedNamespaces: AllowedNamespaces;
  /** HTTPS and TLS only. */
  readonly tlsMode?: "Terminate" | "Passthrough";
  /** Where TLS is terminated: `tls.certificateRefs` with defaults filled in. */
  readonly certificateRefs: readonly {
    readonly group: string;
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
  }[];
  /** HTTPS only: what the Gateway asks of clients of the port; undefined: nothing. */
  readonly frontendValidation?: FrontendValidation;
  readonly problems: readonly Problem[];
  /** False: the listener opens no port and serves nothing. Certificates are judged apart (`ListenerCertificates`). */
  readonly valid: boolean;
  /** Name of the RouteConfiguration that carries its routes (`attach/resource-names.ts`). Present for HTTP and HTTPS when valid. */
  readonly routeTable?: string;
  /** More specific hostnames that other listeners have on its port: their requests are not for this listener. Sorted. */
  readonly claimed?: readonly string[];
}

export interface PortPlan {
  /** As in the spec. */
  readonly port: number;
  /** What Envoy binds: the port, or port + privilegedPortOffset below 1024. */
  readonly bindPort: number;
  /** Of its first listener: a port of TLS may hold HTTPS and TLS listeners (`ProtocolFamily`). */
  readonly protocol: ListenerProtocol;
  /** Name of the Envoy Listener (`attach/resource-names.ts`); that of a fleet's port serves several Gateways. */
  readonly name: string;
  /** Valid listeners on this port: of one Gateway in spec order, of a fleet by Gateway. */
  readonly listeners: readonly ListenerPlan[];
}

/** What identifies a listener. */
export type ListenerId = Pick<ListenerPlan, "gateway" | "listenerSet" | "name">;

/** `<gateway key>/<listener name>` or `<gateway key>/<ListenerSet key>/<listener name>`: names as in Envoy Gateway. */
export function listenerKey({ gateway, listenerSet, name }: ListenerId): string {
  return listenerSet === undefined ? `${gateway}/${name}` : `${gateway}/${listenerSet}/${name}`;
}

export interface ListenerNames extends ListenerId {
  /** DNS names (lower case) of all usable certificates, sorted: overlap between listeners is found from them. */
  readonly dnsNames: readonly string[];
}

/**
 * Certificates of one listener that terminates TLS, and by which it verifies clients, after its references are followed. Key:
 * {@link listenerKey}.
 */
export interface ListenerCertificates extends ListenerNames {
  /** Keys of usable Secrets, in the order of the references. Empty: the listener cannot serve, or is invalid otherwise. */
  readonly secrets: readonly ObjectKey[];
  /** Undefined: clients are not asked for a certificate. */
  readonly clientValidation?: ClientValidation;
  /** Of a ClientTrafficPolicy. */
  readonly clientTls?: ClientTls;
  readonly problems: readonly Problem[];
}
