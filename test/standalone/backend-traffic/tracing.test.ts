import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { waitFor } from "../../harness/waiting.ts";
import { type Collector, startCollector } from "../collector.ts";
import { gatewayYamlWithProxy, proxyYaml } from "../seen-proxy.ts";
import { testTrafficCases } from "./world.ts";

/** Policies change what the EnvoyProxy says of tracing, here that no request is traced; what they leave out stays as it is there. */
const NAMES = ["traced", "as the EnvoyProxy says", "traced, but for the overall limit"] as const;
const all = { numerator: 100 };
const traced = {
  samplingFraction: { numerator: 2, denominator: 2 },
  tags: { "of.policy": "%REQ(:PATH)%!" },
  customTags: {
    kept: { type: "Literal", literal: { value: "literal-value" } },
    asked: { type: "RequestHeader", requestHeader: { name: "x-asked", defaultValue: "nobody" } },
  },
  spanName: { server: "server-span", client: "client-span" },
};
const traces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

let collector: Collector;

beforeAll(async () => {
  collector = await startCollector();
});

afterAll(() => {
  collector?.stop();
});

const [yes, no, limited] = [
  { telemetry: { tracing: traced } },
  { telemetry: { tracing: { tags: { marked: "unsampled" }, clientSamplingFraction: all } } },
  {
    telemetry: {
      tracing: { samplingFraction: all, overallSamplingFraction: { numerator: 0 }, tags: { marked: "beyond" } },
    },
  },
];
const world = testTrafficCases(
  [yes, no, limited].map((spec, index) => ({
    name: NAMES[index] ?? "",
    spec,
    check: async ({ send }) => expect((await send()).status).toBe(200),
  })),
);

test("spans are those that policies ask for, and carry what they say", async () => {
  const { files, placeOf, admin } = world();
  const server = `{type: OpenTelemetry, openTelemetry: {host: 127.0.0.1, port: ${collector.port}}}`;
  const tags = '{of.proxy: "proxy-value", of.policy: "overruled"}';
  files.writeAtomically(
    "proxy.yaml",
    proxyYaml(`{telemetry: {tracing: {samplingRate: 0, tags: ${tags}, provider: ${server}}}}`),
  );
  files.writeAtomically("gateway.yaml", gatewayYamlWithProxy(world()));
  await waitFor("the listener to trace", async () => /"proxy-value"/.test(await admin("/config_dump")));
  await waitFor(
    "spans",
    async () => {
      for (const name of [NAMES[1], NAMES[2], NAMES[0]]) await placeOf(name).send({ path: "/traced" });
      return collector.received.has(traces);
    },
    40_000,
  );
  const spans = collector.received.get(traces);
  for (const text of ["server-span", "client-span", "/traced!", "literal-value", "nobody", "proxy-value"]) {
    expect(spans).toContain(text);
  }
  for (const text of ["unsampled", "beyond", "overruled"]) expect(spans).not.toContain(text);
  const asked = { "x-client-trace-id": "wanted" };
  await waitFor(
    "a span that a client asked for",
    async () => {
      await placeOf(NAMES[1]).send({ headers: asked });
      return collector.received.get(traces)?.includes("unsampled");
    },
    40_000,
  );
}, 90_000);
