import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import type { Gateway } from "../api/gateway-api.ts";
import { transportOf } from "../attach/listener-protocol.ts";
import type { MetricSink } from "../attach/metric-sinks.ts";
import type { GatewayPlan } from "../attach/model.ts";
import { compareStrings, type FleetKey, type ObjectKey } from "../base/keys.ts";
import type { Collection, Graph } from "../dataflow/graph.ts";
import type { ProxyNodes } from "./envoy-proxies.ts";
import type { GatewayNodes } from "./gateways.ts";
import type { Http3Nodes } from "./http3.ts";
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

/** One of the Gateways that a fleet serves. */
export interface FleetMember {
  readonly gateway: ObjectKey;
  readonly uid?: string;
  /** `spec.infrastructure`, its own. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What must run so that a fleet can serve. */
export interface GatewayInfrastructure {
  /** The fleet. */
  readonly gateway: FleetKey;
  /** Ports that Envoy binds, ascending. Empty only while `held`. */
  readonly ports: readonly number[];
  /** Address to bind to; undefined = all. */
  readonly bindAddress?: string;
  /** Ascending by the port that Envoy binds; one number may be a port of TCP and one of UDP. */
  readonly served: readonly ServedPort[];
  readonly settings: WorkloadSettings;
  /** True: what runs stays as it is, and nothing new is started, because what is asked for cannot be had. */
  readonly held: boolean;
  /** Owners of what is run, by which the API server cleans up after them. */
  readonly gatewayClass: { readonly name: string; readonly uid?: string };
  /** Absent where Gateways share the fleet. */
  readonly gatewayUid?: string;
  /** The Gateways, oldest first. */
  readonly members: readonly FleetMember[];
  /** `spec.addresses`, of all Gateways. */
  readonly addresses: readonly string[];
  /** `spec.infrastructure`, of all Gateways; of a name that several set, the oldest Gateway's. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Key: fleet. On a host a fleet without a port that can be served has no infrastructure; in a cluster it keeps what it has, since with
 * its Service it would lose its address.
 */
export function createInfrastructure(
  graph: Graph,
  sources: Sources,
  gateways: GatewayNodes,
  proxies: ProxyNodes,
  { portsByFleet: http3Ports }: Pick<Http3Nodes, "portsByFleet">,
): Collection<GatewayInfrastructure> {
  return graph.reduce("infrastructure", gateways.plansByFleet, (fleet, members, read) => {
    const served = [...members.values()].flatMap((plan): ServedGateway[] => {
      const object = read.get(sources.gateways, plan.key);
      return object === undefined ? [] : [{ plan, object }];
    });
    served.sort(compareAge);
    const [first] = served;
    const level = first && read.get(proxies.ofGateways, first.plan.key);
    if (first === undefined || level === undefined) return undefined;
    // A Gateway that has no port, since it asks for what cannot be had, does not hold up the others.
    const serving = served.filter(({ plan }) => plan.ports.length > 0);
    if (serving.length === 0 && readSettings(sources, read).hostInfrastructure) return undefined;
    const { className, bindAddress } = first.plan;
    const classUid = read.get(sources.gatewayClasses, className)?.metadata.uid;
    const { uid } = first.object.metadata;
    return {
      gateway: fleet,
      ...describePorts(serving, new Set([...read.lookup(http3Ports, fleet).values()].map(({ port }) => port.bindPort))),
      ...(bindAddress !== undefined && { bindAddress }),
      settings: workloadSettings(level.spec, read.get(proxies.telemetry, first.plan.key)?.metricSinks),
      held: serving.length === 0 || serving.some(({ plan }) => plan.problems.length > 0),
      gatewayClass: { name: className, ...(classUid !== undefined && { uid: classUid }) },
      ...(uid !== undefined && fleet === first.plan.key && { gatewayUid: uid }),
      members: served.map(describeMember),
      addresses: [...new Set(served.flatMap(({ plan }) => plan.addresses))],
      labels: joinByAge(served, ({ labels }) => labels),
      annotations: joinByAge(served, ({ annotations }) => annotations),
    };
  });
}

interface ServedGateway {
  readonly plan: GatewayPlan;
  readonly object: Gateway;
}

function compareAge(a: ServedGateway, b: ServedGateway): number {
  const [left = "", right = ""] = [a.object.metadata.creationTimestamp, b.object.metadata.creationTimestamp];
  return compareStrings(left, right) || compareStrings(a.plan.key, b.plan.key);
}

function describeMember({ plan, object }: ServedGateway): FleetMember {
  const { labels = {}, annotations = {} } = object.spec.infrastructure ?? {};
  const { uid } = object.metadata;
  return { gateway: plan.key, ...(uid !== undefined && { uid }), labels, annotations };
}

/** @param http3 ports that Envoy binds for HTTP/3, too */
function describePorts(
  gateways: readonly ServedGateway[],
  http3: ReadonlySet<number>,
): Pick<GatewayInfrastructure, "ports" | "served"> {
  // The oldest Gateway of a port names it, so that it keeps its name whoever comes.
  const ports = gateways.flatMap(({ plan }) => plan.ports).reverse();
  const byPort = new Map(ports.map((port) => [`${transportOf(port.protocol)} ${port.bindPort}`, port]));
  const served = [...byPort.values()]
    .flatMap(({ port, bindPort, protocol }): ServedPort[] => {
      const transport = transportOf(protocol);
      const own: ServedPort = { name: `${protocol.toLowerCase()}-${port}`, port, bindPort, protocol: transport };
      // As in Envoy Gateway.
      return transport === "TCP" && http3.has(bindPort)
        ? [own, { ...own, name: `${own.name}-h3`, protocol: "UDP" }]
        : [own];
    })
    .sort((a, b) => a.bindPort - b.bindPort || compareStrings(a.protocol, b.protocol));
  return { ports: [...new Set(served.map(({ bindPort }) => bindPort))], served };
}

type Infrastructure = NonNullable<Gateway["spec"]["infrastructure"]>;

/** Labels or annotations of all Gateways; of one that several set, the oldest Gateway's. */
function joinByAge(
  gateways: readonly ServedGateway[],
  pick: (infrastructure: Infrastructure) => Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  return Object.assign({}, ...gateways.map(({ object }) => pick(object.spec.infrastructure ?? {})).reverse());
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
