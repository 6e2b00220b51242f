import { type IncomingMessage, request } from "node:http";
import { pipeline } from "node:stream/promises";

/** A client of the admin interface of one Envoy on this host; its address is `host:port` or the path of a Unix socket. */

/** An admin request that takes longer than this counts as not answered. Large configurations block Envoy for seconds. */
const ADMIN_TIMEOUT_MS = 5_000;

export interface ServerInfo {
  /** `LIVE`, `DRAINING`, `PRE_INITIALIZING` or `INITIALIZING`. */
  readonly state: string;
  readonly version: string;
  readonly configPath: string;
}

export interface ActiveTraffic {
  readonly connections: number;
  readonly requests: number;
}

/** Undefined when nobody answers. */
export async function readServerInfo(adminAddress: string): Promise<ServerInfo | undefined> {
  const text = await askEnvoy(adminAddress, "GET", "/server_info").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const info = JSON.parse(text) as {
      state?: string;
      version?: string;
      command_line_options?: { config_path?: string };
    };
    return {
      state: info.state ?? "",
      version: info.version ?? "",
      configPath: info.command_line_options?.config_path ?? "",
    };
  } catch {
    return undefined;
  }
}

/**
 * Tells clients to go elsewhere: answers carry `Connection: close` or GOAWAY from now on. Ports stay open, because a request
 * that is on its way is still to be answered.
 */
export async function beginDrain(adminAddress: string, hurry?: AbortSignal): Promise<void> {
  await failHealthChecks(adminAddress, hurry);
  await drainListeners(adminAddress, hurry);
}

/** From now on Envoy answers health checks, of load balancers and of the kubelet, with 503. */
export async function failHealthChecks(adminAddress: string, hurry?: AbortSignal): Promise<void> {
  await askEnvoy(adminAddress, "POST", "/healthcheck/fail", hurry);
}

export async function drainListeners(adminAddress: string, hurry?: AbortSignal): Promise<void> {
  await askEnvoy(adminAddress, "POST", "/drain_listeners?graceful&skip_exit", hurry);
}

/**
 * Connections and requests of clients at this moment; Envoy's own admin interface does not count.
 *
 * @param ownPorts listeners that serve no clients: probes and metrics
 */
export async function readActiveTraffic(
  adminAddress: string,
  ownPorts: readonly number[] = [],
  hurry?: AbortSignal,
): Promise<ActiveTraffic> {
  const filter = encodeURIComponent("^(listener|http)\\..*\\.downstream_(cx|rq)_active$");
  const text = await askEnvoy(adminAddress, "GET", `/stats?filter=${filter}`, hurry);
  let [connections, requests] = [0, 0];
  for (const line of text.split("\n")) {
    const match = /^(listener|http)\.(?!admin\.)(.*)\.downstream_(cx|rq)_active: (\d+)$/.exec(line);
    if (match === null) continue;
    const [, scope, name, what, count] = match;
    if (ownPorts.some((port) => name?.endsWith(`_${port}`))) continue;
    if (scope === "listener" && what === "cx" && !/\.worker_\d+$/.test(name ?? "")) connections += Number(count);
    if (scope === "http" && what === "rq") requests += Number(count);
  }
  return { connections, requests };
}

/**
 * One request; resolves to the body.
 *
 * @param hurry gives up at once when it aborts
 * @throws Error when the answer is no 200, or does not come in time
 */
export function askEnvoy(adminAddress: string, method: string, path: string, hurry?: AbortSignal): Promise<string> {
  const timeout = AbortSignal.timeout(ADMIN_TIMEOUT_MS);
  const signal = hurry === undefined ? timeout : AbortSignal.any([timeout, hurry]);
  return new Promise((resolve, reject) => {
    request({ ...placeOf(adminAddress), method, path, signal, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.once("error", reject);
      response.once("end", () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`Envoy's admin interface answered ${path} with ${response.statusCode}: ${text.trim()}`));
      });
    })
      .once("error", reject)
      .end();
  });
}

/** How long Envoy may say nothing while it writes a page for a person. */
const PAGE_IDLE_MS = 60_000;

/**
 * One request, whose answer is written on while it comes: the configuration of 10,000 routes is hundreds of megabytes.
 *
 * @throws Error when the answer is no 200, with what Envoy says
 */
export async function copyFromEnvoy(
  adminAddress: string,
  method: string,
  path: string,
  output: NodeJS.WritableStream,
): Promise<void> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const call = request({ ...placeOf(adminAddress), method, path, agent: false, timeout: PAGE_IDLE_MS }, resolve);
    call.once("timeout", () => call.destroy(new Error(`Envoy's admin interface says nothing for ${PAGE_IDLE_MS} ms`)));
    call.once("error", reject).end();
  });
  if (response.statusCode !== 200) {
    const text = await response.setEncoding("utf8").reduce((sum: string, chunk: string) => sum + chunk, "");
    throw new Error(`Envoy's admin interface answers ${path} with ${response.statusCode}: ${text.trim()}`);
  }
  await pipeline(response, output, { end: false });
}

function placeOf(adminAddress: string): { socketPath: string } | { host: string; port: string } {
  if (adminAddress.startsWith("/")) return { socketPath: adminAddress };
  const { hostname: host, port } = new URL(`http://${adminAddress}`);
  return { host, port };
}
