import { existsSync, readFileSync } from "node:fs";
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type TemporaryDirectory, temporaryDirectory } from "../harness/directory.ts";
import { waitFor } from "../harness/waiting.ts";
import { backendYaml, createWorld, routeYaml, toBackend, type World } from "./world.ts";

/** An EnvoyProxy of a running gateway: its real Envoy logs and reports where it is told to. */
let world: World;
let logs: TemporaryDirectory;
let collector: Collector;
const host = "seen.example.com";

/** Takes what OpenTelemetry sends by gRPC: the bytes by path. */
interface Collector {
  readonly port: number;
  readonly received: Map<string, string>;
  /** Headers of the last call, by path. */
  readonly headers: Map<string, Readonly<Record<string, unknown>>>;
  stop(): void;
}

async function startCollector(): Promise<Collector> {
  const received = new Map<string, string>();
  const headersByPath: Collector["headers"] = new Map();
  const server: Http2Server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream, headers) => {
    // Envoy ends in the middle of a stream when a test does.
    stream.on("error", () => {});
    const path = String(headers[":path"]);
    headersByPath.set(path, headers);
    stream.on("data", (chunk: Buffer) => {
      const credential = String(headers["x-key"] ?? "");
      received.set(path, `${received.get(path) ?? ""}${credential}${chunk.toString("latin1")}`);
    });
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.alloc(5));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return {
    port: (server.address() as AddressInfo).port,
    received,
    headers: headersByPath,
    stop() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

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

const proxyYaml = (spec: string) => `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: seen}
spec: ${spec}
`;

/** The Gateway of the world, which from now on names an EnvoyProxy. */
function gatewayYamlWithProxy(): string {
  return readFileSync(join(world.files.path, "gateway.yaml"), "utf8").replace(
    /^( *)gatewayClassName:.*$/m,
    "$&\n$1infrastructure: {parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: seen}}",
  );
}

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
  world.files.writeAtomically("gateway.yaml", gatewayYamlWithProxy());
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
  world.files.writeAtomically("gateway.yaml", gatewayYamlWithProxy());
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
  world.files.writeAtomically("gateway.yaml", gatewayYamlWithProxy());
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
  world.files.writeAtomically("gateway.yaml", gatewayYamlWithProxy());
  const metrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
  await waitFor("figures", () => collector.received.get(metrics)?.includes("listener_manager") ?? false, 30_000);
  expect(collector.received.get(metrics)).toContain("edge");
}, 90_000);
