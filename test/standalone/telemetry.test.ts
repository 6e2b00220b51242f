import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type TemporaryDirectory, temporaryDirectory } from "../harness/directory.ts";
import { waitFor } from "../harness/waiting.ts";
import { type Collector, startCollector } from "./collector.ts";
import { gatewayYamlWithProxy, proxyYaml } from "./seen-proxy.ts";
import { backendYaml, createWorld, routeYaml, toBackend, type World } from "./world.ts";

/** An EnvoyProxy of a running gateway: its real Envoy logs and reports where it is told to. */
let world: World;
let logs: TemporaryDirectory;
let collector: Collector;
const host = "seen.example.com";

beforeEach(async () => {
  logs = temporaryDirectory();
  collector = await startCollector();
  world = await createWorld();
  world.files.writeAtomically("one.yaml", backendYaml("one", (await world.backend("one")).port));
  world.files.writeAtomically("route.yaml", routeYaml("route", host, `[{backendRefs: [${toBackend("one")}]}]`));
  await world.until({ host }, (answer) => answer.status === 200);
}, 60_000);

afterEach(async () => {
  await world.stop();
  collector.stop();
  logs.discard();
}, 30_000);

const read = (name: string) => {
  const path = join(logs.path, name);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
};

test("requests are logged as text and as JSON, those that match alone, and an edit is followed without a restart", async () => {
  const file = (name: string) => `sinks: [{type: File, file: {path: ${join(logs.path, name)}}}]`;
  world.files.writeAtomically(
    "proxy.yaml",
    proxyYaml(`{telemetry: {accessLog: {settings: [
      {format: {type: Text, text: "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE%"}, ${file("text.log")}},
      {format: {type: JSON, json: {path: "%REQ(:PATH)%", code: "%RESPONSE_CODE%"}}, matches: ["request.path == '/wanted'"], ${file("json.log")}},
    ]}}}`),
  );
  world.files.writeAtomically("gateway.yaml", gatewayYamlWithProxy(world));
  await waitFor("a line of the text log", async () => {
    await world.send({ host, path: "/plain" });
    return read("text.log").includes("GET /plain 200\n");
  });
  await waitFor("a line of the JSON log", async () => {
    await world.send({ host, path: "/wanted" });
    return read("json.log").includes('"/wanted"');
  });
  const lines = read("json.log").trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(lines.map(() => ({ path: "/wanted", code: 200 })));
  world.files.writeAtomically(
    "proxy.yaml",
    proxyYaml(`{telemetry: {accessLog: {settings: [{format: {text: "edited %REQ(:PATH)%"}, ${file("text.log")}}]}}}`),
  );
  await waitFor("a line of the edited log", async () => {
    await world.send({ host, path: "/later" });
    return read("text.log").includes("edited /later\n");
  });
}, 90_000);

test("spans and records go to the collector, with credentials", async () => {
  world.files.writeAtomically(
    "proxy.yaml",
    proxyYaml(`{telemetry: {
      tracing: {samplingRate: 100, tags: {route: "%ROUTE_NAME%"}, provider: {type: OpenTelemetry, openTelemetry: {host: 127.0.0.1, port: ${collector.port}, headers: [{name: X-Key, value: secret-key}]}}},
      accessLog: {settings: [{format: {text: "record of %REQ(:PATH)%"}, sinks: [{type: OpenTelemetry, openTelemetry: {host: 127.0.0.1, port: ${collector.port}}}]}]}}}`),
  );
  world.files.writeAtomically("gateway.yaml", gatewayYamlWithProxy(world));
  const traces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
  const records = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
  await waitFor(
    "spans and records",
    async () => {
      await world.send({ host, path: "/traced" });
      return collector.received.has(traces) && collector.received.has(records);
    },
    40_000,
  );
  expect(collector.received.get(traces)).toContain("web.default");
  expect(collector.received.get(traces)).toContain("httproute/default/route/rule/0");
  expect(collector.received.get(traces)).toContain("secret-key");
  expect(collector.received.get(records)).toContain("record of /");
}, 90_000);

test("a log service gets entries, and the format that it is to write them in", async () => {
  world.files.writeAtomically("collector.yaml", backendYaml("collector", collector.port));
  const service = `{type: ALS, als: {type: HTTP, logName: of-the-test, backendRefs: [${toBackend("collector")}]}}`;
  const format = (text: string) => `{format: ${text}, sinks: [${service}]}`;
  const path = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";
  world.files.writeAtomically("gateway.yaml", gatewayYamlWithProxy(world));
  const untilLogged = (formatted: string, name: string, value: string) => {
    world.files.writeAtomically(
      "proxy.yaml",
      proxyYaml(`{telemetry: {accessLog: {settings: [${format(formatted)}]}}}`),
    );
    return waitFor(
      "an entry",
      async () => {
        await world.send({ host, path: "/served" });
        return collector.received.get(path)?.includes("of-the-test") && collector.headers.get(path)?.[name] === value;
      },
      30_000,
    );
  };
  await untilLogged('{text: "%REQ(:PATH)% %PROTOCOL%\\n"}', "x-accesslog-text", "%REQ(:PATH)% %PROTOCOL%");
  expect(collector.received.get(path)).toContain("/served");
  await untilLogged(
    '{json: {b: "%PROTOCOL%", a: "%REQ(:PATH)%"}}',
    "x-accesslog-attr",
    '{"a":"%REQ(:PATH)%","b":"%PROTOCOL%"}',
  );
}, 90_000);

test("figures go to the collector", async () => {
  world.files.writeAtomically(
    "proxy.yaml",
    proxyYaml(
      `{telemetry: {metrics: {sinks: [{type: OpenTelemetry, openTelemetry: {host: 127.0.0.1, port: ${collector.port}, resourceAttributes: {tier: edge}}}]}}}`,
    ),
  );
  world.files.writeAtomically("gateway.yaml", gatewayYamlWithProxy(world));
  const metrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
  await waitFor("figures", () => collector.received.get(metrics)?.includes("listener_manager") ?? false, 30_000);
  expect(collector.received.get(metrics)).toContain("edge");
}, 90_000);
