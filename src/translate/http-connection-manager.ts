import type { ClientTrafficSettings } from "../attach/client-traffic.ts";
import type { ListenerSettings } from "../attach/listener-settings.ts";
import type { FleetKey } from "../base/keys.ts";
import { pack } from "../envoy/any.ts";
import { adsConfigSource } from "../envoy/constants.ts";
import { HttpProtocolOptions_HeadersWithUnderscoresAction } from "../envoy/generated/envoy/config/core/v3/protocol.ts";
import type { Filter } from "../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import {
  HttpConnectionManager,
  HttpConnectionManager_CodecType,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManager_ServerHeaderTransformation,
} from "../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { UuidRequestIdConfig } from "../envoy/generated/envoy/extensions/request_id/uuid/v3/uuid.ts";
import type { AccessLogs } from "./access-log.ts";
import { BUCKET_HEADER, bucketName, buildBucketHeader } from "./host-buckets.ts";
import { buildHttpFilters } from "./http-filters.ts";
import { applyClientTraffic } from "./policy/client-http.ts";
import { buildTracing } from "./tracing.ts";

/** HTTP/2 limits of Envoy's guide for edge proxies: a client may not make Envoy hold more than this for one connection. */
const HTTP2_CONCURRENT_STREAMS_MAX = 100;
const HTTP2_STREAM_WINDOW_BYTES = 64 * 1024;
const HTTP2_CONNECTION_WINDOW_BYTES = 1024 * 1024;

/** What all HTTP connection managers of a fleet have in common. */
export interface ListenerShape {
  readonly fleet: FleetKey;
  readonly settings: ListenerSettings;
  readonly logs: AccessLogs;
  /** The ClientTrafficPolicy cannot do what it says: every request is answered with 500. */
  readonly refused?: true;
  /** The route table is served in parts (`host-buckets.ts`). */
  readonly inBuckets?: true;
  /** Of the ClientTrafficPolicy in effect. */
  readonly clients?: ClientTrafficSettings;
}

/** `AUTO`: HTTP/1.1, and HTTP/2 by ALPN or, on plain HTTP, by its preface (h2c with prior knowledge). */
export type HttpVersions = "AUTO" | "HTTP3";

/** Of the connections that are read. */
interface ConnectionShape {
  /** Of HTTP/1.0 requests that name none. */
  readonly defaultHost?: string | undefined;
  readonly version?: HttpVersions;
}

/** In place of the listener's routes. */
const refuseAll: HttpConnectionManager = {
  routeConfig: {
    name: "refused",
    virtualHosts: [
      { name: "*", domains: ["*"], routes: [{ match: { prefix: "/" }, directResponse: { status: 500 } }] },
    ],
  },
};

/**
 * The network filter that speaks HTTP. Depends on the port and on the name of the route table only; the routes come by RDS.
 * Settings follow Envoy's guide "Configuring Envoy as an edge proxy" and Envoy Gateway's defaults.
 *
 * @param statPrefix as in `http-8080`; statistics of all filter chains of a port share it
 */
export function buildHttpConnectionManager(
  statPrefix: string,
  routeTable: string,
  shape: ListenerShape,
  { defaultHost, version = "AUTO" }: ConnectionShape = {},
): Filter {
  const { tracing, requestIdTracing } = shape.settings.telemetry;
  const usual: HttpConnectionManager = {
    codecType: HttpConnectionManager_CodecType[version],
    statPrefix,
    ...(shape.refused ? refuseAll : buildRouteSource(routeTable, shape)),
    httpFilters: buildHttpFilters(shape.settings, shape.logs.attempts, shape.clients),
    commonHttpProtocolOptions: {
      headersWithUnderscoresAction: HttpProtocolOptions_HeadersWithUnderscoresAction.REJECT_REQUEST,
    },
    http2ProtocolOptions: {
      maxConcurrentStreams: HTTP2_CONCURRENT_STREAMS_MAX,
      initialStreamWindowSize: HTTP2_STREAM_WINDOW_BYTES,
      initialConnectionWindowSize: HTTP2_CONNECTION_WINDOW_BYTES,
    },
    serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
    useRemoteAddress: true,
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_REDIRECT,
    // Here and not on each route: a WebSocket works wherever the backend takes it, and ten thousand routes say it once.
    upgradeConfigs: [{ upgradeType: "websocket" }],
    accessLog: [...shape.logs.requests],
    ...(tracing && { tracing: buildTracing(shape.fleet, tracing) }),
    ...(requestIdTracing && { requestIdExtension: buildRequestId(requestIdTracing) }),
  };
  const manager = withBuckets(applyClientTraffic(usual, shape.clients, defaultHost), routeTable, shape);
  return { name: "envoy.filters.network.http_connection_manager", typedConfig: pack(HttpConnectionManager, manager) };
}

function buildRouteSource(routeTable: string, { inBuckets }: ListenerShape): HttpConnectionManager {
  if (!inBuckets) return { rds: { configSource: adsConfigSource, routeConfigName: routeTable } };
  return {
    scopedRoutes: {
      name: routeTable,
      scopeKeyBuilder: { fragments: [{ headerValueExtractor: { name: BUCKET_HEADER, index: 0 } }] },
      rdsConfigSource: adsConfigSource,
      scopedRds: { scopedRdsConfigSource: adsConfigSource },
    },
  };
}

/** Last, so that the host is the one that a ClientTrafficPolicy's changes leave. */
function withBuckets(
  manager: HttpConnectionManager,
  routeTable: string,
  { inBuckets, refused }: ListenerShape,
): HttpConnectionManager {
  if (!inBuckets || refused) return manager;
  const early = manager.earlyHeaderMutationExtensions ?? [];
  return { ...manager, earlyHeaderMutationExtensions: [...early, buildBucketHeader(bucketName(routeTable, ""))] };
}

/** Whether the sampling decision is read from x-request-id (Sample) and written into it (Pack). */
function buildRequestId(tracing: NonNullable<ListenerSettings["telemetry"]["requestIdTracing"]>) {
  const config: UuidRequestIdConfig = {
    packTraceReason: tracing === "Pack" || tracing === "PackAndSample",
    useRequestIdForTraceSampling: tracing === "Sample" || tracing === "PackAndSample",
  };
  return { typedConfig: pack(UuidRequestIdConfig, config) };
}
