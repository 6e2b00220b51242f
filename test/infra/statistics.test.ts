import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { buildBootstrap } from "../../src/translate/bootstrap.ts";
import { type EnvoyProcess, startEnvoy } from "../harness/envoy.ts";
import { freePorts } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";

const BACKENDS = 40;
/** Envoy writes about 100 MB of statistics a second: so much for each of 10,000 backends is a scrape under 0.5 s. */
const BYTES_PER_BACKEND_MAX = 2_500;

let envoy: EnvoyProcess | undefined;
let server: Server | undefined;

afterEach(async () => {
  await envoy?.stop();
  server?.close();
  server?.closeAllConnections();
});

const nameOf = (index: number) => `service/namespace-${index}/backend-name-${index}/8080/abcdefgh`;

/** An Envoy with the statistics of an EnvoyProxy, whose listener takes the backend's name from a header. */
async function start(metrics: Parameters<typeof buildBootstrap>[0]["metrics"]) {
  server = createServer((_, response) => response.end("ok"));
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", () => resolve()));
  const backendPort = (server.address() as AddressInfo).port;
  const [port = 0, adminPort = 0, readyPort = 0, statsPort = 0] = await freePorts(4);
  const { dynamic_resources: _, ...bootstrap } = buildBootstrap({
    node: { id: "a", cluster: "b" },
    xds: { address: { unixPath: "/none.sock" } },
    admin: { port: adminPort },
    pod: { address: "127.0.0.1", readyPort, statsPort },
    ...(metrics && { metrics }),
  });
  const resources = bootstrap["static_resources"] as { listeners: object[]; clusters: object[] };
  const address = { socket_address: { address: "127.0.0.1", port_value: backendPort } };
  for (let index = 0; index < BACKENDS; index++) {
    resources.clusters.push({
      name: nameOf(index),
      type: "STATIC",
      load_assignment: { cluster_name: "x", endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    });
  }
  resources.listeners.push({
    name: "clients",
    address: { socket_address: { address: "127.0.0.1", port_value: port } },
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              stat_prefix: "http-10080",
              route_config: {
                virtual_hosts: [
                  {
                    name: "all",
                    domains: ["*"],
                    routes: [{ match: { prefix: "/" }, route: { cluster_header: "x-cluster" } }],
                  },
                ],
              },
              http_filters: [
                {
                  name: "envoy.filters.http.router",
                  typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
                },
              ],
            },
          },
        ],
      },
    ],
  });
  envoy = await startEnvoy({ config: bootstrap });
  const scrape = () => fetch(`http://127.0.0.1:${statsPort}/stats/prometheus`).then((answer) => answer.text());
  await waitFor("the listeners", () => scrape().then(() => true));
  const use = async (count: number) => {
    for (let index = 0; index < count; index++) {
      await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-cluster": nameOf(index) } }).then((answer) =>
        answer.text(),
      );
    }
    // Histograms are counted when Envoy flushes its statistics, every five seconds.
    await waitFor(
      "the times",
      async () => (await scrape()).includes("envoy_cluster_upstream_rq_time_bucket") || metrics?.matches !== undefined,
      15_000,
    );
    return scrape();
  };
  return { scrape, use };
}

const linesOf = (text: string, index: number) => text.split("\n").filter((line) => line.includes(`"${nameOf(index)}"`));

test("a backend in use costs a scrape little, and one without a request nearly nothing", async () => {
  const { use } = await start(undefined);
  const text = await use(BACKENDS / 2);
  const used = linesOf(text, 0);
  expect(used.join("\n").length).toBeLessThan(BYTES_PER_BACKEND_MAX);
  for (const name of ["upstream_rq_total", "upstream_rq_xx", "upstream_rq_time_bucket", "membership_healthy"]) {
    expect(used.some((line) => line.startsWith(`envoy_cluster_${name}{`))).toBe(true);
  }
  expect(linesOf(text, BACKENDS - 1).length).toBeLessThanOrEqual(1);
  // What is not a backend's is there as Envoy has it, and what draining looks at too.
  expect(text).toContain("envoy_http_downstream_rq_time_bucket");
  expect(text).toContain("envoy_listener_downstream_cx_active");
  expect(text).toContain("envoy_server_memory_allocated");
}, 60_000);

test("matches take the place of the usual set, and keep what draining looks at", async () => {
  const { use } = await start({ matches: [{ type: "Suffix", value: "upstream_cx_http1_total" }] });
  const text = await use(2);
  const names = new Set(text.split("\n").flatMap((line) => /^(\w+)\{/.exec(line)?.[1] ?? []));
  expect(names).toContain("envoy_cluster_upstream_cx_http1_total");
  expect(names).toContain("envoy_listener_downstream_cx_active");
  expect([...names].some((name) => name.includes("upstream_rq_total"))).toBe(false);
}, 60_000);
