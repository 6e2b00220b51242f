import { type Gateway, gatewayGroup } from "../api/gateway-api.ts";
import { type ObjectKey, objectKey } from "../base/keys.ts";
import { noProblems, type Problem, problemAt } from "../base/problems.ts";
import type { TlsReader } from "./authorities.ts";
import { type GrantReader, isGranted } from "./grants.ts";
import type { RoutingSettings } from "./routing-settings.ts";
import { checkTlsSecret } from "./tls-secret.ts";

/** The certificate that the Envoys of a Gateway show to backends with TLS. */
export interface GatewayClientCertificate {
  /** Key of its Secret; undefined: what is asked for cannot be had, and none is shown. */
  readonly secret?: ObjectKey;
  readonly problems: readonly Problem[];
}

const FIELD = "spec.tls.backend.clientCertificateRef";

/**
 * Follows `spec.tls.backend.clientCertificateRef` (Gateway API, GatewayBackendTLS). Undefined: the Gateway asks for none. A
 * reference that is not allowed is told as such and nothing else: it does not show whether the Secret exists.
 */
export function resolveGatewayClientCertificate(
  { metadata, spec }: Gateway,
  read: Pick<TlsReader, "secret"> & { readonly grants: GrantReader },
): GatewayClientCertificate | undefined {
  const reference = spec.tls?.backend?.clientCertificateRef;
  if (reference === undefined) return undefined;
  const own = metadata.namespace ?? "";
  const { group = "", kind = "Secret", namespace = own, name } = reference;
  const key = objectKey(namespace, name);
  const report = (reason: string, what: string, remedy: string): GatewayClientCertificate => ({
    problems: [problemAt("ResolvedRefs", reason, FIELD, `${what}, so backends are shown no certificate; ${remedy}`)],
  });
  if (
    !isGranted(read.grants, { group: gatewayGroup, kind: "Gateway", namespace: own }, { group, kind, namespace, name })
  ) {
    return report(
      "RefNotPermitted",
      `names ${kind} ${key} of another namespace, and no ReferenceGrant there allows it`,
      `create one in namespace ${namespace} from Gateways of namespace ${own} to Secrets`,
    );
  }
  const invalid = (what: string, remedy: string) => report("InvalidClientCertificateRef", what, remedy);
  if (group !== "" || kind !== "Secret") {
    const named = group === "" ? kind : `${kind}.${group}`;
    return invalid(`names a ${named}, and a client certificate comes from a Secret of the core group`, "name one");
  }
  const secret = read.secret(key);
  if (secret === undefined) {
    return invalid(`names Secret ${key}, which does not exist`, "create it or correct the reference");
  }
  const { fault } = checkTlsSecret(secret);
  return fault === undefined
    ? { secret: key, problems: noProblems }
    : invalid(`names Secret ${key}, which ${fault}`, "correct it or name another");
}

/**
 * The settings with the Gateway's certificate in the place of that of its EnvoyProxy, which many Gateways may have in common. One
 * that cannot be had is not replaced by the other: backends would take the Gateway for somebody else.
 */
export function withClientCertificate(
  settings: RoutingSettings | undefined,
  certificate: GatewayClientCertificate | undefined,
): RoutingSettings | undefined {
  if (certificate === undefined) return settings;
  const { clientCertificate: _, ...tls } = settings?.tls ?? {};
  const { tls: __, ...others } = settings ?? {};
  const own = certificate.secret === undefined ? tls : { ...tls, clientCertificate: certificate.secret };
  const result: RoutingSettings = Object.keys(own).length > 0 ? { ...others, tls: own } : others;
  return Object.keys(result).length > 0 ? result : undefined;
}
