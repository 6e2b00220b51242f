import type { RouteTraffic } from "../../attach/backend-traffic.ts";
import { parseQuantity } from "../../attach/quantity.ts";
import { type Any, pack } from "../../envoy/any.ts";
import type { RouteAction } from "../../envoy/generated/envoy/config/route/v3/route_components.ts";
import { BufferPerRoute } from "../../envoy/generated/envoy/extensions/filters/http/buffer/v3/buffer.ts";
import { Compressor } from "../../envoy/generated/envoy/extensions/filters/http/compressor/v3/compressor.ts";
import { runFilter } from "../whole-filter.ts";
import { controlAdmission } from "./admission-control.ts";
import { limitRequests, limitResponses } from "./bandwidth.ts";
import { injectFault } from "./fault.ts";
import { compressorLibraries, compressorName, policyFilterNames } from "./filters.ts";
import { limitGlobally } from "./global-rate-limit.ts";
import { limitLocally } from "./local-rate-limit.ts";
import { overrideResponses } from "./response-override.ts";

/** Turns on the listener's filters for what a policy says of a route, and gives them what they need to know. */
export function configurePolicyFilters(traffic: RouteTraffic): (readonly [name: string, config: Any])[] {
  const { faultInjection, requestBuffer, compressor, localRateLimit, globalRateLimit } = traffic;
  const { admissionControl, bandwidthLimit, responseOverride } = traffic;
  const entries: (readonly [string, Any])[] = [];
  if (faultInjection) entries.push([policyFilterNames.fault, injectFault(faultInjection)]);
  if (requestBuffer?.limit !== undefined) {
    const maxRequestBytes = parseQuantity(requestBuffer.limit) ?? 0;
    entries.push([policyFilterNames.buffer, pack(BufferPerRoute, { buffer: { maxRequestBytes } })]);
  }
  // Of several entries of one kind the first counts; that they agree is judged before.
  for (const settings of [...(compressor ?? [])].reverse()) {
    entries.push([compressorName(settings.type), compressAnswers(settings)]);
  }
  if (localRateLimit?.rules?.length)
    entries.push([policyFilterNames.localRateLimit, limitLocally(localRateLimit.rules)]);
  if (globalRateLimit) entries.push(limitGlobally(globalRateLimit));
  if (bandwidthLimit?.request)
    entries.push([policyFilterNames.requestBandwidth, limitRequests(bandwidthLimit.request)]);
  if (bandwidthLimit?.response) {
    entries.push([policyFilterNames.responseBandwidth, limitResponses(bandwidthLimit.response)]);
  }
  if (admissionControl) {
    const name = policyFilterNames.admissionControl;
    entries.push([name, runFilter(name, controlAdmission(admissionControl))]);
  }
  if (responseOverride?.length) entries.push([policyFilterNames.customResponse, overrideResponses(responseOverride)]);
  return entries;
}

function compressAnswers({ type, minContentLength }: NonNullable<RouteTraffic["compressor"]>[number]): Any {
  const bytes = minContentLength === undefined ? undefined : parseQuantity(minContentLength);
  return runFilter(
    compressorName(type),
    pack(Compressor, {
      compressorLibrary: compressorLibraries[type],
      responseDirectionConfig: { commonConfig: bytes === undefined ? {} : { minContentLength: bytes } },
    }),
  );
}

const CONNECT = "connect";

/** Are tunnels (CONNECT) let through? */
export function allowsTunnels({ httpUpgrade }: RouteTraffic): boolean {
  return (httpUpgrade ?? []).some(({ type }) => type.toLowerCase() === CONNECT);
}

/** What Envoy counts or measures for each copy of a route by itself. */
export function countsRequests({ localRateLimit, bandwidthLimit, admissionControl }: RouteTraffic): boolean {
  return (localRateLimit?.rules ?? []).length > 0 || (bandwidthLimit ?? admissionControl) !== undefined;
}

const WEBSOCKET = "websocket";

/** The listener lets WebSockets through; a policy may say otherwise, and a request that is waited for as a whole cannot become one. */
export function allowUpgrades({ httpUpgrade, requestBuffer }: RouteTraffic): Pick<RouteAction, "upgradeConfigs"> {
  if (httpUpgrade === undefined && requestBuffer === undefined) return {};
  // Envoy tells upgrades apart whatever their case, and takes each once.
  const wanted = [...new Map((httpUpgrade ?? []).map((upgrade) => [upgrade.type.toLowerCase(), upgrade])).values()];
  if (wanted.length === 0 && requestBuffer === undefined) return {};
  return {
    upgradeConfigs: [
      ...wanted.map(({ type, connect }) => ({
        upgradeType: type,
        // Present: the tunnel ends here, and the backend gets what is in it.
        ...(connect?.terminate && { connectConfig: {} }),
      })),
      ...(wanted.some(({ type }) => type.toLowerCase() === WEBSOCKET)
        ? []
        : [{ upgradeType: WEBSOCKET, enabled: false }]),
    ],
  };
}
