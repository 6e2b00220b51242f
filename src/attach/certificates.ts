import type { Secret } from "../api/core.ts";
import { gatewayGroup } from "../api/gateway-api.ts";
import { type ObjectKey, objectKey, splitObjectKey } from "../base/keys.ts";
import { problemAt } from "../base/problems.ts";
import { type GrantReader, isGranted } from "./grants.ts";
import type { ListenerCertificates, ListenerPlan } from "./model.ts";
import { checkTlsSecret } from "./tls-secret.ts";

export interface CertificateReader {
  secret(key: ObjectKey): Secret | undefined;
  readonly grants: GrantReader;
}

type CertificateReference = ListenerPlan["certificateRefs"][number];

interface CertificateFault {
  readonly reason: "InvalidCertificateRef" | "RefNotPermitted";
  readonly message: string;
}

/**
 * Follows the certificate references of a listener. Bad ones are left out while at least one is good (reason
 * `PartiallyInvalidCertificateRef`). A reference that is not allowed is always told as such and nothing else (Gateway API, ListenerReasonInvalidCertificateRef): it does not show whether the Secret exists.
 */
export function resolveCertificates(
  gateway: ObjectKey,
  listener: ListenerPlan,
  read: CertificateReader,
): ListenerCertificates {
  const secrets = new Set<ObjectKey>();
  const dnsNames = new Set<string>();
  const faults: { readonly fault: CertificateFault; readonly field: string }[] = [];
  for (const [index, reference] of listener.certificateRefs.entries()) {
    const key = objectKey(reference.namespace, reference.name);
    const secret = read.secret(key);
    const fault = findFault(gateway, reference, key, secret, read.grants);
    if (fault !== undefined) {
      faults.push({ fault, field: `spec.listeners[${listener.index}].tls.certificateRefs[${index}]` });
    } else if (secret !== undefined) {
      secrets.add(key);
      for (const name of checkTlsSecret(secret).dnsNames) dnsNames.add(name);
    }
  }
  return {
    gateway,
    listener: listener.name,
    secrets: [...secrets],
    dnsNames: [...dnsNames].sort(),
    problems: faults.map(({ fault, field }) =>
      problemAt(
        "ResolvedRefs",
        fault.reason === "InvalidCertificateRef" && secrets.size > 0 ? "PartiallyInvalidCertificateRef" : fault.reason,
        field,
        fault.message,
      ),
    ),
  };
}

function findFault(
  gateway: ObjectKey,
  reference: CertificateReference,
  key: ObjectKey,
  secret: Secret | undefined,
  grants: GrantReader,
): CertificateFault | undefined {
  const { namespace } = splitObjectKey(gateway);
  if (!isGranted(grants, { group: gatewayGroup, kind: "Gateway", namespace }, reference)) {
    return {
      reason: "RefNotPermitted",
      message:
        `names ${reference.kind} ${key} of another namespace, and no ReferenceGrant there allows it; create one in namespace ` +
        `${reference.namespace} from Gateways of namespace ${namespace} to Secrets`,
    };
  }
  if (reference.group !== "" || reference.kind !== "Secret") {
    const named = reference.group === "" ? reference.kind : `${reference.kind}.${reference.group}`;
    return {
      reason: "InvalidCertificateRef",
      message: `names a ${named}, and certificates come from Secrets of the core group only; name a Secret`,
    };
  }
  if (secret === undefined) {
    return {
      reason: "InvalidCertificateRef",
      message: `names Secret ${key}, which does not exist; create it or correct the reference`,
    };
  }
  const { fault } = checkTlsSecret(secret);
  return fault === undefined
    ? undefined
    : { reason: "InvalidCertificateRef", message: `names Secret ${key}, which ${fault}; correct it or name another` };
}
