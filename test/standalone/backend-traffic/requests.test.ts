import { expect } from "@jest/globals";
import { exchangeBytes } from "../exchange-bytes.ts";
import { REPEATS, testTrafficCases } from "./world.ts";

const slow = { delayMs: 3_000 };

testTrafficCases([
  {
    name: "requestTimeout",
    spec: { timeout: { http: { requestTimeout: "300ms" } } },
    check: async ({ send }) => expect((await send({ behave: slow })).status).toBe(504),
  },
  {
    name: "requestTimeout of a rule with a timeout of its own",
    spec: { timeout: { http: { requestTimeout: "300ms" } } },
    rule: { timeouts: { request: "10s" } },
    check: async ({ send }) => expect((await send({ behave: { delayMs: 1_000 } })).status).toBe(200),
  },
  {
    name: "streamIdleTimeout",
    spec: { timeout: { http: { streamIdleTimeout: "300ms" } } },
    check: async ({ send }) => expect((await send({ behave: slow })).status).toBe(504),
  },
  {
    name: "maxStreamDuration",
    spec: { timeout: { http: { maxStreamDuration: "300ms" } } },
    check: async ({ send }) => expect((await send({ behave: slow })).status).toBeGreaterThanOrEqual(400),
  },
  {
    name: "retry by status",
    spec: { retry: { numRetries: 3, retryOn: { httpStatusCodes: [418] } } },
    check: async ({ send, backends }) => {
      expect((await send({ behave: { status: 418, times: 3 } })).status).toBe(200);
      expect(backends[0]?.received).toHaveLength(4);
    },
  },
  {
    name: "retry no more often than numRetries",
    spec: { retry: { numRetries: 1, retryOn: { triggers: ["5xx"] } } },
    check: async ({ send, backends }) => {
      expect((await send({ behave: { status: 503, times: 2 } })).status).toBe(503);
      expect(backends[0]?.received).toHaveLength(2);
    },
  },
  {
    name: "retry after perRetry.timeout, written as a shorthand",
    spec: { retry: { perRetryTimeout: "300ms", retryOn: { triggers: ["gateway-error"] } } },
    check: async ({ send, backends }) => {
      expect((await send({ behave: { ...slow, times: 1 } })).status).toBe(200);
      expect(backends[0]?.received).toHaveLength(2);
    },
  },
  {
    name: "fault that aborts",
    spec: { faultInjection: { abort: { httpStatus: 418 } } },
    check: async ({ send, backends }) => {
      expect((await send()).status).toBe(418);
      expect(backends[0]?.received).toEqual([]);
    },
  },
  {
    name: "fault that delays",
    spec: { faultInjection: { delay: { fixedDelay: "3s" } }, timeout: { http: { requestTimeout: "10s" } } },
    check: async ({ send }) => {
      // It is still under way when the client has had enough.
      await expect(send({ limitMs: 700 })).rejects.toThrow();
    },
  },
  {
    name: "fault of none of the requests",
    spec: { faultInjection: { abort: { httpStatus: 418, percentage: 0 } } },
    check: async ({ reached }) => expect((await reached(REPEATS)).has(undefined)).toBe(false),
  },
  {
    name: "request buffer",
    spec: { requestBuffer: { limit: "1Ki" } },
    check: async ({ send, upgrade }) => {
      expect(await upgrade()).toBe(403);
      expect((await send({ method: "POST", body: "x".repeat(1_000) })).received?.bodyBytes).toBe(1_000);
      expect((await send({ method: "POST", body: "x".repeat(1_100) })).status).toBe(413);
    },
  },
  {
    name: "admission control",
    spec: {
      admissionControl: {
        minSuccessRate: 90,
        maxRejectionPercent: 100,
        samplingWindow: "60s",
        rejectionAggression: 1,
        successCriteria: { http: { statusCodes: [200] } },
      },
    },
    check: async ({ send, backends }) => {
      const statuses = new Map<number, number>();
      for (let time = 0; time < 60; time++) {
        const { status } = await send({ behave: { status: 418 } });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
      // The more failures there were, the likelier the next request is turned away.
      expect([...statuses.keys()].sort()).toEqual([418, 503]);
      expect(backends[0]?.received).toHaveLength(statuses.get(418) ?? 0);
    },
  },
  {
    name: "admission control by what counts as success",
    spec: {
      admissionControl: {
        minSuccessRate: 90,
        maxRejectionPercent: 100,
        successCriteria: { http: { statusCodes: [200, 418] }, grpc: { statusCodes: ["Ok"] } },
      },
    },
    check: async ({ send }) => {
      for (let time = 0; time < 60; time++) expect((await send({ behave: { status: 418 } })).status).toBe(418);
    },
  },
  {
    name: "tunnels that end at Envoy",
    spec: { httpUpgrade: [{ type: "CONNECT", connect: { terminate: true } }] },
    check: async ({ host, backends, upgrade }, { port }) => {
      const asked = `CONNECT ${host}:80 HTTP/1.1\r\nhost: ${host}:80\r\n\r\n`;
      const inside = "GET /inside HTTP/1.1\r\nhost: inside.test\r\nconnection: close\r\n\r\n";
      expect(await exchangeBytes(port, asked, inside)).toMatch(
        /^HTTP\/1\.1 200 OK\r\n.*"path":"\/inside".*"inside.test"/s,
      );
      expect(backends[0]?.received.map(({ path }) => path)).toEqual(["/inside"]);
      expect(await upgrade()).toBe(403);
    },
  },
  {
    name: "no tunnels without being asked for",
    spec: {},
    check: async ({ host }, { port }) => {
      const asked = `CONNECT ${host}:80 HTTP/1.1\r\nhost: ${host}:80\r\nconnection: close\r\n\r\n`;
      expect(await exchangeBytes(port, asked)).toMatch(/^HTTP\/1\.1 (404|403) /);
    },
  },
  {
    name: "upgrades",
    spec: { httpUpgrade: [{ type: "other" }, { type: "Other" }] },
    check: async ({ upgrade }) => expect(await upgrade()).toBe(403),
  },
  {
    name: "upgrades, WebSocket among them",
    spec: { httpUpgrade: [{ type: "websocket" }, { type: "other" }] },
    check: async ({ upgrade }) => expect(await upgrade()).toBe(101),
  },
  {
    name: "statistics of routes",
    spec: { telemetry: { metrics: { routeStatName: "counted-%ROUTE_KIND%-%ROUTE_RULE_NUMBER%" } } },
    check: async ({ send }, { admin }) => {
      await send();
      const stats = await admin("/stats?filter=counted-httproute-0.upstream_rq_completed");
      expect(stats).toMatch(/upstream_rq_completed: 1/);
    },
  },
  {
    name: "a policy that cannot do what it says",
    spec: { timeout: { tcp: { connectTimeout: "0s" } } },
    check: async ({ send, backends }) => {
      expect((await send()).status).toBe(500);
      expect(backends[0]?.received).toEqual([]);
    },
  },
]);
