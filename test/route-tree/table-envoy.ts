import { writeFileSync } from "node:fs";
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { join } from "node:path";
import { RouteConfiguration } from "../../src/envoy/generated/envoy/config/route/v3/route.ts";
import { DiscoveryResponse } from "../../src/envoy/generated/envoy/service/discovery/v3/discovery.ts";
import type { EncodedResource } from "../../src/envoy/resource.ts";
import { buildBootstrap } from "../../src/translate/bootstrap.ts";
import { type Backend, startBackend } from "../harness/backend.ts";
import { temporaryDirectory } from "../harness/directory.ts";
import { type EnvoyProcess, startEnvoy } from "../harness/envoy.ts";
import { freePorts } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";

/** Name of the one cluster, an echo server. */
export const ECHO_CLUSTER = "echo";

/** Response header in which Envoy says which route it has chosen. */
export const ROUTE_HEADER = "x-route";

const CONNECTIONS_PER_PORT = 4;
const REQUEST_LIMIT_MS = 10_000;

/** A listener of its own for each table. */
export interface ServedTable {
  readonly table: EncodedResource;
  /** Paths are normalized and slashes merged, as Gatehouse's listeners do. */
  readonly normalizes: boolean;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface TableEnvoy {
  readonly backend: Backend;
  /** Sends a request, as it is, to the listener of the table at this index, over a connection that is kept. */
  ask(table: number, options: { method?: string; path: string; host: string; headers?: object }): Promise<Answer>;
  stop(): Promise<void>;
}

/**
 * The real Envoy with encoded route tables: each is handed over byte for byte as a file, the way the xDS server would send
 * it. A table that Envoy refuses fails the start.
 */
export async function startTableEnvoy(tables: readonly ServedTable[]): Promise<TableEnvoy> {
  const directory = temporaryDirectory("route-tree");
  const backend = await startBackend({ name: ECHO_CLUSTER });
  const ports = await freePorts(tables.length);
  const listeners = tables.map(({ table, normalizes }, index) => {
    const file = join(directory.path, `${index}.pb`);
    writeFileSync(file, discoveryFile(table));
    return listener(ports[index] ?? 0, table.name, file, normalizes);
  });
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_PER_PORT });
  let envoy: EnvoyProcess | undefined;
  // Also after a failed start: an open server would keep the test run from ending.
  const stop = async () => {
    agent.destroy();
    await Promise.all([envoy?.stop(), backend.stop()]);
    directory.discard();
  };
  try {
    envoy = await startEnvoy({
      config: {
        node: { id: "test", cluster: "test" },
        // Limits that Gatehouse's own Envoys have.
        layered_runtime: layeredRuntime(),
        static_resources: { listeners, clusters: [echoCluster(backend.port)] },
      },
    });
    await waitUntilServing(envoy);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    backend,
    ask: (table, { method = "GET", path, host, headers = {} }) =>
      send(agent, { port: ports[table] ?? 0, method, path, headers: { host, ...headers } }),
    stop,
  };
}

function layeredRuntime(): unknown {
  return buildBootstrap({ xds: { address: { unixPath: "/unused" } }, admin: { port: 0 } })["layered_runtime"];
}

async function waitUntilServing(envoy: EnvoyProcess): Promise<void> {
  await waitFor("Envoy to be ready", async () => (await envoy.admin("/ready")).startsWith("LIVE"));
  const updates = await envoy.stats("rds.*update_rejected$");
  if ([...updates.values()].some((count) => count > 0)) {
    throw new Error(`Envoy refused a route table:\n${envoy.log()}`);
  }
}

/** Repeated fields of concatenated protobuf messages add up: the table itself stays as it was encoded. */
function discoveryFile(table: EncodedResource): Uint8Array {
  const routeName = { header: { key: ROUTE_HEADER, value: "%ROUTE_NAME%" } };
  const value = Buffer.concat([
    ...table.chunks,
    RouteConfiguration.encode({ responseHeadersToAdd: [routeName] }).finish(),
  ]);
  return DiscoveryResponse.encode({
    versionInfo: table.version,
    typeUrl: table.type,
    resources: [{ typeUrl: table.type, value }],
  }).finish();
}

function listener(port: number, table: string, file: string, normalizes: boolean): object {
  const manager = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "test",
    rds: { route_config_name: table, config_source: { path_config_source: { path: file } } },
    normalize_path: normalizes,
    merge_slashes: normalizes,
    http_filters: [
      filter("envoy.filters.http.cors", "envoy.extensions.filters.http.cors.v3.Cors"),
      filter("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router"),
    ],
  };
  return {
    name: `port-${port}`,
    address: { socket_address: { address: "127.0.0.1", port_value: port } },
    filter_chains: [{ filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] }],
  };
}

function filter(name: string, type: string): object {
  return { name, typed_config: { "@type": `type.googleapis.com/${type}` } };
}

function echoCluster(port: number): object {
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  return {
    name: ECHO_CLUSTER,
    type: "STATIC",
    load_assignment: {
      cluster_name: ECHO_CLUSTER,
      endpoints: [{ lb_endpoints: [{ endpoint: { address, hostname: "endpoint.internal" } }] }],
    },
  };
}

function send(
  agent: Agent,
  options: { port: number; method: string; path: string; headers: Record<string, string> },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ ...options, host: "127.0.0.1", agent, timeout: REQUEST_LIMIT_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const body = Buffer.concat(chunks).toString("utf8");
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    call.on("timeout", () => call.destroy(new Error(`no answer to ${options.path} in ${REQUEST_LIMIT_MS} ms`)));
    call.on("error", reject);
    call.end();
  });
}
