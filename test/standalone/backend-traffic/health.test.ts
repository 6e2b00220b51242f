import { expect } from "@jest/globals";
import { waitFor } from "../../harness/waiting.ts";
import { REPEATS, testTrafficCases } from "./world.ts";

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
      const wellAnswered = async () => {
        for (let time = 0; time < REPEATS; time++) if ((await send()).status !== 200) return false;
        return true;
      };
      await waitFor("the failing endpoint to be left out", wellAnswered);
    },
  },
]);
