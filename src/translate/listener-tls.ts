import type { ClientTls } from "../attach/client-tls.ts";
import type { ListenerCertificates } from "../attach/model.ts";
import { pack } from "../envoy/any.ts";
import { adsConfigSource } from "../envoy/constants.ts";
import type { TransportSocket } from "../envoy/generated/envoy/config/core/v3/base.ts";
import { DownstreamTlsContext } from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { buildClientValidation } from "./policy/client-tls.ts";
import { buildTlsParameters } from "./tls-parameters.ts";

/** TLS over TCP. As {@link buildDownstreamContext}. */
export function buildDownstreamTls(
  certificates: ListenerCertificates,
  alpnProtocols: readonly string[],
): TransportSocket {
  const context = buildDownstreamContext(certificates, alpnProtocols);
  return { name: "envoy.transport_sockets.tls", typedConfig: pack(DownstreamTlsContext, context) };
}

/**
 * TLS towards clients. Certificates and authorities are named, not held: they come by SDS, so that a renewed one changes no
 * Listener and closes no connection.
 *
 * @param certificates Envoy picks one of several by the client's server name
 * @param alpnProtocols what is offered to the client where no policy says so; none: ALPN takes no part
 */
export function buildDownstreamContext(
  { secrets, clientValidation, clientTls }: ListenerCertificates,
  alpnProtocols: readonly string[],
): DownstreamTlsContext {
  return {
    ...(clientValidation?.required && { requireClientCertificate: true }),
    commonTlsContext: {
      tlsParams: buildTlsParameters({ minVersion: "1.2", ...clientTls }),
      tlsCertificateSdsSecretConfigs: secrets.map((name) => ({ name, sdsConfig: adsConfigSource })),
      ...(clientValidation && buildClientValidation(clientValidation)),
      alpnProtocols: [...(clientTls?.alpnProtocols ?? alpnProtocols)],
    },
    ...(clientTls && buildResumption(clientTls)),
  };
}

function buildResumption({ resumption: { stateless, stateful } }: ClientTls): DownstreamTlsContext {
  return {
    ...(!stateless && { disableStatelessSessionResumption: true }),
    ...(!stateful && { disableStatefulSessionResumption: true }),
  };
}
