import type { AskedServer } from "../../attach/security/servers.ts";
import type { RetryPolicy } from "../../envoy/generated/envoy/config/core/v3/base.ts";
import type { Duration } from "../../envoy/generated/google/protobuf/duration.ts";
import { parseDuration, toDuration } from "../duration.ts";

/** What a server has for its answer where nobody says (Envoy Gateway). */
const USUAL_TIME_MS = 10_000;

/** How long the answer of a server may take. */
export function askTime(written: string | undefined): Duration {
  return toDuration(parseDuration(written) ?? USUAL_TIME_MS);
}

/** How often a server is asked again, and with which pauses; the longest is no shorter than the first. */
export function planRetries({ times, ...pauses }: NonNullable<AskedServer["retry"]>): RetryPolicy {
  const pause = parseDuration(pauses.pause);
  const pauseMax = parseDuration(pauses.pauseMax);
  return {
    numRetries: times,
    ...(pause !== undefined && {
      retryBackOff: {
        baseInterval: toDuration(pause),
        ...(pauseMax !== undefined && { maxInterval: toDuration(Math.max(pause, pauseMax)) }),
      },
    }),
  };
}
