import type { Server, TracingPlan } from "../attach/telemetry.ts";
import type { TracedTraffic } from "../attach/tracing-traffic.ts";
import { compareStrings, type FleetKey, splitObjectKey } from "../base/keys.ts";
import { type Any, pack } from "../envoy/any.ts";
import type { TypedExtensionConfig } from "../envoy/generated/envoy/config/core/v3/extension.ts";
import type { Tracing } from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import { DatadogConfig } from "../envoy/generated/envoy/config/trace/v3/datadog.ts";
import { OpenTelemetryConfig } from "../envoy/generated/envoy/config/trace/v3/opentelemetry.ts";
import {
  ZipkinConfig,
  ZipkinConfig_CollectorEndpointVersion,
} from "../envoy/generated/envoy/config/trace/v3/zipkin.ts";
import type { HttpConnectionManager_Tracing } from "../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { StaticConfigResourceDetectorConfig } from "../envoy/generated/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector.ts";
import { AlwaysOnSamplerConfig } from "../envoy/generated/envoy/extensions/tracers/opentelemetry/samplers/v3/always_on_sampler.ts";
import { ParentBasedSamplerConfig } from "../envoy/generated/envoy/extensions/tracers/opentelemetry/samplers/v3/parent_based_sampler.ts";
import { TraceIdRatioBasedSamplerConfig } from "../envoy/generated/envoy/extensions/tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler.ts";
import type { CustomTag } from "../envoy/generated/envoy/type/tracing/v3/custom_tag.ts";
import { type FractionalPercent, FractionalPercent_DenominatorType } from "../envoy/generated/envoy/type/v3/percent.ts";
import { buildGrpcService, sortedTexts } from "./access-log.ts";

type Settings = TracingPlan["settings"];
type Provider = Settings["provider"];
interface Fraction {
  readonly numerator: number;
  readonly denominator?: number;
}

/** Where Zipkin takes spans, and collectors that speak its protocol too. */
const ZIPKIN_PATH = "/api/v2/spans";

const PERCENT_MAX = 100;

/**
 * Spans of requests. Without a word on sampling every request is traced; a client that asks for it by x-client-trace-id is heard only
 * when `clientSamplingFraction` says so.
 */
export function buildTracing(fleet: FleetKey, { server, settings }: TracingPlan): HttpConnectionManager_Tracing {
  const { samplingRate = PERCENT_MAX, samplingFraction, clientSamplingFraction, overallSamplingFraction } = settings;
  return {
    clientSampling: { value: toPercent(clientSamplingFraction ?? { numerator: 0 }) },
    randomSampling: { value: samplingFraction === undefined ? samplingRate : toPercent(samplingFraction) },
    overallSampling: {
      value: overallSamplingFraction === undefined ? PERCENT_MAX : toPercent(overallSamplingFraction),
    },
    customTags: buildTags(settings),
    provider: buildProvider(fleet, server, settings.provider),
    spawnUpstreamSpan: true,
    ...(settings.spanName && { operation: settings.spanName.server, upstreamOperation: settings.spanName.client }),
  };
}

/** The same of one route, in place of what its listener has; tags are added to the listener's. */
export function traceRoute(tracing: TracedTraffic): Tracing {
  const { samplingFraction, clientSamplingFraction, overallSamplingFraction, spanName } = tracing;
  const all: Fraction = { numerator: PERCENT_MAX };
  const customTags = buildTags(tracing);
  return {
    clientSampling: toFractionalPercent(clientSamplingFraction ?? { numerator: 0 }),
    randomSampling: toFractionalPercent(samplingFraction ?? all),
    overallSampling: toFractionalPercent(overallSamplingFraction ?? all),
    ...(customTags.length > 0 && { customTags }),
    ...(spanName && { operation: spanName.server, upstreamOperation: spanName.client }),
  };
}

function toPercent({ numerator, denominator = PERCENT_MAX }: Fraction): number {
  return (numerator / denominator) * PERCENT_MAX;
}

function buildTags({ customTags = {}, tags = {} }: Pick<Settings, "customTags" | "tags">): CustomTag[] {
  const custom = Object.entries(customTags).map(([tag, { type, literal, environment, requestHeader }]): CustomTag => {
    if (type === "Literal") return { tag, literal: { value: literal?.value ?? "" } };
    if (type === "Environment") return { tag, environment: withDefault(environment) };
    return { tag, requestHeader: withDefault(requestHeader) };
  });
  const formatted = Object.entries(tags).map(([tag, value]): CustomTag => ({ tag, value }));
  return [...custom, ...formatted].sort((a, b) => compareStrings(a.tag ?? "", b.tag ?? ""));
}

function withDefault(source: { readonly name: string; readonly defaultValue?: string } | undefined) {
  return { name: source?.name ?? "", ...(source?.defaultValue !== undefined && { defaultValue: source.defaultValue }) };
}

function buildProvider(fleet: FleetKey, server: Server, provider: Provider): { name: string; typedConfig: Any } {
  const { namespace, name } = splitObjectKey(fleet);
  const serviceName = provider.serviceName ?? (namespace === "" ? name : `${name}.${namespace}`);
  switch (provider.type) {
    case "OpenTelemetry":
      return {
        name: "envoy.tracers.opentelemetry",
        typedConfig: pack(OpenTelemetryConfig, buildOpenTelemetry(server, serviceName, provider.openTelemetry ?? {})),
      };
    case "Zipkin": {
      const { enable128BitTraceId, disableSharedSpanContext } = provider.zipkin ?? {};
      const config: ZipkinConfig = {
        collectorCluster: server.cluster,
        collectorHostname: server.authority,
        collectorEndpoint: ZIPKIN_PATH,
        collectorEndpointVersion: ZipkinConfig_CollectorEndpointVersion.HTTP_JSON,
        ...(enable128BitTraceId && { traceId128bit: true }),
        sharedSpanContext: !disableSharedSpanContext,
      };
      return { name: "envoy.tracers.zipkin", typedConfig: pack(ZipkinConfig, config) };
    }
    case "Datadog":
      return {
        name: "envoy.tracers.datadog",
        typedConfig: pack(DatadogConfig, {
          collectorCluster: server.cluster,
          collectorHostname: server.authority,
          serviceName,
        }),
      };
  }
}

type OpenTelemetry = NonNullable<Provider["openTelemetry"]>;

function buildOpenTelemetry(server: Server, serviceName: string, settings: OpenTelemetry): OpenTelemetryConfig {
  const { headers, resourceAttributes, sampler } = settings;
  return {
    grpcService: buildGrpcService(server, headers),
    serviceName,
    ...(resourceAttributes && {
      resourceDetectors: [
        {
          name: "envoy.tracers.opentelemetry.resource_detectors.static_config",
          typedConfig: pack(StaticConfigResourceDetectorConfig, { attributes: sortedTexts(resourceAttributes) }),
        },
      ],
    }),
    ...(sampler && { sampler: buildSampler(sampler) }),
  };
}

function buildSampler({ type, samplingPercentage }: NonNullable<OpenTelemetry["sampler"]>): TypedExtensionConfig {
  const parentless = buildRootSampler(type.replace("ParentBased", ""), samplingPercentage);
  if (!type.startsWith("ParentBased")) return parentless;
  return {
    name: "envoy.tracers.opentelemetry.samplers.parent_based",
    typedConfig: pack(ParentBasedSamplerConfig, { wrappedSampler: parentless }),
  };
}

/** Envoy has no sampler that is always off: it is one of a ratio of zero. */
function buildRootSampler(type: string, percentage: Fraction | undefined): TypedExtensionConfig {
  if (type === "AlwaysOn") {
    return {
      name: "envoy.tracers.opentelemetry.samplers.always_on",
      typedConfig: pack(AlwaysOnSamplerConfig, {}),
    };
  }
  const part = type === "AlwaysOff" ? { numerator: 0 } : (percentage ?? { numerator: PERCENT_MAX });
  return {
    name: "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
    typedConfig: pack(TraceIdRatioBasedSamplerConfig, { samplingPercentage: toFractionalPercent(part) }),
  };
}

const MILLION = 1_000_000;

function toFractionalPercent({ numerator, denominator = PERCENT_MAX }: Fraction): FractionalPercent {
  const millionths = Math.round((numerator / denominator) * MILLION);
  return { numerator: millionths, denominator: FractionalPercent_DenominatorType.MILLION };
}
