import { setTimeout as delay } from "node:timers/promises";
import type { ObjectKey } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import { sameData } from "../dataflow/equality.ts";
import type { XdsAddress } from "../envoy/control-plane.ts";
import type { GatewayInfrastructure } from "../pipeline/infrastructure.ts";
import {
  accessLogPath,
  adoptEnvoy,
  type EnvoyLaunch,
  type EnvoyProcess,
  findLeftEnvoy,
  logPath,
  readAdminAddress,
  readLastErrors,
  startEnvoy,
  stopEnvoy,
} from "./envoy-process.ts";
import { rotateLog } from "./log-rotation.ts";
import { adminSocketOf, envoyFolder, readEnvoyRecords, type StateFolder } from "./state-folder.ts";

/** An Envoy that ends is started again: at once if it ran for a while, else after a pause that doubles up to the maximum. */
const RESTART_PAUSE_BASE_MS = 200;
const RESTART_PAUSE_MAX_MS = 10_000;
const STABLE_RUN_MS = 30_000;

const LOG_CHECK_INTERVAL_MS = 10_000;

export interface HostOptions {
  readonly envoyBinary: string;
  readonly state: StateFolder;
  readonly xds: XdsAddress;
  readonly concurrency: number;
  readonly envoyLogLevel: string;
  readonly log: Logger;
  /** Told of every Envoy that runs from now on. */
  readonly onRunning?: (envoy: RunningEnvoy) => void;
  /** Told when the Envoy of a gateway that is gone has drained and ended. */
  readonly onStopped?: (gateway: ObjectKey) => void;
}

export interface RunningEnvoy {
  readonly gateway: ObjectKey;
  readonly pid: number;
  /** It was left by an earlier Gatehouse and never stopped serving. */
  readonly adopted: boolean;
  /** Times it had to be started again. */
  readonly restarts: number;
  /** Path of a Unix socket. Undefined while it starts. */
  readonly adminAddress: string | undefined;
  readonly folder: string;
}

/** The part of a gateway's infrastructure that matters on a host. */
export type HostedGateway = Pick<GatewayInfrastructure, "gateway" | "ports" | "bindAddress" | "settings" | "held">;

/** One Envoy on this host for each gateway that has a port. The consumer of the pipeline's infrastructure output. */
export interface HostInfrastructure {
  apply(changes: ReadonlyMap<ObjectKey, HostedGateway | undefined>): void;
  /**
   * Stops Envoys of an earlier Gatehouse whose gateway is gone. Call once, after the first commit has been applied: before
   * that, no gateway is known to be gone. Resolves to their gateways.
   */
  stopLeftovers(): Promise<ObjectKey[]>;
  running(): Promise<RunningEnvoy[]>;
  /** Stops all, with draining until `hurry` aborts; nothing is started any more. */
  stop(hurry?: AbortSignal): Promise<void>;
  /** Lets go of all: they serve on, for a successor to adopt. */
  release(): void;
}

/** One gateway's loop: it alone starts and stops that gateway's Envoy, so the two never overlap. */
interface Supervisor {
  /** Of the latest change; undefined: the gateway is gone. */
  wanted: HostedGateway | undefined;
  envoy: EnvoyProcess | undefined;
  restarts: number;
  /** Wakes the loop out of a wait. */
  wake: AbortController;
  done: Promise<void>;
}

/** What all loops obey. */
interface Control {
  stopping: boolean;
  /** Aborts the draining of all that are being stopped, whenever that began. */
  readonly hurry: AbortController;
  /** The Envoys are somebody else's from now on. */
  released: boolean;
}

export function createHostInfrastructure(options: HostOptions): HostInfrastructure {
  const supervisors = new Map<ObjectKey, Supervisor>();
  /** Gateways for which nothing is started, though an Envoy of an earlier Gatehouse may serve them. */
  const held = new Set<ObjectKey>();
  const control: Control = { stopping: false, hurry: new AbortController(), released: false };

  const rotation = setInterval(() => {
    for (const { envoy } of supervisors.values()) {
      if (envoy === undefined) continue;
      for (const path of [logPath(envoy.folder), accessLogPath(envoy.folder)]) {
        rotateLog(path).catch((error: Error) => options.log.warn("cannot cut a log file", { path, error }));
      }
    }
  }, LOG_CHECK_INTERVAL_MS);
  rotation.unref();

  function ensureSupervisor(gateway: ObjectKey, wanted: HostedGateway): void {
    const supervisor: Supervisor = {
      wanted,
      envoy: undefined,
      restarts: 0,
      wake: new AbortController(),
      done: Promise.resolve(),
    };
    supervisors.set(gateway, supervisor);
    supervisor.done = supervise(gateway, supervisor, options, control).finally(() => {
      supervisors.delete(gateway);
      // It came back while its Envoy was being stopped.
      if (supervisor.wanted !== undefined && !control.released) ensureSupervisor(gateway, supervisor.wanted);
    });
  }

  return {
    apply(changes) {
      if (control.released || control.stopping) return;
      for (const [gateway, infrastructure] of changes) {
        if (infrastructure?.held) held.add(gateway);
        else held.delete(gateway);
        const supervisor = supervisors.get(gateway);
        if (supervisor !== undefined) {
          // What runs stays as it is while nothing else can be had.
          if (infrastructure?.held) continue;
          supervisor.wanted = infrastructure;
          supervisor.wake.abort();
        } else if (infrastructure !== undefined && !infrastructure.held) {
          ensureSupervisor(gateway, infrastructure);
        }
      }
    },
    async stopLeftovers() {
      const records = await readEnvoyRecords(options.state);
      const gone = records
        .map(({ gateway }) => gateway)
        .filter((gateway) => !supervisors.has(gateway) && !held.has(gateway));
      const stopped = await Promise.all(gone.map((gateway) => stopLeftEnvoy(options.state, gateway)));
      return stopped.filter((gateway) => gateway !== undefined);
    },
    running: () =>
      Promise.all(
        [...supervisors].flatMap(([gateway, supervisor]) =>
          supervisor.envoy === undefined ? [] : [describe(gateway, supervisor, supervisor.envoy)],
        ),
      ),
    async stop(hurry) {
      control.stopping = true;
      if (hurry?.aborted) control.hurry.abort();
      hurry?.addEventListener("abort", () => control.hurry.abort(), { once: true });
      clearInterval(rotation);
      const all = [...supervisors.values()];
      for (const supervisor of all) {
        supervisor.wanted = undefined;
        supervisor.wake.abort();
      }
      await Promise.all(all.map(({ done }) => done));
    },
    release() {
      control.released = true;
      clearInterval(rotation);
    },
  };
}

/** Stops what an earlier Gatehouse left running for a gateway. Resolves to the gateway if there was something. */
export async function stopLeftEnvoy(state: StateFolder, gateway: ObjectKey): Promise<ObjectKey | undefined> {
  const left = await findLeftEnvoy(envoyFolder(state, gateway));
  if (left === undefined) return undefined;
  await stopEnvoy(left);
  return gateway;
}

async function supervise(
  gateway: ObjectKey,
  supervisor: Supervisor,
  options: HostOptions,
  control: Control,
): Promise<void> {
  const log = options.log.with({ gateway });
  const launchOf = (settings: EnvoyLaunch["settings"]): EnvoyLaunch => ({
    gateway,
    binary: options.envoyBinary,
    folder: envoyFolder(options.state, gateway),
    adminSocket: adminSocketOf(options.state, gateway),
    xds: options.xds,
    concurrency: options.concurrency,
    logLevel: options.envoyLogLevel,
    settings,
  });
  let pauseMs = 0;
  while (supervisor.wanted !== undefined && !control.released) {
    const startedAt = performance.now();
    const { settings } = supervisor.wanted;
    const launch = launchOf(settings);
    try {
      const envoy = (await adoptEnvoy(launch, control.hurry.signal)) ?? (await startEnvoy(launch));
      supervisor.envoy = envoy;
      log.info(envoy.adopted ? "took over an Envoy that was still serving" : "started Envoy", { pid: envoy.pid });
      options.onRunning?.(await describe(gateway, supervisor, envoy));
      const ended = await waitUntilEndedOrUnwanted(supervisor, envoy, settings);
      if (ended === undefined) {
        await stopEnvoy(envoy, control.hurry.signal);
        supervisor.envoy = undefined;
        log.info("stopped Envoy", { pid: envoy.pid });
        if (supervisor.wanted === undefined && !control.stopping) options.onStopped?.(gateway);
        continue;
      }
      if (control.released) return;
      log.error("Envoy ended", { pid: envoy.pid, cause: ended, lastLines: await readLastErrors(envoy.folder) });
    } catch (error) {
      log.error("Envoy cannot be started", { error });
    }
    supervisor.envoy = undefined;
    supervisor.restarts += 1;
    const stable = performance.now() - startedAt >= STABLE_RUN_MS;
    pauseMs = stable ? 0 : Math.min(RESTART_PAUSE_MAX_MS, Math.max(RESTART_PAUSE_BASE_MS, pauseMs * 2));
    if (supervisor.wanted === undefined) break;
    supervisor.wake = new AbortController();
    await delay(pauseMs, undefined, { signal: supervisor.wake.signal }).catch(() => undefined);
  }
}

/** Resolves to how the Envoy ended, or to undefined once its gateway is gone or wants an Envoy with other settings. */
async function waitUntilEndedOrUnwanted(
  supervisor: Supervisor,
  envoy: EnvoyProcess,
  settings: EnvoyLaunch["settings"],
): Promise<string | undefined> {
  while (supervisor.wanted !== undefined && sameData(supervisor.wanted.settings, settings)) {
    supervisor.wake = new AbortController();
    const { signal } = supervisor.wake;
    const woken = new Promise<undefined>((resolve) => {
      signal.addEventListener("abort", () => resolve(undefined), { once: true });
    });
    const ended = await Promise.race([envoy.ended, woken]);
    if (ended !== undefined) return ended;
  }
  return undefined;
}

async function describe(gateway: ObjectKey, supervisor: Supervisor, envoy: EnvoyProcess): Promise<RunningEnvoy> {
  return {
    gateway,
    pid: envoy.pid,
    adopted: envoy.adopted,
    restarts: supervisor.restarts,
    adminAddress: await readAdminAddress(envoy.folder),
    folder: envoy.folder,
  };
}
