import type { RouteTraffic } from "../../attach/backend-traffic.ts";
import { parseQuantity } from "../../attach/quantity.ts";
import { type Any, pack } from "../../envoy/any.ts";
import type { RouteAction } from "../../envoy/generated/envoy/config/route/v3/route_components.ts";
import { BufferPerRoute } from "../../envoy/generated/envoy/extensions/filters/http/buffer/v3/buffer.ts";
import { CompressorPerRoute } from "../../envoy/generated/envoy/extensions/filters/http/compressor/v3/compressor.ts";
import { limitRequests, limitResponses } from "./bandwidth.ts";
import { injectFault } from "./fault.ts";
import { compressorName, policyFilterNames } from "./filters.ts";
import { limitLocally } from "./local-rate-limit.ts";
import { overrideResponses } from "./response-override.ts";

/** Turns on the listener's filters for what a policy says of a route, and gives them what they need to know. */
export function configurePolicyFilters(traffic: RouteTraffic): (readonly [name: string, config: Any])[] {
  const { faultInjection, requestBuffer, compressor, localRateLimit, bandwidthLimit, responseOverride } = traffic;
  const entries: (readonly [string, Any])[] = [];
  if (faultInjection) entries.push([policyFilterNames.fault, injectFault(faultInjection)]);
  if (requestBuffer?.limit !== undefined) {
    const maxRequestBytes = parseQuantity(requestBuffer.limit) ?? 0;
    entries.push([policyFilterNames.buffer, pack(BufferPerRoute, { buffer: { maxRequestBytes } })]);
  }
  for (const type of new Set((compressor ?? []).map((each) => each.type))) {
    entries.push([compressorName(type), pack(CompressorPerRoute, { overrides: { responseDirectionConfig: {} } })]);
  }
  if (localRateLimit?.rules?.length)
    entries.push([policyFilterNames.localRateLimit, limitLocally(localRateLimit.rules)]);
  if (bandwidthLimit?.request)
    entries.push([policyFilterNames.requestBandwidth, limitRequests(bandwidthLimit.request)]);
  if (bandwidthLimit?.response) {
    entries.push([policyFilterNames.responseBandwidth, limitResponses(bandwidthLimit.response)]);
  }
  if (responseOverride?.length) entries.push([policyFilterNames.customResponse, overrideResponses(responseOverride)]);
  return entries;
}

const WEBSOCKET = "websocket";

/** The listener lets WebSockets through; a policy may say otherwise, and a request that is waited for as a whole cannot become one. */
export function allowUpgrades({ httpUpgrade, requestBuffer }: RouteTraffic): Pick<RouteAction, "upgradeConfigs"> {
  if (httpUpgrade === undefined && requestBuffer === undefined) return {};
  // Envoy tells upgrades apart whatever their case, and takes each once.
  const wanted = [...new Map((httpUpgrade ?? []).map(({ type }) => [type.toLowerCase(), type])).values()];
  if (wanted.length === 0 && requestBuffer === undefined) return {};
  return {
    upgradeConfigs: [
      ...wanted.map((upgradeType) => ({ upgradeType })),
      ...(wanted.some((type) => type.toLowerCase() === WEBSOCKET) ? [] : [{ upgradeType: WEBSOCKET, enabled: false }]),
    ],
  };
}
