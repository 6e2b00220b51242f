import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface DemoBackend {
  readonly port: number;
  close(): Promise<void>;
}

/** A request body beyond this is cut off: the backend echoes, it does not store. */
const BODY_BYTES_MAX = 64 * 1024;
/** Longest answer delay that a request may ask for with `?delay=MILLISECONDS`. */
const DELAY_MAX_MS = 60_000;

/**
 * A small HTTP backend for trying things: answers every request with JSON that tells what arrived. `?status=503` chooses the
 * status, `?delay=200` lets it take 200 ms.
 *
 * @param name told in every answer, to tell several apart
 */
export async function startDemoBackend(port: number, name: string, host = "127.0.0.1"): Promise<DemoBackend> {
  const server = createServer((request, response) => {
    echo(name, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(new Error(`the demo backend cannot listen on ${host}:${port}: ${error.message}; choose another port`)),
    );
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Who waits for an answer has gone with the Envoys.
        server.closeAllConnections();
      }),
  };
}

async function echo(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://backend");
  const body = await readBody(request);
  const delayMs = Math.min(Number(url.searchParams.get("delay")) || 0, DELAY_MAX_MS);
  // A delayed answer must not keep the process alive once the server has closed.
  if (delayMs > 0) await delay(delayMs, undefined, { ref: false });
  const status = Number(url.searchParams.get("status")) || 200;
  const answer = { backend: name, method: request.method, path: request.url, headers: request.headers, body };
  response.writeHead(status >= 200 && status <= 599 ? status : 200, { "content-type": "application/json" });
  response.end(`${JSON.stringify(answer, null, 2)}\n`);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (bytes < BODY_BYTES_MAX) chunks.push(chunk.subarray(0, BODY_BYTES_MAX - bytes));
    bytes += chunk.byteLength;
  }
  return Buffer.concat(chunks).toString("utf8");
}
