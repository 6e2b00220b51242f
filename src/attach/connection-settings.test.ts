import { expect, test } from "@jest/globals";
import { clusterSettingsFields } from "../api/cluster-settings.ts";
import { type BackendSettings, planConnection } from "./connection-settings.ts";

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

function* leavesOf({ properties = {} }: Schema, path: readonly string[]): Generator<readonly string[]> {
  const entries = Object.entries(properties);
  if (entries.length === 0) yield path;
  for (const [name, inside] of entries) yield* leavesOf(inside, [...path, name]);
}

const leaves = Object.entries(clusterSettingsFields).flatMap(([name, schema]) => [
  ...leavesOf(schema as Schema, [name]),
]);
const everything = { resolvesNames: true, speaksHttp2: true };
const plan = (path: readonly string[], value: unknown, traits = everything) =>
  planConnection(
    path.reduceRight((inside, step) => ({ [step]: inside }) as never, value) as BackendSettings,
    "f",
    traits,
  );

test("every field is in effect, or refused by its name", () => {
  const refused = leaves.filter((path) => "field" in plan(path, 100_000));
  for (const path of refused) {
    const finding = { field: `f.${path.join(".")}`, text: expect.stringContaining("not implemented") };
    expect(plan(path, 100_000)).toEqual(finding);
  }
  const works = leaves.filter((path) => !refused.includes(path)).map((path) => path.join("."));
  expect(works.sort()).toEqual([
    ...["circuitBreaker.maxConnections", "circuitBreaker.maxParallelRequests", "circuitBreaker.maxParallelRetries"],
    ...["circuitBreaker.maxPendingRequests", "circuitBreaker.maxRequestsPerConnection"],
    ...[
      "circuitBreaker.perEndpoint.maxConnections",
      "connection.bufferLimit",
      "dns.dnsRefreshRate",
      "dns.lookupFamily",
    ],
    ...["dns.respectDnsTtl", "http2.initialConnectionWindowSize", "http2.initialStreamWindowSize"],
    ...["http2.maxConcurrentStreams", "tcpKeepalive.idleTime", "tcpKeepalive.interval", "tcpKeepalive.probes"],
    ...["timeout.http.connectionIdleTimeout", "timeout.http.maxConnectionDuration", "timeout.tcp.connectTimeout"],
  ]);
});

test.each([
  ["timeout.tcp.connectTimeout", "0s", everything],
  ["dns.dnsRefreshRate", "0h0ms", everything],
  ["http2.initialStreamWindowSize", "1Ki", everything],
  ["http2.initialConnectionWindowSize", "3Gi", everything],
  ["connection.bufferLimit", "5Gi", everything],
  ["dns.respectDnsTtl", true, { resolvesNames: false, speaksHttp2: true }],
  ["http2.maxConcurrentStreams", 5, { resolvesNames: true, speaksHttp2: false }],
])("%s is refused where it is %j", (path, value, traits) => {
  const finding = plan(path.split("."), value, traits);
  expect("field" in finding && `f.${path}`.startsWith(finding.field)).toBe(true);
});

test("equal settings are one value, in whatever order they are written", () => {
  const a = { timeout: { tcp: { connectTimeout: "1s" } }, tcpKeepalive: { probes: 1, interval: "2s" } };
  const b = { tcpKeepalive: { interval: "2s", probes: 1 }, timeout: { tcp: { connectTimeout: "1s" } } };
  expect(JSON.stringify(planConnection(a, "f", everything))).toBe(JSON.stringify(planConnection(b, "f", everything)));
});
