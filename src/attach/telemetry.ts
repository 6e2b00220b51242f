import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import { adaptCluster } from "./adapt-route.ts";
import { findCelFault } from "./cel-match.ts";
import { type CollectorReference, findCollector } from "./collector.ts";
import type { PartNamespaces, ProxyFinding } from "./envoy-proxy.ts";
import { type MetricSink, planMetricSinks } from "./metric-sinks.ts";
import type { ClusterSpec } from "./model.ts";
import type { ResolveReader } from "./resolve-reader.ts";
import type { RoutingSettings } from "./routing-settings.ts";
import type { TlsTarget } from "./tls-targets.ts";

type Telemetry = NonNullable<EnvoyProxySpec["telemetry"]>;
type AccessLogSettings = NonNullable<NonNullable<Telemetry["accessLog"]>["settings"]>[number];
type Sink = AccessLogSettings["sinks"][number];
type Tracing = NonNullable<Telemetry["tracing"]>;

/** A server by its cluster, and the host that calls name. */
export interface Server {
  readonly cluster: string;
  readonly authority: string;
}

/** A place to log to. */
export type LogSink =
  | { readonly kind: "File"; readonly path: string }
  | { readonly kind: "ALS"; readonly server: Server; readonly settings: NonNullable<Sink["als"]> }
  | { readonly kind: "OpenTelemetry"; readonly server: Server; readonly settings: NonNullable<Sink["openTelemetry"]> };

export interface AccessLogPlan {
  /** Undefined: requests, and connections that no listener takes. */
  readonly type?: AccessLogSettings["type"];
  readonly format?: AccessLogSettings["format"];
  /** CEL expressions that must all hold. */
  readonly matches: readonly string[];
  readonly sinks: readonly LogSink[];
}

export interface TracingPlan {
  readonly server: Server;
  readonly settings: Tracing;
}

/** What Envoys tell of their work, with references followed. */
export interface TelemetryPlan {
  /** Undefined: the default log. Empty: none. */
  readonly accessLogs?: readonly AccessLogPlan[];
  readonly tracing?: TracingPlan;
  readonly requestIdTracing?: NonNullable<Telemetry["requestID"]>["tracing"];
  readonly metricSinks?: readonly MetricSink[];
  /** Servers that are called, each once. */
  readonly clusters: readonly ClusterSpec[];
  /** What is called and BackendTLSPolicies target, sorted; absent: nothing. */
  readonly tlsTargets?: readonly TlsTarget[];
  /** What cannot be had; the plan is without it. */
  readonly refused: readonly ProxyFinding[];
}

/** Where a file log goes when its sink names no path. */
const STDOUT = "/dev/stdout";

/**
 * @param namespaces of the EnvoyProxies that have the parts
 * @param routing how the gateway's Envoys reach what they call
 */
export function planTelemetry(
  telemetry: Telemetry,
  namespaces: PartNamespaces,
  read: ResolveReader,
  routing?: RoutingSettings,
): TelemetryPlan {
  const clusters = new Map<string, ClusterSpec>();
  const refused: ProxyFinding[] = [];
  const tlsTargets = new Set<TlsTarget>();
  const followIn =
    (namespace = ""): Follow =>
    (reference, protocol, field) => {
      const collector = findCollector(reference, protocol, field, namespace, read, tlsTargets);
      if ("field" in collector) {
        refused.push(collector);
        return undefined;
      }
      const cluster = adaptCluster(collector.cluster, routing);
      clusters.set(cluster.name, cluster);
      return { cluster: cluster.name, authority: collector.authority };
    };
  const accessLogs = planAccessLogs(telemetry.accessLog, followIn(namespaces.accessLog));
  const tracing = planTracing(telemetry.tracing, followIn(namespaces.tracing));
  const metricSinks = planMetricSinks(
    telemetry.metrics?.sinks,
    namespaces.metrics ?? "",
    read,
    routing?.ipFamily,
    refused,
    tlsTargets,
  );
  const requestIdTracing = telemetry.requestID?.tracing;
  return {
    ...(accessLogs && { accessLogs }),
    ...(tracing && { tracing }),
    ...(requestIdTracing && { requestIdTracing }),
    ...(metricSinks.length > 0 && { metricSinks }),
    clusters: [...clusters.values()],
    ...(tlsTargets.size > 0 && { tlsTargets: [...tlsTargets].sort() }),
    refused,
  };
}

type Follow = (reference: CollectorReference, protocol: ClusterSpec["protocol"], field: string) => Server | undefined;

function planAccessLogs(accessLog: Telemetry["accessLog"], follow: Follow): AccessLogPlan[] | undefined {
  if (accessLog?.disable) return [];
  return accessLog?.settings?.flatMap(({ type, format, matches = [], sinks }, index): AccessLogPlan[] => {
    // Refused where the EnvoyProxy is judged; without what chooses its entries a log would hold what nobody wants.
    if (matches.some((expression) => findCelFault(expression) !== undefined)) return [];
    const field = `spec.telemetry.accessLog.settings[${index}]`;
    const plan = {
      ...(type && { type }),
      ...(format && { format }),
      matches,
      sinks: sinks.flatMap((sink, position) => planSink(sink, `${field}.sinks[${position}]`, follow)),
    };
    return [plan];
  });
}

function planSink({ type, file, als, openTelemetry }: Sink, field: string, follow: Follow): LogSink[] {
  if (type === "File") return [{ kind: "File", path: file?.path ?? STDOUT }];
  if (type === "ALS" && als !== undefined) {
    const server = follow(als as CollectorReference, "http2", `${field}.als`);
    return server === undefined ? [] : [{ kind: "ALS", server, settings: als }];
  }
  if (openTelemetry === undefined) return [];
  const server = follow(openTelemetry as CollectorReference, "http2", `${field}.openTelemetry`);
  return server === undefined ? [] : [{ kind: "OpenTelemetry", server, settings: openTelemetry }];
}

function planTracing(tracing: Telemetry["tracing"], follow: Follow): TracingPlan | undefined {
  if (tracing === undefined) return undefined;
  const { provider } = tracing;
  // `openTelemetry.host` and `.port` are a shorthand.
  const { host = provider.host, port = provider.port } = provider.openTelemetry ?? {};
  const reference = { ...provider, ...(host !== undefined && { host }), ...(port !== undefined && { port }) };
  const protocol = provider.type === "OpenTelemetry" ? "http2" : "http1";
  const server = follow(reference as CollectorReference, protocol, "spec.telemetry.tracing.provider");
  return server === undefined ? undefined : { server, settings: tracing };
}
