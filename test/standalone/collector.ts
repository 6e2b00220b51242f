import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";

/** Takes what OpenTelemetry sends by gRPC: the bytes by path. */
export interface Collector {
  readonly port: number;
  readonly received: Map<string, string>;
  /** Headers of the last call, by path. */
  readonly headers: Map<string, Readonly<Record<string, unknown>>>;
  stop(): void;
}

export async function startCollector(): Promise<Collector> {
  const received = new Map<string, string>();
  const headersByPath: Collector["headers"] = new Map();
  const server: Http2Server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream, headers) => {
    // Envoy ends in the middle of a stream when a test does.
    stream.on("error", () => {});
    const path = String(headers[":path"]);
    headersByPath.set(path, headers);
    stream.on("data", (chunk: Buffer) => {
      const credential = String(headers["x-key"] ?? "");
      received.set(path, `${received.get(path) ?? ""}${credential}${chunk.toString("latin1")}`);
    });
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.alloc(5));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return {
    port: (server.address() as AddressInfo).port,
    received,
    headers: headersByPath,
    stop() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}
