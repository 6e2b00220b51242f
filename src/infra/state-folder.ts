import { mkdir, readdir, readFile, realpath, rename, unlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { type ObjectKey, splitObjectKey } from "../base/keys.ts";
import { nameHash } from "../envoy/hash.ts";
import { identifyProcess, isRunning, type ProcessIdentity } from "./process-identity.ts";

/**
 * What a standalone Gatehouse leaves on disk so that its successor finds the Envoys that are still serving:
 *
 *     gatehouse.json            the Gatehouse that runs for the folder now
 *     xds.sock                  where its Envoys connect; the same path after a restart
 *     envoys/<gateway>/         bootstrap.json, process.json, admin-address, envoy.log, access.log
 */
export interface StateFolder {
  readonly path: string;
  readonly xdsSocket: string;
}

/** The running Gatehouse of a folder. */
export interface InstanceRecord extends ProcessIdentity {
  readonly directory: string;
  /** Port of the admin server on 127.0.0.1. */
  readonly adminPort: number;
}

/** An Envoy that was started for a gateway. */
export interface EnvoyRecord extends ProcessIdentity {
  readonly gateway: ObjectKey;
  readonly fingerprint: string;
}

/** Linux takes 107 bytes and macOS 103 as the path of a unix socket. */
const SOCKET_PATH_BYTES_MAX = 103;
const READABLE_NAME_LENGTH_MAX = 40;

/** Names the state folder of a directory of YAML; creates nothing. The directory must exist. */
export async function stateFolderOf(
  directory: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<StateFolder> {
  const real = await realpath(directory);
  const root = environment["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  const path = join(root, "gatehouse", `${readable(basename(real))}-${nameHash(real)}`);
  const xdsSocket = join(path, "xds.sock");
  if (Buffer.byteLength(xdsSocket) > SOCKET_PATH_BYTES_MAX) {
    throw new Error(
      `the path ${xdsSocket} is too long for a unix socket (${SOCKET_PATH_BYTES_MAX} bytes at most); ` +
        "set XDG_STATE_HOME to a folder with a shorter path",
    );
  }
  return { path, xdsSocket };
}

/** For the owner alone: who can write here decides what the Envoys serve. */
export async function createStateFolder(state: StateFolder): Promise<void> {
  await mkdir(join(state.path, "envoys"), { recursive: true, mode: 0o700 });
}

export function envoyFolder(state: StateFolder, gateway: ObjectKey): string {
  const { namespace, name } = splitObjectKey(gateway);
  return join(state.path, "envoys", `${readable(`${namespace}_${name}`)}-${nameHash(gateway)}`);
}

function readable(name: string): string {
  return name.replace(/[^\w.-]/g, "-").slice(0, READABLE_NAME_LENGTH_MAX);
}

/** The Gatehouse that runs for this folder now. */
export async function readInstance(state: StateFolder): Promise<InstanceRecord | undefined> {
  const record = await readRecord<InstanceRecord>(instancePath(state));
  return record !== undefined && (await isRunning(record)) ? record : undefined;
}

/**
 * Claims the folder for this process; two would fight over the Envoys.
 *
 * @throws Error naming the other process when there is one
 */
export async function claimInstance(state: StateFolder, directory: string, adminPort: number): Promise<void> {
  const self = await identifyProcess(process.pid);
  const record: InstanceRecord = { pid: process.pid, startedAt: self?.startedAt ?? "", directory, adminPort };
  const write = () => writeFile(instancePath(state), JSON.stringify(record), { flag: "wx", mode: 0o600 });
  try {
    await write();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const other = await readInstance(state);
    if (other !== undefined && other.pid !== process.pid) {
      throw new Error(
        `a Gatehouse (process ${other.pid}) already runs for ${directory}; stop it with \`gatehouse stop ${directory}\``,
      );
    }
    await unlink(instancePath(state));
    await write();
  }
}

export async function releaseInstance(state: StateFolder): Promise<void> {
  await unlink(instancePath(state)).catch(() => undefined);
}

/** Records of all Envoys that were started and not stopped; whether they still run is not checked. */
export async function readEnvoyRecords(state: StateFolder): Promise<EnvoyRecord[]> {
  const folders = await readdir(join(state.path, "envoys")).catch((): string[] => []);
  const records = await Promise.all(
    folders.map((folder) => readRecord<EnvoyRecord>(join(state.path, "envoys", folder, "process.json"))),
  );
  return records.filter((record) => record !== undefined);
}

export function readEnvoyRecord(folder: string): Promise<EnvoyRecord | undefined> {
  return readRecord(join(folder, "process.json"));
}

export async function writeEnvoyRecord(folder: string, record: EnvoyRecord): Promise<void> {
  const path = join(folder, "process.json");
  await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export async function deleteEnvoyRecord(folder: string): Promise<void> {
  await unlink(join(folder, "process.json")).catch(() => undefined);
}

function instancePath(state: StateFolder): string {
  return join(state.path, "gatehouse.json");
}

/** A record that was cut off by a crash counts as none. */
async function readRecord<T extends ProcessIdentity>(path: string): Promise<T | undefined> {
  try {
    const record = JSON.parse(await readFile(path, "utf8")) as T;
    return Number.isInteger(record.pid) && record.pid > 1 ? record : undefined;
  } catch {
    return undefined;
  }
}
