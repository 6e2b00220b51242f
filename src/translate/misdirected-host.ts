import { VirtualHost } from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import { contentHash } from "../envoy/hash.ts";
import { FrameWriter, fieldSize } from "./frame.ts";
import { type EncodedVirtualHost, VIRTUAL_HOSTS } from "./virtual-host.ts";

const MISDIRECTED_REQUEST_STATUS = 421;

/** No name of a host has an asterisk at its end. */
const NAME = "misdirected*";

/**
 * One virtual host for all hosts that other listeners of the port have: each request is answered with 421. Depends on listeners only,
 * so it is made when one of them comes or goes and joined as it is to whatever the routes make of the table.
 *
 * @param hosts of `attach/misdirected.ts`, at least one
 */
export function misdirectedVirtualHost(table: string, hosts: readonly string[]): EncodedVirtualHost {
  const message = VirtualHost.encode({
    name: `${table}/${NAME}`,
    domains: [...hosts],
    routes: [{ name: NAME, match: { prefix: "/" }, directResponse: { status: MISDIRECTED_REQUEST_STATUS } }],
  }).finish();
  const size = fieldSize(VIRTUAL_HOSTS, message.byteLength);
  return {
    table,
    host: hosts[0] ?? NAME,
    field: [new FrameWriter(size).bytes(VIRTUAL_HOSTS, message).finish()],
    byteLength: message.byteLength,
    hash: contentHash(message),
    clusters: [],
    overlaps: [],
    origin: undefined,
  };
}
