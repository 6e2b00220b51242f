import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../base/log.ts";
import { findOnPath, isExecutableFile, toolFolder } from "./envoy-binary.ts";
import { identifyProcess, isRunning, type ProcessIdentity } from "./process-identity.ts";
import { redisEnvironment, xdsEnvironment } from "./rate-limit-environment.ts";
import type { StateFolder } from "./state-folder.ts";

/** A service that ends is started again after a pause: its Redis may not be there yet. */
const RESTART_PAUSE_MS = 500;
const STOP_POLL_MS = 20;
const STOP_LIMIT_MS = 5_000;

export interface RateLimitProcessOptions {
  readonly binary: string;
  /** As in {@link redisEnvironment}. */
  readonly redis: string;
  readonly state: StateFolder;
  readonly log: Logger;
}

/** The rate limit service on this host, for as long as Gatehouse runs. */
export interface RateLimitProcess {
  stop(): Promise<void>;
}

/** Unix socket on which the service answers Envoys. */
export function rateLimitSocket(state: StateFolder): string {
  return join(state.path, "rate-limit.sock");
}

/**
 * Path of the service: what was asked for, else `ratelimit` on PATH, else the newest that `make ratelimit` installed.
 *
 * @throws Error that says where it was looked for
 */
export async function locateRateLimit(explicit: string | undefined): Promise<string> {
  if (explicit !== undefined) {
    const path = resolve(explicit);
    if (await isExecutableFile(path)) return path;
    throw new Error(`--rate-limit-command names ${path}, which is not an executable file; give the path of ratelimit`);
  }
  const onPath = await findOnPath("ratelimit", process.env);
  if (onPath !== undefined) return onPath;
  const tools = await readdir(toolFolder()).catch((): string[] => []);
  const installed = tools.filter((name) => name.startsWith("ratelimit-")).sort();
  for (const folder of installed.reverse()) {
    const candidate = join(toolFolder(), folder, "ratelimit");
    if (await isExecutableFile(candidate)) return candidate;
  }
  throw new Error(
    `no rate limit service found: there is no ratelimit on PATH and none in ${toolFolder()}; ` +
      "run `make ratelimit` to install it, or name one with --rate-limit-command",
  );
}

/** Starts the service, and again whenever it ends. One that a killed Gatehouse left is stopped first. */
export async function startRateLimit(options: RateLimitProcessOptions): Promise<RateLimitProcess> {
  const { state, log } = options;
  await stopLeft(state);
  const stopping = new AbortController();
  let child: ChildProcess | undefined;

  async function supervise(): Promise<void> {
    while (!stopping.signal.aborted) {
      await rm(rateLimitSocket(state), { force: true });
      child = launch(options);
      const ended = endOf(child);
      const identity = child.pid === undefined ? undefined : await identifyProcess(child.pid);
      if (identity !== undefined) await writeFile(recordPath(state), JSON.stringify(identity), { mode: 0o600 });
      const cause = await ended;
      child = undefined;
      if (stopping.signal.aborted) return;
      log.error("the rate limit service ended and is started again", { cause, log: logPath(state) });
      await delay(RESTART_PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  const done = supervise();
  return {
    async stop() {
      stopping.abort();
      child?.kill("SIGKILL");
      await done;
      await rm(recordPath(state), { force: true });
    },
  };
}

function launch({ binary, redis, state }: RateLimitProcessOptions): ChildProcess {
  const log = openSync(logPath(state), "a", 0o600);
  const child = spawn(binary, [], {
    detached: true,
    stdio: ["ignore", log, log],
    env: {
      ...process.env,
      ...xdsEnvironment(`unix://${state.xdsSocket}`),
      ...redisEnvironment(redis),
      GRPC_UDS: rateLimitSocket(state),
      // Two more servers that nobody needs here: on free ports of this host alone.
      ...{ HOST: "127.0.0.1", PORT: "0", DEBUG_HOST: "127.0.0.1", DEBUG_PORT: "0" },
      ...{ USE_STATSD: "false", DISABLE_STATS: "true", LOG_LEVEL: "warn" },
    },
  });
  closeSync(log);
  return child;
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((done) => {
    child.once("exit", (code, signal) => done(signal === null ? `exit code ${code}` : `signal ${signal}`));
    child.once("error", (error) => done(`it could not be started: ${error.message}`));
  });
}

async function stopLeft(state: StateFolder): Promise<void> {
  const text = await readFile(recordPath(state), "utf8").catch(() => undefined);
  if (text === undefined) return;
  const left = JSON.parse(text) as ProcessIdentity;
  if (!(await isRunning(left))) return;
  process.kill(left.pid, "SIGKILL");
  for (let waited = 0; waited < STOP_LIMIT_MS && (await isRunning(left)); waited += STOP_POLL_MS) {
    await delay(STOP_POLL_MS);
  }
}

function recordPath(state: StateFolder): string {
  return join(state.path, "rate-limit.json");
}

function logPath(state: StateFolder): string {
  return join(state.path, "rate-limit.log");
}
