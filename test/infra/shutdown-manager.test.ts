import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, test } from "@jest/globals";
import { silentLogger } from "../../src/base/log.ts";
import { type ShutdownManager, startShutdownManager } from "../../src/infra/shutdown-manager.ts";
import { buildProbeListener } from "../../src/translate/bootstrap-listeners.ts";
import { temporaryDirectory } from "../harness/directory.ts";
import { type EnvoyProcess, startEnvoy } from "../harness/envoy.ts";
import { startLoad } from "../harness/load.ts";
import { freePorts } from "../harness/ports.ts";
import { launch } from "../harness/process.ts";
import { waitFor } from "../harness/waiting.ts";

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** An Envoy that answers by itself, with a page for the kubelet. */
async function start(): Promise<{ envoy: EnvoyProcess; port: number; readyPort: number }> {
  const [port, readyPort] = await freePorts(2);
  const route = { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "served" } } };
  const router = {
    name: "envoy.filters.http.router",
    typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
  };
  const listener = {
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
              stat_prefix: "http",
              route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: [route] }] },
              http_filters: [router],
            },
          },
        ],
      },
    ],
  };
  const envoy = await startEnvoy({
    config: {
      static_resources: { listeners: [listener, buildProbeListener({ address: "127.0.0.1", readyPort: readyPort! })] },
    },
  });
  closers.push(() => envoy.stop());
  // Its admin interface answers before its listeners do.
  await waitFor("Envoy to listen", async () => (await ask(readyPort!, "/ready").catch(() => 0)) === 200);
  return { envoy, port: port!, readyPort: readyPort! };
}

/** @param place port of 127.0.0.1, or path of a socket */
function ask(place: number | string, path: string, method = "GET"): Promise<number> {
  const at = typeof place === "string" ? { socketPath: place } : { host: "127.0.0.1", port: place };
  return new Promise((resolve, reject) => {
    const call = request({ ...at, path, method, agent: false }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode ?? 0));
    });
    call.once("error", reject);
    call.end();
  });
}

async function manage(
  envoy: EnvoyProcess,
  readyPort: number,
  drain: { timeoutMs: number; minimumMs: number; healthCheckDelayMs?: number },
): Promise<ShutdownManager & { readonly socket: string }> {
  const folder = temporaryDirectory();
  closers.push(() => folder.discard());
  const socket = join(folder.path, "shutdown.sock");
  const manager = await startShutdownManager({
    adminAddress: `127.0.0.1:${envoy.adminPort}`,
    port: 0,
    socket,
    ownPorts: [readyPort],
    drain: { healthCheckDelayMs: 0, ...drain },
    log: silentLogger,
  });
  closers.push(() => manager.close());
  return { ...manager, socket };
}

test("Envoy is drained under traffic without a failed request, and only then may it be ended", async () => {
  const { envoy, port, readyPort } = await start();
  const manager = await manage(envoy, readyPort, { timeoutMs: 20_000, minimumMs: 1_500 });
  const load = await startLoad({ port });
  await delay(500);
  expect(await ask(readyPort, "/ready")).toBe(200);
  let ended = false;
  const waiting = ask(manager.port, "/shutdown/ready").then((status) => {
    ended = true;
    return status;
  });
  const asked = ask(manager.socket, "/shutdown", "POST");
  await delay(1_000);
  // The kubelet learns that no more should come, while those who come all the same are served.
  expect([await ask(readyPort, "/ready"), ended]).toEqual([503, false]);
  const report = await load.stop();
  expect(report.failures).toEqual([]);
  expect(report.requests).toBeGreaterThan(200);
  expect(await Promise.all([waiting, asked])).toEqual([200, 200]);
}, 60_000);

test("a client that stays is waited for as long as the drain timeout says", async () => {
  const { envoy, port, readyPort } = await start();
  const manager = await manage(envoy, readyPort, { timeoutMs: 1_500, minimumMs: 0 });
  const staying = connect(port, "127.0.0.1");
  closers.push(() => void staying.destroy());
  await waitFor("the connection", async () => {
    const active = await envoy.stats(`listener.127.0.0.1_${port}.downstream_cx_active`);
    return [...active.values()].some((count) => count === 1);
  });
  const begun = Date.now();
  expect(await ask(manager.socket, "/shutdown", "POST")).toBe(200);
  expect(Date.now() - begun).toBeGreaterThanOrEqual(1_400);
}, 60_000);

test("health checks may fail later than connections drain", async () => {
  const { envoy, readyPort } = await start();
  const manager = await manage(envoy, readyPort, { timeoutMs: 10_000, minimumMs: 0, healthCheckDelayMs: 1_000 });
  const asked = ask(manager.socket, "/shutdown", "POST");
  await delay(400);
  expect(await ask(readyPort, "/ready")).toBe(200);
  expect(await asked).toBe(200);
  expect(await ask(readyPort, "/ready")).toBe(503);
}, 60_000);

test("a port cannot begin it, not even this host's own, and an Envoy that is gone needs none", async () => {
  const { envoy, readyPort } = await start();
  const manager = await manage(envoy, readyPort, { timeoutMs: 10_000, minimumMs: 0 });
  expect(await ask(manager.port, "/shutdown", "POST")).toBe(404);
  expect(await ask(manager.port, "/healthz")).toBe(200);
  expect(await ask(readyPort, "/ready")).toBe(200);
  await envoy.stop();
  expect(await ask(manager.socket, "/shutdown", "POST")).toBe(200);
}, 60_000);

test("the two commands do the same from the command line", async () => {
  const { envoy, readyPort } = await start();
  const [port] = await freePorts(1);
  const socket = join(envoy.logPath, "../shutdown.sock");
  const main = join(import.meta.dirname, "../../src/main.ts");
  const run = (...words: string[]) =>
    launch({
      command: process.execPath,
      args: [main, "envoy", ...words],
      logPath: join(envoy.logPath, `../${words[0]}.log`),
    });
  const manager = run(
    ...["shutdown-manager", "--drain-timeout", "5s", "--min-drain-duration", "500ms"],
    ...["--port", String(port), "--socket", socket, "--admin", `127.0.0.1:${envoy.adminPort}`],
  );
  closers.push(() => manager.stop());
  for (;;) {
    if ((await ask(port!, "/healthz").catch(() => 0)) === 200) break;
    await delay(50);
  }
  expect(await ask(readyPort, "/ready")).toBe(200);
  const asking = run("shutdown", "--socket", socket);
  expect(await asking.exited).toBe(0);
  const page = run("admin", "--admin", `127.0.0.1:${envoy.adminPort}`, "/server_info");
  expect(await page.exited).toBe(0);
  expect(JSON.parse(page.log())).toMatchObject({ state: "DRAINING" });
  const wrong = run("admin", "--admin", `127.0.0.1:${envoy.adminPort}`, "/nothing");
  expect(await wrong.exited).not.toBe(0);
  expect(wrong.log()).toContain("Envoy's admin interface answers /nothing with 404");
  expect(await ask(readyPort, "/ready")).toBe(503);
}, 60_000);
