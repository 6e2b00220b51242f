import type { BackendTrafficSettings } from "./backend-traffic.ts";
import type { PolicyFinding } from "./policy-model.ts";
import { parseQuantity } from "./quantity.ts";

type Limits = NonNullable<BackendTrafficSettings["bandwidthLimit"]>;
type Limit = NonNullable<Limits["request"]>["limit"];

const seconds = { Second: 1, Minute: 60, Hour: 3_600 } as const;
const KIBIBYTE = 1024;

function exactRate({ value, unit }: Limit): number {
  return (parseQuantity(value) ?? 0) / seconds[unit] / KIBIBYTE;
}

/** Envoy counts in KiB per second, of which it wants one at least. */
export function kibibytesPerSecond(limit: Limit): number {
  return Math.max(1, Math.round(exactRate(limit)));
}

/** Limits that Envoy cannot keep as they are written. */
export function warnOfRounding({ bandwidthLimit }: BackendTrafficSettings): readonly PolicyFinding[] {
  return (["request", "response"] as const).flatMap((way) => {
    const limit = bandwidthLimit?.[way]?.limit;
    if (limit === undefined || exactRate(limit) === kibibytesPerSecond(limit)) return [];
    const text = `is ${limit.value} per ${limit.unit}, and Envoy counts whole KiB per second: it keeps ${kibibytesPerSecond(limit)}Ki per Second; write that, or another such limit`;
    return [{ field: `spec.bandwidthLimit.${way}.limit`, text, reason: "Rounded" }];
  });
}
