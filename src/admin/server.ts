import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";

/** What the admin server shows. Nothing that is secret may be in it: who reaches the port sees it. */
export interface AdminViews {
  /** Everything was read once and published. */
  readonly ready: () => boolean;
  readonly status: () => unknown | Promise<unknown>;
  /** Names and versions of xDS resources; not their content. */
  readonly config: () => unknown;
  readonly metrics: Registry;
}

export interface AdminServer {
  /** On 127.0.0.1. */
  readonly port: number;
  close(): Promise<void>;
}

/** The only address that the admin server listens on. */
export const ADMIN_HOST = "127.0.0.1";

/**
 * Serves `/healthz /readyz /metrics /status /config`, read-only, on the loopback interface.
 *
 * @param port 0 for a free one
 * @throws Error when the port is taken
 */
export async function startAdminServer(views: AdminViews, port: number): Promise<AdminServer> {
  const server = createServer((request, response) => {
    answer(views, request, response).catch((error: Error) => send(response, 500, "text/plain", `${error.message}\n`));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(
        new Error(`the admin server cannot listen on ${ADMIN_HOST}:${port}: ${error.message}; choose --admin-port`),
      );
    });
    server.listen(port, ADMIN_HOST, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(views: AdminViews, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!isLocalName(request.headers.host)) {
    return send(response, 403, "text/plain", "only requests to localhost are answered\n");
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    return send(response, 405, "text/plain", "this server is read-only\n");
  }
  switch (new URL(request.url ?? "/", "http://localhost").pathname) {
    case "/healthz":
      return send(response, 200, "text/plain", "ok\n");
    case "/readyz":
      return views.ready()
        ? send(response, 200, "text/plain", "ready\n")
        : send(response, 503, "text/plain", "not everything has been read yet\n");
    case "/metrics":
      return send(response, 200, views.metrics.contentType, await views.metrics.metrics());
    case "/status":
      return sendJson(response, await views.status());
    case "/config":
      return sendJson(response, views.config());
    default:
      return send(response, 404, "text/plain", "there are /healthz /readyz /metrics /status /config\n");
  }
}

/** A web page could make a browser ask this port under a name of its own (DNS rebinding), and read the answer. */
function isLocalName(host: string | undefined): boolean {
  return host === undefined || /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(host);
}

function sendJson(response: ServerResponse, value: unknown): void {
  send(response, 200, "application/json", `${JSON.stringify(value, null, 2)}\n`);
}

function send(response: ServerResponse, code: number, contentType: string, body: string): void {
  response.writeHead(code, { "content-type": contentType }).end(body);
}
