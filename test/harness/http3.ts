import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { toolFolder } from "./tool-folder.ts";

export interface Http3Request {
  /** `:authority`. */
  readonly host: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Http3Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Of each ticket to resume the session with: bytes that a client may send with it before hands are shaken. */
  readonly tickets: readonly number[];
}

/** One connection of QUIC, kept until it is closed. */
export interface Http3Connection {
  /** Rejects once the connection is gone. One at a time. */
  ask(request: Http3Request): Promise<Http3Answer>;
  close(): void;
}

export interface Http3Server {
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly address?: string;
  /** SNI. */
  readonly servername: string;
  /** PEM that the server must be signed by; absent: anything goes. */
  readonly authority?: string;
  /** How long a connection may take to come about; default 10 s. Where there is no server nobody says so. */
  readonly limitMs?: number;
}

/**
 * Opens a connection with a client that speaks HTTP/3 and nothing else (aioquic).
 *
 * @throws Error where no connection comes about
 */
export async function openHttp3(server: Http3Server): Promise<Http3Connection> {
  const { port, address = "127.0.0.1", servername: server_name, authority = "", limitMs = 10_000 } = server;
  const script = fileURLToPath(new URL("http3-client.py", import.meta.url));
  const settings = JSON.stringify({ address, port, server_name, authority, limit_s: limitMs / 1000 });
  const child = spawn(http3Python(), [script, settings], { stdio: ["pipe", "pipe", "pipe"] });
  const next = readAnswers(child);
  await next();
  return {
    async ask(request) {
      child.stdin?.write(`${JSON.stringify(request)}\n`);
      return JSON.parse(await next()) as Http3Answer;
    },
    close: () => child.kill(),
  };
}

/** One request on a connection of its own. */
export async function sendHttp3({ host, method, path, headers, ...server }: Http3Server & Http3Request) {
  const connection = await openHttp3(server);
  try {
    return await connection.ask({
      host,
      ...(method && { method }),
      ...(path && { path }),
      ...(headers && { headers }),
    });
  } finally {
    connection.close();
  }
}

function readAnswers(child: ChildProcess): () => Promise<string> {
  if (child.stdout === null || child.stderr === null) throw new Error("without pipes");
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  child.stdin?.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`no HTTP/3: ${complaint.trim().split("\n").at(-1)}`);
    return value;
  };
}

/** A Python with aioquic in it; the same as HTTP3_TOOL of the Makefile. */
function http3Python(): string {
  const makefile = readFileSync(new URL("../../Makefile", import.meta.url), "utf8");
  const version = /^AIOQUIC_VERSION := (\S+)/m.exec(makefile)?.[1];
  const folder = toolFolder(`aioquic-${version}`);
  if (!existsSync(join(folder, ".installed")))
    throw new Error(`a client of HTTP/3 is not in ${folder}: run \`make test\``);
  return join(folder, "bin", "python");
}
