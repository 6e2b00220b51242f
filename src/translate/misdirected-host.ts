import { narrowestOver } from "../attach/hostname.ts";
import { VirtualHost } from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import { contentHash } from "../envoy/hash.ts";
import { FrameWriter, fieldSize } from "./frame.ts";
import { type EncodedVirtualHost, VIRTUAL_HOSTS } from "./virtual-host.ts";

const MISDIRECTED_REQUEST_STATUS = 421;
const REFUSED_STATUS = 500;

/**
 * One virtual host for all hosts that other listeners of the port have: each request is answered with 421. Depends on listeners only,
 * so it is made when one of them comes or goes and joined as it is to whatever the routes make of the table.
 *
 * @param hosts of `attach/misdirected.ts`, at least one
 */
export function misdirectedVirtualHost(table: string, hosts: readonly string[]): EncodedVirtualHost {
  return statusVirtualHost(table, "misdirected*", hosts, MISDIRECTED_REQUEST_STATUS);
}

/**
 * Virtual hosts of a table without those of listeners that must not serve, and one in their place: each request is answered with 500. A
 * host is that of the listener with the narrowest hostname over it. O(hosts × labels).
 *
 * @param shut hostnames of these listeners, at least one
 * @param hostnames of all listeners of the table
 */
export function refuseHosts(
  table: string,
  hosts: readonly EncodedVirtualHost[],
  shut: readonly string[],
  hostnames: readonly string[],
): readonly EncodedVirtualHost[] {
  const [isShut, isListener] = [new Set(shut), new Set(hostnames)];
  const open = hosts.filter(({ host }) => !isShut.has(narrowestOver(host, isListener) ?? host));
  return [...open, statusVirtualHost(table, "refused*", shut, REFUSED_STATUS)];
}

/** @param name with an asterisk at its end, as no host has */
function statusVirtualHost(table: string, name: string, hosts: readonly string[], status: number): EncodedVirtualHost {
  const message = VirtualHost.encode({
    name: `${table}/${name}`,
    domains: [...hosts],
    routes: [{ name, match: { prefix: "/" }, directResponse: { status } }],
  }).finish();
  const size = fieldSize(VIRTUAL_HOSTS, message.byteLength);
  return {
    table,
    host: hosts[0] ?? name,
    field: [new FrameWriter(size).bytes(VIRTUAL_HOSTS, message).finish()],
    byteLength: message.byteLength,
    hash: contentHash(message),
    clusters: [],
    overlaps: [],
    origin: undefined,
  };
}
