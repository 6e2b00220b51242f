import type { KubernetesObject } from "../api/object.ts";
import type { Settings } from "../attach/model.ts";
import type { FleetKey, ObjectKey } from "../base/keys.ts";
import { type CommitReport, Graph } from "../dataflow/graph.ts";
import { createScheduler } from "../dataflow/scheduler.ts";
import type { Acknowledgement, ResourceChange } from "../envoy/resource.ts";
import { createClusterNodes } from "./clusters.ts";
import { createProxyNodes } from "./envoy-proxies.ts";
import { createEnvoys } from "./envoys.ts";
import { createGatewayNodes } from "./gateways.ts";
import { createInfrastructure, type GatewayInfrastructure } from "./infrastructure.ts";
import { createListenerProgress, recordListenerVersions } from "./listener-progress.ts";
import { createListenerNodes, createListenerResources } from "./listeners.ts";
import { createPolicyNodes } from "./policies.ts";
import { createPublication } from "./publication.ts";
import { createQuarantine, type Quarantine } from "./quarantine.ts";
import { createRateLimitNodes } from "./rate-limits.ts";
import { createReplicaNews, createReplicas, type Replicas } from "./replicas.ts";
import { createRouteNodes } from "./routes.ts";
import { createSources, type ObjectSources, type Sources } from "./sources.ts";
import { createStatusReports, type StatusReport } from "./status-reports.ts";
import { createStreamNodes } from "./streams.ts";
import { createTableVersions } from "./table-versions.ts";
import { createTlsPolicyNodes } from "./tls-policies.ts";

/** The three outputs of a commit, each with exactly one consumer. Called after everything has settled. */
export interface PipelineOutputs {
  /** Called on every commit, with no changes too: the first call tells the xDS server that the state is complete. */
  xds(changes: readonly ResourceChange[]): void;
  statuses(changes: ReadonlyMap<string, StatusReport | undefined>): void;
  infrastructure(changes: ReadonlyMap<FleetKey, GatewayInfrastructure | undefined>): void;
  /** Figures of each commit, for metrics. */
  committed?(report: CommitReport): void;
}

/** Changed objects by collection and key; undefined = deleted. */
export type Batch = {
  readonly [Name in keyof ObjectSources]?: ReadonlyMap<ObjectKey, KubernetesObject | undefined>;
};

export interface Pipeline {
  readonly sources: Sources;
  /** Stages a batch; nothing is computed until the scheduler commits. */
  stage(batch: Batch): void;
  /** Every source of objects has been read in full once: from here on the graph computes. */
  markSynced(): void;
  /** What the Envoys of this replica do and say. */
  readonly own: {
    connected(fleet: FleetKey, node: string): void;
    /** It has said which Listeners it has. */
    listenersStated(fleet: FleetKey, node: string): void;
    left(fleet: FleetKey, node: string): void;
    /** A RouteConfiguration is on its way to it. */
    tableSent(fleet: FleetKey, node: string, table: string): void;
    answered(answer: Acknowledgement): void;
  };
  /** What this replica and the others tell each other. */
  readonly replicas: Replicas;
  /** As in {@link Quarantine}. */
  readonly suspicions: Pick<Quarantine, "suspect" | "suspecting">;
  /** Asks the scheduler for a commit. */
  notify(): void;
  /** Commits at once, on the caller's time: for tests, benches and one-shot commands. */
  commitNow(): CommitReport;
  idle(): Promise<void>;
  stop(): void;
  readonly failures: ReadonlyMap<string, Error>;
  statuses(): IterableIterator<[string, StatusReport]>;
}

export interface PipelineOptions {
  /** How long an Envoy without a stream counts as connected: it may be on its way to another replica. Default 0. */
  readonly absenceMilliseconds?: number;
  /** Envoys have yet to take what was published: keys that lag wait, for a while (see `SchedulerOptions`). */
  readonly isBehind?: () => boolean;
}

/**
 * The whole way of a change, top-down: sources → EnvoyProxies → gateways → listeners → routes → clusters → statuses, and the three outputs. The only
 * place that knows all nodes; each `create…Nodes` describes its own part.
 */
export function createPipeline(
  settings: Settings,
  outputs: PipelineOutputs,
  { absenceMilliseconds = 0, isBehind = () => false }: PipelineOptions = {},
): Pipeline {
  const graph = new Graph();
  const sources = createSources(graph, settings);
  const tlsPolicies = createTlsPolicyNodes(graph, sources);
  const proxies = createProxyNodes(graph, sources, tlsPolicies);
  const policies = createPolicyNodes(graph, sources, proxies.grantsByNamespace, tlsPolicies);
  const gateways = createGatewayNodes(graph, sources, proxies, policies);
  const listeners = createListenerNodes(graph, sources, gateways, policies);
  const routes = createRouteNodes(
    graph,
    sources,
    { tlsPolicies, policies, sampling: proxies.sampling },
    gateways,
    listeners,
  );
  const streams = createStreamNodes(graph, proxies, { gateways, policies }, listeners, routes);
  const envoyListeners = createListenerResources(
    graph,
    sources,
    proxies,
    { gateways, policies },
    listeners,
    streams.parts,
    routes.tableShapes,
  );
  const clusters = createClusterNodes(graph, sources, proxies, listeners, routes);
  const progress = createListenerProgress(graph, sources, envoyListeners);
  const reports = createStatusReports(graph, sources, { tlsPolicies, policies }, proxies, {
    gateways,
    listeners,
    progress,
    routes,
    streams,
    clusters,
  });
  const infrastructure = createInfrastructure(graph, sources, gateways, proxies, listeners.http3);

  // What an instance without a service does not need costs it nothing.
  const rateLimits =
    settings.rateLimit === undefined ? undefined : createRateLimitNodes(graph, sources, policies, gateways);
  const publication = createPublication(graph, envoyListeners, routes, clusters, rateLimits);
  const news = createReplicaNews();
  const quarantine = createQuarantine(sources, {
    current: (key) => routes.hostEntries.get(key),
    onNews: (each) => news.ofQuarantine(each),
  });
  const tables = createTableVersions(quarantine);
  const envoys = createEnvoys(sources, {
    graceMilliseconds: absenceMilliseconds,
    onStaged: () => scheduler.notify(),
    onOwnChanged: (gateway, node) => news.ofEnvoy(gateway, node),
  });
  let stagedByOutputs = false;
  graph.subscribe(routes.hostEntries, (changes) => {
    if (quarantine.edited(changes)) stagedByOutputs = true;
  });
  graph.subscribe(routes.servedEntries, (changes) => quarantine.served(changes));
  graph.subscribe(routes.routeConfigurations, (changes) => {
    if (tables.published(changes)) stagedByOutputs = true;
  });
  graph.subscribe(envoyListeners, (changes) => {
    recordListenerVersions(sources.listenerVersions, changes);
    stagedByOutputs = true;
  });
  graph.subscribe(reports, (changes) => outputs.statuses(changes));
  graph.subscribe(infrastructure, (changes) => outputs.infrastructure(changes));

  const scheduler = createScheduler({ graph, onCommit: finishCommit, isBehind });
  function finishCommit(report: CommitReport): void {
    outputs.xds(publication.take(report.isLagging));
    outputs.committed?.(report);
    if (quarantine.committed()) stagedByOutputs = true;
    news.committed();
    if (stagedByOutputs) {
      stagedByOutputs = false;
      scheduler.notify();
    }
  }

  return {
    sources,
    stage: (batch) => stageBatch(sources, batch),
    markSynced: () => markSynced(sources),
    own: {
      connected(gateway, node) {
        envoys.connected(gateway, node);
        scheduler.notify();
      },
      listenersStated(gateway, node) {
        envoys.listenersStated(gateway, node);
        scheduler.notify();
      },
      left(gateway, node) {
        envoys.left(gateway, node);
        tables.left(gateway, node);
        scheduler.notify();
      },
      tableSent: tables.sent,
      answered(answer) {
        envoys.answered(answer);
        if (tables.answered(answer)) scheduler.notify();
      },
    },
    replicas: createReplicas({
      envoys,
      quarantine,
      news,
      versionOf: (name) => routes.routeConfigurations.get(name)?.resource.version,
      onStaged: () => scheduler.notify(),
    }),
    suspicions: quarantine,
    notify: () => scheduler.notify(),
    commitNow() {
      const report = graph.commit();
      finishCommit(report);
      return report;
    },
    idle: () => scheduler.idle(),
    stop() {
      scheduler.stop();
      envoys.stop();
    },
    failures: graph.failures,
    statuses: () => reports.entries(),
  };
}

function stageBatch(sources: Sources, batch: Batch): void {
  for (const [name, changes] of Object.entries(batch)) {
    // The batch's collection name decides the object's type; the input validated each object as of that kind.
    const source = sources[name as keyof ObjectSources] as unknown as {
      set(key: string, value: KubernetesObject): void;
      delete(key: string): void;
    };
    for (const [key, object] of changes) {
      if (object === undefined) source.delete(key);
      else source.set(key, object);
    }
  }
}

function markSynced(sources: Sources): void {
  for (const source of Object.values(sources)) source.markSynced();
}
