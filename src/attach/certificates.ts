import type { Secret } from "../api/core.ts";
import { gatewayGroup } from "../api/gateway-api.ts";
import { type ObjectKey, objectKey, splitObjectKey } from "../base/keys.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import {
  type ClientValidation,
  type ClientValidationReader,
  type ResolvedClientValidation,
  resolveClientValidation,
} from "./client-validation.ts";
import { type SecretUse, trustSecret } from "./cluster-spec.ts";
import { type GrantReader, isGranted } from "./grants.ts";
import { type ListenerOwner, ownerKey } from "./listener.ts";
import type { ListenerCertificates, ListenerPlan } from "./model.ts";
import { checkTlsSecret } from "./tls-secret.ts";

export type CertificateReader = ClientValidationReader;

type CertificateReference = ListenerPlan["certificateRefs"][number];

interface CertificateFault {
  readonly reason: "InvalidCertificateRef" | "RefNotPermitted";
  readonly message: string;
}

/** What the references of a listener come to, and those of its Gateway that are about its clients. */
export interface ListenerReferences extends ListenerCertificates {
  readonly listener: Pick<ListenerPlan, "protocol" | "frontendValidation">;
  /** Undefined: the Gateway asks nothing of clients of the port. */
  readonly frontend?: ResolvedClientValidation;
}

/**
 * Follows the references of a listener to certificates and to authorities of clients. Bad certificates are left out while at least one is good (reason
 * `PartiallyInvalidCertificateRef`). A reference that is not allowed is always told as such and nothing else (Gateway API, ListenerReasonInvalidCertificateRef): it does not show whether the Secret exists.
 */
export function resolveCertificates(listener: ListenerPlan, read: CertificateReader): ListenerReferences {
  const secrets = new Set<ObjectKey>();
  const dnsNames = new Set<string>();
  const faults: { readonly fault: CertificateFault; readonly field: string }[] = [];
  for (const [index, reference] of listener.certificateRefs.entries()) {
    const key = objectKey(reference.namespace, reference.name);
    const secret = read.secret(key);
    const fault = findFault(listener, reference, key, secret, read.grants);
    if (fault !== undefined) {
      faults.push({ fault, field: `spec.listeners[${listener.index}].tls.certificateRefs[${index}]` });
    } else if (secret !== undefined) {
      secrets.add(key);
      for (const name of checkTlsSecret(secret).dnsNames) dnsNames.add(name);
    }
  }
  const problems = faults.map(({ fault, field }) =>
    problemAt(
      "ResolvedRefs",
      fault.reason === "InvalidCertificateRef" && secrets.size > 0 ? "PartiallyInvalidCertificateRef" : fault.reason,
      field,
      fault.message,
    ),
  );
  const { gateway, listenerSet, name } = listener;
  const id = { gateway, ...(listenerSet !== undefined && { listenerSet }), name };
  const { protocol, frontendValidation } = listener;
  const references = {
    ...id,
    listener: { protocol, ...(frontendValidation && { frontendValidation }) },
    dnsNames: [...dnsNames].sort(),
    secrets: [...secrets],
    problems,
  };
  if (frontendValidation === undefined) return references;
  const { validation, problems: ofClients } = resolveClientValidation(gateway, frontendValidation, read);
  return {
    ...references,
    frontend: {
      ...(validation && { validation }),
      problems: listenerSet === undefined ? ofClients : judgeFromOutside(gateway, validation),
    },
  };
}

/** What a ListenerSet is told of its Gateway's authorities: they are no references of its own, and none of its business. */
function judgeFromOutside(gateway: ObjectKey, validation: ClientValidation | undefined): Problem[] {
  if (validation !== undefined) return [];
  const message = `Gateway ${gateway} has no authority by which clients could be verified (spec.tls.frontend), so the listener is off; see the conditions of the Gateway.`;
  return [{ condition: "Accepted", reason: "NoValidCACertificate", message }];
}

/**
 * What a listener that serves has of Envoy's secrets: certificates first, then the authorities of its clients. A certificate is called
 * by the key of its Secret, as in Envoy Gateway, since EnvoyPatchPolicies rely on it.
 */
export function listenerSecrets({ secrets, clientValidation }: ListenerCertificates): readonly SecretUse[] {
  if (secrets.length === 0) return [];
  const own = secrets.map((key): SecretUse => ({ name: key, use: "certificate", source: "secret", key }));
  return clientValidation === undefined
    ? own
    : [...own, ...trustSecret(clientValidation.trust, clientValidation.revoked)];
}

function findFault(
  owner: ListenerOwner,
  reference: CertificateReference,
  key: ObjectKey,
  secret: Secret | undefined,
  grants: GrantReader,
): CertificateFault | undefined {
  // Grants to a Gateway are none to its ListenerSets, nor the other way round (Gateway API, ListenerSet).
  const kind = owner.listenerSet === undefined ? "Gateway" : "ListenerSet";
  const { namespace } = splitObjectKey(ownerKey(owner));
  if (!isGranted(grants, { group: gatewayGroup, kind, namespace }, reference)) {
    return {
      reason: "RefNotPermitted",
      message:
        `names ${reference.kind} ${key} of another namespace, and no ReferenceGrant there allows it; create one in namespace ` +
        `${reference.namespace} from ${kind}s of namespace ${namespace} to Secrets`,
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
