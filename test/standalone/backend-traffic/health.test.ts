import { createServer } from "node:http2";
import { createServer as createByteServer } from "node:net";
import { afterAll, beforeAll, expect } from "@jest/globals";
import { type Backend, startBackend } from "../../harness/backend.ts";
import { freePort } from "../../harness/ports.ts";
import { waitFor } from "../../harness/waiting.ts";
import type { Answer } from "../world.ts";
import { REPEATS, testTrafficCases } from "./world.ts";

const often = { interval: "200ms", unhealthyThreshold: 1, healthyThreshold: 1 };
let listening: Backend | undefined;
let closedPort = 0;
/** Servers of the health protocol of gRPC: one is serving, the other not, and answers everything else with 500. */
const grpcServers = [1, 2].map((state) =>
  createServer((request, response) => {
    if (request.url !== "/grpc.health.v1.Health/Check") {
      response.writeHead(state === 1 ? 200 : 500);
      response.end();
      return;
    }
    response.writeHead(200, { "content-type": "application/grpc" });
    response.addTrailers({ "grpc-status": "0" });
    response.end(Buffer.from([0, 0, 0, 0, 2, 8, state]));
  }),
);

/** Servers that say how they are to who asks, and so does the status of their answers. */
const byteServers = [200, 500].map((status) =>
  createByteServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => {
      if (data.toString("latin1") === "how are you?") socket.write(`I am ${status === 200 ? "well" : "ill"}.`);
      else socket.write(`HTTP/1.1 ${status} -\r\ncontent-length: 0\r\n\r\n`);
    });
  }),
);

beforeAll(async () => {
  listening = await startBackend();
  closedPort = await freePort();
  for (const server of [...grpcServers, ...byteServers]) {
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
  }
});

afterAll(async () => {
  await listening?.stop();
  for (const server of [...grpcServers, ...byteServers]) server.close();
});

/** So often that chance alone does not bring it about. */
async function allAre(status: number, send: () => Promise<Answer>): Promise<boolean> {
  for (let time = 0; time < 4 * REPEATS; time++) if ((await send()).status !== status) return false;
  return true;
}

testTrafficCases([
  {
    name: "active health check",
    spec: {
      healthCheck: {
        panicThreshold: 0,
        active: {
          type: "HTTP",
          interval: "200ms",
          unhealthyThreshold: 1,
          http: {
            path: "/health",
            method: "POST",
            requestBody: { type: "Text", text: "well?" },
            expectedStatuses: [201],
          },
        },
      },
    },
    backends: 2,
    behave: [{ status: 200 }, { status: 201 }],
    check: async ({ reached, backends }) => {
      await waitFor("the sick endpoint to be left out", async () => (await reached(REPEATS)).size === 1);
      const check = backends[1]?.received.find(({ path }) => path === "/health");
      expect(check).toMatchObject({ method: "POST", bodyBytes: 5, host: expect.stringContaining(".traffic.test") });
    },
  },
  {
    name: "active health check of connections",
    spec: { healthCheck: { panicThreshold: 0, active: { ...often, type: "TCP", tcp: {} } } },
    ports: () => [listening?.port ?? 0, closedPort],
    check: async ({ send }) => {
      await waitFor("the closed port to be left out", async () => allAre(200, send));
    },
  },
  {
    name: "active health check by what is said on connections",
    spec: {
      healthCheck: {
        panicThreshold: 0,
        active: {
          ...often,
          type: "TCP",
          tcp: {
            send: { type: "Text", text: "how are you?" },
            receive: { type: "Binary", binary: Buffer.from("I am well.").toString("base64") },
          },
        },
      },
    },
    ports: () => byteServers.map((server) => (server.address() as { port: number }).port),
    check: async ({ send }) => {
      await waitFor("the one that is ill to be left out", () => allAre(200, send));
    },
  },
  {
    name: "no active health check by gRPC of backends that do not speak HTTP/2",
    spec: { healthCheck: { panicThreshold: 0, active: { ...often, type: "GRPC" } } },
    check: async ({ send }) => expect((await send()).status).toBe(200),
  },
  {
    name: "active health check by gRPC",
    spec: { useClientProtocol: true, healthCheck: { panicThreshold: 0, active: { ...often, type: "GRPC", grpc: {} } } },
    ports: () => grpcServers.map((server) => (server.address() as { port: number }).port),
    check: async ({ send }) => {
      await waitFor("the one that does not serve to be left out", () => allAre(200, () => send({ http: "2" })));
    },
  },
  {
    name: "passive health check",
    spec: {
      healthCheck: {
        panicThreshold: 0,
        passive: { consecutive5xxErrors: 1, interval: "200ms", baseEjectionTime: "60s", maxEjectionPercent: 50 },
      },
    },
    backends: 2,
    behave: [{ status: 500 }],
    check: async ({ send }) => {
      await waitFor("the failing endpoint to be left out", () => allAre(200, send));
    },
  },
]);
