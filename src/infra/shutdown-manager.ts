import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../base/log.ts";
import { drainListeners, failHealthChecks, readActiveTraffic } from "./envoy-admin.ts";
import { type DrainSettings, READY_WAIT_PATH, SHUTDOWN_HEALTH_PATH, SHUTDOWN_PATH } from "./shutdown-protocol.ts";

export interface ShutdownManagerOptions {
  /** Admin interface of the pod's Envoy. */
  readonly adminAddress: string;
  readonly port: number;
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
 * {@link READY_WAIT_PATH}, which is answered when the draining is over. Whoever is not in the pod can wait but not begin it.
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

  const server = createServer((call, response) => {
    answer(call, response, begin, () => drained.promise, options).catch((error: unknown) => {
      options.log.error("cannot answer a request", { path: call.url, error });
      response.writeHead(500).end();
    });
  });
  await listen(server, options.port);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    drain: begin,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // All addresses: the kubelet asks at the pod's.
    server.listen(port, () => resolve());
  });
}

async function answer(
  call: IncomingMessage,
  response: ServerResponse,
  begin: () => Promise<void>,
  wait: () => Promise<void>,
  { drain }: ShutdownManagerOptions,
): Promise<void> {
  const path = call.url?.split("?")[0];
  if (path === SHUTDOWN_HEALTH_PATH) {
    response.writeHead(200).end();
    return;
  }
  const isBeginning = path === SHUTDOWN_PATH && call.method === "POST";
  if (!isBeginning && path !== READY_WAIT_PATH) {
    response.writeHead(404).end();
    return;
  }
  if (isBeginning && !isLoopback(call.socket.remoteAddress)) {
    response.writeHead(403).end();
    return;
  }
  const limit = AbortSignal.timeout(drain.timeoutMs + ANSWER_GRACE_MS);
  const inTime = await Promise.race([
    (isBeginning ? begin() : wait()).then(() => true),
    new Promise<false>((resolve) => limit.addEventListener("abort", () => resolve(false), { once: true })),
  ]);
  response.writeHead(inTime ? 200 : 503).end();
}

function isLoopback(address: string | undefined): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address ?? "");
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
export function askForShutdown(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    // Not fetch, which gives an answer up after five minutes.
    const call = request({ host: "127.0.0.1", port, path: SHUTDOWN_PATH, method: "POST" }, (response) => {
      response.resume();
      if (response.statusCode === 200) response.once("end", resolve);
      else reject(new Error(`the shutdown manager answers ${response.statusCode}: Envoy is not drained in time`));
    });
    call.once("error", reject);
    call.end();
  });
}
