import { checkProbe, type Target, type Verdict } from "./actions.ts";
import type { Probe } from "./objects.ts";

const DEFAULT_PERIOD_SECONDS = 10;
const DEFAULT_FAILURES = 3;

/**
 * Runs a probe in its period until the signal aborts, and says when enough answers in a row are alike.
 *
 * @param onAttempt called for each attempt that was not healthy
 * @param onVerdict called when a threshold is reached, each time it is reached anew
 */
export async function keepProbing(
  probe: Probe,
  target: Target,
  signal: AbortSignal,
  onAttempt: (verdict: Verdict) => void,
  onVerdict: (verdict: Verdict) => void,
): Promise<void> {
  const { successThreshold = 1, failureThreshold = DEFAULT_FAILURES, periodSeconds = DEFAULT_PERIOD_SECONDS } = probe;
  let last: boolean | undefined;
  let alike = 0;
  await sleep((probe.initialDelaySeconds ?? 0) * 1_000, signal);
  while (!signal.aborted) {
    const verdict = await checkProbe(probe, target);
    if (signal.aborted) return;
    alike = verdict.healthy === last ? alike + 1 : 1;
    last = verdict.healthy;
    if (!verdict.healthy) onAttempt(verdict);
    if (alike === (verdict.healthy ? successThreshold : failureThreshold)) onVerdict(verdict);
    await sleep(periodSeconds * 1_000, signal);
  }
}

/** Resolves after the time or when the signal aborts. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || milliseconds <= 0) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    signal.addEventListener("abort", finish);
  });
}
