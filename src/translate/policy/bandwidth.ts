import type { RouteTraffic } from "../../attach/backend-traffic.ts";
import { parseQuantity } from "../../attach/quantity.ts";
import { type Any, pack } from "../../envoy/any.ts";
import {
  BandwidthLimit,
  BandwidthLimit_EnableMode,
} from "../../envoy/generated/envoy/extensions/filters/http/bandwidth_limit/v3/bandwidth_limit.ts";

type Settings = NonNullable<RouteTraffic["bandwidthLimit"]>;
type Limit = NonNullable<Settings["request"]>["limit"];

const seconds = { Second: 1, Minute: 60, Hour: 3_600 } as const;
const KIBIBYTE = 1024;

/** Envoy counts in KiB per second, of which it wants one at least. */
function toKibibytesPerSecond({ value, unit }: Limit): number {
  return Math.max(1, Math.round((parseQuantity(value) ?? 0) / seconds[unit] / KIBIBYTE));
}

export function limitRequests({ limit }: NonNullable<Settings["request"]>): Any {
  return pack(BandwidthLimit, {
    statPrefix: "request",
    enableMode: BandwidthLimit_EnableMode.REQUEST,
    limitKbps: toKibibytesPerSecond(limit),
  });
}

export function limitResponses({ limit, responseTrailers }: NonNullable<Settings["response"]>): Any {
  return pack(BandwidthLimit, {
    statPrefix: "response",
    enableMode: BandwidthLimit_EnableMode.RESPONSE,
    limitKbps: toKibibytesPerSecond(limit),
    ...(responseTrailers && { enableResponseTrailers: true, responseTrailerPrefix: responseTrailers.prefix ?? "" }),
  });
}
