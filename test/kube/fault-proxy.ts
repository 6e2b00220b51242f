/**
 * An HTTP proxy in front of an API server that does what networks and servers do on bad days: answers in its stead, resets
 * connections inside a line, keeps them open without a byte, ends or forges watches. Speaks plain HTTP to its client.
 */
import { createServer, type IncomingMessage, request as plainRequest, type ServerResponse } from "node:http";
import { request as tlsRequest } from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** A request on its way to the API server. */
export interface Passing {
  readonly method: string;
  /** Path without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly isWatch: boolean;
  readonly headers: IncomingMessage["headers"];
}

/** What happens to a request instead of being passed on. `silence`: no answer ever. */
export type Fault =
  | "reset"
  | "silence"
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> };

/** A watch that is open through the proxy. */
export interface OpenWatch {
  readonly path: string;
  /** The next event is sent half, then the connection is reset. */
  cutNextLine(): void;
  /** From now on nothing passes, and nobody is told. */
  freeze(): void;
  reset(): void;
  /** Ends the response properly, as a server does after its timeout. */
  end(): void;
  /** Sends a line that the server never sent. */
  forge(event: unknown): void;
}

export interface FaultProxy {
  readonly url: string;
  /** Decides about every request that comes; undefined passes it on. */
  intercept(decide: ((request: Passing) => Fault | undefined) | undefined): void;
  watches(pathEnd?: string): readonly OpenWatch[];
  /** Requests so far, newest last, such as `GET /api/v1/configmaps watch`. */
  readonly log: readonly string[];
  /** Closes the port and resets all connections; `up` opens it again. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

/** The `Status` with which an API server says that a resourceVersion or a continue token is too old. */
export const expiredStatus = {
  kind: "Status",
  apiVersion: "v1",
  status: "Failure",
  message: "too old resource version: 1 (2)",
  reason: "Expired",
  code: 410,
};

export interface Upstream {
  readonly url: string;
  readonly caCertificate: string;
  /** Replaces what the client sends, if given. */
  readonly token?: string;
}

export async function startFaultProxy(upstream: Upstream): Promise<FaultProxy> {
  const watches = new Set<OpenWatch>();
  const sockets = new Set<Socket>();
  const log: string[] = [];
  let decide: ((request: Passing) => Fault | undefined) | undefined;

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://proxy");
    const isWatch = url.searchParams.get("watch") === "true";
    const { method = "GET", headers } = request;
    log.push(`${method} ${url.pathname}${isWatch ? " watch" : ""}`);
    const fault = decide?.({ method, path: url.pathname, query: url.searchParams, isWatch, headers });
    if (fault === undefined) pass(request, response, isWatch ? url.pathname : undefined);
    else if (fault === "reset") request.socket.resetAndDestroy();
    else if (fault !== "silence") {
      response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
      response.end(typeof fault.body === "string" ? fault.body : JSON.stringify(fault.body ?? {}));
    }
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });

  function pass(request: IncomingMessage, response: ServerResponse, watchPath: string | undefined): void {
    const target = new URL(request.url ?? "/", upstream.url);
    const { host: _, ...headers } = request.headers;
    if (upstream.token !== undefined) headers.authorization = `Bearer ${upstream.token}`;
    const send = target.protocol === "https:" ? tlsRequest : plainRequest;
    const outgoing = send(target, { method: request.method, headers, ca: upstream.caCertificate, agent: false });
    const fail = () => request.socket.resetAndDestroy();
    outgoing.on("error", fail);
    outgoing.on("response", (incoming) => {
      incoming.on("error", fail);
      response.writeHead(incoming.statusCode ?? 502, incoming.headers);
      response.flushHeaders();
      if (watchPath === undefined) incoming.pipe(response);
      else forward(watchPath, incoming, response);
    });
    response.on("close", () => outgoing.destroy());
    request.pipe(outgoing);
  }

  function forward(path: string, incoming: IncomingMessage, response: ServerResponse): void {
    let mode: "open" | "cut" | "frozen" = "open";
    const watch: OpenWatch = {
      path,
      cutNextLine: () => {
        mode = "cut";
      },
      freeze: () => {
        mode = "frozen";
        watches.delete(watch);
      },
      reset: () => response.socket?.resetAndDestroy(),
      end: () => response.end(),
      forge: (event) => response.write(`${JSON.stringify(event)}\n`),
    };
    watches.add(watch);
    response.on("close", () => watches.delete(watch));
    incoming.on("data", (chunk: Buffer) => {
      if (mode === "open") response.write(chunk);
      if (mode !== "cut") return;
      mode = "frozen";
      // Sent first, so that the client really gets half a line.
      response.write(chunk.subarray(0, Math.ceil(chunk.length / 2)), () => setTimeout(watch.reset, 20));
    });
    incoming.on("end", () => {
      if (mode !== "frozen") response.end();
    });
  }

  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const down = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    intercept(next) {
      decide = next;
    },
    watches: (pathEnd = "") => [...watches].filter((watch) => watch.path.endsWith(pathEnd)),
    log,
    down,
    up: () => listen(port),
    async close() {
      if (server.listening) await down();
    },
  };
}
