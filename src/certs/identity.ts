import type { ObjectKey } from "../base/keys.ts";
import { splitObjectKey } from "../base/keys.ts";

/** What a certificate says about its owner. */
export interface Subject {
  /** For people who read the certificate; nothing compares it. At most {@link COMMON_NAME_MAX} characters. */
  readonly commonName: string;
  readonly usage: "client" | "server";
  /** The names that peers compare. Exactly one of the two is not empty. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
}

/** RFC 5280, appendix A: `ub-common-name`. */
export const COMMON_NAME_MAX = 64;

/**
 * Who a gateway's Envoys are towards the control plane, in the form of SPIFFE: the namespace of the controller tells
 * installations apart, so that two of them may share an issuer.
 *
 * @param gateway `namespace/name` of a Gateway, or the name of a GatewayClass whose Gateways share their Envoys
 * @returns `spiffe://<controller namespace>.gatehouse/gateway/<namespace>/<name>`, or `.../gatewayclass/<name>`
 */
export function gatewayUri(controllerNamespace: string, gateway: ObjectKey): string {
  const kind = splitObjectKey(gateway).namespace === "" ? "gatewayclass" : "gateway";
  return `spiffe://${controllerNamespace}.gatehouse/${kind}/${gateway}`;
}

export function gatewaySubject(controllerNamespace: string, gateway: ObjectKey): Subject {
  return {
    commonName: gateway.slice(0, COMMON_NAME_MAX),
    usage: "client",
    uris: [gatewayUri(controllerNamespace, gateway)],
    dnsNames: [],
  };
}

/** Who a replica of the control plane is towards the others. */
export function replicaUri(controllerNamespace: string): string {
  return `spiffe://${controllerNamespace}.gatehouse/replica`;
}

export function replicaSubject(controllerNamespace: string): Subject {
  return { commonName: "Gatehouse replica", usage: "client", uris: [replicaUri(controllerNamespace)], dnsNames: [] };
}

/** Who the rate limit service is towards the control plane. */
export function rateLimitUri(controllerNamespace: string): string {
  return `spiffe://${controllerNamespace}.gatehouse/rate-limit`;
}

/** The service has two certificates: it asks the control plane for its configuration, and Envoys ask it. */
export function rateLimitClientSubject(controllerNamespace: string): Subject {
  const uris = [rateLimitUri(controllerNamespace)];
  return { commonName: "Gatehouse rate limit service", usage: "client", uris, dnsNames: [] };
}

/** The Service of the xDS server. */
export interface ServerService {
  readonly namespace: string;
  readonly name: string;
}

/** The name that Envoys ask for and compare: the one that is the same in every cluster domain. */
export function serverName({ namespace, name }: ServerService): string {
  return `${name}.${namespace}.svc`;
}

/** @param clusterDomain such as `cluster.local` */
export function serverSubject(service: ServerService, clusterDomain: string): Subject {
  const { namespace, name } = service;
  const full = serverName(service);
  return {
    commonName: full.slice(0, COMMON_NAME_MAX),
    usage: "server",
    uris: [],
    dnsNames: [full, `${full}.${clusterDomain}`, `${name}.${namespace}`, name],
  };
}

/** A subject's names as OpenSSL and Node.js print those of a certificate. */
export function alternativeNames({ uris, dnsNames }: Subject): string {
  return [...uris.map((uri) => `URI:${uri}`), ...dnsNames.map((name) => `DNS:${name}`)].join(", ");
}
