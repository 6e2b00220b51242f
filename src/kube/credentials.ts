import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import type { ConnectionOptions } from "node:tls";
import { KubeConfig } from "@kubernetes/client-node";

/** How to reach an API server and as whom, at one moment. */
export interface Credential {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: ConnectionOptions;
  /** Changes when `tls` does: connections made with an older one should end. */
  readonly tlsIdentity: string;
}

export interface Credentials {
  /** Base URL without a trailing slash. */
  readonly server: string;
  /** URL of the HTTP proxy in between, if any. */
  readonly proxy: string | undefined;
  /** Namespace that the configuration is for: in a pod, the pod's own. */
  readonly namespace: string | undefined;
  /** Never older than {@link REFRESH_MS}. Rejects when a file of the configuration cannot be read. */
  current(): Promise<Credential>;
  /** The server refused them: read all files again before the next call. */
  invalidate(): void;
}

/** Tokens in pods are replaced well before they expire; client-go looks as often. */
const REFRESH_MS = 60_000;

/**
 * Finds the cluster: a kubeconfig if one is named or in KUBECONFIG, else the pod's service account, else `~/.kube/config`.
 *
 * @throws Error when none is there or it cannot be read
 */
export function loadKubeConfig(path?: string): KubeConfig {
  const config = new KubeConfig();
  if (path !== undefined) config.loadFromFile(path);
  else if (process.env["KUBECONFIG"] || process.env["KUBERNETES_SERVICE_HOST"] === undefined) config.loadFromDefault();
  else config.loadFromCluster();
  // Without any configuration client-node falls back to an unencrypted localhost, which nobody means.
  if (path === undefined && config.getCurrentCluster()?.server === "http://localhost:8080") {
    throw new Error("no cluster is configured: set KUBECONFIG, or run inside a pod with a service account");
  }
  return config;
}

/**
 * Credentials of a kubeconfig; token and certificate files are read again regularly and when the server refuses them.
 *
 * @throws Error when the kubeconfig cannot be used
 */
export function createCredentials(config: KubeConfig): Credentials {
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error("the kubeconfig names no current cluster: set current-context");
  const proxy = cluster.proxyUrl || undefined;
  if (proxy !== undefined && !/^https?:/.test(proxy)) {
    throw new Error(`proxy-url ${proxy} of the kubeconfig: only http and https proxies are supported`);
  }
  let known: { readonly at: number; readonly credential: Promise<Credential> } | undefined;
  return {
    server: cluster.server,
    proxy,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    current() {
      if (known === undefined || performance.now() - known.at > REFRESH_MS) {
        const credential = readCredential(config);
        const mine = { at: performance.now(), credential };
        known = mine;
        // A failure is not kept: the file may be there in a moment.
        credential.catch(() => {
          if (known === mine) known = undefined;
        });
      }
      return known.credential;
    },
    invalidate() {
      known = undefined;
    },
  };
}

async function readCredential(config: KubeConfig): Promise<Credential> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name] = String(value);
  if (typeof options.auth === "string")
    headers["Authorization"] = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  const user = config.getCurrentUser();
  const tokenFile: unknown = user?.authProvider?.config?.["tokenFile"];
  // client-node keeps a token of a file for a minute whatever happens; a refused one has to be replaced at once.
  if (typeof tokenFile === "string" && !user?.token) {
    headers["Authorization"] = `Bearer ${(await readFile(tokenFile, "utf8")).trim()}`;
  }
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
  const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername };
  const identity = createHash("sha256").update(JSON.stringify([ca, cert, key, pfx].map(String)));
  return { headers, tls, tlsIdentity: identity.digest("base64") };
}
