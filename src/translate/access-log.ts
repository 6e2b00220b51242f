import type { AccessLogPlan, LogSink, Server } from "../attach/telemetry.ts";
import { compareStrings, type FleetKey } from "../base/keys.ts";
import { pack, sortedMap } from "../envoy/any.ts";
import type { AccessLog, AccessLogFilter } from "../envoy/generated/envoy/config/accesslog/v3/accesslog.ts";
import { ApiVersion } from "../envoy/generated/envoy/config/core/v3/config_source.ts";
import type { GrpcService } from "../envoy/generated/envoy/config/core/v3/grpc_service.ts";
import type { SubstitutionFormatString } from "../envoy/generated/envoy/config/core/v3/substitution_format_string.ts";
import { FileAccessLog } from "../envoy/generated/envoy/extensions/access_loggers/file/v3/file.ts";
import { ExpressionFilter } from "../envoy/generated/envoy/extensions/access_loggers/filters/cel/v3/cel.ts";
import {
  type CommonGrpcAccessLogConfig,
  HttpGrpcAccessLogConfig,
  TcpGrpcAccessLogConfig,
} from "../envoy/generated/envoy/extensions/access_loggers/grpc/v3/als.ts";
import { OpenTelemetryAccessLogConfig } from "../envoy/generated/envoy/extensions/access_loggers/open_telemetry/v3/logs_service.ts";
import {
  StderrAccessLog,
  StdoutAccessLog,
} from "../envoy/generated/envoy/extensions/access_loggers/stream/v3/stream.ts";
import type { KeyValueList } from "../envoy/generated/opentelemetry/proto/common/v1/common.ts";

/** Fields of the default access log, as Envoy Gateway writes them. Operators: Envoy docs "Access logging". */
const defaultFields = {
  ":authority": "%REQ(:AUTHORITY)%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  connection_termination_details: "%CONNECTION_TERMINATION_DETAILS%",
  downstream_local_address: "%DOWNSTREAM_LOCAL_ADDRESS%",
  downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS%",
  duration: "%DURATION%",
  method: "%REQ(:METHOD)%",
  protocol: "%PROTOCOL%",
  requested_server_name: "%REQUESTED_SERVER_NAME%",
  response_code: "%RESPONSE_CODE%",
  response_code_details: "%RESPONSE_CODE_DETAILS%",
  response_flags: "%RESPONSE_FLAGS%",
  route_name: "%ROUTE_NAME%",
  start_time: "%START_TIME%",
  upstream_cluster: "%UPSTREAM_CLUSTER%",
  upstream_host: "%UPSTREAM_HOST%",
  upstream_local_address: "%UPSTREAM_LOCAL_ADDRESS%",
  upstream_transport_failure_reason: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  "user-agent": "%REQ(USER-AGENT)%",
  "x-envoy-origin-path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
  "x-envoy-upstream-service-time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
  "x-forwarded-for": "%REQ(X-FORWARDED-FOR)%",
  "x-request-id": "%REQ(X-REQUEST-ID)%",
} as const;

/** The end of the names of filter chains that carry streams, which names of others never have. */
export const STREAM_CHAIN_SUFFIX = "/-1";

const stdout = pack(StdoutAccessLog, { logFormat: { jsonFormat: defaultFields } });
const name = "envoy.access_loggers.stdout";

/** Connections that no filter chain takes (a server name without a listener) never become requests: logged by the listener. */
const unmatched: AccessLogFilter = { responseFlagFilter: { flags: ["NR"] } };

/** Connections that a filter chain hands on as they are: by the name of the chain. */
const stream: AccessLogFilter = buildMatch(`xds.filter_chain_name.endsWith("${STREAM_CHAIN_SUFFIX}")`);
const unmatchedOrStream: AccessLogFilter = { orFilter: { filters: [unmatched, stream] } };

/** One JSON line a request on Envoy's standard output; on a host that is a file beside Envoy's own log. */
const defaultLogs: AccessLogs = {
  requests: [{ name, typedConfig: stdout }],
  attempts: [],
  connections: [],
  unmatched: [{ name, filter: unmatchedOrStream, typedConfig: stdout }],
};

/** Where in a Listener logs belong. */
export interface AccessLogs {
  /** Of the HTTP connection manager. */
  readonly requests: readonly AccessLog[];
  /** Of the router: each attempt at a backend. */
  readonly attempts: readonly AccessLog[];
  /** Of the listener. */
  readonly connections: readonly AccessLog[];
  /**
   * Of a listener that tells connections apart by their server name: those that nobody wants, and those that are handed on as they
   * are. Here and not in each filter chain, since a thousand of them would repeat it a thousand times.
   */
  readonly unmatched: readonly AccessLog[];
}

/**
 * The logs of a fleet.
 *
 * @param fleet names the log of an access log service
 */
export function buildAccessLogs(fleet: FleetKey, plans: readonly AccessLogPlan[] | undefined): AccessLogs {
  if (plans === undefined) return defaultLogs;
  const logsOf = (plan: AccessLogPlan, extra: readonly AccessLogFilter[] = []) => buildLogs(fleet, plan, extra);
  const ofType = (type: AccessLogPlan["type"]) => plans.filter((plan) => plan.type === type);
  return {
    requests: [...ofType(undefined), ...ofType("Route")].flatMap((plan) => logsOf(plan)),
    attempts: ofType("Upstream").flatMap((plan) => logsOf(plan)),
    connections: ofType("Listener").flatMap((plan) => logsOf(plan)),
    unmatched: [
      ...ofType(undefined).flatMap((plan) => logsOf(plan, [unmatchedOrStream])),
      ...ofType("Route").flatMap((plan) => logsOf(plan, [stream])),
    ],
  };
}

function buildLogs(fleet: FleetKey, plan: AccessLogPlan, extra: readonly AccessLogFilter[]): AccessLog[] {
  const filters = [...extra, ...plan.matches.map(buildMatch)];
  const [first] = filters;
  const filter = filters.length > 1 ? { andFilter: { filters } } : first;
  return plan.sinks
    .flatMap((sink) => buildSink(fleet, sink, plan.format))
    .map((log) => (filter === undefined ? log : { ...log, filter }));
}

function buildMatch(expression: string): AccessLogFilter {
  return {
    extensionFilter: {
      name: "envoy.access_loggers.extension_filters.cel",
      typedConfig: pack(ExpressionFilter, { expression }),
    },
  };
}

type Format = AccessLogPlan["format"];

function buildSink(fleet: FleetKey, sink: LogSink, format: Format): AccessLog[] {
  switch (sink.kind) {
    case "File":
      return formatsOf(format).map((logFormat) => buildFile(sink.path, logFormat));
    case "ALS":
      return [buildService(fleet, sink, format)];
    case "OpenTelemetry":
      return [buildOpenTelemetry(fleet, sink, format)];
  }
}

/** Envoy's own output is not opened by its path, which fails where it is a socket. */
function buildFile(path: string, logFormat: SubstitutionFormatString): AccessLog {
  switch (path) {
    case "/dev/stdout":
      return { name: "envoy.access_loggers.stdout", typedConfig: pack(StdoutAccessLog, { logFormat }) };
    case "/dev/stderr":
      return { name: "envoy.access_loggers.stderr", typedConfig: pack(StderrAccessLog, { logFormat }) };
    default:
      return { name: "envoy.access_loggers.file", typedConfig: pack(FileAccessLog, { path, logFormat }) };
  }
}

/** An entry as text, as JSON, or as both: then it is written twice. */
function formatsOf(format: Format): SubstitutionFormatString[] {
  const { text, json } = format ?? {};
  const formats: SubstitutionFormatString[] = [];
  // Without its line break an entry would run into the next.
  if (text !== undefined)
    formats.push({ textFormatSource: { inlineString: text.endsWith("\n") ? text : `${text}\n` } });
  if (json !== undefined) formats.push({ jsonFormat: sortedMap(Object.entries(json)) });
  return formats.length === 0 ? [{ jsonFormat: defaultFields }] : formats;
}

/** The service gets all there is and writes it down itself: how, it is told when the stream begins (names of Envoy Gateway). */
function describeFormat({ text, json }: NonNullable<Format>): { name: string; value: string }[] {
  const oneLine = text?.trim().replace(/\s*[\r\n]+\s*/g, " ");
  return [
    ...(oneLine ? [{ name: "x-accesslog-text", value: oneLine }] : []),
    ...(json ? [{ name: "x-accesslog-attr", value: JSON.stringify(sortedTexts(json)) }] : []),
  ];
}

function buildService(
  fleet: FleetKey,
  { server, settings }: Extract<LogSink, { kind: "ALS" }>,
  format: Format,
): AccessLog {
  const commonConfig: CommonGrpcAccessLogConfig = {
    logName: settings.logName ?? fleet,
    grpcService: buildGrpcService(server, format && describeFormat(format)),
    transportApiVersion: ApiVersion.V3,
  };
  if (settings.type === "TCP") {
    return { name: "envoy.access_loggers.tcp_grpc", typedConfig: pack(TcpGrpcAccessLogConfig, { commonConfig }) };
  }
  const { requestHeaders = [], responseHeaders = [], responseTrailers = [] } = settings.http ?? {};
  return {
    name: "envoy.access_loggers.http_grpc",
    typedConfig: pack(HttpGrpcAccessLogConfig, {
      commonConfig,
      additionalRequestHeadersToLog: [...requestHeaders],
      additionalResponseHeadersToLog: [...responseHeaders],
      additionalResponseTrailersToLog: [...responseTrailers],
    }),
  };
}

/** The text is the body of a record, the fields its attributes. */
function buildOpenTelemetry(
  fleet: FleetKey,
  { server, settings }: Extract<LogSink, { kind: "OpenTelemetry" }>,
  format: Format,
): AccessLog {
  const { text, json = text === undefined ? defaultFields : undefined } = format ?? {};
  const resources = settings.resourceAttributes ?? settings.resources;
  const config: OpenTelemetryAccessLogConfig = {
    commonConfig: {
      logName: fleet,
      grpcService: buildGrpcService(server, settings.headers),
      transportApiVersion: ApiVersion.V3,
    },
    ...(resources && { resourceAttributes: toKeyValues(resources) }),
    ...(text !== undefined && { body: { stringValue: text } }),
    ...(json && { attributes: toKeyValues(json) }),
  };
  return { name: "envoy.access_loggers.open_telemetry", typedConfig: pack(OpenTelemetryAccessLogConfig, config) };
}

/** A collector reached by gRPC, with headers to send along. */
export function buildGrpcService(
  { cluster, authority }: Server,
  headers: readonly { readonly name: string; readonly value: string }[] = [],
): GrpcService {
  return {
    envoyGrpc: { clusterName: cluster, authority },
    initialMetadata: headers.map(({ name: key, value }) => ({ key: key.toLowerCase(), value })),
  };
}

/** The same with its keys in a fixed order. */
export function sortedTexts(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => compareStrings(a, b)));
}

function toKeyValues(values: Readonly<Record<string, string>>): KeyValueList {
  const sorted = Object.entries(values).sort(([a], [b]) => compareStrings(a, b));
  return { values: sorted.map(([key, stringValue]) => ({ key, value: { stringValue } })) };
}
