import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ObjectKey } from "../base/keys.ts";
import type { XdsAddress } from "../envoy/control-plane.ts";
import { contentHash } from "../envoy/hash.ts";
import type { WorkloadSettings } from "../pipeline/infrastructure.ts";
import { buildProxyBootstrap } from "../translate/proxy-bootstrap.ts";
import { beginDrain, readActiveTraffic, readServerInfo } from "./envoy-admin.ts";
import { processArguments } from "./envoy-arguments.ts";
import { identifyProcess, isRunning, type ProcessIdentity } from "./process-identity.ts";
import { deleteEnvoyRecord, readEnvoyRecord, writeEnvoyRecord } from "./state-folder.ts";

/** What decides how an Envoy is started. */
export interface EnvoyLaunch {
  readonly gateway: ObjectKey;
  readonly binary: string;
  readonly folder: string;
  readonly adminSocket: string;
  readonly xds: XdsAddress;
  /** Worker threads when the EnvoyProxy does not say how many. */
  readonly concurrency: number;
  /** Envoy's own levels: trace, debug, info, warning, error, critical, off. An EnvoyProxy can name others. */
  readonly logLevel: string;
  readonly settings: WorkloadSettings;
}

/** An Envoy that runs, started by this process or by an earlier one. */
export interface EnvoyProcess extends ProcessIdentity {
  readonly gateway: ObjectKey;
  readonly folder: string;
  readonly adopted: boolean;
  /** Resolves when the process has ended, with how it ended as far as that can be known. */
  readonly ended: Promise<string>;
}

const ACCESS_LOG_FLUSH_MS = 1_000;

/** An adopted process is no child, so the system does not tell of its end. */
const LIVENESS_POLL_MS = 500;

/** Stopping: how long requests may take to finish; how often that is looked at; when a quiet Envoy counts as done. */
export const DRAIN_TIMEOUT_MS = 10_000;
const DRAIN_POLL_MS = 250;
const QUIET_MS = 1_000;
/** After SIGTERM, before SIGKILL. */
const TERMINATION_GRACE_MS = 5_000;
const ENDED_POLL_MS = 50;

const LOG_TAIL_BYTES = 4_096;

/** Starts an Envoy in a session of its own: neither Ctrl-C in the terminal nor the end of this process ends it. */
export async function startEnvoy(launch: EnvoyLaunch): Promise<EnvoyProcess> {
  const { folder, gateway } = launch;
  const { bootstrap, launchArguments, fingerprint } = describeLaunch(launch);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(bootstrapPath(folder), `${JSON.stringify(bootstrap, null, 2)}\n`, { mode: 0o600 });
  await rm(adminAddressPath(folder), { force: true });
  const log = openSync(logPath(folder), "a", 0o600);
  // The access log goes to Envoy's standard output, on a host as in a container.
  const accessLog = openSync(accessLogPath(folder), "a", 0o600);
  const child = spawn(launch.binary, launchArguments, { detached: true, stdio: ["ignore", accessLog, log] });
  closeSync(log);
  closeSync(accessLog);
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signalName) =>
      resolve(signalName === null ? `exit code ${code}` : `signal ${signalName}`),
    );
    child.once("error", (error) => resolve(`it could not be started: ${error.message}`));
  });
  const identity = child.pid === undefined ? undefined : await identifyProcess(child.pid);
  if (identity === undefined) {
    // It ended at once, or never began; `ended` tells how.
    return { gateway, folder, pid: child.pid ?? 0, startedAt: "", adopted: false, ended };
  }
  await writeEnvoyRecord(folder, { ...identity, gateway, fingerprint });
  return { ...identity, gateway, folder, adopted: false, ended };
}

/**
 * Takes over the Envoy that an earlier Gatehouse left serving: it keeps its connections and its configuration, and asks only
 * for what changed. Undefined when none is left; one that was started differently is stopped first, with draining.
 */
export async function adoptEnvoy(launch: EnvoyLaunch, hurry?: AbortSignal): Promise<EnvoyProcess | undefined> {
  const left = await findLeftEnvoy(launch.folder);
  if (left === undefined) return undefined;
  if (left.fingerprint === describeLaunch(launch).fingerprint && (await answersAs(launch.folder))) return left;
  await stopEnvoy(left, hurry);
  return undefined;
}

/** The Envoy of an earlier Gatehouse in this folder, if it still runs. */
export async function findLeftEnvoy(folder: string): Promise<(EnvoyProcess & { fingerprint: string }) | undefined> {
  const record = await readEnvoyRecord(folder);
  if (record === undefined) return undefined;
  if (!(await isRunning(record))) {
    await deleteEnvoyRecord(folder);
    return undefined;
  }
  return {
    ...record,
    folder,
    adopted: true,
    ended: pollUntilEnded(record, LIVENESS_POLL_MS).then(() => "cause unknown"),
  };
}

/** Whether the admin address in the folder is that of an Envoy with the folder's bootstrap, and not of a stranger. */
async function answersAs(folder: string): Promise<boolean> {
  const address = await readAdminAddress(folder);
  if (address === undefined) return false;
  return (await readServerInfo(address))?.configPath === bootstrapPath(folder);
}

/**
 * Ends an Envoy: drain, wait until no request is under way (at most {@link DRAIN_TIMEOUT_MS}), SIGTERM, SIGKILL.
 *
 * @param hurry aborts the draining: the process is ended at once
 */
export async function stopEnvoy(envoy: EnvoyProcess, hurry?: AbortSignal): Promise<void> {
  if (!hurry?.aborted) await drain(envoy, hurry);
  await signal(envoy, "SIGTERM");
  const deadline = Date.now() + TERMINATION_GRACE_MS;
  while (await isRunning(envoy)) {
    if (Date.now() >= deadline || hurry?.aborted) {
      await signal(envoy, "SIGKILL");
      await pollUntilEnded(envoy, ENDED_POLL_MS);
      break;
    }
    await delay(ENDED_POLL_MS);
  }
  const address = await readAdminAddress(envoy.folder);
  if (address?.startsWith("/")) await rm(address, { force: true });
  await deleteEnvoyRecord(envoy.folder);
}

/**
 * Waits until all clients have gone, or none has sent a request for a while: an idle keep-alive connection of a browser must
 * not hold up Ctrl-C for the whole drain time.
 */
async function drain(envoy: EnvoyProcess, hurry: AbortSignal | undefined): Promise<void> {
  const address = await readAdminAddress(envoy.folder);
  if (address === undefined || !(await isRunning(envoy))) return;
  const deadline = Date.now() + DRAIN_TIMEOUT_MS;
  try {
    await beginDrain(address, hurry);
    let quietSince = Date.now();
    while (Date.now() < deadline && !hurry?.aborted) {
      const { connections, requests } = await readActiveTraffic(address, [], hurry);
      if (connections === 0) return;
      if (requests > 0) quietSince = Date.now();
      if (Date.now() - quietSince >= QUIET_MS) return;
      await delay(DRAIN_POLL_MS, undefined, { signal: hurry });
    }
  } catch {
    // It ended, hangs, or the user is in a hurry: in each case the signals come next.
  }
}

/** Signals only the process that was meant, not one that got its number later. */
async function signal(envoy: EnvoyProcess, name: NodeJS.Signals): Promise<void> {
  if (!(await isRunning(envoy))) return;
  try {
    process.kill(envoy.pid, name);
  } catch {
    // It ended between the check and the signal.
  }
}

async function pollUntilEnded(identity: ProcessIdentity, everyMs: number): Promise<void> {
  while (await isRunning(identity)) await delay(everyMs, undefined, { ref: false });
}

/** The path of the admin interface's socket, or what an override of the bootstrap made of it; once Envoy has written it. */
export async function readAdminAddress(folder: string): Promise<string | undefined> {
  const address = await readFile(adminAddressPath(folder), "utf8").catch(() => "");
  return /^(\/.+|[\d.]+:\d+)$/.test(address) ? address : undefined;
}

/** The last lines of Envoy's log that tell why it ended. */
export async function readLastErrors(folder: string): Promise<string[]> {
  const log = await readFile(logPath(folder), "utf8").catch(() => "");
  const lines = log.slice(-LOG_TAIL_BYTES).trimEnd().split("\n");
  const errors = lines.filter((line) => /\[(critical|error)\]|Caught |failed/i.test(line));
  return (errors.length > 0 ? errors : lines).slice(-3);
}

export function logPath(folder: string): string {
  return join(folder, "envoy.log");
}

export function accessLogPath(folder: string): string {
  return join(folder, "access.log");
}

function bootstrapPath(folder: string): string {
  return join(folder, "bootstrap.json");
}

function adminAddressPath(folder: string): string {
  return join(folder, "admin-address");
}

function describeLaunch(launch: EnvoyLaunch): {
  bootstrap: object;
  launchArguments: string[];
  fingerprint: string;
} {
  const { gateway, folder, settings } = launch;
  const place = {
    controlPlane: { address: launch.xds },
    node: { id: `${gateway}@host`, cluster: gateway },
    adminSocket: launch.adminSocket,
  };
  const result = buildProxyBootstrap(settings, place);
  // A gateway whose override is refused is held, so no Envoy is started for it.
  if (!("bootstrap" in result))
    throw new Error(`the bootstrap cannot be changed as asked: ${result.field} ${result.text}`);
  const { bootstrap } = result;
  const launchArguments = [
    ["--config-path", bootstrapPath(folder)],
    ["--admin-address-path", adminAddressPath(folder)],
    // Envoy asks the kernel to be ended with its parent as part of hot restart, which is not used here.
    ["--disable-hot-restart"],
    ...processArguments(settings, { concurrency: launch.concurrency, logLevel: launch.logLevel }),
    ["--file-flush-interval-msec", String(ACCESS_LOG_FLUSH_MS)],
    settings.extraArgs ?? [],
  ].flat();
  return { bootstrap, launchArguments, fingerprint: launchFingerprint(launch.binary, launchArguments, bootstrap) };
}

/** Names what an Envoy process was started with: equal fingerprints mean that a restart would change nothing. */
export function launchFingerprint(binary: string, launchArguments: readonly string[], bootstrap: object): string {
  return contentHash(JSON.stringify([binary, launchArguments, bootstrap]));
}
