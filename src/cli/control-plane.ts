import { createMetrics, type Metrics } from "../admin/metrics.ts";
import type { Settings } from "../attach/model.ts";
import { RATE_LIMIT_FLEET, RATE_LIMIT_NODE } from "../attach/rate-limit.ts";
import { createHeapCompaction } from "../base/heap-compaction.ts";
import type { ObjectKey } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { GatewayInfrastructure } from "../pipeline/infrastructure.ts";
import { createPipeline, type Pipeline, type PipelineOutputs } from "../pipeline/pipeline.ts";
import type { StatusReport } from "../pipeline/status-reports.ts";
import { type ObjectStatus, renderStatus } from "../status/render.ts";
import { createResourceStore, type ResourceStore } from "../xds/resource-store.ts";
import { type ConnectionLimits, createXdsServer, type XdsServer, type XdsServerOptions } from "../xds/server.ts";

export interface ControlPlaneOptions {
  readonly settings: Settings;
  readonly log: Logger;
  readonly connections?: ConnectionLimits;
  /** As in {@link PipelineOptions}. */
  readonly absenceMilliseconds?: number;
  /** Who may fetch what. Absent: whoever reaches the socket, which the folder that it lies in decides. */
  readonly security?: Pick<XdsServerOptions, "authorize" | "tls">;
  readonly onInfrastructure: (changes: ReadonlyMap<ObjectKey, GatewayInfrastructure | undefined>) => void;
  /** Keys `kind/namespace/name` of objects whose status may read differently now. */
  readonly onStatuses: (keys: Iterable<string>) => void;
}

/** Pipeline, xDS server and figures, joined: the part that does not care where objects come from and where Envoy runs. */
export interface ControlPlane {
  readonly pipeline: Pipeline;
  readonly store: ResourceStore;
  /** By `kind/namespace/name`. */
  readonly reports: ReadonlyMap<string, StatusReport>;
  readonly xds: XdsServer;
  readonly metrics: Metrics;
  status(key: string): ObjectStatus | undefined;
  statuses(): Record<string, ObjectStatus>;
  /** Names and versions of what is published, by gateway and type. */
  published(): Record<ObjectKey, Record<string, Record<string, string>>>;
}

export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  const store = createResourceStore();
  const connected = new Map<ObjectKey, number>();
  const gateways = new Set<ObjectKey>();
  const reports = new Map<string, StatusReport>();
  const reported = new Set<string>();
  const xdsLog = options.log.with({ component: "xds" });
  const xdsServerLog = options.log.with({ component: "xds-server" });
  const compaction = createHeapCompaction();

  const outputs: PipelineOutputs = {
    xds(changes) {
      for (const { gateway } of changes) gateways.add(gateway);
      store.publish(changes);
    },
    statuses(changes) {
      for (const [key, report] of changes) {
        if (report === undefined) reports.delete(key);
        else reports.set(key, report);
      }
      options.onStatuses(changes.keys());
    },
    infrastructure: options.onInfrastructure,
    committed(report) {
      metrics.committed(report);
      compaction.committed([...report.runs.values()].reduce((sum, runs) => sum + runs, 0));
      reportFailures(pipeline, reported, options.log.with({ component: "xds-translator" }));
    },
  };
  const pipeline = createPipeline(options.settings, outputs, { ...options, isBehind: () => xds.isBehind() });
  const xds = createXdsServer({
    store,
    ...(options.security ?? { authorize: believeNode }),
    onDenial: ({ peer, why, node }) => options.log.warn("refused an xDS client", { peer, why, ...node }),
    onAcknowledgement(answer) {
      if (!answer.accepted) {
        const { gateway, type, name, error } = answer;
        xdsLog.warn("Envoy refused a resource", { gateway, type: shortType(type), name, error });
      }
      pipeline.own.answered(answer);
    },
    onConnection({ gateway, nodeId, connected: isConnected }) {
      const count = (connected.get(gateway) ?? 0) + (isConnected ? 1 : -1);
      if (count === 0) connected.delete(gateway);
      else connected.set(gateway, count);
      xdsLog.debug(isConnected ? "an Envoy connected" : "an Envoy disconnected", { gateway, nodeId });
      if (isConnected) pipeline.own.connected(gateway, nodeId);
      else pipeline.own.left(gateway, nodeId);
    },
    onListenersStated: (gateway, node) => pipeline.own.listenersStated(gateway, node),
    onTableSent: (gateway, node, table) => pipeline.own.tableSent(gateway, node, table),
    onFailure: (error) => xdsServerLog.error("an xDS stream failed; this is a bug in Gatehouse", { error }),
    ...(options.connections && { connections: options.connections }),
  });
  const metrics = createMetrics({
    xds: () => xds.counters,
    connected: () => connected,
    failures: () => pipeline.failures.size,
  });

  return {
    pipeline,
    store,
    reports,
    xds,
    metrics,
    status(key) {
      const report = reports.get(key);
      return report === undefined ? undefined : renderStatus(report);
    },
    statuses: () => Object.fromEntries([...reports].map(([key, report]) => [key, renderStatus(report)])),
    published: () => Object.fromEntries([...gateways].sort().map((gateway) => [gateway, listVersions(store, gateway)])),
  };
}

/** An Envoy says itself which Gateway it serves. */
const believeNode: XdsServerOptions["authorize"] = (_call, { id, cluster }) => {
  if (cluster) return { gateway: cluster };
  return id === RATE_LIMIT_NODE
    ? { gateway: RATE_LIMIT_FLEET }
    : { refused: `node "${id ?? ""}" names no Gateway: start Envoy with the bootstrap that Gatehouse made for it` };
};

function listVersions(store: ResourceStore, gateway: ObjectKey): Record<string, Record<string, string>> {
  const resources = store.gateway(gateway);
  return Object.fromEntries(
    Object.entries(resourceTypes).map(([label, type]) => [
      label,
      Object.fromEntries(
        [...resources.names(type)].sort().map((name) => [name, resources.current(type, name)?.version ?? ""]),
      ),
    ]),
  );
}

/** A translation that failed by a bug keeps its last good output; each is told once. */
function reportFailures(pipeline: Pipeline, reported: Set<string>, log: Logger): void {
  for (const [key, error] of pipeline.failures) {
    if (reported.has(key)) continue;
    reported.add(key);
    log.error("a translation failed and keeps its last output; this is a bug in Gatehouse", {
      key,
      error,
      stack: error.stack,
    });
  }
  for (const key of reported) if (!pipeline.failures.has(key)) reported.delete(key);
}

function shortType(type: string): string {
  return type.slice(type.lastIndexOf(".") + 1);
}
