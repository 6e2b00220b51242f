import { Route } from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import { contentHash } from "../envoy/hash.ts";
import type { RouteEntry } from "./route-order.ts";

const REFUSED_STATUS = 500;

/** An entry that matches the same requests and answers them with 500. O(bytes). */
export function shutEntry(entry: RouteEntry): RouteEntry {
  const { name, match } = Route.decode(entry.bytes);
  const bytes = Route.encode({ name, match, directResponse: { status: REFUSED_STATUS } }).finish();
  const { counts: _, ...rest } = entry;
  return { ...rest, bytes, clusters: [], hash: contentHash(`shut ${entry.hash}`) };
}
