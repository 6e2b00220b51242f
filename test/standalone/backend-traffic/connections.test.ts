import { createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect } from "@jest/globals";
import { waitFor } from "../../harness/waiting.ts";
import { exchangeBytes } from "../exchange-bytes.ts";
import { type TrafficCase, testTrafficCases } from "./world.ts";

/** A backend that looks at bytes: connections as they began. */
const greetings: string[] = [];
let bytes: Server;

beforeAll(async () => {
  bytes = createServer(greet).listen(0, "127.0.0.1");
  await new Promise((resolve) => bytes.once("listening", resolve));
});

afterAll(() => {
  bytes?.close();
});

function greet(socket: Socket): void {
  let text = "";
  socket.on("data", (data: Buffer) => {
    text += data.toString("latin1");
    if (!/ HTTP\/1\.1\r\n(.+\r\n)*\r\n$/.test(text)) return;
    greetings.push(text);
    socket.end("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
  });
  socket.on("error", () => socket.destroy());
}

/** The PROXY protocol tells the client's address. */
function greeting(version: string, begins: RegExp): TrafficCase {
  return {
    name: `PROXY protocol ${version}`,
    spec: { proxyProtocol: { version } },
    ports: () => [(bytes.address() as { port: number }).port],
    check: async ({ send }) => {
      expect((await send()).status).toBe(204);
      expect(greetings.at(-1)).toMatch(begins);
    },
  };
}

testTrafficCases([
  {
    name: "circuit breaker of requests",
    spec: { circuitBreaker: { maxConnections: 1, maxPendingRequests: 1 } },
    check: async ({ send }) => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => send({ behave: { delayMs: 500 } })));
      const refused = answers.filter(({ status }) => status === 503);
      expect(refused.length).toBeGreaterThan(0);
      expect(refused.length).toBeLessThan(8);
    },
  },
  {
    name: "preconnect",
    spec: { connection: { preconnect: { perEndpointPercent: 300 } } },
    check: async ({ send, backends }) => {
      await send();
      await waitFor("connections ahead", async () => (backends[0]?.connections ?? 0) > 1);
    },
  },
  {
    name: "useClientProtocol",
    spec: { useClientProtocol: true },
    protocol: "h2c",
    check: async ({ send }) => expect((await send({ http: "2" })).received?.httpVersion).toBe("2.0"),
  },
  {
    name: "tunnels that go on to the backend",
    spec: { httpUpgrade: [{ type: "CONNECT" }] },
    ports: () => [(bytes.address() as { port: number }).port],
    check: async ({ host }, { port }) => {
      const asked = `CONNECT ${host}:80 HTTP/1.1\r\nhost: ${host}:80\r\n\r\n`;
      await exchangeBytes(port, asked, "x");
      expect(greetings.at(-1)).toContain(`CONNECT ${host}:80 HTTP/1.1\r\n`);
    },
  },
  greeting("V1", /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\nGET \//),
  greeting("V2", /^\r\n\r\n\0\r\nQUIT\n/),
]);
