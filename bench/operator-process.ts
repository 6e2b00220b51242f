import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { METRICS_PORT } from "../src/admin/server.ts";
import { infrastructureName } from "../src/attach/infrastructure-name.ts";
import { serverName } from "../src/certs/identity.ts";
import { XDS_PORT } from "../src/cli/operator-parts.ts";
import { TRUST_CONFIG_MAP } from "../src/envoy/control-plane.ts";
import { buildBootstrap } from "../src/translate/bootstrap.ts";
import { createPodFolders } from "../test/certs/secured-envoy.ts";
import type { ApiServer } from "../test/cluster/control-plane.ts";
import { type EnvoyProcess, startEnvoy } from "../test/harness/envoy.ts";
import { readMetric } from "../test/harness/gatehouse.ts";
import { launch, type MeasuredProcess } from "../test/harness/process.ts";
import { waitFor } from "../test/harness/waiting.ts";
import { SYSTEM } from "./api-table.ts";
import { ENVOY_WORKERS } from "./floor-run.ts";
import { GATEWAY } from "./table.ts";

/** `gatehouse operator` as a process of its own. Its ports are those of a pod, so one runs at a time. */
export interface OperatorProcess extends MeasuredProcess {
  /** Value of a Prometheus metric, summed over its label sets. Rejects when there is none. */
  metric(name: string): Promise<number>;
  /** All metrics, as Prometheus reads them. */
  metrics(): Promise<string>;
}

const launcher = fileURLToPath(new URL("../bin/gatehouse", import.meta.url));
const SERVICE = "gatehouse";
const CERTIFICATE_LIMIT_MS = 300_000;

const configuration = `apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyGateway
logging: { level: { default: warn } }
`;

/** As its pod starts it: what was built, with the flags of its launcher. Not ready yet. */
export function startOperatorProcess({ kubeconfigPath, directory }: ApiServer): OperatorProcess {
  const configPath = join(directory, "gatehouse.yaml");
  writeFileSync(configPath, configuration);
  const identity = ["--namespace", SYSTEM, "--pod-name", "bench", "--service-name", SERVICE];
  const child = launch({
    command: launcher,
    args: ["operator", "--kubeconfig", kubeconfigPath, "--config", configPath, ...identity],
    logPath: join(directory, "operator.log"),
  });
  const metrics = async () => (await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`)).text();
  const metric = async (name: string) => readMetric(await metrics(), name);
  return Object.defineProperties({ metric, metrics }, Object.getOwnPropertyDescriptors(child)) as OperatorProcess;
}

/**
 * The Envoy of a fleet as its pod would run it, with the certificate that the operator has issued for it.
 *
 * @param fleet default: the table's Gateway
 */
export async function startGatewayEnvoy(
  server: ApiServer,
  fleet = `${GATEWAY.namespace}/${GATEWAY.name}`,
): Promise<EnvoyProcess> {
  const read = async (resource: string) => {
    const path = `/api/v1/namespaces/${SYSTEM}/${resource}`;
    const found = () => server.rest.json<{ data: Record<string, string> }>(path);
    return (await waitFor(path, found, CERTIFICATE_LIMIT_MS)).data;
  };
  const secret = await read(`secrets/${infrastructureName(fleet)}`);
  const leaf = Object.entries(secret).map(([file, text]) => [file, Buffer.from(text, "base64").toString()]);
  const folders = createPodFolders(serverName({ namespace: SYSTEM, name: SERVICE }));
  folders.mount("certificates", { ...Object.fromEntries(leaf), ...(await read(`configmaps/${TRUST_CONFIG_MAP}`)) });
  const envoy = await startEnvoy({
    config: buildBootstrap({
      node: { id: "bench", cluster: fleet },
      xds: { address: { host: "127.0.0.1", port: XDS_PORT }, tls: folders.tls },
      admin: { port: 0 },
    }),
    concurrency: ENVOY_WORKERS,
  });
  void envoy.exited.then(() => folders.remove());
  return envoy;
}
