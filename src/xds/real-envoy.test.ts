import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "@jest/globals";
import { Cluster, Cluster_DiscoveryType } from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import { RouteConfiguration } from "../envoy/generated/envoy/config/route/v3/route.ts";
import type { Acknowledgement } from "../envoy/resource.ts";
import { encodeResource, resourceTypes } from "../envoy/resource.ts";
import { backendCluster, httpListener, routes } from "./envoy-resources.test-support.ts";
import { until } from "./grpc-client.test-support.ts";
import type { ResourceStore } from "./resource-store.ts";
import { createResourceStore } from "./resource-store.ts";
import type { XdsServer } from "./server.ts";
import { createXdsServer } from "./server.ts";
import type { World } from "./world.test-support.ts";
import { difference, gatewayKey, world } from "./world.test-support.ts";

/** The real Envoy as a client; skipped where there is none, the end-to-end tests install one. */
const envoyPath = [
  process.env["ENVOY_PATH"],
  ...(process.env["PATH"] ?? "").split(delimiter).map((each) => join(each, "envoy")),
].find((path) => path !== undefined && existsSync(path));
const testWithEnvoy = envoyPath === undefined ? test.skip : test;

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Running {
  readonly store: ResourceStore;
  readonly server: XdsServer;
  readonly acknowledgements: readonly Acknowledgement[];
}

async function startServer(address: string): Promise<Running> {
  const store = createResourceStore();
  const acknowledgements: Acknowledgement[] = [];
  const server = createXdsServer({
    store,
    authorize: (_call, node) => ({ gateway: node.cluster ?? "" }),
    onAcknowledgement: (acknowledgement) => acknowledgements.push(acknowledgement),
    onConnection() {},
  });
  await server.listen(address);
  return { store, server, acknowledgements };
}

async function startBackend(): Promise<number> {
  const backend = createServer((_request, response) => response.end("answer"));
  backend.listen(0, "127.0.0.1");
  await once(backend, "listening");
  cleanups.push(() => {
    backend.closeAllConnections();
    backend.close();
  });
  return (backend.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

function startEnvoy(folder: string): ChildProcess {
  const bootstrap = {
    node: { id: "envoy-1", cluster: gatewayKey },
    admin: { address: { pipe: { path: join(folder, "admin") } } },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }],
      },
      cds_config: { ads: {}, resource_api_version: "V3" },
      lds_config: { ads: {}, resource_api_version: "V3" },
    },
    static_resources: {
      clusters: [
        {
          name: "xds",
          type: "STATIC",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: "xds",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: join(folder, "xds") } } } }] }],
          },
        },
      ],
    },
  };
  const file = join(folder, "bootstrap.json");
  writeFileSync(file, JSON.stringify(bootstrap));
  const envoy = spawn(envoyPath!, ["-c", file, "--concurrency", "2", "--use-dynamic-base-id", "-l", "error"], {
    stdio: "ignore",
  });
  cleanups.push(async () => {
    envoy.kill("SIGKILL");
    if (envoy.exitCode === null && envoy.signalCode === null) await once(envoy, "exit");
  });
  return envoy;
}

function fetchStatus(port: number): Promise<number> {
  return new Promise((resolve) => {
    get({ host: "127.0.0.1", port, path: "/", agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
      response.on("error", () => resolve(0));
    }).on("error", () => resolve(0));
  });
}

function readAdmin(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path }, (response) => text(response).then(resolve, reject)).on("error", reject);
  });
}

async function setUp(): Promise<Running & { folder: string; port: number; backend: number; base: World }> {
  const folder = mkdtempSync(join(tmpdir(), "xds-envoy-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const running = await startServer(`unix:${join(folder, "xds")}`);
  const [port, backend] = [await freePort(), await startBackend()];
  const base = world(...backendCluster("c0", backend), httpListener("web", port, "web"), routes("c0"));
  running.store.publish(difference(world(), base));
  startEnvoy(folder);
  while ((await fetchStatus(port)) !== 200);
  return { ...running, folder, port, backend, base };
}

testWithEnvoy(
  "no request fails while routes move between clusters and listeners change, and a restart resends nothing",
  async () => {
    const { store, server, folder, port, backend, base } = await setUp();
    const statuses = new Map<number, number>();
    let stop = false;
    const traffic = (async () => {
      while (!stop) {
        const status = await fetchStatus(port);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    })();
    let current = base;
    const publish = async (next: World) => {
      const acknowledged = server.counters.acknowledgements;
      store.publish(difference(current, next));
      current = next;
      await until(() => server.counters.acknowledgements > acknowledged);
    };
    for (let step = 1; step <= 20; step++) {
      await publish(
        world(...backendCluster(`c${step}`, backend), httpListener("web", port, "web"), routes(`c${step}`)),
      );
    }
    // The same cluster with other settings: Envoy warms a new instance and needs its endpoints once more.
    await publish(world(...backendCluster("c20", backend, 7), httpListener("web", port, "web"), routes("c20")));
    await publish(world(...backendCluster("c20", backend, 7), httpListener("web", port, "changed"), routes("c20")));
    await until(() => server.counters.acknowledgements === server.counters.responses);
    stop = true;
    await traffic;
    expect([...statuses.keys()]).toEqual([200]);
    expect(statuses.get(200)).toBeGreaterThan(20);

    const stats = await readAdmin(join(folder, "admin"), "/stats");
    expect(stats).toContain("cluster_manager.warming_clusters: 0");
    expect(stats).toContain("cluster_manager.active_clusters: 2");
    await server.close({ graceMilliseconds: 100 });
    const restarted = await startServer(`unix:${join(folder, "xds")}`);
    cleanups.push(() => restarted.server.close({ graceMilliseconds: 100 }));
    restarted.store.publish(difference(world(), current));
    await until(() => restarted.acknowledgements.length === 3);
    expect(restarted.server.counters).toMatchObject({ resources: 0, streams: 1 });
    expect(await fetchStatus(port)).toBe(200);
  },
  60_000,
);

testWithEnvoy(
  "what Envoy refuses is found among what it takes, and reported in its words",
  async () => {
    const { store, server, port, backend, base, acknowledgements } = await setUp();
    cleanups.push(() => server.close({ graceMilliseconds: 100 }));
    const bad = encodeResource(Cluster, "bad", { name: "bad", type: Cluster_DiscoveryType.EDS });
    const good = ["g1", "g2", "g3"].flatMap((name) => backendCluster(name, backend));
    const badRoutes = encodeResource(RouteConfiguration, "routes", {
      name: "routes",
      virtualHosts: [
        { name: "one", domains: ["*"] },
        { name: "two", domains: ["*"] },
      ],
    });
    const next = new Map([...base, ...world(...good, bad, badRoutes)]);
    store.publish(difference(base, next));
    await until(() => acknowledgements.filter(({ accepted }) => !accepted).length === 2);
    await until(() =>
      good.slice(0, 1).every(({ version }) => acknowledgements.some((each) => each.version === version)),
    );
    const refusals = acknowledgements.filter(({ accepted }) => !accepted);
    expect(refusals.map(({ name }) => name).sort()).toEqual(["bad", "routes"]);
    expect(refusals.find(({ name }) => name === "bad")?.error).toContain("EDS");
    expect(refusals.find(({ name }) => name === "routes")?.error).toContain("domain");
    for (const { name, type } of good) {
      if (type === resourceTypes.cluster) {
        await until(() => acknowledgements.some((each) => each.name === name && each.accepted));
      }
    }
    expect(await fetchStatus(port)).toBe(200);
    store.publish(difference(next, base));
    await until(() => server.counters.acknowledgements + server.counters.refusals === server.counters.responses);
    expect(await fetchStatus(port)).toBe(200);
  },
  60_000,
);
