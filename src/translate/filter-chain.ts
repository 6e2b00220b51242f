import { defaultHostOf } from "../attach/client-http1.ts";
import type { ListenerCertificates, ListenerPlan, PortPlan } from "../attach/model.ts";
import type { Filter, FilterChain } from "../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import { buildHttpConnectionManager, type HttpVersions, type ListenerShape } from "./http-connection-manager.ts";
import { buildDownstreamTls } from "./listener-tls.ts";
import { buildConnectionLimit } from "./policy/client-http.ts";
import { limitHandshake } from "./policy/client-timeouts.ts";
import { demandCertificate } from "./policy/client-tls.ts";

/**
 * The one filter chain of a plain HTTP port: listeners that share it differ by host only, and hosts are told apart by the
 * virtual hosts of their common route table.
 */
export function buildHttpChain(port: PortPlan, shape: ListenerShape): FilterChain | undefined {
  const routeTable = port.listeners[0]?.routeTable;
  if (routeTable === undefined) return undefined;
  return {
    name: routeTable,
    filters: buildHttpReaders(`http-${port.bindPort}`, routeTable, port.listeners, shape),
  };
}

/**
 * The filter chain of one HTTPS listener, taken by the server name in the client's TLS greeting. Without a hostname it takes
 * every connection that no other chain wants. Undefined without a usable certificate.
 */
export function buildHttpsChain(
  port: Pick<PortPlan, "bindPort">,
  listener: ListenerPlan,
  certificates: ListenerCertificates | undefined,
  shape: ListenerShape,
): FilterChain | undefined {
  if (listener.routeTable === undefined || certificates === undefined || certificates.secrets.length === 0) {
    return undefined;
  }
  return {
    name: listener.routeTable,
    // A wildcard such as `*.example.com` means to Envoy what it means to the Gateway API: any depth of subdomain, the most
    // specific chain first.
    ...(listener.hostname === undefined ? {} : { filterChainMatch: { serverNames: [listener.hostname] } }),
    transportSocket: buildDownstreamTls(certificates, ["h2", "http/1.1"]),
    ...limitHandshake(shape.clients?.timeout?.tcp),
    filters: [
      ...demandCertificate(`https-${port.bindPort}`, certificates.clientValidation),
      ...buildHttpReaders(`https-${port.bindPort}`, listener.routeTable, [listener], shape),
    ],
  };
}

/** @param listeners that are served by it */
export function buildHttpReaders(
  statPrefix: string,
  routeTable: string,
  listeners: readonly ListenerPlan[],
  shape: ListenerShape,
  version: HttpVersions = "AUTO",
): Filter[] {
  const defaultHost = shape.clients?.http1?.http10?.useDefaultHost ? defaultHostOf(listeners) : undefined;
  return [
    ...buildConnectionLimit(statPrefix, shape.clients),
    buildHttpConnectionManager(statPrefix, routeTable, shape, { defaultHost, version }),
  ];
}
