import type { Registry } from "prom-client";
import { type HttpServer, json, LOOPBACK, type Routes, serveHttp, text } from "./http-server.ts";

/** What the admin server shows. Nothing that is secret may be in it: who reaches the port sees it. */
export interface AdminViews {
  /** What is still missing until this process can serve, a few words each; empty: it is ready. */
  readonly missing: () => readonly string[];
  readonly status: () => unknown | Promise<unknown>;
  /** Names and versions of xDS resources; not their content. */
  readonly config: () => unknown;
  readonly metrics: Registry;
}

export interface Address {
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
}

/** Ports of the operator's servers, where probes and scrapers of Envoy Gateway look for them. */
export const PROBE_PORT = 8081;
export const METRICS_PORT = 19_001;

/**
 * For people who look into a running Gatehouse: `/healthz /readyz /metrics /status /config`, read-only.
 *
 * @param address a port of the loopback interface, or any address
 * @throws Error when it cannot listen
 */
export function startAdminServer(views: AdminViews, address: number | Address): Promise<HttpServer> {
  const { host, port } = typeof address === "number" ? { host: LOOPBACK, port: address } : address;
  const routes: Routes = {
    ...probeRoutes(views.missing),
    ...metricsRoutes(views.metrics),
    "/status": async () => json(await views.status()),
    "/config": () => json(views.config()),
  };
  const wayOut = typeof address === "number" ? "choose --admin-port" : "choose another admin.address";
  return serveHttp(routes, { name: "the admin server", host, port, wayOut });
}

/**
 * For the kubelet: `/healthz` answers while the process works at all, `/readyz` once it can serve.
 *
 * @throws Error when it cannot listen
 */
export function startProbeServer(missing: AdminViews["missing"], { host, port }: Address): Promise<HttpServer> {
  return serveHttp(probeRoutes(missing), { name: "the probe server", host, port, wayOut: "free the port" });
}

/**
 * For Prometheus: `/metrics`.
 *
 * @throws Error when it cannot listen
 */
export function startMetricsServer(registry: Registry, { host, port }: Address): Promise<HttpServer> {
  const wayOut = "free the port, or set telemetry.metrics.prometheus.disable";
  return serveHttp(metricsRoutes(registry), { name: "the metrics server", host, port, wayOut });
}

function probeRoutes(missing: AdminViews["missing"]): Routes {
  return {
    "/healthz": () => text(200, "ok"),
    "/readyz": () => {
      const what = missing();
      return what.length === 0 ? text(200, "ready") : text(503, what.map((part) => `waiting for ${part}`).join("\n"));
    },
  };
}

function metricsRoutes(registry: Registry): Routes {
  return {
    "/metrics": async () => ({ code: 200, contentType: registry.contentType, body: await registry.metrics() }),
  };
}
