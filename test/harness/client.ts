import type { X509Certificate } from "node:crypto";
import { Agent, type IncomingHttpHeaders, request as requestHttp } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { ReceivedRequest } from "./backend.ts";
import type { KeyPair } from "./certificates.ts";

const REQUEST_LIMIT_MS = 10_000;

export interface ClientTls {
  /** SNI. Absent: none is sent. */
  readonly servername?: string;
  /** Authority (PEM) that the server must be signed by; absent: anything goes. */
  readonly authority?: string;
  readonly keyPair?: KeyPair;
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion?: "TLSv1.2" | "TLSv1.3";
}

export interface ClientRequest {
  readonly port: number;
  /** IP address to connect to; default 127.0.0.1. */
  readonly address?: string;
  /** IP address to connect from; chosen by the system when left out. */
  readonly from?: string;
  /** Host header or `:authority`; default `127.0.0.1:<port>`. */
  readonly host?: string;
  readonly method?: string;
  /** Sent as it is; default `/`. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
  /** Default 1.1. */
  readonly http?: "1.1" | "2";
  readonly tls?: ClientTls;
  readonly limitMs?: number;
}

export interface ClientAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
  readonly bytes: Buffer;
  /** The server's leaf certificate and what ALPN agreed on. */
  readonly tls?: { readonly certificate: X509Certificate; readonly alpn: string };
}

/** One request on a connection of its own. Rejects for a reset, a failed handshake and after the limit; never retries. */
export async function send(options: ClientRequest): Promise<ClientAnswer> {
  const socket = await openSocket(options);
  try {
    const answer = options.http === "2" ? await sendHttp2(options, socket) : await sendHttp1(options, socket);
    return "getPeerX509Certificate" in socket ? { ...answer, tls: describeTls(socket) } : answer;
  } finally {
    socket.destroy();
  }
}

/** The record that an echo backend answered with. */
export function echoed(answer: ClientAnswer): ReceivedRequest {
  try {
    return JSON.parse(answer.body) as ReceivedRequest;
  } catch {
    throw new Error(`the answer is no backend's echo: ${answer.status} ${answer.body.slice(0, 200)}`);
  }
}

export interface GrpcAnswer {
  readonly httpStatus: number;
  /** `grpc-status` of the trailers, or of the headers when there is nothing else. -1: none. */
  readonly status: number;
  readonly message: string;
  readonly headers: IncomingHttpHeaders;
  readonly payload: Buffer;
}

/** A unary gRPC call with a raw payload. */
export async function callGrpc(
  options: Omit<ClientRequest, "body" | "http" | "method" | "path"> & {
    readonly service: string;
    readonly method: string;
    readonly payload?: Uint8Array;
  },
): Promise<GrpcAnswer> {
  const payload = options.payload ?? new Uint8Array();
  const frame = Buffer.alloc(5 + payload.byteLength);
  frame.writeUInt32BE(payload.byteLength, 1);
  frame.set(payload, 5);
  const { service, method, ...rest } = options;
  const answer = await send({
    ...rest,
    http: "2",
    method: "POST",
    path: `/${service}/${method}`,
    headers: { "content-type": "application/grpc", te: "trailers", ...options.headers },
    body: frame,
  });
  const status = answer.trailers["grpc-status"] ?? answer.headers["grpc-status"];
  return {
    httpStatus: answer.status,
    status: status === undefined ? -1 : Number(status),
    message: String(answer.trailers["grpc-message"] ?? answer.headers["grpc-message"] ?? ""),
    headers: answer.headers,
    payload: answer.bytes.subarray(5),
  };
}

function openSocket(options: ClientRequest): Promise<Socket | TLSSocket> {
  const target = {
    host: options.address ?? "127.0.0.1",
    port: options.port,
    ...(options.from !== undefined && { localAddress: options.from }),
  };
  const limitMs = options.limitMs ?? REQUEST_LIMIT_MS;
  return new Promise((resolve, reject) => {
    const { tls } = options;
    const socket =
      tls === undefined
        ? connectTcp(target)
        : connectTls({
            ...target,
            servername: tls.servername ?? "",
            ALPNProtocols: options.http === "2" ? ["h2"] : ["http/1.1"],
            rejectUnauthorized: tls.authority !== undefined,
            ...(tls.authority === undefined ? {} : { ca: tls.authority }),
            ...(tls.keyPair === undefined ? {} : { cert: tls.keyPair.certificate, key: tls.keyPair.key }),
            ...(tls.minVersion === undefined ? {} : { minVersion: tls.minVersion }),
            ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
          });
    socket.setNoDelay(true);
    socket.once("error", reject);
    socket.setTimeout(limitMs, () => socket.destroy(new Error(`no answer from port ${options.port} in ${limitMs} ms`)));
    socket.once(tls === undefined ? "connect" : "secureConnect", () => resolve(socket));
  });
}

function sendHttp1(options: ClientRequest, socket: Socket): Promise<ClientAnswer> {
  return new Promise((resolve, reject) => {
    // An agent that hands out the one socket: `createConnection` on a request would add a default agent's headers.
    const agent = new Agent({ keepAlive: false });
    agent.createConnection = () => socket;
    const { body } = options;
    const call = requestHttp({
      agent,
      method: options.method ?? "GET",
      path: options.path ?? "/",
      headers: {
        host: options.host ?? `127.0.0.1:${options.port}`,
        ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
        ...(options.headers as Record<string, string | string[]>),
      },
    });
    call.on("error", reject);
    call.on("response", (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        const bytes = Buffer.concat(chunks);
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          trailers: answer.trailers,
          body: bytes.toString("utf8"),
          bytes,
        });
      });
    });
    call.end(body);
  });
}

function sendHttp2(options: ClientRequest, socket: Socket): Promise<ClientAnswer> {
  return new Promise((resolve, reject) => {
    const session: ClientHttp2Session = connectHttp2(`http://127.0.0.1:${options.port}`, {
      createConnection: () => socket,
    });
    session.on("error", reject);
    const stream = session.request({
      ":method": options.method ?? "GET",
      ":path": options.path ?? "/",
      ":scheme": options.tls === undefined ? "http" : "https",
      ":authority": options.host ?? `127.0.0.1:${options.port}`,
      ...(options.headers as Record<string, string | string[]>),
    });
    let headers: IncomingHttpHeaders & { ":status"?: number } = {};
    let trailers: ClientAnswer["trailers"] = {};
    const chunks: Buffer[] = [];
    stream.on("response", (received) => {
      headers = received as typeof headers;
    });
    stream.on("trailers", (received) => {
      trailers = received as typeof trailers;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => reject(new Error("the server closed the stream before its answer was complete")));
    stream.on("end", () => {
      const bytes = Buffer.concat(chunks);
      resolve({ status: headers[":status"] ?? 0, headers, trailers, body: bytes.toString("utf8"), bytes });
    });
    stream.end(options.body);
  });
}

function describeTls(socket: TLSSocket): { certificate: X509Certificate; alpn: string } {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw new Error("the server sent no certificate");
  return { certificate, alpn: socket.alpnProtocol || "" };
}
