import type { WorkloadSettings } from "../pipeline/infrastructure.ts";
import { parseDuration } from "../translate/duration.ts";

/** How long connections may take to end, of listeners that are replaced and of an Envoy that is ended. */
const DRAIN_TIMEOUT_MS = 60_000;

export function drainTimeoutMs({ shutdown }: WorkloadSettings): number {
  return parseDuration(shutdown?.drainTimeout) ?? DRAIN_TIMEOUT_MS;
}

/** What everybody's Envoy prints of its component `misc` at lower levels says nothing to anybody. */
const QUIET_COMPONENT = "misc:error";

/** Envoy says `warning` where the EnvoyProxy says `warn`. */
const envoyLevel = (level: string) => (level === "warn" ? "warning" : level);

/**
 * Arguments of Envoy's command line that follow from an EnvoyProxy, wherever it runs: pairs of name and value.
 *
 * @param defaults for what the EnvoyProxy leaves open; without a concurrency Envoy starts a worker for each CPU
 */
export function processArguments(
  settings: WorkloadSettings,
  defaults: { readonly concurrency?: number; readonly logLevel: string },
): (readonly [string, string])[] {
  const { default: general, ...components } = settings.logging?.level ?? {};
  const componentLevels = Object.entries(components).map(([name, level]) => `${name}:${envoyLevel(level)}`);
  const concurrency = settings.concurrency ?? defaults.concurrency;
  return [
    ["--log-level", envoyLevel(general ?? defaults.logLevel)],
    ["--component-log-level", componentLevels.length === 0 ? QUIET_COMPONENT : componentLevels.sort().join(",")],
    ...(concurrency === undefined ? [] : [["--concurrency", String(concurrency)] as const]),
    ["--drain-strategy", "immediate"],
    ["--drain-time-s", String(Math.ceil(drainTimeoutMs(settings) / 1000))],
  ];
}
