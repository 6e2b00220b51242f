import { type ClientName, type ClientValidation, takesAnyone } from "../../attach/client-validation.ts";
import { trustSecret } from "../../attach/cluster-spec.ts";
import { pack } from "../../envoy/any.ts";
import { adsConfigSource } from "../../envoy/constants.ts";
import type { Filter } from "../../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import { RBAC_Action } from "../../envoy/generated/envoy/config/rbac/v3/rbac.ts";
import { RBAC } from "../../envoy/generated/envoy/extensions/filters/network/rbac/v3/rbac.ts";
import {
  type CertificateValidationContext,
  CertificateValidationContext_TrustChainVerification,
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType,
} from "../../envoy/generated/envoy/extensions/transport_sockets/tls/v3/common.ts";
import type { CommonTlsContext } from "../../envoy/generated/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import type { Expr } from "../../envoy/generated/google/api/expr/v1alpha1/syntax.ts";
import { matchString } from "./client-headers.ts";

/**
 * That a client shows any certificate at all. Envoy's own demand for one is for nothing where it has no authorities; with some it names
 * them, and clients have no other to show.
 */
export function demandCertificate(statPrefix: string, validation: ClientValidation | undefined): Filter[] {
  if (validation === undefined || !takesAnyone(validation)) return [];
  const connection: Expr = { identExpr: { name: "connection" } };
  const shown: Expr = { selectExpr: { operand: connection, field: "sha256_peer_certificate_digest", testOnly: true } };
  const policies = { certificate: { permissions: [{ any: true }], principals: [{ any: true }], condition: shown } };
  const config: RBAC = { statPrefix, rules: { action: RBAC_Action.ALLOW, policies } };
  return [{ name: "envoy.filters.network.rbac", typedConfig: pack(RBAC, config) }];
}

/** Authorities and what they revoked by SDS, and beside them what is no secret. */
export function buildClientValidation(validation: ClientValidation): Partial<CommonTlsContext> {
  const [authorities] = trustSecret(validation.trust, validation.revoked);
  const beside = buildContext(validation);
  if (authorities === undefined) {
    const { certificateHashes, spkiHashes, verified } = validation;
    // Without any of them Envoy would take every certificate.
    if (verified && !certificateHashes && !spkiHashes) throw new Error("client validation by nothing");
    return { validationContext: beside };
  }
  const validationContextSdsSecretConfig = { name: authorities.name, sdsConfig: adsConfigSource };
  if (Object.keys(beside).length === 0) return { validationContextSdsSecretConfig };
  return { combinedValidationContext: { defaultValidationContext: beside, validationContextSdsSecretConfig } };
}

function buildContext(validation: ClientValidation): CertificateValidationContext {
  const { verified, certificateHashes, spkiHashes, names, onlyLeafRevoked, expiredAllowed } = validation;
  return {
    ...(spkiHashes && { verifyCertificateSpki: [...spkiHashes] }),
    ...(certificateHashes && { verifyCertificateHash: [...certificateHashes] }),
    ...(names && { matchTypedSubjectAltNames: names.map(matchName) }),
    ...(expiredAllowed && { allowExpiredCertificate: true }),
    ...(!verified && {
      trustChainVerification: CertificateValidationContext_TrustChainVerification.ACCEPT_UNTRUSTED,
    }),
    ...(onlyLeafRevoked && { onlyVerifyLeafCertCrl: true }),
  };
}

const nameTypes = {
  dnsNames: SubjectAltNameMatcher_SanType.DNS,
  emailAddresses: SubjectAltNameMatcher_SanType.EMAIL,
  ipAddresses: SubjectAltNameMatcher_SanType.IP_ADDRESS,
  uris: SubjectAltNameMatcher_SanType.URI,
  otherNames: SubjectAltNameMatcher_SanType.OTHER_NAME,
} as const;

function matchName({ kind, oid, type, value }: ClientName): SubjectAltNameMatcher {
  return { sanType: nameTypes[kind], matcher: matchString({ type, value }), ...(oid !== undefined && { oid }) };
}
