import { compareStrings } from "../base/keys.ts";
import { RouteConfiguration } from "../envoy/generated/envoy/config/route/v3/route.ts";
import { contentHash } from "../envoy/hash.ts";
import { type EncodedResource, resourceTypes } from "../envoy/resource.ts";
import { fieldSize } from "./frame.ts";
import { type EncodedVirtualHost, emptyVirtualHost, VIRTUAL_HOSTS } from "./virtual-host.ts";

/**
 * Bodies of direct responses may be as large as an object of the Kubernetes API can be (etcd: 1.5 MiB). Envoy's own limit of
 * 4 KiB would make it refuse the whole table; a number that depends on the routes would make it part of every host.
 */
const DIRECT_RESPONSE_BODY_BYTES_MAX = 2 * 1024 * 1024;

/** What stands behind the virtual hosts in every table. */
const settings = RouteConfiguration.encode({
  maxDirectResponseBodySizeBytes: DIRECT_RESPONSE_BODY_BYTES_MAX,
  // A Host with a port is the same host (Gateway API: "port in Host is ignored"), and the backend still sees it.
  ignorePortInHostMatching: true,
}).finish();
const settingsHash = contentHash(settings);

/**
 * Joins virtual hosts, in any order, to a RouteConfiguration. `emptyHosts` are hostnames of listeners that no route is
 * attached to: each gets a virtual host without routes, so that its requests are answered with 404 and do not fall to a
 * broader hostname. O(hosts): no host's bytes are touched.
 */
export function translateRouteTable(
  name: string,
  hosts: readonly EncodedVirtualHost[],
  emptyHosts: readonly string[],
): EncodedResource {
  // Without a virtual host for "*" Envoy answers 404 anyway.
  const empty = emptyHosts.filter((host) => host !== "*").map((host) => emptyVirtualHost(name, host));
  const sorted = [...hosts, ...empty].sort((a, b) => compareStrings(a.host, b.host));
  const chunks: Uint8Array[] = [RouteConfiguration.encode({ name }).finish()];
  const hashes: string[] = [name, settingsHash];
  const clusters: (readonly string[])[] = [];
  let byteLength = settings.byteLength + (chunks[0]?.byteLength ?? 0);
  for (const host of sorted) {
    for (const chunk of host.field) chunks.push(chunk);
    hashes.push(host.hash);
    byteLength += fieldSize(VIRTUAL_HOSTS, host.byteLength);
    for (const list of host.clusters) clusters.push(list);
  }
  chunks.push(settings);
  return {
    type: resourceTypes.route,
    name,
    version: contentHash(hashes.join("\n")),
    chunks,
    byteLength,
    dependents: [],
    clusters,
  };
}
