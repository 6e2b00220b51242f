import type { FleetKey, ObjectKey } from "../base/keys.ts";
import type { Transport } from "./listener-protocol.ts";

/** Names of the Envoy resources of one port. */
export interface PortNames {
  readonly listener: string;
  /** RouteConfiguration of the plain HTTP listeners, which differ by virtual host only. */
  readonly httpTable: string;
}

/**
 * As in Envoy Gateway, everything on a Gateway's port is called after its first listener there. A port that several Gateways share
 * must keep its name whichever of them goes, since a Listener of another name takes no connection over from the one before: it is
 * called after fleet and port.
 *
 * @param first name of the Gateway's first listener on the port
 */
export function namePort(
  gateway: ObjectKey,
  fleet: FleetKey,
  { transport, port }: { readonly transport: Transport; readonly port: number },
  first: string,
): PortNames {
  if (fleet === gateway) return { listener: `${gateway}/${first}`, httpTable: `${gateway}/${first}` };
  return { listener: `${fleet}/${transport.toLowerCase()}-${port}`, httpTable: `${fleet}/http-${port}` };
}
