import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../base/log.ts";
import { drainListeners, failHealthChecks, readActiveTraffic } from "./envoy-admin.ts";
import { type DrainSettings, READY_WAIT_PATH, SHUTDOWN_HEALTH_PATH, SHUTDOWN_PATH } from "./shutdown-protocol.ts";

export interface ShutdownManagerOptions {
  /** Admin interface of the pod's Envoy. */
  readonly adminAddress: string;
  /** For the kubelet. */
  readonly port: number;
  /** Path of the socket for those who may begin the draining: whoever is in the pod. */
  readonly socket: string;
  /** Listeners of Envoy that serve no clients. */
  readonly ownPorts: readonly number[];
  readonly drain: DrainSettings;
  readonly log: Logger;
}

export interface ShutdownManager {
  /** The port that was bound. */
  readonly port: number;
  /** Drains Envoy, once however often it is asked; resolves when Envoy may be ended. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

const POLL_MS = 500;
/** How much longer than the drain timeout somebody waits for an answer before it is given up. */
const ANSWER_GRACE_MS = 10_000;

/**
 * The container beside Envoy that ends it without losing a request. When the pod is to go, the kubelet asks both containers at the
 * same time, before any signal: this one by `gatehouse envoy shutdown`, which begins the draining, and Envoy's by a request for
 * {@link READY_WAIT_PATH}, which is answered when the draining is over. Only the socket begins it: the port is in reach of others, and
 * of requests that Envoy itself is made to send.
 */
export async function startShutdownManager(options: ShutdownManagerOptions): Promise<ShutdownManager> {
  const drained = Promise.withResolvers<void>();
  let draining = false;
  const begin = () => {
    if (draining) return drained.promise;
    draining = true;
    drainEnvoy(options).then(drained.resolve, drained.reject);
    return drained.promise;
  };
  // Somebody may wait before anything has begun, and nobody may.
  drained.promise.catch(() => undefined);

  const serve = (pages: Pages) =>
    createServer((call, response) => {
      answer(call, response, pages, options).catch((error: unknown) => {
        options.log.error("cannot answer a request", { path: call.url, error });
        response.writeHead(500).end();
      });
    });
  const [open, own] = [
    serve({ [`GET ${SHUTDOWN_HEALTH_PATH}`]: async () => {}, [`GET ${READY_WAIT_PATH}`]: () => drained.promise }),
    serve({ [`POST ${SHUTDOWN_PATH}`]: begin }),
  ];
  // Left by a container that was killed.
  rmSync(options.socket, { force: true });
  // All addresses: the kubelet asks at the pod's.
  await Promise.all([listen(open, { port: options.port }), listen(own, { path: options.socket })]);
  const address = open.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    drain: begin,
    close: async () => void (await Promise.all([close(open), close(own)])),
  };
}

/** Method and path → resolves when it may be answered with 200. */
type Pages = Readonly<Record<string, () => Promise<void>>>;

function listen(server: Server, place: { readonly port: number } | { readonly path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(place, () => resolve());
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function answer(
  { method, url }: IncomingMessage,
  response: ServerResponse,
  pages: Pages,
  { drain }: ShutdownManagerOptions,
): Promise<void> {
  const page = pages[`${method} ${url?.split("?")[0]}`];
  if (page === undefined) {
    response.writeHead(404).end();
    return;
  }
  const limit = AbortSignal.timeout(drain.timeoutMs + ANSWER_GRACE_MS);
  const inTime = await Promise.race([
    page().then(() => true),
    new Promise<false>((resolve) => limit.addEventListener("abort", () => resolve(false), { once: true })),
  ]);
  response.writeHead(inTime ? 200 : 503).end();
}

/** Resolves when no client is connected any more and the shortest time is over, or when the longest is. */
async function drainEnvoy({ adminAddress, ownPorts, drain, log }: ShutdownManagerOptions): Promise<void> {
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  try {
    if (drain.healthCheckDelayMs > 0) {
      await drainListeners(adminAddress);
      await delay(Math.min(drain.healthCheckDelayMs, drain.timeoutMs));
      await failHealthChecks(adminAddress);
    } else {
      await failHealthChecks(adminAddress);
      await drainListeners(adminAddress);
    }
    log.info("Envoy drains");
    for (;;) {
      const { connections } = await readActiveTraffic(adminAddress, ownPorts);
      if (connections === 0 && elapsed() >= drain.minimumMs) break;
      if (elapsed() >= drain.timeoutMs) {
        log.warn("the drain timeout is over and clients are still connected", { connections });
        return;
      }
      await delay(POLL_MS);
    }
    log.info("Envoy is drained", { milliseconds: Math.round(elapsed()) });
  } catch (error) {
    // It has ended or hangs: there is nothing to wait for.
    log.warn("Envoy does not answer, so it is not drained", { error });
  }
}

/** Begins the draining from inside the pod and waits for its end: `gatehouse envoy shutdown`. */
export function askForShutdown(socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // Not fetch, which gives an answer up after five minutes.
    const call = request({ socketPath, path: SHUTDOWN_PATH, method: "POST" }, (response) => {
      response.resume();
      if (response.statusCode === 200) response.once("end", resolve);
      else reject(new Error(`the shutdown manager answers ${response.statusCode}: Envoy is not drained in time`));
    });
    call.once("error", reject);
    call.end();
  });
}
