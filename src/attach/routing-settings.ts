import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import type { TlsReader } from "./authorities.ts";
import { findTlsSettingsFault, resolveClientCertificate, tlsChoices } from "./backend-tls.ts";
import type { ProxyFinding } from "./envoy-proxy.ts";
import type { ClusterSpec, UpstreamTls } from "./model.ts";

/** What TLS towards backends is where the backend itself does not say. */
export type TlsDefaults = Pick<
  UpstreamTls,
  "clientCertificate" | "minVersion" | "maxVersion" | "ciphers" | "ecdhCurves" | "signatureAlgorithms" | "alpnProtocols"
>;

/** The part of an EnvoyProxy that shapes routes and the clusters that they lead to. */
export interface RoutingSettings {
  /** Services are reached at their cluster address, where kube-proxy chooses the endpoint. */
  readonly serviceAddresses?: true;
  readonly ipFamily?: NonNullable<EnvoyProxySpec["ipFamily"]>;
  readonly tls?: TlsDefaults;
  readonly stats?: Pick<NonNullable<ClusterSpec["stats"]>, "perEndpoint" | "sizes">;
  /** Name of a rule's clusters in statistics, with operators ({@link statOperators}). */
  readonly statName?: string;
  /** Rules of a route are tried in the order in which they are written. */
  readonly keepsOrder?: true;
  /** Requests are counted for each host. */
  readonly countsHosts?: true;
}

export interface RoutingPlan {
  /** Undefined: nothing is unusual. */
  readonly settings?: RoutingSettings;
  readonly refused: readonly ProxyFinding[];
}

/** @param namespace of the EnvoyProxy that has `backendTLS` */
export function planRouting(spec: EnvoyProxySpec, namespace: string | undefined, read: TlsReader): RoutingPlan {
  const refused: ProxyFinding[] = [];
  const { backendTLS, ipFamily, routingType, preserveRouteOrder } = spec;
  const metrics = spec.telemetry?.metrics ?? {};
  const tls = backendTLS && planTls(backendTLS, namespace, read, refused);
  const stats = {
    ...(metrics.enablePerEndpointStats && { perEndpoint: true as const }),
    ...(metrics.enableRequestResponseSizesStats && { sizes: true as const }),
  };
  const settings: RoutingSettings = {
    ...(routingType === "Service" && { serviceAddresses: true }),
    ...(ipFamily && { ipFamily }),
    ...(tls && Object.keys(tls).length > 0 && { tls }),
    ...(Object.keys(stats).length > 0 && { stats }),
    ...(metrics.clusterStatName !== undefined && { statName: metrics.clusterStatName }),
    ...(preserveRouteOrder && { keepsOrder: true }),
    ...(metrics.enableVirtualHostStats && { countsHosts: true }),
  };
  return Object.keys(settings).length === 0 ? { refused } : { settings, refused };
}

type BackendTlsDefaults = NonNullable<EnvoyProxySpec["backendTLS"]>;

function planTls(
  tls: BackendTlsDefaults,
  namespace: string | undefined,
  read: TlsReader,
  refused: ProxyFinding[],
): TlsDefaults | undefined {
  const reference = tls.clientCertificateRef;
  const place = namespace ?? reference?.namespace ?? "";
  const client = reference && resolveClientCertificate(reference, place, "EnvoyProxy", read);
  const fault = findTlsSettingsFault(tls) ?? (typeof client === "object" ? client : undefined);
  if (fault !== undefined) {
    refused.push({ field: fault.field.replace("spec.tls", "spec.backendTLS"), text: fault.message });
    return undefined;
  }
  return { ...(typeof client === "string" && { clientCertificate: client }), ...tlsChoices(tls) };
}

/** What `telemetry.metrics.clusterStatName` may hold (names as in Envoy Gateway). */
export const statOperators: readonly string[] = [
  "%ROUTE_NAME%",
  "%ROUTE_NAMESPACE%",
  "%ROUTE_KIND%",
  "%ROUTE_RULE_NAME%",
  "%ROUTE_RULE_NUMBER%",
  "%BACKEND_REFS%",
];

/** Why a pattern cannot name statistics; completes a sentence that begins with the field. */
export function findStatNameFault(pattern: string): string | undefined {
  if (pattern.trim() === "") return "is empty; write a name, or leave it out";
  const unknown = pattern.match(/%[^%]*%?/g)?.find((operator) => !statOperators.includes(operator));
  return unknown === undefined ? undefined : `holds ${unknown}, which is no operator; use ${statOperators.join(", ")}`;
}
