import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import { splitObjectKey } from "../base/keys.ts";
import { backendEndpoints } from "./backend.ts";
import { type Collector, type CollectorReference, findCollector } from "./collector.ts";
import type { ProxyFinding } from "./envoy-proxy.ts";
import type { BackendEndpoint } from "./model.ts";
import type { ResolveReader } from "./resolve-reader.ts";
import type { RoutingSettings } from "./routing-settings.ts";
import type { TlsTarget } from "./tls-targets.ts";

type Sinks = NonNullable<NonNullable<NonNullable<EnvoyProxySpec["telemetry"]>["metrics"]>["sinks"]>;
type Settings = NonNullable<Sinks[number]["openTelemetry"]>;

/** Where an Envoy sends its figures by itself. It must know the place when it starts, so this is part of its bootstrap. */
export interface MetricSink {
  readonly endpoints: readonly BackendEndpoint["address"][];
  readonly authority: string;
  /** Addresses to look names up for; undefined: IPv4 where there are both. */
  readonly family?: RoutingSettings["ipFamily"];
  readonly settings: Pick<
    Settings,
    "headers" | "reportCountersAsDeltas" | "reportHistogramsAsDeltas" | "resourceAttributes"
  >;
}

/**
 * @param refused takes what cannot be had; those sinks are left out
 * @param tlsTargets as in {@link findCollector}
 */
export function planMetricSinks(
  sinks: Sinks = [],
  namespace: string,
  read: ResolveReader,
  family: RoutingSettings["ipFamily"],
  refused: ProxyFinding[],
  tlsTargets: Set<TlsTarget>,
): MetricSink[] {
  return sinks.flatMap(({ openTelemetry }, index): MetricSink[] => {
    if (openTelemetry === undefined) return [];
    const field = `spec.telemetry.metrics.sinks[${index}].openTelemetry`;
    if (openTelemetry.backendSettings !== undefined) {
      const text = "is not implemented in this version for metrics; remove it";
      refused.push({ field: `${field}.backendSettings`, text });
      return [];
    }
    const collector = findCollector(openTelemetry as CollectorReference, "http2", field, namespace, read, tlsTargets);
    const endpoints = "field" in collector ? collector : findEndpoints(collector, field, read);
    if ("field" in endpoints) {
      refused.push(endpoints);
      return [];
    }
    const { headers, reportCountersAsDeltas, reportHistogramsAsDeltas, resourceAttributes } = openTelemetry;
    const settings = {
      ...(headers && { headers }),
      ...(reportCountersAsDeltas !== undefined && { reportCountersAsDeltas }),
      ...(reportHistogramsAsDeltas !== undefined && { reportHistogramsAsDeltas }),
      ...(resourceAttributes && { resourceAttributes }),
    };
    return [{ endpoints, authority: (collector as Collector).authority, ...(family && { family }), settings }];
  });
}

/** A bootstrap has no endpoint discovery: a Service is reached by its name. */
function findEndpoints(
  { cluster: { reach, tls } }: Collector,
  field: string,
  read: ResolveReader,
): readonly BackendEndpoint["address"][] | ProxyFinding {
  if (tls !== undefined)
    return { field, text: "leads to a backend with TLS, which is not implemented for metrics; use one without" };
  if (reach.kind === "Dns") return reach.endpoints.map(({ address }) => address);
  if (reach.kind === "Backend") {
    const backend = read.backend(reach.key);
    return backend === undefined ? [] : backendEndpoints(backend).map(({ address }) => address);
  }
  if (reach.kind !== "Service") return { field, text: "names several backends, and metrics go to one; keep one" };
  if (read.settings.hostInfrastructure) {
    return { field, text: "names a Service, which this host cannot reach by its name; use host or a Backend" };
  }
  const { namespace, name } = splitObjectKey(reach.key);
  return [{ host: `${name}.${namespace}.svc`, port: reach.port }];
}
