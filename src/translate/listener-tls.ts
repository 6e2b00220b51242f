import type { ClientValidation } from "../attach/client-validation.ts";
import { trustSecret } from "../attach/cluster-spec.ts";
import type { ListenerCertificates } from "../attach/model.ts";
import { pack } from "../envoy/any.ts";
import { adsConfigSource } from "../envoy/constants.ts";
import type { TransportSocket } from "../envoy/generated/envoy/config/core/v3/base.ts";
import {
  type CertificateValidationContext,
  CertificateValidationContext_TrustChainVerification,
  TlsParameters_TlsProtocol,
} from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/common.ts";
import {
  type CommonTlsContext,
  DownstreamTlsContext,
} from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/tls.ts";

/**
 * TLS towards clients. Certificates and authorities are named, not held: they come by SDS, so that a renewed one changes no
 * Listener and closes no connection.
 *
 * @param certificates Envoy picks one of several by the client's server name
 * @param alpnProtocols what is offered to the client; none: ALPN takes no part
 */
export function buildDownstreamTls(
  { secrets, clientValidation }: ListenerCertificates,
  alpnProtocols: readonly string[],
): TransportSocket {
  const context: DownstreamTlsContext = {
    ...(clientValidation?.mode === "AllowValidOnly" && { requireClientCertificate: true }),
    commonTlsContext: {
      tlsParams: {
        tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
        tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      },
      tlsCertificateSdsSecretConfigs: secrets.map((name) => ({ name, sdsConfig: adsConfigSource })),
      ...(clientValidation && buildClientValidation(clientValidation)),
      alpnProtocols: [...alpnProtocols],
    },
  };
  return { name: "envoy.transport_sockets.tls", typedConfig: pack(DownstreamTlsContext, context) };
}

/** Authorities by SDS, and beside them what is no secret. */
function buildClientValidation({ trust, mode }: ClientValidation): Partial<CommonTlsContext> {
  const [authorities] = trustSecret(trust);
  // Without any Envoy would take every certificate.
  if (authorities === undefined) throw new Error("client validation without authorities");
  const validationContextSdsSecretConfig = { name: authorities.name, sdsConfig: adsConfigSource };
  if (mode === "AllowValidOnly") return { validationContextSdsSecretConfig };
  const defaultValidationContext: CertificateValidationContext = {
    trustChainVerification: CertificateValidationContext_TrustChainVerification.ACCEPT_UNTRUSTED,
  };
  return { combinedValidationContext: { defaultValidationContext, validationContextSdsSecretConfig } };
}
