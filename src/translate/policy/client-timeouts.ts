import type { ClientTrafficSettings } from "../../attach/client-traffic.ts";
import type { FilterChain } from "../../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import type { TcpProxy } from "../../envoy/generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts";
import { parseDuration, toDuration } from "../duration.ts";

type Timeouts = NonNullable<ClientTrafficSettings["timeout"]>["tcp"];

/** How long a client may take for its part of the TLS handshake; else as long as it likes. */
export function limitHandshake(timeouts: Timeouts): Pick<FilterChain, "transportSocketConnectTimeout"> {
  const limitMs = parseDuration(timeouts?.tlsHandshakeTimeout);
  return limitMs === undefined ? {} : { transportSocketConnectTimeout: toDuration(limitMs) };
}

/** How long nothing may pass in either direction; none: for ever; unsaid: Envoy's hour. */
export function limitIdleness(timeouts: Timeouts): Pick<TcpProxy, "idleTimeout"> {
  const limitMs = parseDuration(timeouts?.idleTimeout);
  return limitMs === undefined ? {} : { idleTimeout: toDuration(limitMs) };
}
