import type { RouteTraffic } from "../../attach/backend-traffic.ts";
import { kibibytesPerSecond } from "../../attach/bandwidth-units.ts";
import { type Any, pack } from "../../envoy/any.ts";
import {
  BandwidthLimit,
  BandwidthLimit_EnableMode,
} from "../../envoy/generated/envoy/extensions/filters/http/bandwidth_limit/v3/bandwidth_limit.ts";

type Settings = NonNullable<RouteTraffic["bandwidthLimit"]>;

export function limitRequests({ limit }: NonNullable<Settings["request"]>): Any {
  return pack(BandwidthLimit, {
    statPrefix: "request",
    enableMode: BandwidthLimit_EnableMode.REQUEST,
    limitKbps: kibibytesPerSecond(limit),
  });
}

export function limitResponses({ limit, responseTrailers }: NonNullable<Settings["response"]>): Any {
  return pack(BandwidthLimit, {
    statPrefix: "response",
    enableMode: BandwidthLimit_EnableMode.RESPONSE,
    limitKbps: kibibytesPerSecond(limit),
    ...(responseTrailers && { enableResponseTrailers: true, responseTrailerPrefix: responseTrailers.prefix ?? "" }),
  });
}
