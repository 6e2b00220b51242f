import type { RouteTraffic } from "../../attach/backend-traffic.ts";
import { compareStrings } from "../../base/keys.ts";
import type { RouteAction_HashPolicy } from "../../envoy/generated/envoy/config/route/v3/route_components.ts";
import { parseDuration, toDuration } from "../duration.ts";

type ConsistentHash = NonNullable<RouteTraffic["consistentHash"]>;

/** What makes requests equal for a cluster that sends equal requests to the same endpoint. */
export function hashRequests({ type, header, headers, cookie, queryParams }: ConsistentHash): RouteAction_HashPolicy[] {
  switch (type) {
    case "Header":
      return header === undefined ? [] : [{ header: { headerName: header.name } }];
    case "Headers":
      return (headers ?? []).map(({ name }) => ({ header: { headerName: name } }));
    case "Cookie":
      return cookie === undefined ? [] : [{ cookie: buildCookie(cookie) }];
    case "QueryParams":
      return (queryParams ?? []).map(({ name }) => ({ queryParameter: { name } }));
    default:
      return [{ connectionProperties: { sourceIp: true } }];
  }
}

/** Without a time to live Envoy sets no cookie where there is none; zero makes one that ends with the session. */
function buildCookie({ name, ttl, attributes }: NonNullable<ConsistentHash["cookie"]>) {
  const milliseconds = parseDuration(ttl);
  const pairs = Object.entries(attributes ?? {}).sort(([a], [b]) => compareStrings(a, b));
  return {
    name,
    ...(milliseconds !== undefined && { ttl: toDuration(milliseconds) }),
    ...(pairs.length > 0 && { attributes: pairs.map(([attribute, value]) => ({ name: attribute, value })) }),
  };
}
