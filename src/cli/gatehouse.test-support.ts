import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));
const sample = fileURLToPath(new URL("../../config/samples/quickstart/", import.meta.url));

/** How long a test waits for something that takes milliseconds on an idle machine. */
const PATIENCE_MS = 30_000;

/** A folder of YAML with a state folder of its own. */
export interface Workspace {
  readonly directory: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Port of the Gateway. */
  readonly port: number;
  readonly backendPort: number;
  write(file: string, text: string): Promise<void>;
  edit(file: string, change: (text: string) => string): Promise<void>;
  remove(): Promise<void>;
}

/** A copy of the quickstart sample on free ports. */
export async function createWorkspace(): Promise<Workspace> {
  const root = await mkdtemp(join(tmpdir(), "gh-"));
  const directory = join(root, "config");
  const [port, backendPort] = [await findFreePort(), await findFreePort()];
  await cp(sample, directory, { recursive: true });
  const workspace: Workspace = {
    directory,
    environment: { ...process.env, XDG_STATE_HOME: join(root, "state") },
    port,
    backendPort,
    write: (file, text) => writeFile(join(directory, file), text),
    async edit(file, change) {
      const path = join(directory, file);
      await writeFile(path, change(await readFile(path, "utf8")));
    },
    remove: () => rm(root, { recursive: true, force: true }),
  };
  await workspace.edit("gateway.yaml", (text) => text.replace("port: 8080", `port: ${port}`));
  await workspace.edit("backend.yaml", (text) => text.replace("port: 3000", `port: ${backendPort}`));
  return workspace;
}

export async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address !== null && typeof address === "object" ? address.port : 0;
}

/** A gatehouse process. */
export interface Gatehouse {
  readonly process: ChildProcess;
  /** All that it printed so far, on both streams. */
  output(): string;
  waitForOutput(pattern: RegExp): Promise<RegExpExecArray>;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string | null>;
}

export function runGatehouse(workspace: Workspace, ...words: string[]): Gatehouse {
  const child = spawn(process.execPath, [main, ...words], {
    env: workspace.environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      text += chunk;
    });
  }
  const ended = new Promise<number | string | null>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  return {
    process: child,
    output: () => text,
    ended,
    waitForOutput: (pattern) =>
      eventually(`output ${pattern}`, async () => {
        const match = pattern.exec(text);
        if (match === null && child.exitCode !== null) throw new Error(`gatehouse ended: ${text}`);
        return match ?? undefined;
      }).catch((error: Error) => {
        throw new Error(`${error.message}; it printed: ${text}`);
      }),
  };
}

/** The first value other than undefined that `attempt` comes up with. */
export async function eventually<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const value = await attempt();
    if (value !== undefined) return value;
    await delay(20);
  }
  throw new Error(`waited in vain for ${what}`);
}
