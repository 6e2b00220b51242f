import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";

/** One complete HTTP/1.1 answer. */
export interface RawAnswer {
  readonly status: number;
  /** Status line and headers as received, lower case. */
  readonly head: string;
  /** The server closes the connection after this answer. */
  readonly closes: boolean;
}

/** A keep-alive HTTP/1.1 connection with one request in flight, as cheap as Node allows. Bodies are counted, not kept. */
export interface RawConnection {
  /** False once broken or closed: open another. */
  readonly usable: boolean;
  readonly busy: boolean;
  /** Sends bytes that are one whole request. The callback gets its answer, or the reason why none will come. */
  send(request: string, done: (answer: RawAnswer | string) => void): void;
  destroy(): void;
}

export function rawRequest(host: string, path: string, method = "GET"): string {
  return `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nuser-agent: gatehouse-load\r\n\r\n`;
}

/** Resolves when connected. Rejects when the connection is refused. */
export function openRawConnection(port: number, address = "127.0.0.1"): Promise<RawConnection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(wrap(socket));
    });
  });
}

/**
 * The same over TLS, by server name. Resolves with the name that the certificate was issued to, when hands have been shaken.
 * Rejects when they are not; whoever signed the certificate is believed.
 */
export function openRawTlsConnection(
  port: number,
  serverName: string,
  options: ConnectionOptions = {},
): Promise<{ connection: RawConnection; certificateName: string }> {
  return new Promise((resolve, reject) => {
    const usual = { host: "127.0.0.1", port, servername: serverName, rejectUnauthorized: false };
    const socket = connectTls({ ...usual, ...options });
    socket.setNoDelay(true);
    const closed = () => reject(new Error("connection closed before hands were shaken"));
    socket.once("error", reject);
    socket.once("close", closed);
    socket.once("secureConnect", () => {
      socket.off("error", reject);
      socket.off("close", closed);
      const { CN: name = "" } = socket.getPeerCertificate().subject;
      resolve({ connection: wrap(socket), certificateName: String(name) });
    });
  });
}

function wrap(socket: Socket): RawConnection {
  let done: ((answer: RawAnswer | string) => void) | undefined;
  let pending: Buffer = Buffer.alloc(0);
  let usable = true;
  const finish = (answer: RawAnswer | string) => {
    const callback = done;
    done = undefined;
    callback?.(answer);
  };
  const end = (why: string) => {
    usable = false;
    socket.destroy();
    finish(why);
  };
  socket.on("error", (error: NodeJS.ErrnoException) => end(`connection ${error.code ?? error.message}`));
  socket.on("close", () => end("connection closed"));
  socket.on("data", (chunk) => {
    pending = pending.byteLength === 0 ? (chunk as Buffer) : Buffer.concat([pending, chunk as Buffer]);
    const parsed = parseAnswer(pending);
    if (parsed === undefined) return;
    if (typeof parsed === "string") return end(parsed);
    pending = pending.subarray(parsed.size);
    if (parsed.answer.closes) usable = false;
    finish(parsed.answer);
    if (parsed.answer.closes) socket.destroy();
  });
  return {
    get usable() {
      return usable;
    },
    get busy() {
      return done !== undefined;
    },
    send(request, callback) {
      if (!usable) return callback("connection closed while idle");
      done = callback;
      socket.write(request);
    },
    destroy() {
      usable = false;
      done = undefined;
      socket.destroy();
    },
  };
}

/** Undefined while incomplete; a string says why the bytes are no answer. */
export function parseAnswer(bytes: Buffer): { answer: RawAnswer; size: number } | string | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = bytes.toString("latin1", 0, headEnd).toLowerCase();
  const status = Number(/^http\/1\.[01] (\d{3})/.exec(head)?.[1]);
  if (!(status > 0)) return "not an HTTP answer";
  const size = answerSize(bytes, headEnd + 4, head, status);
  if (size === undefined) return undefined;
  if (typeof size === "string") return size;
  return { answer: { status, head, closes: /\r\nconnection:[^\r]*close/.test(head) }, size };
}

function answerSize(bytes: Buffer, bodyStart: number, head: string, status: number): number | string | undefined {
  if (/\r\ntransfer-encoding: *chunked/.test(head)) {
    let at = bodyStart;
    for (;;) {
      const lineEnd = bytes.indexOf("\r\n", at);
      if (lineEnd < 0) return undefined;
      const length = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
      if (Number.isNaN(length)) return "bad chunk length";
      at = lineEnd + 2 + length + 2;
      if (at > bytes.byteLength) return undefined;
      if (length === 0) return at;
    }
  }
  const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
  if (length === undefined && status !== 204 && status !== 304) return "answer without a length";
  const size = bodyStart + Number(length ?? 0);
  return size > bytes.byteLength ? undefined : size;
}

/** True when the answer carries the header with exactly this value. */
export function hasHeader(answer: RawAnswer, name: string, value: string): boolean {
  return `${answer.head}\r\n`.includes(`\r\n${name.toLowerCase()}: ${value.toLowerCase()}\r\n`);
}
