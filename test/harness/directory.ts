import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A folder of its own under the system's temporary folder, and room beside it that no watcher sees. */
export interface TemporaryDirectory {
  /** Folder to hand out, for example to a watcher. Empty at first. */
  readonly path: string;
  /** Sibling folder on the same file system. */
  readonly beside: string;
  /** Plain write: a watcher may see the file half written. */
  write(name: string, text: string): string;
  /** Written beside, then renamed into place: a watcher sees the old file or the new one. Returns the path. */
  writeAtomically(name: string, text: string): string;
  /** Does the slow part of {@link writeAtomically} now; the call of the result renames. */
  prepare(name: string, text: string): () => void;
  remove(name: string): void;
  /** Deletes everything. */
  discard(): void;
}

export function temporaryDirectory(label = "gatehouse"): TemporaryDirectory {
  const root = mkdtempSync(join(tmpdir(), `${label}-`));
  const path = join(root, "files");
  const beside = join(root, "beside");
  mkdirSync(path);
  mkdirSync(beside);
  let counter = 0;
  const prepare = (name: string, text: string) => {
    const staged = join(beside, `staged-${counter++}`);
    const target = join(path, name);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(staged, text);
    return () => renameSync(staged, target);
  };
  return {
    path,
    beside,
    write(name, text) {
      const target = join(path, name);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, text);
      return target;
    },
    writeAtomically(name, text) {
      prepare(name, text)();
      return join(path, name);
    },
    prepare,
    remove: (name) => rmSync(join(path, name), { recursive: true, force: true }),
    discard: () => rmSync(root, { recursive: true, force: true }),
  };
}
