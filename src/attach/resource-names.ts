import type { FleetKey, ObjectKey } from "../base/keys.ts";
import type { Transport } from "./listener-protocol.ts";
import { type ListenerId, listenerKey } from "./model.ts";

/** Names of the Envoy resources of one port. */
export interface PortNames {
  readonly listener: string;
  /** RouteConfiguration of the plain HTTP listeners, which differ by virtual host only. */
  readonly httpTable: string;
}

/**
 * As in Envoy Gateway, everything on a Gateway's port is called after its first listener there. A port that several share, Gateways or
 * ListenerSets of one Gateway, must keep its name whichever of them goes, since a Listener of another name takes no connection over from
 * the one before: it is called after the port.
 *
 * @param first the Gateway's first listener on the port
 */
export function namePort(
  gateway: ObjectKey,
  fleet: FleetKey,
  { transport, port }: { readonly transport: Transport; readonly port: number },
  first: ListenerId,
): PortNames {
  const place = transport.toLowerCase();
  if (fleet === gateway) {
    // A slash more than names of its own listeners have, and one less than those of a ListenerSet.
    const name = first.listenerSet === undefined ? listenerKey(first) : `${gateway}/${place}/${port}`;
    return { listener: name, httpTable: name };
  }
  return { listener: `${fleet}/${place}-${port}`, httpTable: `${fleet}/http-${port}` };
}

/** Of the Envoy Listener for HTTP/3 beside that of TCP, as in Envoy Gateway. */
export function quicName(listener: string): string {
  return `${listener}-quic`;
}
