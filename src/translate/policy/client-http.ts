import type { ClientTrafficSettings } from "../../attach/client-traffic.ts";
import { parseQuantity } from "../../attach/quantity.ts";
import { pack } from "../../envoy/any.ts";
import type { Http1ProtocolOptions, HttpProtocolOptions } from "../../envoy/generated/envoy/config/core/v3/protocol.ts";
import type { Filter } from "../../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import { HealthCheck } from "../../envoy/generated/envoy/extensions/filters/http/health_check/v3/health_check.ts";
import { ConnectionLimit } from "../../envoy/generated/envoy/extensions/filters/network/connection_limit/v3/connection_limit.ts";
import {
  type HttpConnectionManager,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  type HttpFilter,
} from "../../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import type { Duration } from "../../envoy/generated/google/protobuf/duration.ts";
import { buildHttp2 } from "../connection.ts";
import { parseDuration, toDuration } from "../duration.ts";
import { keepHeaderCase } from "../header-case.ts";
import { buildClientAddress } from "./client-address.ts";
import { buildClientHeaders, matchString, underscoreActions } from "./client-headers.ts";

const slashActions = {
  KeepUnchanged: HttpConnectionManager_PathWithEscapedSlashesAction.KEEP_UNCHANGED,
  RejectRequest: HttpConnectionManager_PathWithEscapedSlashesAction.REJECT_REQUEST,
  UnescapeAndForward: HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_FORWARD,
  UnescapeAndRedirect: HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_REDIRECT,
} as const;

/** `usual` with what a ClientTrafficPolicy says in its place. */
export function applyClientTraffic(
  usual: HttpConnectionManager,
  clients: ClientTrafficSettings | undefined,
  defaultHost?: string,
): HttpConnectionManager {
  if (clients === undefined) return usual;
  const { path, headers, timeout, http1, http2, clientIPDetection, scheme, connection } = clients;
  const { requestReceivedTimeout, requestHeadersReceivedTimeout, streamIdleTimeout } = timeout?.http ?? {};
  const headerBytes = headers?.maxRequestHeaderLimit;
  const safeAge = connection?.connectionLimit?.maxConnectionDuration !== undefined;
  return {
    ...usual,
    ...given({
      requestTimeout: durationOf(requestReceivedTimeout),
      requestHeadersTimeout: durationOf(requestHeadersReceivedTimeout),
      streamIdleTimeout: durationOf(streamIdleTimeout),
      mergeSlashes: path?.disableMergeSlashes === undefined ? undefined : !path.disableMergeSlashes,
      pathWithEscapedSlashesAction: path?.escapedSlashesAction && slashActions[path.escapedSlashesAction],
      schemeHeaderTransformation: scheme === "MatchBackend" ? { matchUpstream: true } : undefined,
      httpProtocolOptions: http1 && buildHttp1(http1, defaultHost),
    }),
    commonHttpProtocolOptions: { ...usual.commonHttpProtocolOptions, ...buildLimits(clients) },
    http2ProtocolOptions: { ...usual.http2ProtocolOptions, ...(http2 && buildHttp2({ http2 })) },
    // A request in flight when its connection is too old gets its answer.
    ...(safeAge && !http1?.disableSafeMaxConnectionDuration && { http1SafeMaxConnectionDuration: true }),
    ...(headers && buildClientHeaders(headers, headerBytes === undefined ? undefined : parseQuantity(headerBytes))),
    ...(clientIPDetection && buildClientAddress(clientIPDetection)),
  };
}

function buildLimits({ headers, timeout, connection }: ClientTrafficSettings): HttpProtocolOptions {
  const { maxConnectionDuration, maxRequestsPerConnection, maxStreamDuration } = connection?.connectionLimit ?? {};
  return given({
    idleTimeout: durationOf(timeout?.http?.idleTimeout),
    maxConnectionDuration: durationOf(maxConnectionDuration),
    maxStreamDuration: durationOf(maxStreamDuration),
    maxRequestsPerConnection,
    headersWithUnderscoresAction: headers?.withUnderscoresAction && underscoreActions[headers.withUnderscoresAction],
  });
}

function buildHttp1(
  { enableTrailers, ignoredUpgradeTypes, http10, preserveHeaderCase }: NonNullable<ClientTrafficSettings["http1"]>,
  defaultHost: string | undefined,
) {
  return given<Http1ProtocolOptions>({
    enableTrailers,
    acceptHttp10: http10 && true,
    defaultHostForHttp10: http10 && defaultHost,
    headerKeyFormat: preserveHeaderCase ? keepHeaderCase.headerKeyFormat : undefined,
    ignoreHttp11Upgrade: ignoredUpgradeTypes?.map((match) => matchString(match, true)),
  });
}

/** Stands before the filter that reads the connection. Each filter chain counts its own connections. */
export function buildConnectionLimit(statPrefix: string, clients: ClientTrafficSettings | undefined): Filter[] {
  const { value, closeDelay } = clients?.connection?.connectionLimit ?? {};
  if (value === undefined) return [];
  const delay = durationOf(closeDelay);
  const config: ConnectionLimit = { statPrefix, maxConnections: value, ...(delay && { delay }) };
  return [{ name: "envoy.filters.network.connection_limit", typedConfig: pack(ConnectionLimit, config) }];
}

/** Answers what asks for the path, whatever routes there are; 503 once Envoy is told to stop. */
export function buildHealthCheck(clients: ClientTrafficSettings | undefined): HttpFilter | undefined {
  if (clients?.healthCheck === undefined) return undefined;
  const config: HealthCheck = {
    passThroughMode: false,
    headers: [{ name: ":path", stringMatch: { exact: clients.healthCheck.path } }],
  };
  return { name: "envoy.filters.http.health_check", typedConfig: pack(HealthCheck, config) };
}

function durationOf(text: string | undefined): Duration | undefined {
  const milliseconds = parseDuration(text);
  return milliseconds === undefined ? undefined : toDuration(milliseconds);
}

/** Without what is not said. */
function given<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
