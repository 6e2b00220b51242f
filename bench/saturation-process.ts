import { connect } from "node:net";
import { rawRequest } from "../test/harness/raw-connection.ts";
import { serve } from "./worker.ts";

export interface Saturation {
  readonly port: number;
  readonly host: string;
  readonly path: string;
  /** Status line that every answer must begin with, such as `HTTP/1.1 302`. */
  readonly statusLine: string;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly depth: number;
  readonly milliseconds: number;
}

/** As many requests as the server takes, on keep-alive connections, several in flight on each. Returns the number answered. */
function saturate(options: Saturation): Promise<number> {
  const request = rawRequest(options.host, options.path);
  const marker = Buffer.from(options.statusLine);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let answered = 0;
  const sockets = Array.from({ length: options.connections }, () => {
    const socket = connect({ host: "127.0.0.1", port: options.port, noDelay: true });
    let rest: Buffer = Buffer.alloc(0);
    socket.on("connect", () => socket.write(request.repeat(options.depth)));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the server closed a connection")));
    socket.on("data", (chunk) => {
      const bytes = rest.byteLength === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
      let [found, end] = [0, 0];
      // The answers have no body: each ends with its head.
      for (let at = bytes.indexOf("\r\n\r\n"); at >= 0; at = bytes.indexOf("\r\n\r\n", end)) {
        if (bytes.compare(marker, 0, marker.length, end, end + marker.length) !== 0) {
          return reject(new Error(`not the answer expected: ${bytes.toString("latin1", end, end + 40)}`));
        }
        end = at + 4;
        found++;
      }
      rest = bytes.subarray(end);
      answered += found;
      if (found > 0) socket.write(request.repeat(found));
    });
    return socket;
  });
  setTimeout(() => {
    resolve(answered);
    for (const socket of sockets) socket.destroy();
  }, options.milliseconds);
  return promise;
}

const methods = { saturate };
export type SaturationMethods = typeof methods;

serve(methods);
