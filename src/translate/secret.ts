import { createHmac } from "node:crypto";
import type { ConfigMap, Secret as SecretObject } from "../api/core.ts";
import type { SecretUse } from "../attach/cluster-spec.ts";
import { lineOf, objectBytes } from "../attach/object-data.ts";
import { readCertificates } from "../attach/pem.ts";
import { CRL_KEY } from "../attach/revocation.ts";
import { CLIENT_SECRET_KEY } from "../attach/security/oidc.ts";
import { Secret } from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import { type EncodedResource, encodeResource } from "../envoy/resource.ts";
import { isStapleOf } from "./ocsp-staple.ts";

/**
 * Builds the xDS Secret. Undefined when the object or a needed key is missing; whoever refers to it has said so in a status.
 *
 * @param others objects of `use.also`, in that order: further authorities of a trust bundle. A missing one makes the bundle
 *   smaller, never wider.
 * @param revoked objects of `use.revoked`. A missing one makes the secret missing: whom it would refuse would be let in.
 */
export function translateSecret(
  use: SecretUse,
  object: SecretObject | ConfigMap | undefined,
  others: readonly (SecretObject | ConfigMap | undefined)[] = [],
  revoked: readonly (SecretObject | ConfigMap | undefined)[] = [],
): EncodedResource | undefined {
  if (object === undefined) return undefined;
  const content = contentOf(use, object, others, revoked);
  return content && encodeResource(Secret, use.name, { name: use.name, ...content });
}

/**
 * The key of one policy, from which nobody can tell that of another.
 *
 * @param loginKey of this installation, in hexadecimal
 */
export function translateLoginKey({ name, key }: SecretUse, loginKey: string): EncodedResource {
  const inlineBytes = createHmac("sha256", Buffer.from(loginKey, "hex")).update(key).digest();
  return encodeResource(Secret, name, { name, genericSecret: { secret: { inlineBytes } } });
}

function contentOf(
  use: SecretUse,
  object: SecretObject | ConfigMap,
  others: readonly (SecretObject | ConfigMap | undefined)[],
  revoked: readonly (SecretObject | ConfigMap | undefined)[],
): Secret | undefined {
  switch (use.use) {
    case "certificate":
      return certificateContent(object);
    case "trust":
      return trustContent([object, ...others], revoked);
    case "clientSecret":
      return genericContent(object, CLIENT_SECRET_KEY);
    case "loginKey":
      return undefined;
    case "credential":
      return genericContent(object, "credential");
  }
}

function certificateContent(object: SecretObject | ConfigMap): Secret | undefined {
  const chain = objectBytes(object, "tls.crt");
  const key = objectBytes(object, "tls.key");
  if (chain === undefined || key === undefined) return undefined;
  const staple = objectBytes(object, "tls.ocsp-staple");
  const serial = readCertificates(chain).certificates?.[0]?.serialNumber;
  return {
    tlsCertificate: {
      certificateChain: { inlineBytes: chain },
      privateKey: { inlineBytes: key },
      // Envoy refuses the whole certificate for a staple that is not of it, as happens between renewal and next staple.
      ...(staple && serial !== undefined && isStapleOf(staple, serial) && { ocspStaple: { inlineBytes: staple } }),
    },
  };
}

function trustContent(
  objects: readonly (SecretObject | ConfigMap | undefined)[],
  revoked: readonly (SecretObject | ConfigMap | undefined)[],
): Secret | undefined {
  const authorities = joinPem(objects, "ca.crt");
  if (authorities.length === 0) return undefined;
  const lists = joinPem(revoked, CRL_KEY);
  if (lists.length < revoked.length) return undefined;
  return {
    validationContext: {
      trustedCa: { inlineBytes: concat(authorities) },
      ...(lists.length > 0 && { crl: { inlineBytes: concat(lists) } }),
    },
  };
}

function joinPem(objects: readonly (SecretObject | ConfigMap | undefined)[], key: string): readonly Buffer[] {
  return objects.flatMap((object) => (object && objectBytes(object, key)) ?? []);
}

function concat(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  return parts.length === 1 && only ? only : Buffer.concat(parts.flatMap((pem) => [pem, Buffer.from("\n")]));
}

function genericContent(object: SecretObject | ConfigMap, key: string): Secret | undefined {
  const credential = objectBytes(object, key);
  if (credential === undefined) return undefined;
  // No header may carry the line feed.
  return { genericSecret: { secret: { inlineBytes: Buffer.from(lineOf(credential), "latin1") } } };
}
