import { runHook, type Target } from "./actions.ts";
import type { RecordEvent } from "./events.ts";
import type { Probe } from "./objects.ts";
import { keepProbing, sleep } from "./probing.ts";

export interface LifetimeOptions {
  readonly target: Target;
  /** Grace of a process that fails its liveness or startup probe. */
  readonly graceMs: number;
  readonly record: RecordEvent;
  /** The startup probe has passed, or there is none. */
  onStarted(): void;
  onReady(ready: boolean): void;
}

/** The life of one process of a container: hooks and probes while it runs, and an orderly end. */
export interface Lifetime {
  /**
   * Ends it: preStop hook, stop signal, SIGKILL when the grace is over. A second call can only shorten the grace. Resolves when
   * the process is gone.
   */
  end(graceMs: number): Promise<void>;
}

/** What a process still gets when its preStop hook used up the whole grace. */
const LAST_GRACE_MS = 2_000;

export function beginLifetime(options: LifetimeOptions): Lifetime {
  const { target, record } = options;
  const { container, instance } = target;
  const over = new AbortController();
  /** Liveness counts only until the end begins; readiness is probed to the last, so that draining shows. */
  const ending = new AbortController();
  let deadline: Deadline | undefined;
  let farewell: Promise<void> | undefined;
  void instance.exited.then(() => {
    over.abort();
    ending.abort();
    deadline?.shorten(0);
  });

  const end = (graceMs: number): Promise<void> => {
    ending.abort();
    deadline?.shorten(graceMs);
    deadline ??= startDeadline(graceMs);
    farewell ??= sayFarewell(target, deadline, graceMs, record);
    return farewell;
  };

  const probe = (spec: Probe, what: string, signal: AbortSignal, onVerdict: (healthy: boolean) => void) =>
    keepProbing(
      spec,
      target,
      signal,
      ({ message }) => record("Warning", "Unhealthy", `${what} probe failed: ${message}`),
      ({ healthy }) => onVerdict(healthy),
    );
  const endUnlessHealthy = (what: string, spec: Probe) => (healthy: boolean) => {
    if (healthy) return;
    record("Normal", "Killing", `Container ${container.name} failed ${what} probe, will be restarted`);
    void end(
      spec.terminationGracePeriodSeconds === undefined ? options.graceMs : spec.terminationGracePeriodSeconds * 1_000,
    );
  };

  const live = async () => {
    const hook = container.lifecycle?.postStart;
    if (hook !== undefined) {
      const { healthy, message } = await runHook(hook, target, options.graceMs);
      if (!healthy) {
        record("Warning", "FailedPostStartHook", message);
        return end(options.graceMs);
      }
    }
    const { startupProbe, livenessProbe, readinessProbe } = container;
    if (startupProbe !== undefined && !(await passStartup(startupProbe))) return;
    if (over.signal.aborted) return;
    options.onStarted();
    if (readinessProbe === undefined) options.onReady(true);
    else void probe(readinessProbe, "Readiness", over.signal, options.onReady);
    if (livenessProbe !== undefined) {
      void probe(livenessProbe, "Liveness", ending.signal, endUnlessHealthy("liveness", livenessProbe));
    }
  };

  const passStartup = async (spec: Probe): Promise<boolean> => {
    const decided = new AbortController();
    ending.signal.addEventListener("abort", () => decided.abort());
    let passed = false;
    await probe(spec, "Startup", decided.signal, (healthy) => {
      passed = healthy;
      decided.abort();
      endUnlessHealthy("startup", spec)(healthy);
    });
    return passed;
  };

  void live();
  return { end };
}

async function sayFarewell(target: Target, deadline: Deadline, graceMs: number, record: RecordEvent): Promise<void> {
  const { container, instance } = target;
  const hook = container.lifecycle?.preStop;
  if (hook !== undefined && graceMs > 0) {
    const verdict = await Promise.race([runHook(hook, target, graceMs), deadline.passed]);
    if (verdict !== undefined && !verdict.healthy) record("Warning", "FailedPreStopHook", verdict.message);
  }
  if (graceMs > 0) {
    const signal = (container.lifecycle?.stopSignal ?? "SIGTERM") as NodeJS.Signals;
    await instance.signal(signal);
    await (deadline.isPassed() ? sleep(LAST_GRACE_MS, abortedBy(instance.exited)) : deadline.passed);
  }
  await instance.signal("SIGKILL");
  await instance.exited;
}

function abortedBy(event: Promise<unknown>): AbortSignal {
  const controller = new AbortController();
  void event.then(() => controller.abort());
  return controller.signal;
}

interface Deadline {
  readonly passed: Promise<void>;
  isPassed(): boolean;
  /** Moves it to this many milliseconds from now, if that is earlier. */
  shorten(milliseconds: number): void;
}

function startDeadline(milliseconds: number): Deadline {
  const { promise, resolve } = Promise.withResolvers<void>();
  let at = Number.POSITIVE_INFINITY;
  let isPassed = false;
  let timer: NodeJS.Timeout | undefined;
  const shorten = (left: number) => {
    if (Date.now() + left >= at) return;
    at = Date.now() + left;
    clearTimeout(timer);
    timer = setTimeout(() => {
      isPassed = true;
      resolve();
    }, left);
  };
  shorten(milliseconds);
  return { passed: promise, isPassed: () => isPassed, shorten };
}
