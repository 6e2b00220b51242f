import { secretsOf } from "../attach/cluster-spec.ts";
import type { ClusterSpec, SubjectAltName, UpstreamTls } from "../attach/model.ts";
import { pack } from "../envoy/any.ts";
import { adsConfigSource } from "../envoy/constants.ts";
import type { TransportSocket } from "../envoy/generated/envoy/config/core/v3/base.ts";
import {
  type CertificateValidationContext,
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType,
} from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/common.ts";
import {
  type CommonTlsContext,
  UpstreamTlsContext,
} from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { buildTlsParameters } from "./tls-parameters.ts";

/** Where Debian, Ubuntu and Envoy's own images keep the authorities that the system trusts. */
export const SYSTEM_TRUST_FILE = "/etc/ssl/certs/ca-certificates.crt";

/** TLS towards a backend. Certificates and authorities come by SDS: a renewed one changes no cluster. */
export function buildUpstreamTls(spec: ClusterSpec, tls: UpstreamTls, systemTrustFile: string): TransportSocket {
  const context: UpstreamTlsContext = {
    ...(tls.sni !== undefined && { sni: tls.sni }),
    ...(tls.autoSniFromEndpointHostname && { autoHostSni: true }),
    ...(tls.autoSniFromEndpointHostname && !tls.insecureSkipVerify && { autoSniSanValidation: true }),
    commonTlsContext: {
      tlsParams: buildTlsParameters(tls),
      ...(tls.alpnProtocols && { alpnProtocols: [...tls.alpnProtocols] }),
      ...(tls.clientCertificate !== undefined && {
        tlsCertificateSdsSecretConfigs: [{ name: tls.clientCertificate, sdsConfig: adsConfigSource }],
      }),
      ...buildValidation(spec, tls, systemTrustFile),
    },
  };
  return { name: "envoy.transport_sockets.tls", typedConfig: pack(UpstreamTlsContext, context) };
}

function buildValidation(spec: ClusterSpec, tls: UpstreamTls, systemTrustFile: string): CommonTlsContext {
  if (tls.insecureSkipVerify || tls.trust === "None") return {};
  const names = tls.subjectAltNames ?? (tls.sni === undefined ? [] : [{ type: "DNS" as const, value: tls.sni }]);
  const identity: CertificateValidationContext =
    names.length === 0 ? {} : { matchTypedSubjectAltNames: names.map(matchName) };
  if (tls.trust === "System") {
    return { validationContext: { trustedCa: { filename: systemTrustFile }, ...identity } };
  }
  const name = secretsOf(spec).find(({ use }) => use === "trust")?.name;
  const source = { name, sdsConfig: adsConfigSource };
  return names.length === 0
    ? { validationContextSdsSecretConfig: source }
    : { combinedValidationContext: { defaultValidationContext: identity, validationContextSdsSecretConfig: source } };
}

/** An exact DNS name is matched by wildcards of the certificate, and a wildcard by every name below it and by itself. */
function matchName({ type, value }: SubjectAltName): SubjectAltNameMatcher {
  if (type === "URI") return { sanType: SubjectAltNameMatcher_SanType.URI, matcher: { exact: value } };
  const matcher = value.startsWith("*.") ? { suffix: value.slice(1), ignoreCase: true } : { exact: value };
  return { sanType: SubjectAltNameMatcher_SanType.DNS, matcher };
}
