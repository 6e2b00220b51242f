import { expect } from "@jest/globals";
import type { RequestOptions } from "../world.ts";
import { testTrafficCases } from "./world.ts";

testTrafficCases([
  {
    name: "local rate limit",
    spec: {
      rateLimit: {
        type: "Local",
        local: {
          rules: [
            { limit: { requests: 3, unit: "Hour" } },
            {
              clientSelectors: [{ headers: [{ name: "x-plan", value: "free" }], methods: [{ value: "GET" }] }],
              limit: { requests: 2, unit: "Hour" },
            },
            {
              clientSelectors: [{ headers: [{ name: "x-user-id", type: "Distinct" }], path: { value: "/counted" } }],
              limit: { requests: 1, unit: "Hour" },
            },
            {
              clientSelectors: [
                { sourceCIDR: { value: "127.0.0.9/8" }, queryParams: [{ name: "from", value: "here" }] },
              ],
              limit: { requests: 4, unit: "Hour" },
            },
          ],
        },
      },
    },
    check: async ({ send }) => {
      const passing = async (options: Partial<RequestOptions>) => {
        let passed = 0;
        for (let time = 0; time < 6; time++) if ((await send(options)).status === 200) passed++;
        return passed;
      };
      expect(await passing({ headers: { "x-plan": "free" } })).toBe(2);
      for (const user of ["a", "b"]) {
        expect(await passing({ path: "/counted/x?y", headers: { "x-user-id": user } })).toBe(1);
      }
      expect(await passing({ path: "/?from=here" })).toBe(4);
      expect(await passing({ method: "POST", headers: { "x-plan": "free" } })).toBe(3);
      expect((await send()).status).toBe(429);
    },
  },
  {
    name: "local rate limit that is tried out and told to clients",
    spec: {
      rateLimit: {
        local: {
          rules: [{ limit: { requests: 1, unit: "Hour" }, shadowMode: true, xRateLimitHeaders: "DraftVersion03" }],
        },
      },
    },
    check: async ({ send }) => {
      for (let time = 0; time < 3; time++) {
        const { status, headers } = await send();
        expect([status, headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]]).toEqual([200, "1", "0"]);
      }
    },
  },
  {
    name: "local rate limits of the same addresses",
    spec: {
      rateLimit: {
        local: {
          rules: [
            { clientSelectors: [{ sourceCIDR: { value: "127.0.0.0/8" } }], limit: { requests: 9, unit: "Hour" } },
            { clientSelectors: [{ sourceCIDR: { value: "0.0.0.0/0" } }], limit: { requests: 5, unit: "Hour" } },
            {
              clientSelectors: [{ sourceCIDR: { type: "Distinct", value: "0.0.0.0/0" } }],
              limit: { requests: 3, unit: "Hour" },
            },
          ],
        },
      },
    },
    check: async ({ send }) => {
      const passed: number[] = [];
      for (const from of ["127.0.0.8", "127.0.0.9"]) {
        let count = 0;
        for (let time = 0; time < 4; time++) if ((await send({ from })).status === 200) count++;
        passed.push(count);
      }
      // Three of each address, five of both.
      expect(passed).toEqual([3, 2]);
    },
  },
  {
    name: "local rate limit with a cost",
    spec: {
      rateLimit: {
        local: {
          rules: [
            {
              clientSelectors: [{ path: { value: "/dear" } }],
              limit: { requests: 6, unit: "Hour" },
              cost: { request: { from: "Number", number: 3 } },
            },
          ],
        },
      },
    },
    check: async ({ send }) => {
      const statuses: number[] = [];
      for (let time = 0; time < 3; time++) statuses.push((await send({ path: "/dear" })).status);
      expect(statuses).toEqual([200, 200, 429]);
      expect((await send()).status).toBe(200);
    },
  },
]);
