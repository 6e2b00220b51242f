import { ACCEPTS_PER_EVENT_USUAL, type PortTraffic } from "../../attach/client-traffic.ts";
import { parseQuantity } from "../../attach/quantity.ts";
import { pack } from "../../envoy/any.ts";
import type { SocketOption } from "../../envoy/generated/envoy/config/core/v3/socket_option.ts";
import type { Listener } from "../../envoy/generated/envoy/config/listener/v3/listener.ts";
import type { ListenerFilter } from "../../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import { ProxyProtocol } from "../../envoy/generated/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.ts";
import { parseDuration, toDuration } from "../duration.ts";

/** Levels and options of Linux. */
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;

/**
 * What a Listener does with every connection. Envoy sets options of sockets where it listens, so that those need a new socket: a change
 * of them, as of everything here, drains the connections of the port.
 *
 * @param inspectors listener filters that read a connection's beginning; the PROXY protocol stands before them
 */
export function buildPortTraffic(
  { tcpKeepalive, proxyProtocol, connection, timeout }: PortTraffic,
  inspectors: readonly ListenerFilter[],
): Listener {
  const { bufferLimit, socketBufferLimit, maxAcceptPerSocketEvent = ACCEPTS_PER_EVENT_USUAL } = connection ?? {};
  const socketOptions = [
    ...(tcpKeepalive ? keepAlive(tcpKeepalive) : []),
    ...(socketBufferLimit === undefined
      ? []
      : [{ level: SOL_SOCKET, name: SO_RCVBUF, intValue: parseQuantity(socketBufferLimit) ?? 0 }]),
  ];
  const inspectionLimitMs = parseDuration(timeout);
  return {
    ...(proxyProtocol && { listenerFilters: [readProxyProtocol(proxyProtocol), ...inspectors] }),
    ...(inspectionLimitMs !== undefined && { listenerFiltersTimeout: toDuration(inspectionLimitMs) }),
    ...(bufferLimit !== undefined && { perConnectionBufferLimitBytes: parseQuantity(bufferLimit) ?? 0 }),
    // None: all that wait.
    maxConnectionsToAcceptPerSocketEvent: maxAcceptPerSocketEvent === 0 ? undefined : maxAcceptPerSocketEvent,
    ...(socketOptions.length > 0 && { socketOptions }),
  };
}

function readProxyProtocol({ optional }: NonNullable<PortTraffic["proxyProtocol"]>): ListenerFilter {
  return {
    name: "envoy.filters.listener.proxy_protocol",
    typedConfig: pack(ProxyProtocol, { ...(optional && { allowRequestsWithoutProxyProtocol: true }) }),
  };
}

/** Accepted connections take these over from the listening socket. */
function keepAlive({ probes, idleTime, interval }: NonNullable<PortTraffic["tcpKeepalive"]>): SocketOption[] {
  const seconds = (text: string | undefined) => Math.ceil((parseDuration(text) ?? 0) / 1000);
  const option = (level: number, name: number, intValue: number): SocketOption => ({ level, name, intValue });
  return [
    option(SOL_SOCKET, SO_KEEPALIVE, 1),
    ...(idleTime === undefined ? [] : [option(IPPROTO_TCP, TCP_KEEPIDLE, seconds(idleTime))]),
    ...(interval === undefined ? [] : [option(IPPROTO_TCP, TCP_KEEPINTVL, seconds(interval))]),
    ...(probes === undefined ? [] : [option(IPPROTO_TCP, TCP_KEEPCNT, probes)]),
  ];
}
