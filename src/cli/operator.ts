import { randomUUID } from "node:crypto";
import { addClusterMetrics } from "../admin/cluster-metrics.ts";
import { createReadiness, type Readiness } from "../admin/readiness.ts";
import { METRICS_PORT, PROBE_PORT, startAdminServer, startMetricsServer, startProbeServer } from "../admin/server.ts";
import { supportedKinds } from "../api/kinds.ts";
import type { Settings } from "../attach/model.ts";
import { createHeapCompaction } from "../base/heap-compaction.ts";
import { type ObjectKey, splitObjectKey } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import { flatText } from "../base/memory.ts";
import { type Certificates, startCertificates } from "../certs/certificates.ts";
import { authorizeByCertificate } from "../certs/client-certificate.ts";
import { demandOf } from "../certs/demand.ts";
import { type ServerService, serverName } from "../certs/identity.ts";
import { authorizeByToken } from "../certs/service-account-token.ts";
import { podSockets } from "../envoy/pod-ports.ts";
import { startClusterInfrastructure } from "../infra/kubernetes/cluster-infrastructure.ts";
import { type ClusterEnvironment, ENVOY_IMAGE, podTls } from "../infra/kubernetes/environment.ts";
import { followedKinds } from "../inputs/kubernetes/followed-kinds.ts";
import { type KubernetesInput, startKubernetesInput } from "../inputs/kubernetes/kubernetes-input.ts";
import { createKubeClient, type KubeClient } from "../kube/client.ts";
import { loadKubeConfig } from "../kube/credentials.ts";
import { createOperatorShell, type Observe } from "../kube/operator-shell.ts";
import type { GatewayInfrastructure } from "../pipeline/infrastructure.ts";
import { INSTALLED_API_KEY } from "../pipeline/sources.ts";
import { createStatusWriter, type StatusWriter, type WrittenStatus } from "../status/writer.ts";
import { statusKinds } from "../status/writer-kinds.ts";
import type { Configuration } from "./config.ts";
import type { PodIdentity } from "./config-pod.ts";
import { type ControlPlane, type ControlPlaneOptions, createControlPlane } from "./control-plane.ts";
import { createLeaderInfrastructure, type LeaderInfrastructure } from "./leader-infrastructure.ts";
import { type ReturningGateways, watchReturns } from "./returning-gateways.ts";

export interface OperatorRun {
  readonly configuration: Configuration;
  readonly pod: PodIdentity;
  readonly kubeconfig: string | undefined;
  readonly controllerNames: readonly string[];
  /** Of this program, for the container that drains Envoy. */
  readonly image: string;
  readonly envoyImage: string | undefined;
  readonly log: Logger;
}

export interface RunningOperator {
  stop(): Promise<void>;
}

/** Where Envoys find the xDS server: the port is Envoy Gateway's. */
export const XDS_PORT = 18_000;
const ALL_ADDRESSES = "0.0.0.0";
const LEASE_NAME = "gatehouse-leader";
/** A replica that stops ends its streams at once; their Envoys go to the next one. */
const XDS_CLOSE_GRACE_MS = 500;

/** A status that is written leaves about as much garbage as so many functions of the graph that are run. */
const RUNS_OF_A_WRITE = 2;

/** Parts that a replica waits for before it takes Envoys. */
const OBJECTS = "the objects of the API server";
const COMMIT = "the first commit";
const CERTIFICATES = "the certificate of the xDS server";

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
  const readiness = createReadiness([OBJECTS, COMMIT, CERTIFICATES]);
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
  });
  const servers = await startServers(run, parts, readiness);
  await control.xds.listen(`${ALL_ADDRESSES}:${XDS_PORT}`);
  await shell.start();
  return {
    async stop() {
      await shell.stop();
      await control.xds.close({ graceMilliseconds: XDS_CLOSE_GRACE_MS });
      control.pipeline.stop();
      await parts.certificates.close();
      for (const server of servers) await server.close();
      await client.close();
    },
  };
}

interface Parts {
  readonly control: ControlPlane;
  readonly writer: StatusWriter;
  readonly infrastructure: LeaderInfrastructure;
  readonly certificates: Certificates;
  readonly returning: ReturningGateways;
}

function assemble(
  run: OperatorRun,
  client: KubeClient,
  readiness: Readiness,
  onWritten: (write: WrittenStatus) => void,
): Parts {
  const { configuration, pod, log } = run;
  const service: ServerService = { namespace: pod.namespace, name: pod.serviceName };
  const environment = describeEnvironment(run, service);
  const { inGatewayNamespace } = environment;
  const control = createControlPlane({
    settings: readSettings(run, environment),
    log,
    connections: configuration.xds,
    security: secureXds(client, environment, service, (gateway) => infrastructure.known.get(gateway)),
    onInfrastructure(changes) {
      infrastructure.wanted(changes);
      demandCertificates();
    },
    onStatuses: (keys) => writer.changed(keys),
  });
  const infrastructure = createLeaderInfrastructure(() =>
    startClusterInfrastructure({
      client,
      environment,
      scope: configuration.watch,
      log: log.with({ component: "infrastructure" }),
      onState(gateway, state) {
        const { addresses, infrastructureFaults } = control.pipeline.sources;
        if (state === undefined) addresses.delete(gateway);
        else addresses.set(gateway, state.addresses);
        if (state?.fault === undefined) infrastructureFaults.delete(gateway);
        else infrastructureFaults.set(gateway, state.fault);
        control.pipeline.notify();
      },
    }),
  );
  const writer = createStatusWriter({
    client,
    controllerNames: run.controllerNames,
    typeOf: (kind) => typeOfKind(kind),
    render: (key) => control.status(key),
    log: log.with({ component: "status" }),
    onWritten,
    ...(configuration.clientRate && { limits: { rate: configuration.clientRate } }),
  });
  const certificates = startCertificates({
    client,
    namespace: pod.namespace,
    issuer: pod.certificates,
    trustScope: inGatewayNamespace ? configuration.watch : { type: "Namespaces", namespaces: [pod.namespace] },
    log: log.with({ component: "certificates" }),
    onMaterial(material) {
      control.xds.setCertificates(material);
      readiness.arrived(CERTIFICATES);
    },
  });
  readiness.explain(CERTIFICATES, certificates.hindrance);
  const installation = { service, clusterDomain: pod.clusterDomain, inGatewayNamespace };
  const demandCertificates = () => certificates.demand(demandOf(installation, [...infrastructure.known.keys()].sort()));
  demandCertificates();
  return { control, writer, infrastructure, certificates, returning: watchReturns(control) };
}

/** An Envoy shows the certificate of its Gateway or, beside its Gateway, the token of its pod; either way it gets that Gateway's alone. */
function secureXds(
  client: KubeClient,
  { namespace, inGatewayNamespace }: ClusterEnvironment,
  service: ServerService,
  find: (gateway: ObjectKey) => GatewayInfrastructure | undefined,
): NonNullable<ControlPlaneOptions["security"]> {
  if (!inGatewayNamespace) return { authorize: authorizeByCertificate(namespace), tls: { clientCertificates: true } };
  const serviceAccountOf = (gateway: ObjectKey) => {
    const infrastructure = find(gateway);
    const account = infrastructure?.settings.provider?.kubernetes?.envoyServiceAccount;
    return infrastructure && (account?.name ?? splitObjectKey(gateway).name);
  };
  const authorize = authorizeByToken({ client, audience: serverName(service), serviceAccountOf });
  return { authorize, tls: { clientCertificates: false } };
}

/** What objects mean where Envoy runs in pods. */
function readSettings({ configuration, controllerNames }: OperatorRun, environment: ClusterEnvironment): Settings {
  return {
    controllerNames,
    hostInfrastructure: false,
    guardedFolder: podSockets.folder,
    inGatewayNamespace: environment.inGatewayNamespace,
    privilegedPortOffset: 0,
    controlPlane: environment.controlPlane,
    backendsRefused: !configuration.backends,
    ...(configuration.envoyProxy && { defaultProxy: configuration.envoyProxy }),
  };
}

function describeEnvironment(run: OperatorRun, service: ServerService): ClusterEnvironment {
  const { configuration, pod } = run;
  const name = serverName(service);
  const inGatewayNamespace = configuration.deploy === "GatewayNamespace";
  return {
    namespace: pod.namespace,
    inGatewayNamespace,
    controlPlane: {
      address: { host: `${name}.${pod.clusterDomain}`, port: XDS_PORT },
      tls: podTls(name, inGatewayNamespace),
    },
    envoyImage: run.envoyImage ?? ENVOY_IMAGE,
    gatehouseImage: configuration.shutdownManagerImage ?? run.image,
  };
}

type StatusKind = (typeof supportedKinds)[number];

/** By collection, what the status writer and the shell know a kind by. */
const kindsByCollection: ReadonlyMap<string, StatusKind> = new Map(
  supportedKinds.map((kind) => [kind.collection, kind]),
);

/** A kind of another project that has the name of one of ours has no status of ours. */
const WITHOUT_STATUS: ReadonlySet<string> = new Set(["staticBackends"]);

function typeOfKind(kind: string) {
  const found = followedKinds.find((candidate) => candidate.kind === kind && !WITHOUT_STATUS.has(candidate.collection));
  if (found === undefined) return undefined;
  const { group, plural, namespaced, versions } = found;
  return { group, kind, plural, namespaced, version: versions[0] };
}

function startInput(
  run: OperatorRun,
  client: KubeClient,
  { control, writer, returning }: Parts,
  observe: Observe,
  onSynced: () => void,
): KubernetesInput {
  const plurals = new Map(followedKinds.map(({ collection, plural }) => [collection, plural]));
  return startKubernetesInput({
    client,
    scope: run.configuration.watch,
    log: run.log.with({ component: "provider" }),
    onBatch(batch) {
      control.pipeline.stage(batch);
      control.pipeline.notify();
    },
    onInstalledApi(installed) {
      control.pipeline.sources.installedApi.set(INSTALLED_API_KEY, installed);
      control.pipeline.notify();
    },
    onSynced() {
      control.pipeline.markSynced();
      control.pipeline.notify();
      onSynced();
    },
    onObserved(collection, key, object) {
      const kind = kindsByCollection.get(collection);
      if (kind === undefined) return;
      observe({ group: kind.group, plural: plurals.get(collection) ?? "" }, key, object);
      if (WITHOUT_STATUS.has(collection)) return;
      const statusKey = flatText(kind.kind, "/", key);
      if (collection === "gateways") returning.observe(statusKey, object);
      writer.observe(statusKey, object);
    },
  });
}

async function startServers({ configuration, log }: OperatorRun, { control }: Parts, readiness: Readiness) {
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
