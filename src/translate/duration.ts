import type { Duration } from "../envoy/generated/google/protobuf/duration.ts";

const MILLISECONDS_PER_UNIT: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
const DURATION = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;

/** Milliseconds of a Gateway API duration such as `1h30m` or `250ms` (GEP-2257). Undefined when the text is not one. */
export function parseDuration(text: string | undefined): number | undefined {
  if (text === undefined || !DURATION.test(text)) return undefined;
  let milliseconds = 0;
  for (const [, amount = "", unit = ""] of text.matchAll(/([0-9]+)(ms|h|m|s)/g)) {
    milliseconds += Number(amount) * (MILLISECONDS_PER_UNIT[unit] ?? 0);
  }
  return milliseconds;
}

export function toDuration(milliseconds: number): Duration {
  return { seconds: Math.floor(milliseconds / 1_000), nanos: (milliseconds % 1_000) * 1_000_000 };
}
