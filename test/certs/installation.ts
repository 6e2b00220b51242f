import type { Logger } from "../../src/base/log.ts";
import { type Certificates, startCertificates } from "../../src/certs/certificates.ts";
import { type Demand, demandOf } from "../../src/certs/demand.ts";
import { defaultLifetimes, type Lifetimes } from "../../src/certs/lifetimes.ts";
import { type ConfigMapObject, configMapType, type SecretObject, secretType } from "../../src/certs/objects.ts";
import type { ServerMaterial } from "../../src/certs/upkeep.ts";
import { TRUST_CONFIG_MAP } from "../../src/envoy/control-plane.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import type { WatchScope } from "../../src/kube/watch-set.ts";
import type { ApiServer } from "../cluster/control-plane.ts";
import { connectTo } from "../kube/input-world.ts";

export const service = (namespace: string) => ({ namespace, name: "gatehouse" });

export function demandFor(namespace: string, gateways: readonly string[], inGatewayNamespace = false): Demand {
  return demandOf({ service: service(namespace), clusterDomain: "cluster.local", inGatewayNamespace }, gateways);
}

export interface Replica {
  readonly certificates: Certificates;
  readonly client: KubeClient;
  /** What its xDS server was to show, in order. */
  readonly materials: readonly ServerMaterial[];
  /** Log lines as JSON. */
  readonly lines: readonly string[];
  close(): Promise<void>;
}

export interface ReplicaOptions {
  readonly lifetimes?: Lifetimes;
  readonly trustScope?: WatchScope;
  readonly issuer?: "own" | "cert-manager";
  readonly onMaterial?: (material: ServerMaterial) => void;
}

export function startReplica(server: ApiServer, namespace: string, options: ReplicaOptions = {}): Replica {
  const client = connectTo({ url: server.url, token: server.adminToken, caCertificate: server.caCertificate });
  const materials: ServerMaterial[] = [];
  const lines: string[] = [];
  const certificates = startCertificates({
    client,
    namespace,
    lifetimes: options.lifetimes ?? defaultLifetimes,
    ...(options.issuer && { issuer: options.issuer }),
    ...(options.trustScope && { trustScope: options.trustScope }),
    log: recordingLogger(lines),
    onMaterial(material) {
      materials.push(material);
      options.onMaterial?.(material);
    },
  });
  return {
    certificates,
    client,
    materials,
    lines,
    async close() {
      await certificates.close();
      await client.close();
    },
  };
}

function recordingLogger(lines: string[]): Logger {
  const write = (level: string) => (message: string, fields?: object) => {
    const shown = Object.fromEntries(
      Object.entries(fields ?? {}).map(([key, value]) => [key, value instanceof Error ? value.stack : value]),
    );
    lines.push(JSON.stringify({ level, message, ...shown }));
  };
  const logger: Logger = {
    error: write("error"),
    warn: write("warn"),
    info: write("info"),
    debug: write("debug"),
    with: () => logger,
  };
  return logger;
}

export async function readSecrets(client: KubeClient, namespace: string): Promise<Map<string, SecretObject>> {
  const answer = await client.list<SecretObject>(secretType, { namespace });
  if (!answer.ok) throw new Error(answer.error.message);
  return new Map(answer.value.map((secret) => [secret.metadata.name, secret]));
}

export async function readTrust(client: KubeClient, namespace: string): Promise<string | undefined> {
  const answer = await client.get<ConfigMapObject>(configMapType, { namespace, name: TRUST_CONFIG_MAP });
  return answer.ok ? answer.value.data?.["ca.crt"] : undefined;
}

export function textOf(secret: SecretObject | undefined, key: string): string {
  return Buffer.from(secret?.data?.[key] ?? "", "base64").toString("utf8");
}

export async function createNamespace(server: ApiServer, name: string): Promise<void> {
  await server.rest.json("/api/v1/namespaces", { method: "POST", body: { metadata: { name } } });
}
