import { connect } from "node:net";

/** How long a connection may stay that is to be closed. */
const CLOSED_LIMIT_MS = 10_000;

/** Longer than the limits of the cases. */
const LATER_MS = 1_000;

/**
 * All that comes back on a connection until the other side closes it; rejects where it stays open.
 *
 * @param later written after a while
 */
export function exchangeBytes(port: number, written: string | Uint8Array, later = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const limit = setTimeout(
      () => socket.destroy(new Error(`still open after ${text.slice(0, 300)}`)),
      CLOSED_LIMIT_MS,
    );
    socket.setEncoding("latin1").on("data", (data) => {
      text += data;
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
    socket.once("close", () => {
      clearTimeout(limit);
      resolve(text);
    });
    if (written.length > 0) socket.write(written);
    if (later !== "") setTimeout(() => socket.write(later), LATER_MS);
  });
}
