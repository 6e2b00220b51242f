import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bundle } from "./bundle.ts";
import type { RecordEvent } from "./events.ts";
import { beginLifetime, type Lifetime } from "./lifetime.ts";
import { type ContainerLog, WHOLE_LOG } from "./logs.ts";
import type { Container, ContainerState, Obstacle, Outcome } from "./objects.ts";
import { sleep } from "./probing.ts";
import { type Exit, runContainer } from "./runtime.ts";

/** What a pod's status says of a container. */
export interface ContainerView {
  readonly state: ContainerState;
  readonly lastState?: ContainerState;
  readonly restartCount: number;
  readonly started: boolean;
  readonly ready: boolean;
  readonly id?: string;
}

export interface SupervisorOptions {
  readonly container: Container;
  /** Unique on this machine; each restart appends its number. */
  readonly id: string;
  readonly folder: string;
  /** Asked when a process starts. */
  podAddress(): string;
  readonly log: ContainerLog;
  readonly restartPolicy: "Always" | "OnFailure" | "Never";
  /** Grace of a process that fails its liveness or startup probe. */
  readonly graceMs: number;
  readonly record: RecordEvent;
  /** What to run, or why that cannot be said yet; asked before every start. */
  prepare(): Outcome<Bundle>;
  onChange(): void;
}

/** A container that is started again and again as its restart policy says. */
export interface SupervisedContainer {
  readonly container: Container;
  view(): ContainerView;
  start(): void;
  /** Resolves when its startup probe has passed for the first time, or when it will not run again. */
  readonly started: Promise<void>;
  /** Resolves when it will not run again. */
  readonly ended: Promise<void>;
  /** Ends it for good. A second call can only shorten the grace. */
  stop(graceMs: number): Promise<void>;
}

/** How a container's path for its last words is called here: mounted by `prepare`, read when the process ends. */
export const TERMINATION_LOG = "termination-log";

const PREPARE_RETRY_MS = 500;
const BACK_OFF_FIRST_MS = 10_000;
const BACK_OFF_MAX_MS = 300_000;
/** A process that ran this long has recovered: the next crash counts as the first. */
const RECOVERED_AFTER_MS = 600_000;
const LAST_WORDS_MAX_BYTES = 4_096;
const FALLBACK_LINES = 80;
const FALLBACK_MAX_BYTES = 2_048;

export function superviseContainer(options: SupervisorOptions): SupervisedContainer {
  const { container, record } = options;
  const stopping = new AbortController();
  const { promise: started, resolve: markStarted } = Promise.withResolvers<void>();
  const { promise: ended, resolve: markEnded } = Promise.withResolvers<void>();
  let view: ContainerView = waiting("ContainerCreating", undefined);
  let lifetime: Lifetime | undefined;
  let begun = false;

  function waiting(reason: string, message: string | undefined): ContainerView {
    return {
      state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
      restartCount: 0,
      started: false,
      ready: false,
    };
  }
  const change = (part: Partial<ContainerView>) => {
    view = { ...view, ...part };
    options.onChange();
  };

  const runOnce = async (bundle: Bundle, restart: number): Promise<ContainerState> => {
    const id = `${options.id}-${restart}`;
    const startedAt = now();
    options.log.begin();
    const instance = runContainer(id, join(options.folder, `run-${restart}`), bundle, options.log.write);
    change({ id, state: { running: { startedAt } } });
    record("Normal", "Started", `Started container ${container.name}`);
    lifetime = beginLifetime({
      target: { container, instance, podAddress: options.podAddress() },
      graceMs: options.graceMs,
      record,
      onStarted() {
        markStarted();
        change({ started: true });
      },
      onReady: (ready) => change({ ready }),
    });
    const exit = await instance.exited;
    lifetime = undefined;
    options.log.end();
    const terminated = describeExit(exit, id, startedAt, await lastWords(options, exit));
    change({ state: terminated, started: false, ready: false });
    return terminated;
  };

  const prepare = async (): Promise<Bundle | undefined> => {
    while (!stopping.signal.aborted) {
      const outcome = attempt(options.prepare);
      if (!outcome.obstacle) return outcome.value;
      const { reason, message } = outcome.obstacle;
      if (view.state.waiting?.message !== message) change({ state: { waiting: { reason, message } } });
      record("Warning", "Failed", message);
      await sleep(PREPARE_RETRY_MS, stopping.signal);
    }
    return undefined;
  };

  const run = async () => {
    let crashes = 0;
    for (let restart = 0; !stopping.signal.aborted; restart++) {
      const bundle = await prepare();
      if (bundle === undefined || stopping.signal.aborted) break;
      const begin = Date.now();
      const last = await runOnce(bundle, restart);
      if (stopping.signal.aborted || !restarts(options.restartPolicy, last.terminated?.exitCode ?? 1)) break;
      crashes = Date.now() - begin > RECOVERED_AFTER_MS ? 1 : crashes + 1;
      const delayMs = backOff(crashes);
      if (delayMs > 0) {
        const message = `back-off ${delayMs / 1_000}s restarting failed container=${container.name}`;
        change({ lastState: last, state: { waiting: { reason: "CrashLoopBackOff", message } } });
        record("Warning", "BackOff", `Back-off restarting failed container ${container.name}`);
        await sleep(delayMs, stopping.signal);
        // Told to stop while it waited: what it last was is what it ended as.
        if (stopping.signal.aborted) change({ state: last });
      }
      if (!stopping.signal.aborted) change({ lastState: last, restartCount: restart + 1 });
    }
    markStarted();
    markEnded();
  };

  return {
    container,
    view: () => view,
    start() {
      begun = true;
      void run();
    },
    started,
    ended,
    async stop(graceMs) {
      stopping.abort();
      if (!begun) markEnded();
      if (lifetime !== undefined) {
        record("Normal", "Killing", `Stopping container ${container.name}`);
        void lifetime.end(graceMs);
      }
      await ended;
    },
  };
}

function attempt(prepare: () => Outcome<Bundle>): Outcome<Bundle> {
  try {
    return prepare();
  } catch (error) {
    const obstacle: Obstacle = { reason: "CreateContainerError", message: String(error) };
    return { obstacle };
  }
}

function restarts(policy: SupervisorOptions["restartPolicy"], exitCode: number): boolean {
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

/** The first restart comes at once, the next after 10 s, then twice as long each time, to 5 minutes. */
function backOff(crashes: number): number {
  return crashes === 1 ? 0 : Math.min(BACK_OFF_FIRST_MS * 2 ** (crashes - 2), BACK_OFF_MAX_MS);
}

function describeExit(exit: Exit, id: string, startedAt: string, message: string | undefined): ContainerState {
  const reason = exit.startError === undefined ? (exit.exitCode === 0 ? "Completed" : "Error") : "StartError";
  const words = exit.startError ?? message;
  return {
    terminated: {
      exitCode: exit.exitCode,
      ...(exit.signal === undefined ? {} : { signal: exit.signal }),
      reason,
      ...(words === undefined ? {} : { message: words }),
      startedAt,
      finishedAt: now(),
      containerID: `crun://${id}`,
    },
  };
}

/** What the container wrote into its termination log; where the spec says so, the end of its output instead of nothing. */
async function lastWords({ container, folder, log }: SupervisorOptions, exit: Exit): Promise<string | undefined> {
  const words = readFileSync(join(folder, TERMINATION_LOG), "utf8").slice(-LAST_WORDS_MAX_BYTES);
  if (words !== "") return words;
  if (container.terminationMessagePolicy !== "FallbackToLogsOnError" || exit.exitCode === 0) return undefined;
  let text = "";
  const append = (line: string) => {
    text += line;
  };
  await log.read({ ...WHOLE_LOG, tailLines: FALLBACK_LINES }, append, new AbortController().signal);
  return text.slice(-FALLBACK_MAX_BYTES) || undefined;
}

/** Kubernetes' times have whole seconds. */
function now(): string {
  return new Date().toISOString().replace(/\.\d+/, "");
}
