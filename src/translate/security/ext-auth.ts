import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { ExtAuthModel } from "../../attach/security/ext-auth.ts";
import type { SecurityModel } from "../../attach/security/model.ts";
import { type Any, pack } from "../../envoy/any.ts";
import type { HeaderMutationRules } from "../../envoy/generated/envoy/config/common/mutation_rules/v3/mutation_rules.ts";
import type { RetryPolicy } from "../../envoy/generated/envoy/config/core/v3/base.ts";
import { ApiVersion } from "../../envoy/generated/envoy/config/core/v3/config_source.ts";
import type { Route, RouteAction } from "../../envoy/generated/envoy/config/route/v3/route_components.ts";
import {
  ExtAuthz,
  ExtAuthzPerRoute,
} from "../../envoy/generated/envoy/extensions/filters/http/ext_authz/v3/ext_authz.ts";
import { HeaderMutation } from "../../envoy/generated/envoy/extensions/filters/http/header_mutation/v3/header_mutation.ts";
import type { ListStringMatcher } from "../../envoy/generated/envoy/type/matcher/v3/string.ts";
import type { StatusCode } from "../../envoy/generated/envoy/type/v3/http_status.ts";
import { BUCKET_HEADER } from "../host-buckets.ts";
import { runFilters } from "../whole-filter.ts";
import { askTime, planRetries } from "./asked-server.ts";
import { securityFilterNames } from "./filters.ts";

type FilterConfigs = NonNullable<Route["typedPerFilterConfig"]>;

/** When it is asked again, where it is: it has not answered. */
const retryOn = {
  grpc: "connect-failure,refused-stream,unavailable,cancelled",
  http: "connect-failure,refused-stream,gateway-error",
};
/** Envoy takes most of it of listeners only. */
export function configureExtAuth(security: SecurityModel): readonly [filter: string, config: Any] | undefined {
  const { extAuth, servers = {} } = security;
  if (extAuth === undefined) return undefined;
  const { toldHeaders, clearedHeaders, bodyBytesMax, statusOnError } = extAuth;
  const filter: ExtAuthz = {
    ...buildServer(extAuth, servers["extAuth"]?.name ?? ""),
    transportApiVersion: ApiVersion.V3,
    ...(toldHeaders && { allowedHeaders: matchNames(toldHeaders) }),
    disallowedHeaders: matchNames([BUCKET_HEADER]),
    failureModeAllow: extAuth.failsOpen,
    clearRouteCache: extAuth.recomputesRoute,
    ...(bodyBytesMax !== undefined && { withRequestBody: { maxRequestBytes: bodyBytesMax } }),
    ...(statusOnError !== undefined && { statusOnError: { code: statusOnError as StatusCode } }),
    validateMutations: true,
    decoderHeaderMutationRules: buildMutationRules(extAuth),
  };
  const name = securityFilterNames.extAuth;
  const clears: HeaderMutation = {
    mutations: { requestMutations: clearedHeaders.map((header) => ({ remove: header })) },
  };
  const cleared = clearedHeaders.length === 0 ? [] : [pack(HeaderMutation, clears)];
  return [name, runFilters(name, [...cleared, packFilter(filter, extAuth)])];
}

/** `http_service.path_override`, which Envoy 1.40 has and the descriptors of xds-protos 1.85.0 have not. */
const httpServiceField = 3;
const pathOverrideField = 10;
const lengthDelimited = 2;
const tagOf = (field: number) => field * 8 + lengthDelimited;

/** A field of a message that comes twice is merged (Protocol Buffers, encoding), so what the generated type lacks is appended. */
function packFilter(filter: ExtAuthz, { path }: ExtAuthModel): Any {
  const packed = pack(ExtAuthz, filter);
  if (path === undefined || !("whole" in path)) return packed;
  const writer = new BinaryWriter();
  writer.uint32(tagOf(httpServiceField)).fork().uint32(tagOf(pathOverrideField)).string(path.whole).join();
  return { ...packed, value: Buffer.concat([packed.value, writer.finish()]) };
}

/**
 * What the server is told beside the request. Envoy looks for it under the name of the filter, where all the rest of the filter stands,
 * but at every level of a route; so it stands at the route, and the filter at its clusters, whose word counts.
 */
export function tellContext(
  security: SecurityModel | undefined,
  typedPerFilterConfig: FilterConfigs,
  action: RouteAction,
): { readonly typedPerFilterConfig: FilterConfigs; readonly action: RouteAction } {
  const context = security?.extAuth?.context;
  const name = securityFilterNames.extAuth;
  const filter = typedPerFilterConfig[name];
  if (context === undefined || filter === undefined) return { typedPerFilterConfig, action };
  const { cluster = "", weightedClusters, ...rest } = action;
  const { clusters = [{ name: cluster, weight: 1 }] } = weightedClusters ?? {};
  const told = pack(ExtAuthzPerRoute, { checkSettings: { contextExtensions: { ...context } } });
  const ofClusters = clusters.map((each) => ({ ...each, typedPerFilterConfig: { [name]: filter } }));
  return {
    typedPerFilterConfig: { ...typedPerFilterConfig, [name]: told },
    action: { ...rest, weightedClusters: { ...weightedClusters, clusters: ofClusters } },
  };
}

function buildServer(extAuth: ExtAuthModel, cluster: string): Pick<ExtAuthz, "grpcService" | "httpService"> {
  const { protocol, authority, path, backendHeaders = [] } = extAuth;
  const timeout = askTime(extAuth.timeout);
  const retryPolicy = buildRetryPolicy(extAuth);
  if (protocol === "grpc") {
    return {
      grpcService: { timeout, envoyGrpc: { clusterName: cluster, authority, ...(retryPolicy && { retryPolicy }) } },
    };
  }
  return {
    httpService: {
      serverUri: { uri: `http://${authority}`, cluster, timeout },
      ...(path && "prefix" in path && { pathPrefix: path.prefix }),
      authorizationResponse: {
        ...(backendHeaders.length > 0 && { allowedUpstreamHeaders: matchNames(backendHeaders) }),
      },
      ...(retryPolicy && { retryPolicy }),
    },
  };
}

function buildRetryPolicy({ protocol, retry }: ExtAuthModel): RetryPolicy | undefined {
  return retry && { retryOn: retryOn[protocol], ...planRetries(retry) };
}

/** By gRPC a server can change any header where nothing says which ones it may. */
function buildMutationRules({ protocol, backendHeaders }: ExtAuthModel): HeaderMutationRules {
  const disallowExpression = { regex: BUCKET_HEADER };
  if (protocol === "http" || backendHeaders === undefined) {
    return { allowAllRouting: true, allowEnvoy: true, disallowExpression };
  }
  const regex = backendHeaders.map((name) => name.replace(/[.*+?^$|]/g, "\\$&")).join("|");
  return { disallowAll: true, allowExpression: { regex }, disallowExpression };
}

function matchNames(names: readonly string[]): ListStringMatcher {
  return { patterns: names.map((exact) => ({ exact, ignoreCase: true })) };
}
