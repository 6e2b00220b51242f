import type { WorkloadSettings } from "../pipeline/infrastructure.ts";
import { parseDuration } from "../translate/duration.ts";
import { drainTimeoutMs } from "./envoy-arguments.ts";
import type { DrainSettings } from "./shutdown-protocol.ts";

const MINIMUM_MS = 10_000;

export function drainSettings(settings: WorkloadSettings): DrainSettings {
  const { minDrainDuration, healthCheckFailureDelay } = settings.shutdown ?? {};
  return {
    timeoutMs: drainTimeoutMs(settings),
    minimumMs: parseDuration(minDrainDuration) ?? MINIMUM_MS,
    healthCheckDelayMs: parseDuration(healthCheckFailureDelay) ?? 0,
  };
}

/** Arguments of `gatehouse envoy shutdown-manager`. */
export function drainArguments(settings: WorkloadSettings): string[] {
  const { timeoutMs, minimumMs, healthCheckDelayMs } = drainSettings(settings);
  return [
    ...["--drain-timeout", formatDuration(timeoutMs)],
    ...["--min-drain-duration", formatDuration(minimumMs)],
    ...(healthCheckDelayMs > 0 ? ["--health-check-failure-delay", formatDuration(healthCheckDelayMs)] : []),
  ];
}

/** As `parseDuration` reads it. */
function formatDuration(milliseconds: number): string {
  const [seconds, rest] = [Math.floor(milliseconds / 1000), milliseconds % 1000];
  return `${seconds}s${rest > 0 ? `${rest}ms` : ""}`;
}
