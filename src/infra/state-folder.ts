import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, realpath, rename, unlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { type ObjectKey, splitObjectKey } from "../base/keys.ts";
import { nameHash } from "../envoy/hash.ts";
import { identifyProcess, isRunning, type ProcessIdentity } from "./process-identity.ts";

/**
 * What a standalone Gatehouse leaves on disk so that its successor finds the Envoys that are still serving:
 *
 *     gatehouse.json            the Gatehouse that runs for the folder now
 *     xds.sock                  where its Envoys connect; the same path after a restart
 *     admin-<gateway>.sock      admin interface of an Envoy
 *     login-key                 what cookies of logins are known by
 *     rate-limit.sock, .json, .log   the rate limit service, where one is started
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
const LOGIN_KEY_BYTES = 32;
const READABLE_NAME_LENGTH_MAX = 40;
const LONGEST_SOCKET_NAME = "/admin-12345678.sock";

/** Names the state folder of a directory of YAML; creates nothing. */
export async function stateFolderOf(
  directory: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<StateFolder> {
  const real = await realDirectory(directory);
  const root = join(environment["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "gatehouse");
  const hash = nameHash(real);
  const room = SOCKET_PATH_BYTES_MAX - Buffer.byteLength(join(root, `-${hash}${LONGEST_SOCKET_NAME}`));
  if (room < 0) {
    throw new Error(
      `the path ${root} is too long: sockets in it can have ${SOCKET_PATH_BYTES_MAX} bytes at most; ` +
        "set XDG_STATE_HOME to a folder with a shorter path",
    );
  }
  const path = join(root, `${readable(basename(real)).slice(0, room)}-${hash}`);
  return { path, xdsSocket: join(path, "xds.sock") };
}

/** A directory that was deleted while it was served still names the state that it left behind. */
async function realDirectory(directory: string): Promise<string> {
  const absolute = resolve(directory);
  try {
    return await realpath(absolute);
  } catch {
    const parent = await realpath(dirname(absolute)).catch(() => dirname(absolute));
    return join(parent, basename(absolute));
  }
}

/** Path of the admin interface of a gateway's Envoy. */
export function adminSocketOf(state: StateFolder, gateway: ObjectKey): string {
  return join(state.path, `admin-${nameHash(gateway)}.sock`);
}

/** For the owner alone: who can write here decides what the Envoys serve. */
export async function createStateFolder(state: StateFolder): Promise<void> {
  await mkdir(join(state.path, "envoys"), { recursive: true, mode: 0o700 });
}

/** What cookies of logins are known by: made once, so that a restart logs nobody out. In hexadecimal. */
export async function keepLoginKey(state: StateFolder): Promise<string> {
  const path = join(state.path, "login-key");
  const kept = await readFile(path, "utf8").catch(() => "");
  if (kept.length === LOGIN_KEY_BYTES * 2) return kept;
  const key = randomBytes(LOGIN_KEY_BYTES).toString("hex");
  await writeFile(`${path}.new`, key, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return key;
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
