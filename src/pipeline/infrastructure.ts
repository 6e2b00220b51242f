import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import type { Gateway } from "../api/gateway-api.ts";
import type { MetricSink } from "../attach/metric-sinks.ts";
import type { GatewayPlan } from "../attach/model.ts";
import type { ObjectKey } from "../base/keys.ts";
import type { Collection, Graph } from "../dataflow/graph.ts";
import type { ProxyNodes } from "./envoy-proxies.ts";
import type { GatewayNodes } from "./gateways.ts";
import { readSettings, type Sources } from "./sources.ts";

/** The part of an EnvoyProxy that decides how Envoy is run. The rest comes to a running Envoy over xDS. */
export type WorkloadSettings = Pick<
  EnvoyProxySpec,
  "provider" | "concurrency" | "logging" | "extraArgs" | "shutdown" | "bootstrap" | "ipFamily"
> & {
  readonly telemetry?: Pick<NonNullable<EnvoyProxySpec["telemetry"]>, "metrics">;
  /** The sinks of the metrics, with references followed. */
  readonly metricSinks?: readonly MetricSink[];
};

/** A port at which clients reach a gateway. */
export interface ServedPort {
  /** As in Envoy Gateway: `http-80`. */
  readonly name: string;
  readonly port: number;
  /** The one that Envoy binds. */
  readonly bindPort: number;
  readonly protocol: "TCP" | "UDP";
}

/** What must run so that a gateway can serve. */
export interface GatewayInfrastructure {
  readonly gateway: ObjectKey;
  /** Ports that Envoy binds, ascending. Empty only while `held`. */
  readonly ports: readonly number[];
  /** Address to bind to; undefined = all. */
  readonly bindAddress?: string;
  /** In the order of `ports`. */
  readonly served: readonly ServedPort[];
  readonly settings: WorkloadSettings;
  /** True: what runs stays as it is, and nothing new is started, because what the Gateway asks for cannot be had. */
  readonly held: boolean;
  /** Owners of what is run, by which the API server cleans up after them. */
  readonly gatewayClass: { readonly name: string; readonly uid?: string };
  readonly gatewayUid?: string;
  /** `spec.addresses`. */
  readonly addresses: readonly string[];
  /** `spec.infrastructure` */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Key: gateway. On a host a gateway without a port that can be served has no infrastructure; in a cluster it keeps what it has,
 * since with its Service it would lose its address.
 */
export function createInfrastructure(
  graph: Graph,
  sources: Sources,
  gateways: GatewayNodes,
  proxies: ProxyNodes,
): Collection<GatewayInfrastructure> {
  return graph.map("infrastructure", gateways.plans, (plan, key, read) => {
    const gateway = read.get(sources.gateways, key);
    const level = read.get(proxies.ofGateways, key);
    if (gateway === undefined || level === undefined) return undefined;
    if (plan.ports.length === 0 && readSettings(sources, read).hostInfrastructure) return undefined;
    const classUid = read.get(sources.gatewayClasses, plan.className)?.metadata.uid;
    return {
      gateway: key,
      ...describePorts(plan),
      settings: workloadSettings(level.spec, read.get(proxies.telemetry, key)?.metricSinks),
      held: plan.ports.length === 0 || plan.problems.length > 0,
      gatewayClass: { name: plan.className, ...(classUid !== undefined && { uid: classUid }) },
      ...describeOwner(gateway),
      addresses: plan.addresses,
    };
  });
}

function describePorts(plan: GatewayPlan): Pick<GatewayInfrastructure, "ports" | "served" | "bindAddress"> {
  const served = [...plan.ports]
    .sort((a, b) => a.bindPort - b.bindPort)
    .map(({ port, bindPort, protocol }): ServedPort => {
      return { name: `${protocol.toLowerCase()}-${port}`, port, bindPort, protocol: "TCP" };
    });
  const ports = served.map(({ bindPort }) => bindPort);
  return { ports, served, ...(plan.bindAddress !== undefined && { bindAddress: plan.bindAddress }) };
}

function describeOwner({
  metadata,
  spec,
}: Gateway): Pick<GatewayInfrastructure, "gatewayUid" | "labels" | "annotations"> {
  const { labels = {}, annotations = {} } = spec.infrastructure ?? {};
  return { labels, annotations, ...(metadata.uid !== undefined && { gatewayUid: metadata.uid }) };
}

function workloadSettings(spec: EnvoyProxySpec, metricSinks: readonly MetricSink[] | undefined): WorkloadSettings {
  const { provider, concurrency, logging, extraArgs, shutdown, bootstrap, ipFamily } = spec;
  const metrics = spec.telemetry?.metrics;
  return withoutUndefined({
    ...{ provider, concurrency, logging, extraArgs, shutdown, bootstrap, ipFamily },
    telemetry: metrics && { metrics },
    metricSinks,
  });
}

function withoutUndefined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
