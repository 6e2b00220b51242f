import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Reply {
  readonly code: number;
  readonly contentType: string;
  readonly body: string;
}

/** Answers by path. Never a secret: who reaches the port sees them. */
export type Routes = Readonly<Record<string, () => Reply | Promise<Reply>>>;

export interface ListenOptions {
  /** What listens, for messages: `the admin server`. */
  readonly name: string;
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  /** How to choose another address, for messages. */
  readonly wayOut: string;
}

export interface HttpServer {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** The loopback interface of this host or pod. */
export const LOOPBACK = "127.0.0.1";

/** Requests that take longer than this to arrive are given up; an answer may take as long as it takes. */
const REQUEST_LIMIT_MS = 10_000;
/** More connections are refused: probes, a scraper and a few people need no more. */
const CONNECTIONS_MAX = 100;

/**
 * Serves GET and HEAD of a few paths.
 *
 * @throws Error when it cannot listen
 */
export async function serveHttp(routes: Routes, { name, host, port, wayOut }: ListenOptions): Promise<HttpServer> {
  // A web page could make a browser ask a port of this very host under a name of its own (DNS rebinding), and read the answer.
  const localNamesOnly = isLoopback(host);
  const server = createServer({ requestTimeout: REQUEST_LIMIT_MS }, (request, response) => {
    answer(routes, request, localNamesOnly).then(
      (reply) => send(response, reply),
      (error: Error) => send(response, text(500, error.message)),
    );
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(new Error(`${name} cannot listen on ${host}:${port}: ${error.message}; ${wayOut}`)),
    );
    server.listen(port, host, resolve);
  });
  return {
    host,
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(routes: Routes, request: IncomingMessage, localNamesOnly: boolean): Promise<Reply> {
  if (localNamesOnly && !isLocalName(request.headers.host)) return text(403, "only requests to localhost are answered");
  if (request.method !== "GET" && request.method !== "HEAD") return text(405, "this server is read-only");
  const path = (request.url ?? "/").replace(/\?.*$/, "");
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  return route === undefined ? text(404, `there are ${Object.keys(routes).join(" ")}`) : route();
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function isLocalName(host: string | undefined): boolean {
  return host === undefined || /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(host);
}

export function text(code: number, message: string): Reply {
  return { code, contentType: "text/plain; charset=utf-8", body: `${message}\n` };
}

export function json(value: unknown): Reply {
  return { code: 200, contentType: "application/json", body: `${JSON.stringify(value, null, 2)}\n` };
}

function send(response: ServerResponse, { code, contentType, body }: Reply): void {
  response.writeHead(code, { "content-type": contentType }).end(body);
}
