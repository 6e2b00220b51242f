import { execFile, execFileSync, spawn } from "node:child_process";
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { constants as system } from "node:os";
import { join } from "node:path";
import { pause } from "../../harness/waiting.ts";
import { findCommand } from "../programs.ts";
import { type Bundle, writeBundle } from "./bundle.ts";

export interface Exit {
  readonly exitCode: number;
  /** Number of the signal that ended it. */
  readonly signal?: number;
  /** Set when the process could not be started at all. */
  readonly startError?: string;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly output: string;
}

/** One running container. */
export interface Instance {
  readonly id: string;
  readonly exited: Promise<Exit>;
  /** To the container's first process, which gets only signals that it handles, and SIGKILL. */
  signal(signal: NodeJS.Signals): Promise<void>;
  /** Runs a command beside it, as its user with its environment. Exit code 124 when it took too long. */
  exec(command: readonly string[], limitMs: number): Promise<ExecResult>;
}

export type Output = (stream: "stdout" | "stderr", chunk: Buffer) => void;

const STATE = "/run/crun";
const TIMED_OUT = 124;
const PID_POLL_MS = 5;
const OUTPUT_MAX_BYTES = 1024 * 1024;
const GLOBAL_ARGS = ["--root", STATE, "--cgroup-manager=disabled"];

/** Runs a container with crun until it ends. `folder` is made for it and deleted afterwards. */
export function runContainer(id: string, folder: string, bundle: Bundle, onOutput: Output): Instance {
  const crun = findCommand("crun") ?? "crun";
  mkdirSync(folder, { recursive: true });
  writeBundle(folder, bundle);
  const pidFile = join(folder, "pid");
  const errors = join(folder, "crun.log");
  const args = ["run", "--bundle", folder, "--pid-file", pidFile, id];
  const stdout = openPipe(join(folder, "stdout"));
  const stderr = openPipe(join(folder, "stderr"));
  const stdio = ["ignore" as const, stdout.writeEnd, stderr.writeEnd];
  const child = spawn(crun, [...GLOBAL_ARGS, "--log", errors, ...args], { stdio });
  const drained = [
    stdout.drain((chunk) => onOutput("stdout", chunk)),
    stderr.drain((chunk) => onOutput("stderr", chunk)),
  ];
  let ended = false;
  const exited = new Promise<Exit>((resolve) => {
    child.once("error", (error) => resolve({ exitCode: 128, startError: String(error) }));
    child.once("exit", (code, signal) => {
      // Nothing runs without a process id: then crun's last words say why.
      const startError = existsSync(pidFile) ? undefined : readOrNothing(errors) || `${crun} failed`;
      resolve(startError === undefined ? toExit(code, signal) : { exitCode: 128, startError });
    });
  }).then(async (exit) => {
    // The last output is part of the log.
    await Promise.all(drained);
    ended = true;
    rmSync(folder, { recursive: true, force: true });
    return exit;
  });
  /** Undefined when it ended before. */
  const pid = async (): Promise<number | undefined> => {
    while (!ended) {
      const text = readOrNothing(pidFile);
      if (text !== "") return Number(text);
      await pause(PID_POLL_MS);
    }
    return undefined;
  };
  return {
    id,
    exited,
    async signal(signal) {
      const target = await pid();
      if (target === undefined || ended) return;
      try {
        process.kill(target, signal);
      } catch {
        // It ended meanwhile.
      }
    },
    async exec(command, limitMs) {
      if ((await pid()) === undefined) return { exitCode: 1, output: "the container has ended" };
      return execute(crun, [...GLOBAL_ARGS, "exec", id, ...command], limitMs);
    },
  };
}

interface Pipe {
  /** To be handed to a child. */
  readonly writeEnd: number;
  /** Call once, after the child has its end. Resolves when nobody holds the write end any more. */
  drain(onChunk: (chunk: Buffer) => void): Promise<void>;
}

/**
 * A named pipe. What Node makes of `stdio: "pipe"` is a socket, which a container cannot open as `/dev/stdout`; log files of that
 * name are common.
 */
function openPipe(path: string): Pipe {
  execFileSync("mkfifo", [path]);
  const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeEnd = openSync(path, constants.O_WRONLY);
  return {
    writeEnd,
    drain(onChunk) {
      closeSync(writeEnd);
      const socket = new Socket({ fd: readEnd, readable: true, writable: false });
      socket.on("data", onChunk);
      return new Promise((resolve) => {
        socket.once("error", () => socket.destroy());
        socket.once("close", () => resolve());
      });
    },
  };
}

function execute(command: string, args: readonly string[], limitMs: number): Promise<ExecResult> {
  return new Promise((resolve) => {
    const limits = { timeout: limitMs, killSignal: "SIGKILL" as const, maxBuffer: OUTPUT_MAX_BYTES };
    execFile(command, [...args], limits, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`;
      if (error === null) resolve({ exitCode: 0, output });
      else if (error.killed) resolve({ exitCode: TIMED_OUT, output: `command timed out after ${limitMs} ms` });
      else resolve({ exitCode: typeof error.code === "number" ? error.code : 1, output });
    });
  });
}

/** crun ends as its container did; the container's end by a signal shows as 128 plus its number, as in a shell. */
function toExit(code: number | null, signal: NodeJS.Signals | null): Exit {
  if (signal !== null) return { exitCode: 128 + system.signals[signal], signal: system.signals[signal] };
  return { exitCode: code ?? 1 };
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}
