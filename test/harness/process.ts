import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";

const STOP_LIMIT_MS = 10_000;
const LOG_TAIL_CHARACTERS = 4_000;
const NANOSECONDS_PER_SECOND = 1e9;

export interface ProcessCpu {
  /** Seconds of all threads that are alive. */
  readonly total: number;
  /** Seconds of the thread that runs `main`. */
  readonly main: number;
  /** Seconds by thread name; threads of one name are summed. */
  readonly byThread: ReadonlyMap<string, number>;
}

/** A child process whose output goes to a file, with its costs as the kernel counts them. */
export interface MeasuredProcess {
  readonly pid: number;
  readonly logPath: string;
  /** Everything written so far to standard output and standard error. */
  log(): string;
  cpu(): ProcessCpu;
  cpuSeconds(): number;
  rssBytes(): number;
  readonly alive: boolean;
  /** Resolves with the exit code or the name of the signal. Never rejects. */
  readonly exited: Promise<number | string>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, SIGKILL after a bounded wait; resolves when the process is gone. */
  stop(): Promise<void>;
}

export interface LaunchOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly logPath: string;
}

const running = new Set<ChildProcess>();
let cleansUp = false;

/** A test run that ends early, for whatever reason, leaves no process behind. */
function cleanUpAtExit(): void {
  if (cleansUp) return;
  cleansUp = true;
  process.once("exit", () => {
    for (const child of running) child.kill("SIGKILL");
  });
}

export function launch(options: LaunchOptions): MeasuredProcess {
  cleanUpAtExit();
  const output = openSync(options.logPath, "a");
  const child = spawn(options.command, [...options.args], {
    env: options.env ?? process.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  running.add(child);
  let alive = true;
  const exited = new Promise<number | string>((resolve) => {
    child.once("error", (error) => resolve(String(error)));
    child.once("exit", (code, signal) => resolve(signal ?? code ?? "unknown"));
  }).then((how) => {
    alive = false;
    running.delete(child);
    return how;
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    logPath: options.logPath,
    log: () => readFileSync(options.logPath, "utf8"),
    cpu: () => processCpu(pid),
    cpuSeconds: () => processCpu(pid).total,
    rssBytes: () => processRssBytes(pid),
    get alive() {
      return alive;
    },
    exited,
    kill: (signal) => void child.kill(signal),
    async stop() {
      if (!alive) return;
      child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
      await exited;
      clearTimeout(force);
    },
  };
}

export function logTail(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(-LOG_TAIL_CHARACTERS);
  } catch {
    return "(no log)";
  }
}

/**
 * CPU time by thread from `/proc/PID/task/TID/schedstat`, whose first field is nanoseconds on the CPU; `stat` counts in
 * ticks of 10 ms, which is more than most edits cost. Falls back to `stat` where the kernel keeps no schedstat.
 */
export function processCpu(pid: number): ProcessCpu {
  const byThread = new Map<string, number>();
  let total = 0;
  let main = 0;
  for (const tid of listOrNothing(`/proc/${pid}/task`)) {
    try {
      const task = `/proc/${pid}/task/${tid}`;
      const stat = readFileSync(`${task}/stat`, "utf8");
      const seconds = scheduledSeconds(task) ?? tickSeconds(stat);
      const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
      byThread.set(name, (byThread.get(name) ?? 0) + seconds);
      total += seconds;
      if (Number(tid) === pid) main = seconds;
    } catch {
      // The thread ended between the listing and the reading.
    }
  }
  return { total, main, byThread };
}

/** Resident set in bytes; 0 when the process is gone. */
export function processRssBytes(pid: number): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function scheduledSeconds(task: string): number | undefined {
  try {
    const nanoseconds = Number(readFileSync(`${task}/schedstat`, "utf8").split(" ")[0]);
    return nanoseconds > 0 ? nanoseconds / NANOSECONDS_PER_SECOND : undefined;
  } catch {
    return undefined;
  }
}

/** `utime` and `stime` are fields 14 and 15 of proc_pid_stat(5); USER_HZ is 100 on every Linux that Node runs on. */
function tickSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function listOrNothing(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
