import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import type { OrderedFilter } from "../api/envoyproxy-envoy.ts";
import { orderFilters } from "./filter-order.ts";
import type { TelemetryPlan } from "./telemetry.ts";

/** The part of an EnvoyProxy that shapes Envoy's listeners. One per Gateway. */
export interface ListenerSettings {
  /** Undefined: IPv4. */
  readonly ipFamily?: EnvoyProxySpec["ipFamily"];
  /** All HTTP filters in their order; undefined: the usual one. */
  readonly filterOrder?: readonly OrderedFilter[];
  readonly telemetry: Pick<TelemetryPlan, "accessLogs" | "tracing" | "requestIdTracing">;
}

export function planListenerSettings(spec: EnvoyProxySpec, telemetry: TelemetryPlan | undefined): ListenerSettings {
  const { accessLogs, tracing, requestIdTracing } = telemetry ?? {};
  return {
    ...(spec.ipFamily && { ipFamily: spec.ipFamily }),
    ...(spec.filterOrder && { filterOrder: orderFilters(spec.filterOrder) }),
    telemetry: {
      ...(accessLogs && { accessLogs }),
      ...(tracing && { tracing }),
      ...(requestIdTracing && { requestIdTracing }),
    },
  };
}
