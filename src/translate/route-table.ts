import { compareStrings } from "../base/keys.ts";
import { HeaderValueOption_HeaderAppendAction } from "../envoy/generated/envoy/config/core/v3/base.ts";
import { RouteConfiguration } from "../envoy/generated/envoy/config/route/v3/route.ts";
import { contentHash } from "../envoy/hash.ts";
import { type EncodedResource, resourceTypes } from "../envoy/resource.ts";
import { fieldSize } from "./frame.ts";
import { BUCKET_HEADER } from "./host-buckets.ts";
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

/** Of one bucket of a large table. The header in which Envoy tells itself the bucket is no business of backends. */
const bucketSettings = Buffer.concat([
  settings,
  RouteConfiguration.encode({ requestHeadersToRemove: [BUCKET_HEADER] }).finish(),
]);
const bucketSettingsHash = contentHash(bucketSettings);

export interface RouteTableOptions {
  /** It is one bucket of a table (`host-buckets.ts`). */
  readonly isBucket?: boolean;
  /** At which clients find the same over HTTP/3; undefined: nowhere. */
  readonly http3Port?: number | undefined;
}

/** How long clients may remember where else they are served, in seconds. */
const ALTERNATIVE_AGE_S = 86_400;

/**
 * Tells clients of HTTP/3 (RFC 7838). What a backend says of its own is not true of the gateway. Here, and not in the Listener,
 * a change of which would drain its connections.
 */
function announceHttp3(port: number): Uint8Array {
  return RouteConfiguration.encode({
    responseHeadersToAdd: [
      {
        header: { key: "alt-svc", value: `h3=":${port}"; ma=${ALTERNATIVE_AGE_S}` },
        appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
      },
    ],
  }).finish();
}

/**
 * Joins virtual hosts, in any order, to a RouteConfiguration. `emptyHosts` are hostnames of listeners that no route is
 * attached to: each gets a virtual host without routes, so that its requests are answered with 404 and do not fall to a
 * broader hostname. O(hosts): no host's bytes are touched.
 */
export function translateRouteTable(
  name: string,
  hosts: readonly EncodedVirtualHost[],
  emptyHosts: readonly string[],
  { isBucket = false, http3Port }: RouteTableOptions = {},
): EncodedResource {
  // Without a virtual host for "*" Envoy answers 404 anyway.
  const empty = emptyHosts.filter((host) => host !== "*").map((host) => emptyVirtualHost(name, host));
  const sorted = [...hosts, ...empty].sort((a, b) => compareStrings(a.host, b.host));
  const chunks: Uint8Array[] = [RouteConfiguration.encode({ name }).finish()];
  const end = isBucket ? bucketSettings : settings;
  const hashes: string[] = [name, isBucket ? bucketSettingsHash : settingsHash];
  const clusters: (readonly string[])[] = [];
  let byteLength = end.byteLength + (chunks[0]?.byteLength ?? 0);
  for (const host of sorted) {
    for (const chunk of host.field) chunks.push(chunk);
    hashes.push(host.hash);
    byteLength += fieldSize(VIRTUAL_HOSTS, host.byteLength);
    for (const list of host.clusters) clusters.push(list);
  }
  if (http3Port !== undefined) {
    const announced = announceHttp3(http3Port);
    chunks.push(announced);
    hashes.push(contentHash(announced));
    byteLength += announced.byteLength;
  }
  chunks.push(end);
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
