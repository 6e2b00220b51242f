import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { FileContent } from "./file-claims.ts";

/** Larger files are refused: no folder of objects needs them, and they would be read again at each change. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;
/** A file changed more recently than this when it was read may have changed again with the same time and size. */
const RACY_MS = 50;

/** Reads files of one folder, those that have not changed since only once. */
export interface FileReader {
  /** Undefined: the file is as it was when it was last read. */
  readChanged(file: string): { readonly content: FileContent } | undefined;
}

export function createFileReader(directory: string): FileReader {
  const marks = new Map<string, string>();
  return {
    readChanged(file) {
      const path = join(directory, file);
      try {
        const stats = statSync(path, { throwIfNoEntry: false });
        if (!stats?.isFile()) {
          marks.delete(file);
          return { content: undefined };
        }
        const mark = [stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs].join(" ");
        if (marks.get(file) === mark) return undefined;
        if (Date.now() - stats.ctimeMs > RACY_MS) marks.set(file, mark);
        else marks.delete(file);
        if (stats.size > MAX_FILE_BYTES) return { content: { error: `is larger than ${MAX_FILE_BYTES >> 20} MB` } };
        const bytes = readFileSync(path);
        // Other encodings of text are full of zero bytes, which no YAML may hold.
        if (!isUtf8(bytes) || bytes.includes(0))
          return { content: { error: "is not text in UTF-8; save it in this encoding" } };
        return { content: bytes.toString("utf8") };
      } catch (error) {
        marks.delete(file);
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === "ENOENT" || code === "ENOTDIR") return { content: undefined };
        return { content: { error: `cannot be read: ${message}` } };
      }
    },
  };
}
