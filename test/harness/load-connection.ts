import { type ClientHttp2Session, connect, constants } from "node:http2";
import type { LoadOptions, LoadTarget } from "./load.ts";
import { openRawConnection, rawRequest } from "./raw-connection.ts";

/** A connection of a load, with one request in flight. */
export interface LoadConnection {
  /** False once broken or closed, or when the server has said that it will be: open another. */
  readonly usable: boolean;
  /** The callback gets the status of the complete answer, or the reason why none will come. */
  ask(target: LoadTarget, done: (answer: number | string) => void): void;
  destroy(): void;
}

type Place = Pick<LoadOptions, "address" | "port" | "style">;

/** Resolves when connected. Rejects when the connection is refused. */
export function openLoadConnection({ address, port, style }: Place): Promise<LoadConnection> {
  return style === "http2" ? openHttp2(address, port) : openHttp1(address, port, style === "new-connections");
}

async function openHttp1(address: string | undefined, port: number, once: boolean): Promise<LoadConnection> {
  const raw = await openRawConnection(port, address);
  let used = false;
  return {
    get usable() {
      return raw.usable && !(once && used);
    },
    ask({ host, path }, done) {
      used = true;
      raw.send(rawRequest(host, path), (answer) => {
        if (once) raw.destroy();
        done(typeof answer === "string" ? answer : answer.status);
      });
    },
    destroy: () => raw.destroy(),
  };
}

function openHttp2(address = "127.0.0.1", port: number): Promise<LoadConnection> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${address}:${port}`);
    session.once("error", reject);
    session.once("connect", () => {
      session.off("error", reject);
      // Told once more by the request that it costs.
      session.on("error", () => undefined);
      resolve(wrap(session));
    });
  });
}

function wrap(session: ClientHttp2Session): LoadConnection {
  let leaving = false;
  session.once("goaway", () => {
    leaving = true;
  });
  return {
    get usable() {
      return !leaving && !session.closed && !session.destroyed;
    },
    ask({ host, path }, done) {
      if (session.destroyed) return done("connection closed while idle");
      const stream = session.request({ ":authority": host, ":path": path });
      let status = 0;
      stream.once("response", (headers) => {
        status = Number(headers[":status"]);
      });
      stream.once("error", () => undefined);
      stream.once("close", () => {
        const complete = stream.rstCode === constants.NGHTTP2_NO_ERROR && stream.readableEnded && status > 0;
        done(complete ? status : `stream closed with ${stream.rstCode}`);
      });
      stream.resume();
    },
    destroy: () => session.destroy(),
  };
}
