import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

export interface VolumeFile {
  /** Relative, without `..`. */
  readonly path: string;
  readonly content: Buffer;
  /** Permission bits. */
  readonly mode: number;
}

const CURRENT = "..data";
let counter = 0;

/**
 * Replaces all files of a folder at once, laid out as the kubelet does it: each name is a link into `..data`, itself a link to a
 * folder of this version, and one rename moves that. A reader sees all old files or all new ones.
 *
 * @param group owner group of everything, when the pod has an fsGroup
 * @returns whether anything differed
 */
export function replaceFiles(folder: string, files: readonly VolumeFile[], group?: number): boolean {
  const previous = readCurrent(folder);
  if (previous !== undefined && isSame(join(folder, previous), files)) return false;
  const version = `..${new Date().toISOString().replace(/[:.]/g, "_")}.${counter++}`;
  mkdirSync(join(folder, version), { recursive: true, mode: 0o755 });
  for (const file of files) {
    const path = join(folder, version, file.path);
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeFileSync(path, file.content);
    // Not by the mode of the call, from which the process's umask would be taken.
    chmodSync(path, file.mode | (group === undefined ? 0 : 0o440));
    if (group !== undefined) chownSync(path, 0, group);
  }
  const staged = join(folder, "..data_tmp");
  rmSync(staged, { force: true });
  symlinkSync(version, staged);
  renameSync(staged, join(folder, CURRENT));
  linkNames(folder, new Set(files.map((file) => file.path.split("/")[0]!)));
  if (previous !== undefined) rmSync(join(folder, previous), { recursive: true, force: true });
  return true;
}

function readCurrent(folder: string): string | undefined {
  try {
    return readlinkSync(join(folder, CURRENT));
  } catch {
    return undefined;
  }
}

function isSame(folder: string, files: readonly VolumeFile[]): boolean {
  const present = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return (
    present.length === files.length &&
    files.every((file) => {
      try {
        return readFileSync(join(folder, file.path)).equals(file.content);
      } catch {
        return false;
      }
    })
  );
}

function linkNames(folder: string, names: ReadonlySet<string>): void {
  const present = new Set(readdirSync(folder).filter((name) => !name.startsWith("..")));
  for (const name of names) if (!present.has(name)) symlinkSync(join(CURRENT, name), join(folder, name));
  for (const name of present) if (!names.has(name)) rmSync(join(folder, name), { force: true });
}
