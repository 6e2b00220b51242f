import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { KeyPair } from "../test/harness/certificates.ts";
import { serve } from "./worker.ts";

/**
 * The backends of all routes: two servers that answer every request with the same few bytes, as cheaply as Node can. They
 * differ in the header `x-server`, by which an endpoint edit is seen. Requests are GETs without a body, one after another.
 */
function startServer(name: string): Promise<number> {
  return listen(createServer({ noDelay: true }, answering(name)));
}

function answering(name: string): (socket: Socket) => void {
  const answer = Buffer.from(`HTTP/1.1 200 OK\r\nx-server: ${name}\r\ncontent-length: 2\r\n\r\nok`);
  return (socket) => {
    let pending = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      pending += chunk.toString("latin1");
      for (let end = pending.indexOf("\r\n\r\n"); end >= 0; end = pending.indexOf("\r\n\r\n")) {
        pending = pending.slice(end + 4);
        socket.write(answer);
      }
    });
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "0.0.0.0", () => resolve((server.address() as AddressInfo).port));
  });
}

const methods = {
  start: async (_: undefined) => ({ a: await startServer("a"), b: await startServer("b") }),
  /** A backend that speaks TLS itself, whatever server name it is asked for. */
  startTls: ({ certificate, key }: KeyPair) => listen(createTlsServer({ cert: certificate, key }, answering("tls"))),
};
export type EchoMethods = typeof methods;

serve(methods);
