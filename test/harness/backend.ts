import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import {
  createServer as createHttp2Server,
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { KeyPair } from "./certificates.ts";
import { echoWebSocket } from "./websocket.ts";

/** What a backend saw of one request; the body of its answer is this record in JSON. */
export interface ReceivedRequest {
  /** Name of the backend. */
  readonly backend: string;
  readonly method: string;
  /** As on the wire, with the query. */
  readonly path: string;
  /** `1.1` or `2.0`. */
  readonly httpVersion: string;
  /** Host header, or `:authority`. */
  readonly host: string;
  /** Lower-case names; pseudo headers left out. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly bodyBytes: number;
  /** Present on TLS connections. */
  readonly tls?: {
    readonly servername: string;
    readonly alpn: string;
    /** Such as `TLSv1.3`. */
    readonly version: string;
    readonly cipher: string;
    readonly clientCommonName?: string;
  };
}

/** How a backend answers from now on; what is absent is as at the start. */
export interface Behaviour {
  /** Wait before the answer. */
  readonly delayMs?: number;
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of the JSON record. */
  readonly body?: string;
  /** Destroys the connection instead of answering. */
  readonly reset?: boolean;
  /** gRPC calls: default 0 (OK). */
  readonly grpcStatus?: number;
  /** For this many requests only; then the behaviour before it returns. */
  readonly times?: number;
}

/**
 * A request may say itself how it wants to be answered: a {@link Behaviour} in JSON, whose `times` counts the tries of this
 * request (Envoy gives all of them one `x-request-id`).
 */
export const BEHAVIOUR_HEADER = "x-behave";

export interface BackendOptions {
  /** Default `backend`. Also sent in the response header `x-backend`. */
  readonly name?: string;
  /**
   * `http1` answers HTTP/1.1 and WebSocket upgrades, `h2c` cleartext HTTP/2 (gRPC too), `tls` both versions over TLS by ALPN.
   */
  readonly protocol?: "http1" | "h2c" | "tls";
  /** For `tls`. */
  readonly keyPair?: KeyPair;
  /** For `tls`: asks for a client certificate of this authority (PEM) and refuses others. */
  readonly clientAuthority?: string;
  readonly port?: number;
  /** Default 127.0.0.1. A path that starts with `/` listens on a unix socket. */
  readonly address?: string;
}

export interface Backend {
  readonly name: string;
  /** 0 on a unix socket. */
  readonly port: number;
  /** Everything received since the start or the last {@link forget}. */
  readonly received: readonly ReceivedRequest[];
  forget(): void;
  behave(behaviour: Behaviour): void;
  /** Number of connections that are open now. */
  readonly connections: number;
  /** Closes all connections and stops. */
  stop(): Promise<void>;
}

type AnyRequest = IncomingMessage | Http2ServerRequest;
type AnyResponse = ServerResponse | Http2ServerResponse;

/** A server inside this process that says what it received. */
export async function startBackend(options: BackendOptions = {}): Promise<Backend> {
  const name = options.name ?? "backend";
  let received: ReceivedRequest[] = [];
  const behaviours: { behaviour: Behaviour; left: number }[] = [];
  const nextBehaviour = (): Behaviour => {
    const top = behaviours.at(-1);
    if (top === undefined) return {};
    if (--top.left <= 0) behaviours.pop();
    return top.behaviour;
  };
  const handle = (request: AnyRequest, response: AnyResponse) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => response.destroy());
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const record = describe(name, request, body.byteLength);
      received.push(record);
      const behaviour = ownBehaviour(record, received) ?? nextBehaviour();
      setTimeout(() => answer(response, record, body, behaviour), behaviour.delayMs ?? 0);
    });
  };
  const server = createFor(options, handle);
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  };
  server.on("connection", track);
  server.on("upgrade", (request: IncomingMessage, socket: Socket) => {
    received.push(describe(name, request, 0));
    echoWebSocket(request, socket, name);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    const address = options.address ?? "127.0.0.1";
    if (address.startsWith("/")) server.listen(address, resolve);
    else server.listen(options.port ?? 0, address, resolve);
  });
  const bound = server.address();
  return {
    name,
    port: typeof bound === "object" && bound !== null ? (bound as AddressInfo).port : 0,
    get received() {
      return received;
    },
    forget() {
      received = [];
    },
    behave(behaviour) {
      if (behaviour.times === undefined) behaviours.length = 0;
      behaviours.push({ behaviour, left: behaviour.times ?? Number.POSITIVE_INFINITY });
    },
    get connections() {
      return sockets.size;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function ownBehaviour({ headers }: ReceivedRequest, received: readonly ReceivedRequest[]): Behaviour | undefined {
  const written = headers[BEHAVIOUR_HEADER];
  if (typeof written !== "string") return undefined;
  const behaviour = JSON.parse(written) as Behaviour;
  const tries = received.filter((other) => other.headers["x-request-id"] === headers["x-request-id"]).length;
  return tries > (behaviour.times ?? Number.POSITIVE_INFINITY) ? {} : behaviour;
}

function createFor(options: BackendOptions, handle: (request: AnyRequest, response: AnyResponse) => void): Server {
  switch (options.protocol ?? "http1") {
    case "http1":
      // An idle connection is the client's to close.
      return createServer({ keepAliveTimeout: 0 }, handle as RequestListener);
    case "h2c":
      return createHttp2Server(handle);
    case "tls": {
      if (options.keyPair === undefined) throw new Error("a TLS backend needs a keyPair");
      return createSecureServer(
        {
          allowHTTP1: true,
          cert: options.keyPair.certificate,
          key: options.keyPair.key,
          ...(options.clientAuthority === undefined
            ? {}
            : { ca: options.clientAuthority, requestCert: true, rejectUnauthorized: true }),
        },
        handle,
      );
    }
  }
}

function describe(backend: string, request: AnyRequest, bodyBytes: number): ReceivedRequest {
  const headers: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (!name.startsWith(":") && value !== undefined) headers[name] = value;
  }
  const authority = request.headers[":authority"] ?? request.headers.host ?? "";
  const socket = request.socket as TLSSocket;
  const record = {
    backend,
    method: request.method ?? "",
    path: request.url ?? "",
    httpVersion: request.httpVersion,
    host: String(authority),
    headers,
    bodyBytes,
  };
  if (!socket.encrypted) return record;
  const client = socket.getPeerCertificate();
  // Node types `servername` nowhere: it is the SNI value, or false when the client sent none.
  const servername = (socket as unknown as { servername?: string | false }).servername;
  const commonName = client?.subject?.CN;
  return {
    ...record,
    tls: {
      servername: servername || "",
      alpn: socket.alpnProtocol || "",
      version: socket.getProtocol() ?? "",
      cipher: socket.getCipher().name,
      ...(commonName === undefined ? {} : { clientCommonName: String(commonName) }),
    },
  };
}

function answer(response: AnyResponse, record: ReceivedRequest, body: Buffer, behaviour: Behaviour): void {
  if (behaviour.reset) {
    response.socket?.destroy();
    return;
  }
  const headers = { "x-backend": record.backend, ...behaviour.headers };
  // Both responses have the same methods; only their overloads differ.
  const out = response as ServerResponse;
  if (String(record.headers["content-type"] ?? "").startsWith("application/grpc")) {
    const status = behaviour.grpcStatus ?? 0;
    out.writeHead(200, { ...headers, "content-type": "application/grpc", "x-path": record.path });
    out.addTrailers({ "grpc-status": String(status), ...(status === 0 ? {} : { "grpc-message": "as told" }) });
    out.end(status === 0 ? body : undefined);
    return;
  }
  const text = behaviour.body ?? JSON.stringify(record);
  const length = String(Buffer.byteLength(text));
  const contentType = behaviour.body === undefined ? "application/json" : "text/plain";
  out.writeHead(behaviour.status ?? 200, { "content-type": contentType, "content-length": length, ...headers });
  out.end(record.method === "HEAD" ? undefined : text);
}
