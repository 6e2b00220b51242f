import { expect } from "@jest/globals";
import { type TrafficCase, testTrafficCases } from "./world.ts";

testTrafficCases([
  ...(["Gzip", "Brotli", "Zstd"] as const).map((type): TrafficCase => {
    const encoding = { Gzip: "gzip", Brotli: "br", Zstd: "zstd" }[type];
    return {
      name: `compression by ${type}`,
      spec: { compressor: [{ type }] },
      check: async ({ send }) => {
        const behave = { body: "a".repeat(500), headers: { "content-type": "text/plain" } };
        const compressed = await send({ behave, headers: { "accept-encoding": "gzip, br, zstd" } });
        expect([compressed.headers["content-encoding"], compressed.bytes.length < 100]).toEqual([encoding, true]);
        expect((await send({ behave })).headers["content-encoding"]).toBeUndefined();
      },
    };
  }),
  {
    name: "compression of answers from some length on",
    spec: {
      compressor: [
        { type: "Gzip", minContentLength: "1Ki" },
        { type: "Brotli", minContentLength: "2Ki" },
      ],
    },
    check: async ({ send }) => {
      const headers = { "content-type": "text/plain" };
      const encodings = async (length: number) => {
        const behave = { body: "a".repeat(length), headers };
        const accepting = (encoding: string) => send({ behave, headers: { "accept-encoding": encoding } });
        const answers = await Promise.all(["gzip", "br"].map(accepting));
        return answers.map((answer) => answer.headers["content-encoding"]);
      };
      expect(await encodings(1_000)).toEqual([undefined, undefined]);
      expect(await encodings(1_500)).toEqual(["gzip", undefined]);
      expect(await encodings(2_500)).toEqual(["gzip", "br"]);
    },
  },
  {
    name: "response override of who answered",
    spec: {
      requestBuffer: { limit: "1Ki" },
      responseOverride: [
        { source: "Local", match: { statusCodes: [{ value: 413 }] }, response: { statusCode: 298 } },
        { source: "Backend", match: { statusCodes: [{ value: 413 }] }, response: { statusCode: 299 } },
        { source: "Local", match: { statusCodes: [{ value: 404 }] }, response: { statusCode: 297 } },
      ],
    },
    check: async ({ send }) => {
      expect((await send({ method: "POST", body: "x".repeat(1_100) })).status).toBe(298);
      expect((await send({ behave: { status: 413 } })).status).toBe(299);
      expect((await send({ behave: { status: 404 } })).status).toBe(404);
    },
  },
  {
    name: "bandwidth limit",
    spec: {
      bandwidthLimit: { response: { limit: { value: "1Ki", unit: "Second" }, responseTrailers: { prefix: "x" } } },
    },
    behave: [{ body: "x".repeat(2_500) }],
    check: async ({ send }) => {
      const { trailers } = await send({ http: "2" });
      const delays = Object.entries(trailers).filter(([name]) => /^x.*response-delay/.test(name));
      expect(delays.map(([, delay]) => Number(delay) > 0)).toContain(true);
    },
  },
  {
    name: "response override",
    spec: {
      responseOverride: [
        {
          match: { statusCodes: [{ value: 404 }, { type: "Range", range: { start: 480, end: 512 } }] },
          response: {
            statusCode: 299,
            contentType: "text/x-own; of=100%",
            body: { inline: "ours" },
            header: { set: [{ name: "x-percent", value: "100%" }] },
          },
        },
        {
          match: {
            statusCodes: [{ value: 401 }],
            responseHeaders: [{ name: "x-kind", value: { type: "Prefix", value: "a" } }],
          },
          redirect: {
            scheme: "https",
            hostname: "login.test",
            path: { type: "ReplaceFullPath", replaceFullPath: "/in" },
          },
        },
      ],
    },
    check: async ({ send }) => {
      for (const status of [404, 480, 500, 512]) {
        const answer = await send({ behave: { status } });
        expect([answer.status, answer.body, answer.headers["content-type"]]).toEqual([
          299,
          "ours",
          "text/x-own; of=100%",
        ]);
        expect(answer.headers["x-percent"]).toBe("100%");
      }
      expect((await send({ behave: { status: 479 } })).status).toBe(479);
      expect((await send({ behave: { status: 401 } })).status).toBe(401);
      const redirected = await send({ behave: { status: 401, headers: { "x-kind": "abc" } } });
      expect([redirected.status, redirected.headers["location"]]).toEqual([302, "https://login.test/in"]);
    },
  },
]);
