import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type AdminAccess, adminAccess } from "./envoy.ts";
import { freePort } from "./ports.ts";
import { launch, logTail, type MeasuredProcess } from "./process.ts";
import { pause, waitFor } from "./waiting.ts";

const mainPath = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const fromSources: readonly string[] = [process.execPath, mainPath];

/** Ten thousand files are read and served within this. */
const READY_LIMIT_MS = 90_000;
const COMMAND_LIMIT_MS = 30_000;
const ENVOY_END_LIMIT_MS = 5_000;
const COMMAND_OUTPUT_MAX = 64 * 1024 * 1024;

export interface GatehouseOptions {
  readonly directory: string;
  /** Further arguments of `gatehouse standalone`. */
  readonly args?: readonly string[];
  /** Added to the environment; pass the `env` of an earlier process to be its successor (same state folder). */
  readonly env?: NodeJS.ProcessEnv;
  /** Resolve as soon as the process runs, ready or not. */
  readonly startOnly?: boolean;
  /** What the command line begins with; default this Node with `src/main.ts`. */
  readonly launcher?: readonly string[];
}

/** `gatehouse standalone DIR` as a process of its own, with a state folder of its own. */
export interface GatehouseProcess extends MeasuredProcess {
  /** Environment it was started with; its XDG_STATE_HOME is where a successor finds the running Envoys. */
  readonly env: NodeJS.ProcessEnv;
  readonly adminPort: number;
  /** Body of a GET on the admin server. Rejects for a status other than 200. */
  admin(path: string): Promise<string>;
  /** Value of a Prometheus metric, summed over its label sets. Rejects when there is no such metric: nothing is not zero. */
  metric(name: string): Promise<number>;
  /** What `gatehouse status DIR` prints. */
  statusText(): Promise<string>;
  /** Process ids of the Envoys that its state folder records and that run. */
  envoyPids(): Promise<number[]>;
  /** Admin interface of the Envoy of a gateway; waits until it answers. */
  envoyAdmin(gateway?: string): Promise<AdminAccess>;
  /** SIGKILL, and waits for the end. Its Envoys live on. */
  kill9(): Promise<void>;
}

export async function startGatehouse(options: GatehouseOptions): Promise<GatehouseProcess> {
  const inherited = options.env?.["XDG_STATE_HOME"];
  const stateHome = inherited ?? mkdtempSync(join(tmpdir(), "gh-"));
  const env = { ...process.env, ...options.env, XDG_STATE_HOME: stateHome };
  const adminPort = await freePort();
  const [command = "", ...launcherArgs] = options.launcher ?? fromSources;
  const args = [
    ...launcherArgs,
    "standalone",
    options.directory,
    "--admin-port",
    String(adminPort),
    ...(options.args ?? []),
  ];
  const child = launch({ command, args, env, logPath: join(stateHome, "gatehouse.log") });
  const { admin } = adminAccess({ port: adminPort });
  const own = {
    env,
    adminPort,
    admin: (path: string) => admin(path),
    metric: async (name: string) => readMetric(await admin("/metrics"), name),
    statusText: () => runCommand(command, [...launcherArgs, "status", options.directory], env),
    envoyPids: async () => readEnvoys(stateHome).map((envoy) => envoy.pid),
    envoyAdmin: (gateway?: string) =>
      waitFor("the admin interface of Envoy", async () => {
        const envoy = readEnvoys(stateHome).find((record) => gateway === undefined || record.gateway === gateway);
        if (envoy?.adminSocket === undefined) return undefined;
        const access = adminAccess({ socketPath: envoy.adminSocket });
        await access.admin("/server_info");
        return access;
      }),
    async kill9() {
      child.kill("SIGKILL");
      await child.exited;
    },
    async stop() {
      await child.stop();
      await endEnvoys(stateHome);
      rmSync(stateHome, { recursive: true, force: true });
    },
  };
  const { stop: _, ...process_ } = Object.getOwnPropertyDescriptors(child);
  const gatehouse = Object.defineProperties(own, process_) as unknown as GatehouseProcess;
  if (options.startOnly) return gatehouse;
  const state = await waitFor(
    "Gatehouse to be ready",
    async () => !child.alive || (await admin("/readyz")) !== "",
    READY_LIMIT_MS,
  );
  if (!child.alive || !state) throw new Error(`Gatehouse ended while it started:\n${logTail(child.logPath)}`);
  return gatehouse;
}

/**
 * Sums the samples of one metric in the Prometheus text format.
 *
 * @throws Error when there is no sample of this name
 */
export function readMetric(text: string, name: string): number {
  let sum: number | undefined;
  for (const line of text.split("\n")) {
    if (!line.startsWith(name)) continue;
    const rest = line.slice(name.length);
    if (rest.startsWith("{") || rest.startsWith(" ")) sum = (sum ?? 0) + Number(rest.slice(rest.lastIndexOf(" ") + 1));
  }
  if (sum === undefined) throw new Error(`there is no metric ${name}`);
  return sum;
}

function runCommand(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve) => {
    const limits = { env, timeout: COMMAND_LIMIT_MS, maxBuffer: COMMAND_OUTPUT_MAX };
    // A failing command has said why on standard error; tests judge what was printed.
    execFile(command, [...args], limits, (_, stdout, stderr) => resolve(stdout + stderr));
  });
}

interface RecordedEnvoy {
  readonly pid: number;
  readonly gateway: string;
  /** Undefined until Envoy has opened it. */
  readonly adminSocket: string | undefined;
}

/** Running Envoys by the records in the state folders below a state home. */
function readEnvoys(stateHome: string): RecordedEnvoy[] {
  const found: RecordedEnvoy[] = [];
  for (const instance of listOrNothing(join(stateHome, "gatehouse"))) {
    for (const envoy of listOrNothing(join(stateHome, "gatehouse", instance, "envoys"))) {
      const folder = join(stateHome, "gatehouse", instance, "envoys", envoy);
      try {
        const record = JSON.parse(readFileSync(join(folder, "process.json"), "utf8")) as RecordedEnvoy;
        if (!runs(record.pid)) continue;
        const address = join(folder, "admin-address");
        const adminSocket = existsSync(address) ? readFileSync(address, "utf8") : undefined;
        found.push({ pid: record.pid, gateway: record.gateway, adminSocket });
      } catch {
        // Being written, or just deleted.
      }
    }
  }
  return found;
}

/** Envoys that outlived their Gatehouse (after `kill9`) end with the test. */
async function endEnvoys(stateHome: string): Promise<void> {
  for (const { pid } of readEnvoys(stateHome)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      continue;
    }
    const deadline = Date.now() + ENVOY_END_LIMIT_MS;
    while (runs(pid) && Date.now() < deadline) await pause(10);
  }
}

/** A zombie has ended; only its parent has not asked yet. */
function runs(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}

function listOrNothing(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
