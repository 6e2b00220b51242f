import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Socket } from "node:net";

/** RFC 6455 section 1.3. */
const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT_FRAME = 0x81;
/** Longer payloads need the extended length forms, which tests have no use for. */
const PAYLOAD_MAX = 125;
const ECHO_LIMIT_MS = 5_000;

function acceptKey(key: string): string {
  return createHash("sha1")
    .update(key + HANDSHAKE_GUID)
    .digest("base64");
}

/** Accepts the upgrade and sends every short text frame back, without the mask. */
export function echoWebSocket(upgrade: IncomingMessage, socket: Socket, name: string): void {
  const key = upgrade.headers["sec-websocket-key"] ?? "";
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${acceptKey(key)}\r\nx-backend: ${name}\r\n\r\n`,
  );
  let pending = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    for (let frame = readFrame(pending); frame !== undefined; frame = readFrame(pending)) {
      pending = pending.subarray(frame.size);
      socket.write(Buffer.concat([Buffer.from([TEXT_FRAME, frame.payload.byteLength]), frame.payload]));
    }
  });
}

function readFrame(bytes: Buffer): { payload: Buffer; size: number } | undefined {
  if (bytes.byteLength < 2) return undefined;
  const length = bytes[1]! & 0x7f;
  if (length > PAYLOAD_MAX) throw new Error("only short frames are echoed");
  const maskLength = (bytes[1]! & 0x80) === 0 ? 0 : 4;
  const size = 2 + maskLength + length;
  if (bytes.byteLength < size) return undefined;
  const payload = Buffer.from(bytes.subarray(2 + maskLength, size));
  if (maskLength > 0) for (let i = 0; i < length; i++) payload[i] = payload[i]! ^ bytes[2 + (i % 4)]!;
  return { payload, size };
}

export interface WebSocketAnswer {
  /** 101 when the upgrade went through. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** What came back. Empty when refused. */
  readonly text: string;
}

/** Opens a WebSocket, sends one text frame of at most 125 bytes, waits for its echo and closes. */
export function webSocketEcho(options: {
  readonly port: number;
  readonly path?: string;
  readonly host?: string;
  readonly text: string;
  /** Time between the upgrade and the frame. */
  readonly silenceMs?: number;
  /** Over TLS, whatever the certificate; the server name is the host. */
  readonly secure?: boolean;
}): Promise<WebSocketAnswer> {
  const tls = options.secure ? { servername: options.host ?? "", rejectUnauthorized: false } : {};
  return new Promise((resolve, reject) => {
    const call = (options.secure ? requestHttps : requestHttp)({
      ...tls,
      host: "127.0.0.1",
      port: options.port,
      path: options.path ?? "/",
      agent: false,
      timeout: ECHO_LIMIT_MS,
      headers: {
        ...(options.host === undefined ? {} : { host: options.host }),
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": randomBytes(16).toString("base64"),
      },
    });
    call.on("error", reject);
    call.on("timeout", () => call.destroy(new Error(`no echo in ${ECHO_LIMIT_MS} ms`)));
    call.on("response", (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: "" });
    });
    call.on("upgrade", (answer, socket) => {
      const payload = Buffer.from(options.text);
      const mask = randomBytes(4);
      const masked = payload.map((byte, i) => byte ^ mask[i % 4]!);
      const frame = Buffer.concat([Buffer.from([TEXT_FRAME, 0x80 | payload.byteLength]), mask, masked]);
      setTimeout(() => socket.write(frame), options.silenceMs ?? 0);
      socket.on("end", () => reject(new Error("the other side ended before the echo")));
      let pending = Buffer.alloc(0);
      socket.on("error", reject);
      socket.on("data", (chunk: Buffer) => {
        pending = Buffer.concat([pending, chunk]);
        const frame = readFrame(pending);
        if (frame === undefined) return;
        socket.destroy();
        resolve({ status: 101, headers: answer.headers, text: frame.payload.toString("utf8") });
      });
    });
    call.end();
  });
}
