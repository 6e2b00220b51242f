import type { ObjectKey } from "../base/keys.ts";
import { pack } from "../envoy/any.ts";
import { adsConfigSource } from "../envoy/constants.ts";
import type { TransportSocket } from "../envoy/generated/envoy/config/core/v3/base.ts";
import { TlsParameters_TlsProtocol } from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/common.ts";
import { DownstreamTlsContext } from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/tls.ts";

/**
 * TLS towards clients. Certificates are named, not held: they come by SDS, so that a renewed one changes no Listener and
 * closes no connection.
 *
 * @param secrets keys of the Secrets, which are the names of the SDS resources; Envoy picks one by the client's server name
 */
export function buildDownstreamTls(secrets: readonly ObjectKey[]): TransportSocket {
  const context: DownstreamTlsContext = {
    commonTlsContext: {
      tlsParams: {
        tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
        tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      },
      tlsCertificateSdsSecretConfigs: secrets.map((name) => ({ name, sdsConfig: adsConfigSource })),
      alpnProtocols: ["h2", "http/1.1"],
    },
  };
  return { name: "envoy.transport_sockets.tls", typedConfig: pack(DownstreamTlsContext, context) };
}
