/** A client of the admin interface of one Envoy on this host. */

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
  const text = await ask(adminAddress, "GET", "/server_info").catch(() => undefined);
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
export async function beginDrain(adminAddress: string): Promise<void> {
  await failHealthChecks(adminAddress);
  await drainListeners(adminAddress);
}

/** From now on Envoy answers health checks, of load balancers and of the kubelet, with 503. */
export async function failHealthChecks(adminAddress: string): Promise<void> {
  await ask(adminAddress, "POST", "/healthcheck/fail");
}

export async function drainListeners(adminAddress: string): Promise<void> {
  await ask(adminAddress, "POST", "/drain_listeners?graceful&skip_exit");
}

/**
 * Connections and requests of clients at this moment; Envoy's own admin interface does not count.
 *
 * @param ownPorts listeners that serve no clients: probes and metrics
 */
export async function readActiveTraffic(
  adminAddress: string,
  ownPorts: readonly number[] = [],
): Promise<ActiveTraffic> {
  const filter = encodeURIComponent("^(listener|http)\\..*\\.downstream_(cx|rq)_active$");
  const text = await ask(adminAddress, "GET", `/stats?filter=${filter}`);
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

async function ask(adminAddress: string, method: string, path: string): Promise<string> {
  const response = await fetch(`http://${adminAddress}${path}`, {
    method,
    signal: AbortSignal.timeout(ADMIN_TIMEOUT_MS),
    headers: { connection: "close" },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`Envoy's admin interface answered ${path} with ${response.status}: ${text.trim()}`);
  return text;
}
