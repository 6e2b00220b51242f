import type { ParentReference, RouteKind } from "../api/gateway-api.ts";
import type { HTTPRouteFilter } from "../api/httproutefilter.ts";
import type { FleetKey, ObjectKey } from "../base/keys.ts";
import type { Problem } from "../base/problems.ts";
import type { RouteTraffic } from "./backend-traffic.ts";
import type { ClusterSpec } from "./cluster-model.ts";
import type { ListenerPolicies, PoliciesByKind } from "./policy-model.ts";
import type { RoutingSettings } from "./routing-settings.ts";
import type { AuthorizationModel } from "./security/authorization.ts";
import type { SecurityModel } from "./security/model.ts";
import type { TlsTarget } from "./tls-targets.ts";

/** Routes as they are attached and resolved; see `model.ts` for what holds of all these values. */

/** To which listeners a route belongs. One per route object. */
export interface RouteAttachment {
  readonly routeKind: RouteKind;
  readonly key: ObjectKey;
  /** One per parentRef that names a Gateway or ListenerSet of ours, in the order of the spec. */
  readonly parents: readonly ParentAttachment[];
  /** Policies of the route itself and of its rules; undefined: none. */
  readonly policies?: PoliciesByKind;
}

export interface ParentAttachment {
  readonly parentRef: ParentReference;
  readonly gateway: ObjectKey;
  /** The one that the parentRef names; undefined: the Gateway itself. */
  readonly listenerSet?: ObjectKey;
  /** Of the Gateway. */
  readonly fleet: FleetKey;
  /** Of the Gateway's class. */
  readonly controllerName: string;
  /** Of the Gateway. */
  readonly routing?: RoutingSettings;
  /** Listeners that accepted the route; empty when `problems` says why not. */
  readonly listeners: readonly AttachedListener[];
  readonly problems: readonly Problem[];
}

export interface AttachedListener {
  readonly listener: string;
  /** Of listeners that speak HTTP. Absent: the listener accepted the route but serves no requests. */
  readonly routeTable?: string;
  /** Of listeners that serve connections or datagrams as they are. */
  readonly streams?: {
    /** TLS goes through to the backend. */
    readonly passesTls: boolean;
  };
  /** Port of the listener in the spec: the default port of redirects. */
  readonly port: number;
  /** `https` where clients speak TLS. */
  readonly scheme: "http" | "https";
  /**
   * Hosts on which the route is served here: the intersection of listener and route hostnames, minus those that a more
   * specific listener of the same port claims. Sorted by host, each host once.
   */
  readonly hostnames: readonly AttachedHost[];
  /** Clients see upper and lower case of header names as backends write them, and backends see the clients'. */
  readonly keepsHeaderCase?: true;
  /** Policies that the route has from here unless it has its own; undefined: none. */
  readonly policies?: ListenerPolicies;
}

export interface AttachedHost {
  /** Lower case; `*` for every host, `*.example.com` for a wildcard: a domain of an Envoy virtual host, or a server name of TLS. */
  readonly host: string;
  /** The route's own hostname that led here, `*` when it has none: breaks ties between routes on one host (Gateway API: the most specific hostname wins). */
  readonly routeHostname: string;
}

/** A route with its references followed. One per route object. */
export interface ResolvedRoute {
  readonly routeKind: RouteKind;
  readonly key: ObjectKey;
  /** Same order and length as the spec's rules. */
  readonly rules: readonly ResolvedRule[];
  /** The rules at listeners that pass TLS through, where others open it; absent: the same as `rules`. */
  readonly passedRules?: readonly ResolvedRule[];
  readonly problems: readonly Problem[];
  /** Objects that it refers to and that BackendTLSPolicies target, sorted; absent: none. */
  readonly tlsTargets?: readonly TlsTarget[];
}

export interface ResolvedRule {
  /** Same order and length as the rule's backendRefs. */
  readonly backends: readonly ResolvedBackend[];
  /** RequestMirror filters of the rule by their position in `filters`; without a target the mirror is dropped. */
  readonly mirrors: readonly { readonly filterIndex: number; readonly target?: ClusterSpec }[];
  /** HTTPRouteFilters of ExtensionRef filters by their position in `filters`. */
  readonly extensions: readonly ResolvedExtension[];
  /** What a BackendTrafficPolicy says of its requests, where the rule is served. */
  readonly traffic?: RouteTraffic;
  /** What a SecurityPolicy says of its requests, where the rule is served. */
  readonly security?: SecurityModel;
  /** Which of its connections pass; absent: all. */
  readonly connections?: AuthorizationModel;
  /** Set when the rule cannot work as written (a bad filter): every request that matches it is answered with this status. */
  readonly failureStatus?: number;
  /** Set when the matches of the rule cannot be given to Envoy (a bad regular expression): the rule makes no routes at all. */
  readonly dropped?: boolean;
}

export interface ResolvedBackend {
  /** Default 1; 0 takes no traffic. */
  readonly weight: number;
  /** Undefined: the reference is invalid and its share of requests is answered with 500, its share of connections closed. */
  readonly target?: ClusterSpec;
  /** HTTPRouteFilters of ExtensionRef filters of the backendRef by their position in its `filters`. */
  readonly extensions: readonly ResolvedExtension[];
}

export interface ResolvedExtension {
  readonly filterIndex: number;
  readonly filter: HTTPRouteFilter["spec"];
  /** Body of `directResponse`, inline or read from its ConfigMap; in base64 when it stands there as `binaryData`. */
  readonly body?: string | { readonly base64: string };
}
