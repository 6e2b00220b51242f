import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import type { OrderedFilter } from "../api/envoyproxy-envoy.ts";
import { orderFilters } from "./filter-order.ts";
import type { RateLimitService } from "./rate-limit.ts";
import type { TelemetryPlan } from "./telemetry.ts";

/** The part of an EnvoyProxy that shapes Envoy's listeners. One per Gateway. */
export interface ListenerSettings {
  /** Undefined: IPv4. */
  readonly ipFamily?: EnvoyProxySpec["ipFamily"];
  /** All HTTP filters in their order; undefined: the usual one. */
  readonly filterOrder?: readonly OrderedFilter[];
  /** False: gRPC calls are not counted by their outcome. */
  readonly countsGrpc?: boolean;
  /** Undefined: nobody counts for all Envoys together. */
  readonly rateLimit?: RateLimitService;
  readonly telemetry: Pick<TelemetryPlan, "accessLogs" | "tracing" | "requestIdTracing">;
}

export function planListenerSettings(
  spec: EnvoyProxySpec,
  telemetry: TelemetryPlan | undefined,
  rateLimit?: RateLimitService,
): ListenerSettings {
  const { accessLogs, tracing, requestIdTracing } = telemetry ?? {};
  return {
    ...(spec.ipFamily && { ipFamily: spec.ipFamily }),
    ...(spec.filterOrder && { filterOrder: orderFilters(spec.filterOrder) }),
    ...(spec.telemetry?.metrics?.enableGRPCStats === false && { countsGrpc: false }),
    ...(rateLimit && { rateLimit }),
    telemetry: {
      ...(accessLogs && { accessLogs }),
      ...(tracing && { tracing }),
      ...(requestIdTracing && { requestIdTracing }),
    },
  };
}
