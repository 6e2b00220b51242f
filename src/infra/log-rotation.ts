import { copyFile, stat, truncate } from "node:fs/promises";

/** A log file is cut when it has grown beyond this; one older generation is kept beside it as `.1`. */
export const LOG_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Copies the log to `<path>.1` and empties it when it is too large. Envoy appends, so it goes on writing at the start; the
 * few lines written between the copy and the cut are lost.
 */
export async function rotateLog(path: string, bytesMax = LOG_BYTES_MAX): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size <= bytesMax) return;
  await copyFile(path, `${path}.1`);
  await truncate(path, 0);
}
