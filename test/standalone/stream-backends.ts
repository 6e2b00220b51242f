import { createSocket } from "node:dgram";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { KeyPair } from "../harness/certificates.ts";

/** A backend of connections or datagrams. */
export interface StreamBackend {
  readonly port: number;
  stop(): Promise<void>;
}

/** Greets with its name, then gives back all it is sent. With a key pair over TLS. */
export async function startStreamBackend(name: string, pair?: KeyPair): Promise<StreamBackend> {
  const serve = (socket: Socket) => {
    socket.on("error", () => {});
    socket.write(`${name}\n`);
    socket.pipe(socket);
  };
  const server: Server =
    pair === undefined ? createServer(serve) : createTlsServer({ cert: pair.certificate, key: pair.key }, serve);
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Answers each datagram with its name. */
export async function startDatagramBackend(name: string): Promise<StreamBackend> {
  const socket = createSocket("udp4");
  socket.on("message", (_message, { address, port }) => socket.send(name, port, address));
  await new Promise<void>((done) => socket.bind(0, "127.0.0.1", done));
  return { port: socket.address().port, stop: () => new Promise((done) => socket.close(() => done())) };
}

/** A client's connection that stays open. */
export interface OpenStream {
  /** What the backend greeted with. */
  readonly backend: string;
  /** Common name of the certificate that was shown; empty without TLS. */
  readonly certificate: string;
  /** Why it ended; undefined while it is open. */
  readonly ended: () => string | undefined;
  /** Sends a line and resolves with the line that comes back. */
  echo(text: string): Promise<string>;
  close(): void;
}

/** A listener of HTTPS waits for the client to speak first. */
const GREETING_LIMIT_MS = 3_000;

/** Rejects when the connection is refused, or closed before a backend greets, or nobody does. */
export function openStream(port: number, serverName?: string): Promise<OpenStream> {
  return new Promise((resolve, reject) => {
    const socket =
      serverName === undefined
        ? connect({ host: "127.0.0.1", port })
        : connectTls({ host: "127.0.0.1", port, servername: serverName, rejectUnauthorized: false });
    let text = "";
    let ended: string | undefined;
    const waiting: ((line: string) => void)[] = [(line) => resolve(wrap(line))];
    const end = (why: string) => {
      ended ??= why;
      reject(new Error(why));
    };
    const timer = setTimeout(() => socket.destroy(new Error("no greeting")), GREETING_LIMIT_MS);
    socket.once("data", () => clearTimeout(timer));
    socket.once("close", () => clearTimeout(timer));
    socket.on("error", ({ message }) => end(message));
    socket.on("close", () => end("closed"));
    socket.on("data", (chunk) => {
      text += String(chunk);
      for (let cut = text.indexOf("\n"); cut >= 0; cut = text.indexOf("\n")) {
        waiting.shift()?.(text.slice(0, cut));
        text = text.slice(cut + 1);
      }
    });
    const wrap = (backend: string): OpenStream => ({
      backend,
      certificate: "getPeerCertificate" in socket ? String(socket.getPeerCertificate().subject.CN) : "",
      ended: () => ended,
      echo: (line) =>
        new Promise((done, fail) => {
          socket.once("close", () => fail(new Error("closed")));
          waiting.push(done);
          socket.write(`${line}\n`);
        }),
      close: () => socket.destroy(),
    });
  });
}

/** The backend that a new connection reaches, and `refused` when it reaches none. */
export async function askStream(port: number, serverName?: string): Promise<string> {
  const stream = await openStream(port, serverName).catch(() => undefined);
  stream?.close();
  return stream?.backend ?? "refused";
}

/** The backend that answers a datagram of a new socket; undefined without an answer in time. */
export function askDatagram(port: number, limitMs = 1_000): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    const finish = (answer: string | undefined) => {
      clearTimeout(timer);
      socket.close(() => resolve(answer));
    };
    const timer = setTimeout(() => finish(undefined), limitMs);
    socket.once("message", (message) => finish(String(message)));
    socket.send("hello", port, "127.0.0.1");
  });
}
