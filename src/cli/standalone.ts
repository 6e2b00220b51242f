import { setTimeout as delay } from "node:timers/promises";
import { startAdminServer } from "../admin/server.ts";
import { createLogger, type Logger, type LogLevel } from "../base/log.ts";
import { locateEnvoy } from "../infra/envoy-binary.ts";
import { createHostInfrastructure, type HostInfrastructure } from "../infra/host-process.ts";
import {
  claimInstance,
  createStateFolder,
  keepLoginKey,
  readInstance,
  releaseInstance,
  type StateFolder,
  stateFolderOf,
} from "../infra/state-folder.ts";
import type { GatewayInfrastructure } from "../pipeline/infrastructure.ts";
import { type ControlPlane, createControlPlane } from "./control-plane.ts";
import { startDemoBackend } from "./demo-backend.ts";
import { openFolder, requireDirectory } from "./folder.ts";
import { reachableAddress } from "./reachable-address.ts";
import { openRateLimit, type RateLimitOptions, readRateLimitService } from "./standalone-rate-limit.ts";
import { readStandaloneSettings } from "./standalone-settings.ts";
import { createStatusPrinter } from "./status-printer.ts";
import { awaitsEnvoy } from "./status-text.ts";

export interface StandaloneOptions extends RateLimitOptions {
  readonly directory: string;
  /** Path of an Envoy; undefined: look for one. */
  readonly envoy?: string;
  /** False: no Envoy is started; run your own against the xDS address. */
  readonly runEnvoy: boolean;
  /** 0 for a free one. */
  readonly adminPort: number;
  /** `host:port` on which xDS is served besides the socket. Unencrypted. */
  readonly xdsAddress?: string;
  /** Worker threads of each Envoy. */
  readonly concurrency: number;
  readonly logLevel: LogLevel;
  readonly logFormat?: "json" | "text";
  readonly envoyLogLevel: string;
  readonly controllerNames: readonly string[];
  readonly demoBackendPort?: number;
}

/** A running standalone Gatehouse. */
export interface Standalone {
  readonly control: ControlPlane;
  readonly adminPort: number;
  /** Resolves once every Gateway is served or refused, or the patience is over. */
  settled(): Promise<void>;
  /** Drains and ends everything; `hurry` cuts the draining short. */
  stop(hurry?: AbortSignal): Promise<void>;
}

/** How long a start waits for its Envoys before it tells what it has. */
const START_PATIENCE_MS = 20_000;
const START_POLL_MS = 50;
const XDS_CLOSE_GRACE_MS = 500;

/** Undoes what was begun, last first. */
type Closers = (() => Promise<unknown> | undefined)[];

/**
 * Serves a directory of YAML on this host.
 *
 * @param print takes what people are to read, a line at a time
 * @throws Error when something it needs is missing (directory, Envoy, port), or when it runs already
 */
export async function startStandalone(options: StandaloneOptions, print: (line: string) => void): Promise<Standalone> {
  const log = createLogger({ level: options.logLevel, ...(options.logFormat && { format: options.logFormat }) });
  await requireDirectory(options.directory);
  const state = await stateFolderOf(options.directory);
  const other = await readInstance(state);
  if (other !== undefined) {
    throw new Error(
      `a Gatehouse (process ${other.pid}) already serves ${options.directory}; end it with \`gatehouse stop ${options.directory}\``,
    );
  }
  const binary = options.runEnvoy ? await locateEnvoy(options.envoy) : undefined;
  await createStateFolder(state).catch((error: Error) => {
    throw new Error(`cannot keep state in ${state.path}: ${error.message}; set XDG_STATE_HOME to a folder of yours`);
  });
  const closers: Closers = [];
  try {
    return await assemble(options, { state, binary, log, print, closers });
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

interface Surroundings {
  readonly state: StateFolder;
  readonly binary: string | undefined;
  readonly log: Logger;
  readonly print: (line: string) => void;
  readonly closers: Closers;
}

async function assemble(options: StandaloneOptions, around: Surroundings): Promise<Standalone> {
  const { state, log, print, closers } = around;
  const rateLimit = readRateLimitService(options, state);
  let host: HostInfrastructure | undefined;
  let ready = false;
  let stopping = false;
  let problems: () => string[] = () => [];
  const control = createControlPlane({
    settings: {
      ...(await readStandaloneSettings(options.controllerNames, state)),
      loginKey: await keepLoginKey(state),
      ...(rateLimit && { rateLimit }),
    },
    log,
    onInfrastructure(changes) {
      host?.apply(changes);
      // The addresses are the next commit's business, not this one's.
      setImmediate(() => stageAddresses(control, changes));
    },
    onStatuses: (keys) => printer.changed(keys),
  });
  const printer = createStatusPrinter(control.status, print);
  const admin = await startAdminServer(
    {
      missing: () => (ready ? [] : [`the files of ${options.directory}`]),
      status: async () => ({
        directory: options.directory,
        problems: problems(),
        envoys: (await host?.running()) ?? [],
        objects: control.statuses(),
      }),
      config: control.published,
      metrics: control.metrics.registry,
    },
    options.adminPort,
  );
  closers.push(() => admin.close());
  await claimInstance(state, options.directory, admin.port);
  closers.push(() => releaseInstance(state));
  if (options.demoBackendPort !== undefined) {
    const backend = await startDemoBackend(options.demoBackendPort, "demo");
    closers.push(() => backend.close());
    print(`the demo backend answers on http://127.0.0.1:${backend.port}`);
  }
  await openXds(control, options, around);
  const closeRateLimit = await openRateLimit(options, around, print);
  if (closeRateLimit !== undefined) closers.push(closeRateLimit);
  if (around.binary !== undefined) host = createHost(options, around, around.binary);
  const folder = await openFolder(options.directory, control.pipeline, print);
  problems = folder.problems;
  await control.pipeline.idle();
  print(`read ${options.directory}: ${folder.objects} objects in ${folder.files} files`);
  ready = true;
  for (const gateway of (await host?.stopLeftovers()) ?? []) print(`stopped the Envoy of ${gateway}, which is gone`);

  return {
    control,
    adminPort: admin.port,
    settled: async () => {
      await waitUntilSettled(control, options.runEnvoy, () => stopping);
      printer.flush();
    },
    async stop(hurry) {
      stopping = true;
      printer.stop();
      folder.close();
      await host?.stop(hurry);
      control.pipeline.stop();
      await closeAll(closers);
    },
  };
}

async function closeAll(closers: Closers): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

async function openXds(control: ControlPlane, options: StandaloneOptions, around: Surroundings): Promise<void> {
  await control.xds.listen(`unix:${around.state.xdsSocket}`);
  around.closers.push(() => control.xds.close({ graceMilliseconds: XDS_CLOSE_GRACE_MS }));
  if (options.xdsAddress === undefined) return;
  const address = await control.xds.listen(options.xdsAddress);
  around.print(`xDS is served on ${address}, unencrypted: for Envoys of your own`);
}

function createHost(options: StandaloneOptions, around: Surroundings, binary: string): HostInfrastructure {
  around.print(`Envoy is ${binary}; logs and state are in ${around.state.path}`);
  return createHostInfrastructure({
    envoyBinary: binary,
    state: around.state,
    xds: { unixPath: around.state.xdsSocket },
    concurrency: options.concurrency,
    envoyLogLevel: options.envoyLogLevel,
    log: around.log,
    onStopped: (gateway) => around.print(`Envoy of ${gateway} has drained and ended`),
    onRunning({ gateway, pid, adopted, restarts }) {
      const again = restarts > 0 ? " again" : "";
      around.print(
        adopted
          ? `Envoy of ${gateway} (process ${pid}) was still serving and is taken over`
          : `Envoy of ${gateway} is started${again} (process ${pid})`,
      );
    },
  });
}

/** On a host a Gateway is reached at the address it binds to, or at loopback when it binds to all. */
function stageAddresses(control: ControlPlane, changes: ReadonlyMap<string, GatewayInfrastructure | undefined>): void {
  const { addresses } = control.pipeline.sources;
  for (const [gateway, infrastructure] of changes) {
    if (infrastructure === undefined) addresses.delete(gateway);
    else addresses.set(gateway, [{ type: "IPAddress", value: reachableAddress(infrastructure.bindAddress) }]);
  }
  control.pipeline.notify();
}

/** A Gateway is settled when nothing but an answer of Envoy was missing, and that has come. */
async function waitUntilSettled(control: ControlPlane, runEnvoy: boolean, isStopping: () => boolean): Promise<void> {
  if (!runEnvoy) return;
  const deadline = Date.now() + START_PATIENCE_MS;
  // Whoever stops meanwhile waits for nothing: the timer would keep the process alive.
  while (Date.now() < deadline && !isStopping()) {
    const waiting = [...control.reports.keys()].some((key) => {
      const status = key.startsWith("Gateway/") ? control.status(key) : undefined;
      return status !== undefined && awaitsEnvoy(status);
    });
    if (!waiting) return;
    await delay(START_POLL_MS);
  }
}
