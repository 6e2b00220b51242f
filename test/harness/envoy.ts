import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { locateEnvoy } from "../../src/infra/envoy-binary.ts";
import { launch, logTail, type MeasuredProcess } from "./process.ts";
import { waitFor } from "./waiting.ts";

const ADMIN_LIMIT_MS = 20_000;
const START_LIMIT_MS = 20_000;

export interface EnvoyOptions {
  /** Bootstrap as JSON, or the path of a bootstrap file. An `admin` section is added when the object has none. */
  readonly config: object | string;
  /** Port of the admin interface on 127.0.0.1; absent = one that Envoy chooses. Only for an object without `admin`. */
  readonly adminPort?: number;
  /** Worker threads; default 2. */
  readonly concurrency?: number;
  readonly extraArgs?: readonly string[];
  /** Default `warning`. */
  readonly logLevel?: string;
  /** Path of the binary; default: found as Gatehouse finds it. */
  readonly binary?: string;
}

/** Where an admin interface listens: a port of 127.0.0.1, or a Unix socket. */
export type AdminPlace = { readonly port: number } | { readonly socketPath: string };

export interface AdminAccess {
  /** Body of an admin request. Rejects for a status other than 200. */
  admin(path: string, method?: "GET" | "POST"): Promise<string>;
  /** Counters and gauges whose name matches the regular expression, `/stats?filter=`. */
  stats(filter: string): Promise<Map<string, number>>;
}

/** How often Envoy has taken, changed and dropped a Listener, as a text to compare. */
export function listenerChanges({ admin }: Pick<AdminAccess, "admin">): Promise<string> {
  return admin("/stats?filter=listener_manager.listener_(added|modified|removed)");
}

export interface EnvoyProcess extends MeasuredProcess, AdminAccess {
  readonly adminPort: number;
}

/** Starts the real Envoy and waits until its admin interface answers (not until it serves: that may need a control plane). */
export async function startEnvoy(options: EnvoyOptions): Promise<EnvoyProcess> {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-envoy-"));
  const adminAddressPath = join(folder, "admin-address");
  const bootstrapPath = typeof options.config === "string" ? options.config : join(folder, "bootstrap.json");
  if (typeof options.config !== "string") {
    const admin = { address: { socket_address: { address: "127.0.0.1", port_value: options.adminPort ?? 0 } } };
    writeFileSync(bootstrapPath, JSON.stringify({ admin, ...options.config }));
  }
  const args = ["-c", bootstrapPath, "--use-dynamic-base-id", "--admin-address-path", adminAddressPath];
  args.push("--concurrency", String(options.concurrency ?? 2), "-l", options.logLevel ?? "warning");
  args.push(...(options.extraArgs ?? []));
  const command = await locateEnvoy(options.binary);
  const child = launch({ command, args, logPath: join(folder, "envoy.log") });
  const adminPort = await waitFor(
    "Envoy's admin address",
    () => {
      if (!child.alive) return -1;
      const text = existsSync(adminAddressPath) ? readFileSync(adminAddressPath, "utf8") : "";
      return Number(text.slice(text.lastIndexOf(":") + 1)) || undefined;
    },
    START_LIMIT_MS,
  );
  if (adminPort < 0) throw new Error(`Envoy ended while it started:\n${logTail(child.logPath)}`);
  const access = { adminPort, ...adminAccess({ port: adminPort }) };
  const envoy = Object.defineProperties(access, Object.getOwnPropertyDescriptors(child));
  return envoy as EnvoyProcess;
}

/** The admin interface of an Envoy that someone else started. */
export function adminAccess(place: AdminPlace): AdminAccess {
  const admin = (path: string, method: "GET" | "POST" = "GET") => adminRequest(place, path, method);
  return {
    admin,
    async stats(filter) {
      const text = await admin(`/stats?filter=${encodeURIComponent(filter)}`);
      const values = new Map<string, number>();
      for (const line of text.split("\n")) {
        const colon = line.lastIndexOf(": ");
        const value = Number(line.slice(colon + 2));
        if (colon > 0 && Number.isFinite(value)) values.set(line.slice(0, colon), value);
      }
      return values;
    },
  };
}

function adminRequest(place: AdminPlace, path: string, method: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", ...place, path, method, agent: false, timeout: ADMIN_LIMIT_MS };
    const call = request(options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        const body = Buffer.concat(chunks).toString("utf8");
        if (answer.statusCode === 200) resolve(body);
        else reject(new Error(`${method} ${path} of the admin interface answered ${answer.statusCode}: ${body}`));
      });
    });
    call.on("timeout", () => call.destroy(new Error(`no answer to ${method} ${path} in ${ADMIN_LIMIT_MS} ms`)));
    call.on("error", reject);
    call.end();
  });
}
