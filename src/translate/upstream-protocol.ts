import type { ClusterSpec } from "../attach/model.ts";
import { type Any, pack } from "../envoy/any.ts";
import { adsConfigSource } from "../envoy/constants.ts";
import type { UpstreamHttpProtocolOptions } from "../envoy/generated/envoy/config/core/v3/protocol.ts";
import { CredentialInjector } from "../envoy/generated/envoy/extensions/filters/http/credential_injector/v3/credential_injector.ts";
import { UpstreamCodec } from "../envoy/generated/envoy/extensions/filters/http/upstream_codec/v3/upstream_codec.ts";
import type { HttpFilter } from "../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { Generic } from "../envoy/generated/envoy/extensions/http/injected_credentials/generic/v3/generic.ts";
import { HttpProtocolOptions } from "../envoy/generated/envoy/extensions/upstreams/http/v3/http_protocol_options.ts";

import { buildHttp2, buildHttpLimits } from "./connection.ts";
import { keepHeaderCase } from "./header-case.ts";

const optionsName = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

const upstreamCodec: HttpFilter = {
  name: "envoy.filters.http.upstream_codec",
  typedConfig: pack(UpstreamCodec, {}),
};

/**
 * HTTP version, names taken from the request, and filters between router and backend. Undefined where Envoy's defaults say
 * the same (HTTP/1.1, nothing else): most clusters, and each such message costs Envoy memory.
 */
export function buildProtocolOptions(spec: ClusterSpec): Record<string, Any> | undefined {
  const names = namesFromRequest(spec);
  // For a cluster that resolves the request's host, Envoy takes absent options for "verify as the request's host".
  const versions = versionsOf(spec);
  const limits = spec.connection && buildHttpLimits(spec.connection);
  const plain = spec.reach.kind !== "DynamicResolver" && versions === http1 && limits === undefined;
  if (plain && names === undefined && spec.credential === undefined) return undefined;
  const options: HttpProtocolOptions = {
    ...versions,
    ...(limits && { commonHttpProtocolOptions: limits }),
    ...(names && { upstreamHttpProtocolOptions: names }),
    ...(spec.credential && { httpFilters: [injectCredential(spec.credential), upstreamCodec] }),
  };
  return { [optionsName]: pack(HttpProtocolOptions, options) };
}

const http1: HttpProtocolOptions = { explicitHttpConfig: { httpProtocolOptions: {} } };
const http2: HttpProtocolOptions = { explicitHttpConfig: { http2ProtocolOptions: {} } };
const agreedOn: HttpProtocolOptions = { autoConfig: { httpProtocolOptions: {}, http2ProtocolOptions: {} } };
const http1KeepingCase: HttpProtocolOptions = { explicitHttpConfig: { httpProtocolOptions: keepHeaderCase } };
const agreedOnKeepingCase: HttpProtocolOptions = {
  autoConfig: { httpProtocolOptions: keepHeaderCase, http2ProtocolOptions: {} },
};

/** Who offers versions in the TLS handshake must speak the one that the backend chooses. */
function versionsOf({ protocol, tls, connection }: ClusterSpec): HttpProtocolOptions {
  // What a backend says that it speaks stands.
  if (connection?.useClientProtocol && protocol === "http1") {
    return {
      useDownstreamProtocolConfig: {
        httpProtocolOptions: connection.preserveHeaderCase ? keepHeaderCase : {},
        http2ProtocolOptions: buildHttp2(connection),
      },
    };
  }
  if (protocol === "http2") {
    return connection ? { explicitHttpConfig: { http2ProtocolOptions: buildHttp2(connection) } } : http2;
  }
  const offered = tls?.alpnProtocols ?? [];
  const keepsCase = connection?.preserveHeaderCase;
  if (!offered.includes("h2")) return keepsCase ? http1KeepingCase : http1;
  if (!offered.includes("http/1.1")) return http2;
  return keepsCase ? agreedOnKeepingCase : agreedOn;
}

/** Without a name of its own a TLS backend is asked for, and verified as, the host that the request names. */
function namesFromRequest({ reach, tls }: ClusterSpec): UpstreamHttpProtocolOptions | undefined {
  // A cluster that resolves the request's host must carry both even for plain text: Envoy checks the cluster, not its use.
  if (tls === undefined)
    return reach.kind === "DynamicResolver" ? { autoSni: true, autoSanValidation: true } : undefined;
  if (tls.sni !== undefined || tls.autoSniFromEndpointHostname) return undefined;
  return tls.insecureSkipVerify ? { autoSni: true } : { autoSni: true, autoSanValidation: true };
}

/** A filter on the way to the backend, so that neither Listener nor routes know of the credential. */
function injectCredential({ secret, header, overwrite }: NonNullable<ClusterSpec["credential"]>): HttpFilter {
  return {
    name: "envoy.filters.http.credential_injector",
    typedConfig: pack(CredentialInjector, {
      ...(overwrite && { overwrite }),
      credential: {
        name: "envoy.http.injected_credentials.generic",
        typedConfig: pack(Generic, {
          credential: { name: `credential/${secret}`, sdsConfig: adsConfigSource },
          header,
        }),
      },
    }),
  };
}
