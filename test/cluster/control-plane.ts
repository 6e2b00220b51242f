/**
 * A real API server on its own etcd, without nodes and controllers: for tests that need nothing else. About 4 s to start; any
 * number run side by side.
 *
 * Exports: `startApiServer(options?) → ApiServer` with `kubeconfigPath`, `url`, `caCertificate`, `adminToken`, `accessFor(user)`,
 * `kubectl(args, input?)`, `rest` (a small client), `down()` and `up()` (the server goes away and comes back with its data, on
 * the same port), `restart()`, `stop()`.
 *
 * No controllers means: a namespace never finishes deleting, nothing collects garbage, aggregated ClusterRoles (`admin`, `edit`,
 * `view`) stay empty, no ServiceAccount appears by itself (its admission plugin is off, so Pods are accepted all the same). `test/cluster/cluster.ts` has all of that.
 */
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Authority, createAuthority } from "../harness/certificates.ts";
import { freePorts } from "../harness/ports.ts";
import { launch, logTail, type MeasuredProcess } from "../harness/process.ts";
import { waitFor } from "../harness/waiting.ts";
import { runKubectl, writeKubeconfig } from "./kubeconfig.ts";
import { boundToParent, findProgram } from "./programs.ts";
import { type Access, createRest, type Rest } from "./rest.ts";
import { createWorkFolder } from "./work-folder.ts";

/** A user that the API server knows by a bearer token. */
export interface User {
  readonly name: string;
  readonly token: string;
  readonly groups: readonly string[];
}

export interface ApiServerOptions {
  /** Where the server listens. Default 127.0.0.1. */
  readonly address?: string;
  /** Default: three free ports. */
  readonly ports?: { readonly apiServer: number; readonly etcd: number; readonly etcdPeer: number };
  /** Folder of its files, kept by `stop`. Default: a temporary one, deleted by `stop`. */
  readonly directory?: string;
  /** Range of ClusterIPs. Default 10.96.0.0/16. */
  readonly serviceRange?: string;
  /** Known beside the administrator; give them rights by RBAC objects or the group `system:masters`. */
  readonly users?: readonly User[];
  /** A kube-controller-manager is going to run: ServiceAccounts are required and the server's own endpoints published. */
  readonly withControllers?: boolean;
  /** Further flags of kube-apiserver, which win over ours. */
  readonly extraArgs?: readonly string[];
}

export interface ApiServer {
  /** Kubeconfig of an administrator (group `system:masters`). */
  readonly kubeconfigPath: string;
  /** `https://ADDRESS:PORT` */
  readonly url: string;
  /** PEM. */
  readonly caCertificate: string;
  readonly adminToken: string;
  /** Certificates, logs and data. */
  readonly directory: string;
  readonly authority: Authority;
  /** Acts as administrator. */
  readonly rest: Rest;
  /** The same server as seen by one of the `users`. */
  accessFor(name: string): Access;
  /** Runs kubectl as administrator; resolves with standard output. Rejects with standard error. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** The server goes away (etcd stays). `SIGKILL` breaks connections in the middle; default `SIGTERM`. */
  down(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** It comes back: same port, same data, same certificates. Resolves when it is ready. */
  up(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const READY_LIMIT_MS = 120_000;
const START_ATTEMPTS = 3;
const ISSUER = "https://kubernetes.default.svc.cluster.local";
const admin: User = { name: "admin", token: "admin-token", groups: ["system:masters"] };

export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options);
    } catch (error) {
      // Another process may take a free port between the look and the use.
      const collided = String(error).includes("address already in use");
      if (!collided || options.ports !== undefined || attempt === START_ATTEMPTS) throw error;
    }
  }
}

async function startOnce(options: ApiServerOptions): Promise<ApiServer> {
  const address = options.address ?? "127.0.0.1";
  const [apiServerPort, etcdPort, etcdPeerPort] = await freePorts(3);
  const ports = options.ports ?? { apiServer: apiServerPort!, etcd: etcdPort!, etcdPeer: etcdPeerPort! };
  const directory = options.directory ?? createWorkFolder("api-server");
  const users = [admin, ...(options.users ?? [])];
  const url = `https://${address}:${ports.apiServer}`;
  const authority = createAuthority("kubernetes");
  writeFiles(directory, authority, users, [address, firstAddress(options.serviceRange ?? SERVICE_RANGE)]);
  const accessFor = (name: string): Access => {
    const user = users.find((candidate) => candidate.name === name);
    if (user === undefined) throw new Error(`no user ${name} among ${users.map((known) => known.name).join(", ")}`);
    return { url, caCertificate: authority.certificate, token: user.token };
  };
  const rest = createRest(accessFor(admin.name));
  const kubeconfigPath = writeKubeconfig(join(directory, "kubeconfig"), rest.access);

  const etcd = launch({
    ...boundToParent(findProgram("etcd"), etcdArgs(directory, ports)),
    logPath: join(directory, "etcd.log"),
  });
  let server: MeasuredProcess | undefined;
  const up = async () => {
    server = launch({
      ...boundToParent(findProgram("kube-apiserver"), apiServerArgs(directory, address, ports, options)),
      logPath: join(directory, "kube-apiserver.log"),
    });
    await untilReady(rest, etcd, server);
  };
  const down = async (signal: "SIGTERM" | "SIGKILL" = "SIGTERM") => {
    if (signal === "SIGKILL") server?.kill(signal);
    await server?.stop();
  };
  const stop = async () => {
    rest.close();
    // Nothing of a server that ends is needed any more.
    await down("SIGKILL");
    etcd.kill("SIGKILL");
    await etcd.exited;
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
  };
  try {
    await up();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    kubeconfigPath,
    url,
    caCertificate: authority.certificate,
    adminToken: admin.token,
    directory,
    authority,
    rest,
    accessFor,
    kubectl: (args, input) => runKubectl(kubeconfigPath, args, input),
    down,
    up,
    async restart() {
      await down();
      await up();
    },
    stop,
  };
}

const SERVICE_RANGE = "10.96.0.0/16";

/** The ClusterIP of the Service `kubernetes`. */
function firstAddress(range: string): string {
  return range.replace(/\d+\/\d+$/, "1");
}

function writeFiles(directory: string, authority: Authority, users: readonly User[], ipAddresses: string[]): void {
  const service = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
  ];
  const serving = authority.issue({ dnsNames: [...service, "localhost"], ipAddresses: [...ipAddresses, "127.0.0.1"] });
  const kubeletClient = authority.issue({ dnsNames: ["kube-apiserver-kubelet-client"], usage: "clientAuth" });
  const accounts = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "sec1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const files = {
    "ca.crt": authority.certificate,
    "ca.key": authority.key,
    "server.crt": serving.certificate,
    "server.key": serving.key,
    "kubelet-client.crt": kubeletClient.certificate,
    "kubelet-client.key": kubeletClient.key,
    "service-accounts.key": accounts.privateKey,
    "service-accounts.pub": accounts.publicKey,
    "tokens.csv": users.map((user) => `${user.token},${user.name},${user.name},"${user.groups.join(",")}"\n`).join(""),
  };
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text, { mode: 0o600 });
}

function etcdArgs(directory: string, ports: { etcd: number; etcdPeer: number }): string[] {
  const [clients, peers] = [`http://127.0.0.1:${ports.etcd}`, `http://127.0.0.1:${ports.etcdPeer}`];
  return [
    `--data-dir=${join(directory, "etcd")}`,
    `--listen-client-urls=${clients}`,
    `--advertise-client-urls=${clients}`,
    `--listen-peer-urls=${peers}`,
    `--initial-advertise-peer-urls=${peers}`,
    `--initial-cluster=default=${peers}`,
    // The data need not outlive a power cut.
    "--unsafe-no-fsync",
    "--log-level=warn",
  ];
}

function apiServerArgs(
  directory: string,
  address: string,
  ports: { apiServer: number; etcd: number },
  options: ApiServerOptions,
): string[] {
  const file = (name: string) => join(directory, name);
  return [
    `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
    `--bind-address=${address}`,
    `--advertise-address=${address}`,
    `--secure-port=${ports.apiServer}`,
    `--tls-cert-file=${file("server.crt")}`,
    `--tls-private-key-file=${file("server.key")}`,
    `--client-ca-file=${file("ca.crt")}`,
    `--token-auth-file=${file("tokens.csv")}`,
    "--authorization-mode=RBAC",
    "--kubelet-preferred-address-types=InternalIP",
    `--service-cluster-ip-range=${options.serviceRange ?? SERVICE_RANGE}`,
    `--service-account-issuer=${ISSUER}`,
    `--service-account-signing-key-file=${file("service-accounts.key")}`,
    `--service-account-key-file=${file("service-accounts.pub")}`,
    `--kubelet-certificate-authority=${file("ca.crt")}`,
    `--kubelet-client-certificate=${file("kubelet-client.crt")}`,
    `--kubelet-client-key=${file("kubelet-client.key")}`,
    // A loopback address may not be published as an endpoint.
    ...(options.withControllers
      ? []
      : ["--endpoint-reconciler-type=none", "--disable-admission-plugins=ServiceAccount"]),
    ...(options.extraArgs ?? []),
  ];
}

async function untilReady(rest: Rest, etcd: MeasuredProcess, server: MeasuredProcess): Promise<void> {
  const ready = await waitFor(
    "kube-apiserver to be ready",
    async () => {
      if (!etcd.alive || !server.alive) return "ended";
      const { status } = await rest.ask("/readyz");
      return status === 200 && "ready";
    },
    READY_LIMIT_MS,
  );
  if (ready === "ready") return;
  const ended = etcd.alive ? server : etcd;
  throw new Error(`${ended.logPath}: the process ended while it started:\n${logTail(ended.logPath)}`);
}
