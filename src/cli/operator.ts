import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { addClusterMetrics } from "../admin/cluster-metrics.ts";
import { createReadiness, type Readiness } from "../admin/readiness.ts";
import { METRICS_PORT, PROBE_PORT, startAdminServer, startMetricsServer, startProbeServer } from "../admin/server.ts";
import { createHeapCompaction } from "../base/heap-compaction.ts";
import type { KubernetesInput } from "../inputs/kubernetes/kubernetes-input.ts";
import { createKubeClient } from "../kube/client.ts";
import { loadKubeConfig } from "../kube/credentials.ts";
import { createOperatorShell } from "../kube/operator-shell.ts";
import { statusKinds } from "../status/writer-kinds.ts";
import { startInput, typeOfKind } from "./operator-input.ts";
import { assemble, CERTIFICATES, type OperatorParts, type OperatorRun, XDS_PORT } from "./operator-parts.ts";

export interface RunningOperator {
  stop(): Promise<void>;
}

const ALL_ADDRESSES = "0.0.0.0";
const LEASE_NAME = "gatehouse-leader";
/** A replica that stops ends its streams at once; their Envoys go to the next one. */
const XDS_CLOSE_GRACE_MS = 500;

/** So long kube-proxy may take, after a pod has begun to end, to lead no new connection to it. */
const LEAVE_PAUSE_MS = 2_000;

/** A status that is written leaves about as much garbage as so many functions of the graph that are run: 13 kB. */
const RUNS_OF_A_WRITE = 10;

/** Parts that a replica waits for before it takes Envoys. */
const OBJECTS = "the objects of the API server";
const COMMIT = "the first commit";
const OTHERS = "what the other replicas know";

/**
 * Gatehouse in a cluster. Every replica follows all objects and serves Envoys; the one that leads writes statuses, what runs for
 * Gateways, and certificates.
 *
 * @throws Error when no cluster is configured or a port is taken
 */
export async function startOperator(run: OperatorRun): Promise<RunningOperator> {
  const { configuration, log, pod } = run;
  const config = loadKubeConfig(run.kubeconfig);
  const client = createKubeClient({ config, ...(configuration.clientRate && { rate: configuration.clientRate }) });
  const readiness = createReadiness([OBJECTS, COMMIT, CERTIFICATES, OTHERS]);
  const compaction = createHeapCompaction();
  const parts = assemble(run, client, readiness, (write) => {
    metrics.statusWritten(write);
    compaction.committed(RUNS_OF_A_WRITE);
  });
  const { control, writer } = parts;
  const committed = Promise.withResolvers<void>();
  void committed.promise.then(() => readiness.arrived(COMMIT));
  let input: KubernetesInput | undefined;
  const shell = createOperatorShell({
    config,
    client,
    log,
    controllerNames: run.controllerNames,
    election: configuration.leaderElection.enabled
      ? {
          namespace: pod.namespace,
          name: LEASE_NAME,
          identity: `${pod.podName}_${randomUUID()}`,
          timing: configuration.leaderElection,
        }
      : undefined,
    startInput(observe, onSynced) {
      input = startInput(run, client, parts, observe, () => {
        readiness.arrived(OBJECTS);
        onSynced();
        void control.pipeline.idle().then(committed.resolve);
      });
      return input;
    },
    onElected(leadership) {
      log.info("this replica leads");
      // What is written is what the first commit says; before it nothing is known.
      void committed.promise.then(async () => {
        if (!leadership.holds()) return;
        parts.certificates.lead(true);
        parts.infrastructure.lead();
        await parts.returning.settled();
        if (leadership.holds()) writer.start();
      });
    },
    async onLost() {
      log.info("this replica does not lead any more");
      parts.certificates.lead(false);
      await Promise.all([writer.stop(), parts.infrastructure.stop()]);
    },
  });
  const metrics = addClusterMetrics(control.metrics.registry, {
    leading: () => shell.leading,
    statusKinds: [...statusKinds.keys()].filter((kind) => typeOfKind(kind) !== undefined),
    status: () => writer.figures(),
    api: () => client.counters,
    watches: () => input?.states() ?? [],
    certificates: () => parts.certificates.figures(),
    replicas: () => parts.others.figures(),
  });
  const servers = await startServers(run, parts, readiness);
  await control.xds.listen(`${ALL_ADDRESSES}:${XDS_PORT}`);
  await shell.start();
  void committed.promise.then(() => parts.others.start()).then(() => readiness.arrived(OTHERS));
  return {
    async stop() {
      await shell.stop();
      // Envoys that come now must not come back to this replica, which its Service names until the cluster has heard.
      if (parts.others.figures().heard > 0) await delay(LEAVE_PAUSE_MS);
      await control.xds.close({ graceMilliseconds: XDS_CLOSE_GRACE_MS });
      parts.others.close();
      control.pipeline.stop();
      await parts.certificates.close();
      for (const server of servers) await server.close();
      await client.close();
    },
  };
}

async function startServers({ configuration, log }: OperatorRun, { control }: OperatorParts, readiness: Readiness) {
  const probe = await startProbeServer(readiness.missing, { host: ALL_ADDRESSES, port: PROBE_PORT });
  const views = {
    missing: readiness.missing,
    status: () => control.statuses(),
    config: control.published,
    metrics: control.metrics.registry,
  };
  const admin = await startAdminServer(views, configuration.admin);
  const { registry } = control.metrics;
  const metrics = configuration.prometheus
    ? [await startMetricsServer(registry, { host: ALL_ADDRESSES, port: METRICS_PORT })]
    : [];
  log.info("the operator's servers listen", { probes: PROBE_PORT, admin: admin.port, metrics: METRICS_PORT });
  return [probe, admin, ...metrics];
}
