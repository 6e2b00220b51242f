import { expect } from "@jest/globals";
import { bad, good } from "../attach/cel-match.test-support.ts";
import { validateBootstrap, withEnvoy } from "./envoy.test-support.ts";

/** An Envoy that logs what matches. */
const bootstrapOf = (expressions: readonly string[]) => ({
  static_resources: {
    listeners: [
      {
        name: "l",
        address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
        access_log: expressions.map((expression) => ({
          name: "log",
          filter: {
            extension_filter: {
              name: "cel",
              typed_config: {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                expression,
              },
            },
          },
          typed_config: { "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog" },
        })),
        filter_chains: [{ filters: [] }],
      },
    ],
  },
});

withEnvoy(
  "the real Envoy takes what is taken, all of it",
  async () => {
    expect(await validateBootstrap(bootstrapOf(good))).toContain("OK");
  },
  30_000,
);

withEnvoy(
  "the real Envoy refuses what is refused, each by itself",
  async () => {
    for (const expression of Object.keys(bad).filter((each) => each !== "")) {
      expect([expression, await validateBootstrap(bootstrapOf([expression]))]).toEqual([
        expression,
        expect.stringMatching(/expression/),
      ]);
    }
  },
  60_000,
);
