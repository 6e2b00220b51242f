import type { ICertificate, IIssuer } from "@kubernetes-models/cert-manager/cert-manager.io/v1";
import type { KubeObject, ResourceType } from "../kube/resource-type.ts";
import { COMMON_NAME_MAX, type Subject } from "./identity.ts";
import type { WantedLeaf } from "./leaves.ts";
import type { Lifetimes } from "./lifetimes.ts";
import { authorityCommonName, authorityName, leafMetadata, meta, type OwnMeta } from "./objects.ts";

export type CertificateObject = ICertificate & KubeObject;
export type IssuerObject = IIssuer & KubeObject;

const group = { group: "cert-manager.io", version: "v1", namespaced: true };
export const certificateType: ResourceType = { ...group, kind: "Certificate", plural: "certificates" };
export const issuerType: ResourceType = { ...group, kind: "Issuer", plural: "issuers" };

/** Signs our authorities by themselves. */
export const ROOT_ISSUER = "gatehouse-xds-root";
/** Signs leaves by the authority whose turn it is. */
export const LEAF_ISSUER = "gatehouse-xds";

/** The shortest that cert-manager allows. */
const RENEW_BEFORE_MIN_S = 300;

export function rootIssuer(namespace: string): IssuerObject {
  return issuer(namespace, ROOT_ISSUER, { selfSigned: {} });
}

export function leafIssuer(namespace: string, authority: string): IssuerObject {
  return issuer(namespace, LEAF_ISSUER, { ca: { secretName: authority } });
}

function issuer(namespace: string, name: string, spec: NonNullable<IIssuer["spec"]>): IssuerObject {
  return { apiVersion: "cert-manager.io/v1", kind: "Issuer", metadata: meta(namespace, name, "issuer"), spec };
}

/**
 * One generation of the authority. cert-manager never renews it in time, since a renewed one would sign before it is trusted; and if
 * somebody makes cert-manager renew it all the same, the key stays, by which peers know it.
 */
export function authorityCertificate(namespace: string, generation: number, lifetimes: Lifetimes): CertificateObject {
  const name = authorityName(generation);
  return certificate(meta(namespace, name, "authority"), {
    secretName: name,
    commonName: authorityCommonName(namespace, generation),
    isCA: true,
    duration: seconds(lifetimes.authority),
    renewBefore: `${RENEW_BEFORE_MIN_S}s`,
    usages: ["cert sign", "crl sign"],
    privateKey: { ...keyType, rotationPolicy: "Never" },
    issuerRef: { ...issuerKind, name: ROOT_ISSUER },
  });
}

export function leafCertificate(namespace: string, leaf: WantedLeaf, { leaf: life }: Lifetimes): CertificateObject {
  const { uris, dnsNames, commonName, usage }: Subject = leaf.subject;
  return certificate(leafMetadata(namespace, leaf), {
    secretName: leaf.secretName,
    commonName: commonName.slice(0, COMMON_NAME_MAX),
    ...(uris.length > 0 && { uris: [...uris] }),
    ...(dnsNames.length > 0 && { dnsNames: [...dnsNames] }),
    duration: seconds(life),
    renewBefore: seconds(life / 3),
    usages: ["digital signature", usage === "client" ? "client auth" : "server auth"],
    privateKey: { ...keyType, rotationPolicy: "Always" },
    issuerRef: { ...issuerKind, name: LEAF_ISSUER },
  });
}

const keyType = { algorithm: "ECDSA", size: 256 } as const;
const issuerKind = { group: "cert-manager.io", kind: "Issuer" } as const;

function certificate(metadata: OwnMeta, spec: NonNullable<ICertificate["spec"]>): CertificateObject {
  const { labels, annotations } = metadata;
  const secretTemplate = { labels, ...(Object.keys(annotations).length > 0 && { annotations }) };
  return {
    apiVersion: "cert-manager.io/v1",
    kind: "Certificate",
    metadata,
    // The Secret gets them too, and so is found as one of ours.
    spec: { ...spec, secretTemplate, revisionHistoryLimit: 1 },
  };
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)}s`;
}
