import type { ClusterReach, ClusterSpec } from "../attach/cluster-model.ts";
import type { ConnectionSettings } from "../attach/connection-settings.ts";
import { splitObjectKey } from "../base/keys.ts";
import { pack } from "../envoy/any.ts";
import type { Cluster } from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import type { OutlierDetection } from "../envoy/generated/envoy/config/cluster/v3/outlier_detection.ts";
import { RequestMethod } from "../envoy/generated/envoy/config/core/v3/base.ts";
import type {
  HealthCheck,
  HealthCheck_HttpHealthCheck,
  HealthCheck_Payload,
} from "../envoy/generated/envoy/config/core/v3/health_check.ts";
import { HealthCheckEventFileSink } from "../envoy/generated/envoy/extensions/health_check/event_sinks/file/v3/file.ts";
import { CodecClientType } from "../envoy/generated/envoy/type/v3/http.ts";
import type { Int64Range } from "../envoy/generated/envoy/type/v3/range.ts";
import type { Duration } from "../envoy/generated/google/protobuf/duration.ts";
import { parseDuration, toDuration } from "./duration.ts";

type HealthCheckSettings = NonNullable<ConnectionSettings["healthCheck"]>;
type Active = NonNullable<HealthCheckSettings["active"]>;
type Payload = NonNullable<NonNullable<Active["http"]>["requestBody"]>;

/** What an API server fills in; a policy merged over another may lack them. */
const DEFAULT_INTERVAL_MS = 3_000;
const DEFAULT_TIMEOUT_MS = 1_000;
const DEFAULT_HEALTHY = 1;
const DEFAULT_UNHEALTHY = 3;
const OK = 200;
const CERTAIN_PERCENT = 100;

/** Health of endpoints: asked for, and seen by what becomes of requests. */
export function buildHealth(
  { active, passive, panicThreshold }: HealthCheckSettings,
  { protocol, reach }: Pick<ClusterSpec, "protocol" | "reach">,
): Partial<Cluster> {
  return {
    ...(active && { healthChecks: [buildActive(active, protocol, hostOf(reach))] }),
    ...(passive && { outlierDetection: buildPassive(passive) }),
    ...(panicThreshold !== undefined && { commonLbConfig: { healthyPanicThreshold: { value: panicThreshold } } }),
  };
}

function duration(text: string | undefined, usual: number): Duration {
  return toDuration(parseDuration(text) ?? usual);
}

/**
 * What to ask for where neither policy nor route knows a host. Envoy would ask for the name of the cluster, whose slashes no authority may have:
 * strict servers refuse such requests.
 */
function hostOf(reach: ClusterReach): string {
  const first = "members" in reach ? reach.members[0]?.reach.key : reach.key;
  const { namespace, name } = splitObjectKey(first ?? "");
  return namespace === "" ? name : `${name}.${namespace}`;
}

function buildActive(active: Active, protocol: "http1" | "http2", host: string): HealthCheck {
  const jitter = parseDuration(active.initialJitter);
  const interval = duration(active.interval, DEFAULT_INTERVAL_MS);
  return {
    interval,
    // Envoy would ask only once a minute where there was no request yet: an endpoint that was not ready at first would stay out as long.
    noTrafficInterval: interval,
    timeout: duration(active.timeout, DEFAULT_TIMEOUT_MS),
    healthyThreshold: active.healthyThreshold ?? DEFAULT_HEALTHY,
    unhealthyThreshold: active.unhealthyThreshold ?? DEFAULT_UNHEALTHY,
    ...(jitter !== undefined && { initialJitter: toDuration(jitter) }),
    ...(active.overrides?.port !== undefined && { altPort: active.overrides.port }),
    ...(active.http && active.type === "HTTP" && { httpHealthCheck: buildHttp(active.http, protocol, host) }),
    ...(active.type === "TCP" && {
      tcpHealthCheck: {
        ...(active.tcp?.send && { send: payload(active.tcp.send) }),
        ...(active.tcp?.receive && { receive: [payload(active.tcp.receive)] }),
      },
    }),
    ...(active.type === "GRPC" && { grpcHealthCheck: { serviceName: active.grpc?.service ?? "", authority: host } }),
    ...buildLog(active.healthCheckLog),
  };
}

function buildHttp(
  http: NonNullable<Active["http"]>,
  protocol: "http1" | "http2",
  host: string,
): HealthCheck_HttpHealthCheck {
  const method = http.method?.toUpperCase() as keyof typeof RequestMethod | undefined;
  return {
    path: http.path,
    host: http.hostname ?? host,
    ...(method !== undefined && { method: RequestMethod[method] }),
    expectedStatuses: (http.expectedStatuses ?? [OK]).map(single),
    ...(http.retriableStatuses && { retriableStatuses: http.retriableStatuses.map(single) }),
    ...(http.requestBody && { send: payload(http.requestBody) }),
    ...(http.expectedResponse && { receive: [payload(http.expectedResponse)] }),
    ...(protocol === "http2" && { codecClientType: CodecClientType.HTTP2 }),
  };
}

function single(status: number): Int64Range {
  return { start: status, end: status + 1 };
}

/** Envoy's own `text` is hexadecimal; of what a check by TCP is to send Envoy 1.40 overlooks `binary`. */
function payload({ type, text = "", binary = "" }: Payload): HealthCheck_Payload {
  return { text: (type === "Text" ? Buffer.from(text, "utf8") : Buffer.from(binary, "base64")).toString("hex") };
}

function buildLog(log: Active["healthCheckLog"]): Partial<HealthCheck> {
  const path = log?.sinks?.find(({ file }) => file !== undefined)?.file?.path;
  if (path === undefined) return {};
  const matches = log?.matches ?? [];
  return {
    eventLogger: [
      {
        name: "envoy.health_check.event_sinks.file",
        typedConfig: pack(HealthCheckEventFileSink, { eventLogPath: path }),
      },
    ],
    ...(matches.includes("Failure") && { alwaysLogHealthCheckFailures: true }),
    ...(matches.includes("Success") && { alwaysLogHealthCheckSuccess: true }),
  };
}

function buildPassive(passive: NonNullable<HealthCheckSettings["passive"]>): OutlierDetection {
  const { consecutive5XxErrors, consecutiveGatewayErrors, consecutiveLocalOriginFailures } = passive;
  const { splitExternalLocalOriginErrors, maxEjectionPercent, failurePercentageThreshold } = passive;
  const [interval, ejection] = [parseDuration(passive.interval), parseDuration(passive.baseEjectionTime)];
  return {
    ...(consecutive5XxErrors !== undefined && { consecutive5xx: consecutive5XxErrors }),
    ...(consecutiveGatewayErrors !== undefined && {
      consecutiveGatewayFailure: consecutiveGatewayErrors,
      enforcingConsecutiveGatewayFailure: CERTAIN_PERCENT,
    }),
    ...(consecutiveLocalOriginFailures !== undefined && {
      consecutiveLocalOriginFailure: consecutiveLocalOriginFailures,
    }),
    ...(splitExternalLocalOriginErrors !== undefined && { splitExternalLocalOriginErrors }),
    ...(interval !== undefined && { interval: toDuration(interval) }),
    ...(ejection !== undefined && { baseEjectionTime: toDuration(ejection) }),
    ...(maxEjectionPercent !== undefined && { maxEjectionPercent }),
    ...(passive.alwaysEjectOneEndpoint && { alwaysEjectOneHost: true }),
    ...(failurePercentageThreshold !== undefined && {
      failurePercentageThreshold,
      enforcingFailurePercentage: CERTAIN_PERCENT,
      enforcingFailurePercentageLocalOrigin: CERTAIN_PERCENT,
    }),
    // No field asks for comparing the endpoints with one another, which Envoy would do by itself.
    enforcingSuccessRate: 0,
    enforcingLocalOriginSuccessRate: 0,
  };
}
