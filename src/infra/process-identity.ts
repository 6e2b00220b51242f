import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** A process that outlives whoever started it: its number alone may be given to another process after it ended. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in whatever form the system tells it; only ever compared. */
  readonly startedAt: string;
}

const execute = promisify(execFile);

/** The identity of a running process; undefined when there is none of this number (a zombie has ended too). */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, under another user.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return undefined;
  }
  const startedAt = process.platform === "linux" ? await readStartFromProc(pid) : await readStartFromPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  return (await identifyProcess(identity.pid))?.startedAt === identity.startedAt;
}

/** `/proc/PID/stat`: state is field 3, start time in clock ticks since boot field 22; the name in parentheses may hold blanks. */
async function readStartFromProc(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}

async function readStartFromPs(pid: number): Promise<string | undefined> {
  const result = await execute("ps", ["-o", "stat=,lstart=", "-p", String(pid)]).catch(() => undefined);
  const line = result?.stdout.trim();
  return line === undefined || line === "" || line.startsWith("Z") ? undefined : line.slice(line.indexOf(" ")).trim();
}
