import { TRUST_CONFIG_MAP } from "../envoy/control-plane.ts";
import type { KubeObject, ResourceType } from "../kube/resource-type.ts";
import type { Authority } from "./authorities.ts";
import { type ReadCertificate, readCertificate } from "./certificate.ts";
import { COMMON_NAME_MAX } from "./identity.ts";
import type { KeyPair } from "./issue.ts";
import type { WantedLeaf } from "./leaves.ts";

export const secretType: ResourceType = {
  group: "",
  version: "v1",
  kind: "Secret",
  plural: "secrets",
  namespaced: true,
};

export const configMapType: ResourceType = {
  group: "",
  version: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  namespaced: true,
};

export interface SecretObject extends KubeObject {
  readonly type?: string;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
}

export interface ConfigMapObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** On everything that this folder writes: what it is, or what its Secret is. */
export const ROLE_LABEL = "gatehouse.dev/xds-certificate";
/** Whose Envoys show the certificate; a key with a slash fits no label. */
const GATEWAY_ANNOTATION = "gatehouse.dev/gateway";
const TRUSTED_SINCE = "gatehouse.dev/trusted-since";
const SIGNS_SINCE = "gatehouse.dev/signs-since";
/** Set by people on the authority that signs: its successor is made now. */
const ROTATE = "gatehouse.dev/rotate";

/** Secret of the xDS server's certificate. */
export const SERVER_SECRET = "gatehouse-xds";
/** Secret of the certificate that replicas show each other. */
export const REPLICA_SECRET = "gatehouse-replica";
/** Of the rate limit service: what it shows the xDS server, and Envoys. */
export const RATE_LIMIT_CLIENT_SECRET = "envoy-ratelimit-client";
export const RATE_LIMIT_SERVER_SECRET = "envoy-ratelimit-server";
/** Key of the ConfigMap with the authorities that Envoys trust. */
export const TRUST_KEY = "ca.crt";
const AUTHORITY_PREFIX = "gatehouse-xds-ca-";

export function authorityName(generation: number): string {
  return `${AUTHORITY_PREFIX}${generation}`;
}

export function authorityCommonName(namespace: string, generation: number): string {
  return `Gatehouse xDS ${generation} of ${namespace}`.slice(0, COMMON_NAME_MAX);
}

/** @returns undefined when the name is not one of an authority */
export function generationOf(name: string): number | undefined {
  const digits = name.startsWith(AUTHORITY_PREFIX) ? name.slice(AUTHORITY_PREFIX.length) : "";
  return /^[1-9]\d{0,8}$/.test(digits) ? Number(digits) : undefined;
}

type Role = "authority" | "leaf" | "trust" | "issuer";

/** Metadata of what we write. */
export interface OwnMeta {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}

export function meta(namespace: string, name: string, role: Role, annotations: Record<string, string> = {}): OwnMeta {
  return {
    namespace,
    name,
    labels: { "app.kubernetes.io/managed-by": "gatehouse", [ROLE_LABEL]: role },
    annotations,
  };
}

export function roleOf(object: KubeObject): string | undefined {
  return object.metadata.labels?.[ROLE_LABEL];
}

function pairSecret(metadata: KubeObject["metadata"], pair: KeyPair): SecretObject {
  const data = { "tls.crt": base64(pair.certificate), "tls.key": base64(pair.key) };
  return { apiVersion: "v1", kind: "Secret", metadata, type: "kubernetes.io/tls", data };
}

export function authoritySecret(
  namespace: string,
  generation: number,
  pair: KeyPair,
  signsSince?: number,
): SecretObject {
  const secret = pairSecret(meta(namespace, authorityName(generation), "authority"), pair);
  return signsSince === undefined ? secret : withMark(secret, "sign", signsSince);
}

/** The Secret of an authority that is now trusted everywhere, or that signs from now on. */
export function withMark(secret: SecretObject, mark: "markTrusted" | "sign", now: number): SecretObject {
  const annotation = mark === "sign" ? SIGNS_SINCE : TRUSTED_SINCE;
  const { metadata } = secret;
  const annotations = { ...metadata.annotations, [annotation]: new Date(now).toISOString() };
  return { ...secret, metadata: { ...metadata, annotations } };
}

export function leafMetadata(namespace: string, { secretName, gateway }: WantedLeaf): OwnMeta {
  return meta(namespace, secretName, "leaf", gateway === undefined ? {} : { [GATEWAY_ANNOTATION]: gateway });
}

/** @param present what the Secret is now: it is replaced only if it is still that */
export function leafSecret(namespace: string, leaf: WantedLeaf, pair: KeyPair, present?: SecretObject): SecretObject {
  const wanted = pairSecret(leafMetadata(namespace, leaf), pair);
  if (present === undefined) return wanted;
  const { labels, annotations } = wanted.metadata;
  const metadata = {
    ...present.metadata,
    labels: { ...present.metadata.labels, ...labels },
    annotations: { ...present.metadata.annotations, ...annotations },
  };
  // The type cannot change; one of ours always has the right one.
  return { ...wanted, metadata };
}

export function trustConfigMap(namespace: string, bundle: string): ConfigMapObject {
  const metadata = meta(namespace, TRUST_CONFIG_MAP, "trust");
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { [TRUST_KEY]: bundle } };
}

export function readPair(secret: SecretObject): ReadCertificate | undefined {
  return readCertificate(text(secret, "tls.crt"), text(secret, "tls.key"));
}

/** The key pair itself, for the moment in which it is used. */
export function pairOf(secret: SecretObject): KeyPair {
  return { certificate: text(secret, "tls.crt") ?? "", key: text(secret, "tls.key") ?? "" };
}

/** @param certificate as {@link readPair} found it */
export function readAuthority(secret: SecretObject, certificate: ReadCertificate | undefined): Authority | undefined {
  const generation = generationOf(secret.metadata.name);
  if (generation === undefined) return undefined;
  const trustedSince = instant(secret, TRUSTED_SINCE);
  const signsSince = instant(secret, SIGNS_SINCE);
  return {
    name: secret.metadata.name,
    generation,
    ...(certificate && { certificate }),
    ...(trustedSince !== undefined && { trustedSince }),
    ...(signsSince !== undefined && { signsSince }),
    ...(secret.metadata.annotations?.[ROTATE] !== undefined && { isSpent: true }),
  };
}

function instant(object: KubeObject, annotation: string): number | undefined {
  const time = Date.parse(object.metadata.annotations?.[annotation] ?? "");
  return Number.isNaN(time) ? undefined : time;
}

function text(secret: SecretObject, key: string): string | undefined {
  const value = secret.data?.[key];
  return value === undefined ? undefined : Buffer.from(value, "base64").toString("utf8");
}

function base64(value: string): string {
  return Buffer.from(value, "utf8").toString("base64");
}
