import type { Backend } from "../api/backend.ts";
import type { Service } from "../api/core.ts";
import { type ObjectKey, objectKey } from "../base/keys.ts";
import {
  type BackendFault,
  backendEndpoints,
  findBackendFault,
  findStaticBackendFault,
  staticBackendEndpoints,
  usesDns,
  usesUnixSockets,
} from "./backend.ts";
import { completeTls, resolveBackendTls } from "./backend-tls.ts";
import type { ClusterSettings } from "./cluster-spec.ts";
import { isGranted } from "./grants.ts";
import type { Transport } from "./listener-protocol.ts";
import type { BackendEndpoint, ClusterReach, UpstreamTls } from "./model.ts";
import type { ResolveReader } from "./resolve-reader.ts";
import { policyFor, type TlsTarget, tlsTarget } from "./tls-targets.ts";

/** A reference of a route to what takes its requests. */
export interface BackendReference {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
}

/** Why a reference cannot be followed; `message` completes a sentence that begins with the field. */
export interface ReferenceFault extends TlsTargeted {
  readonly reason: string;
  readonly message: string;
}

interface TlsTargeted {
  /** What the reference names, if BackendTLSPolicies target it. */
  readonly tlsTarget?: TlsTarget;
}

/** What a reference leads to, before it is a cluster of its own or one of several. */
export interface FoundBackend extends TlsTargeted {
  readonly reach: ClusterReach;
  /** Of a Backend: what it lists. */
  readonly endpoints?: readonly BackendEndpoint[];
  readonly settings: ClusterSettings;
  /** A Backend with `fallback: true`. */
  readonly fallback: boolean;
}

const backendGroup = "gateway.envoyproxy.io";
const staticBackendGroup = "gateway.kgateway.dev";

const createIt = "create it or correct the reference";

/** Kinds that refer to backends, and their groups, which ReferenceGrants name. */
const originGroups = {
  HTTPRoute: "gateway.networking.k8s.io",
  GRPCRoute: "gateway.networking.k8s.io",
  TLSRoute: "gateway.networking.k8s.io",
  TCPRoute: "gateway.networking.k8s.io",
  UDPRoute: "gateway.networking.k8s.io",
  EnvoyProxy: backendGroup,
  SecurityPolicy: backendGroup,
} as const;

export type BackendOrigin = keyof typeof originGroups;

/** What such a route hands on is not looked into, so how it speaks does not matter. */
function isStreamKind(kind: string): boolean {
  return kind === "TLSRoute" || kind === "TCPRoute" || kind === "UDPRoute";
}

/** Follows one backendRef of an object in `namespace`. */
export function findBackend(
  routeKind: BackendOrigin,
  namespace: string,
  reference: BackendReference,
  read: ResolveReader,
): FoundBackend | ReferenceFault {
  const { group = "", kind = "Service", name } = reference;
  const isService = group === "" && kind === "Service";
  const isBackend = (group === backendGroup || group === staticBackendGroup) && kind === "Backend";
  const target = { group, kind, namespace: reference.namespace ?? namespace, name };
  const key = objectKey(target.namespace, name);
  if (!isGranted(read.grants, { group: originGroups[routeKind], kind: routeKind, namespace }, target)) {
    return isService || isBackend ? refuse(routeKind, namespace, target) : unknownKind(target);
  }
  const named = tlsTarget(group, kind, key);
  // Datagrams carry no TLS.
  const claims = routeKind === "UDPRoute" ? undefined : read.tlsClaims(named);
  const policy = (section: string) => claims && findPolicy(policyFor(claims, section), read);
  const found = isService
    ? findService(routeKind, key, reference.port, policy, read)
    : isBackend
      ? findAnyBackend(group, routeKind, key, policy(""), read)
      : unknownKind(target);
  return claims === undefined ? found : { ...found, tlsTarget: named };
}

type Target = Parameters<typeof isGranted>[2];

function unknownKind({ group, kind }: Target): ReferenceFault {
  return {
    reason: "InvalidKind",
    message: `names kind ${kind} of group "${group}", and only a Service, or a Backend of ${backendGroup}, can take requests; name one of these`,
  };
}

function refuse(routeKind: BackendOrigin, from: string, { kind, namespace, name }: Target): ReferenceFault {
  return {
    reason: "RefNotPermitted",
    message: `names ${kind} ${objectKey(namespace, name)} in another namespace, and no ReferenceGrant there lets ${plural(routeKind)} of ${from} refer to it; create one in namespace ${namespace}`,
  };
}

/** The BackendTLSPolicy in effect for a backend. */
interface FoundPolicy {
  readonly key: ObjectKey;
  /** Undefined: it cannot be done, so nothing may be sent. */
  readonly tls?: UpstreamTls;
}

function findPolicy(key: ObjectKey | undefined, read: ResolveReader): FoundPolicy | undefined {
  if (key === undefined) return undefined;
  const tls = read.tlsPolicy(key)?.tls;
  return tls === undefined ? { key } : { key, tls };
}

/** @param what kind and key of the backend */
function brokenPolicy(what: string, key: ObjectKey): ReferenceFault {
  return {
    reason: "InvalidBackendTLS",
    message: `names ${what}, and BackendTLSPolicy ${key}, which is in effect for it, cannot be done; see its status and correct it`,
  };
}

/** Protocols of Service ports that tell how to speak to the endpoints (KEP-3726 and common use). */
const http2Protocols = new Set(["kubernetes.io/h2c", "grpc", "h2c"]);
const http1Protocols = new Set(["http", "kubernetes.io/ws", "ws", ""]);
/** The same over TLS, which a BackendTLSPolicy has to configure. */
const tlsProtocols = new Set(["https", "kubernetes.io/wss", "wss"]);

function findService(
  routeKind: string,
  key: string,
  port: number | undefined,
  policyOf: (section: string) => FoundPolicy | undefined,
  read: ResolveReader,
): FoundBackend | ReferenceFault {
  const service: Service | undefined = read.service(key);
  if (service === undefined)
    return { reason: "BackendNotFound", message: `names Service ${key}, which does not exist; ${createIt}` };
  if (service.spec?.type === "ExternalName") {
    return {
      reason: "UnsupportedValue",
      message: `names Service ${key} of type ExternalName, which could lead anywhere; use a Backend with an fqdn endpoint`,
    };
  }
  if (port === undefined)
    return {
      reason: "PortNotSpecified",
      message: `names Service ${key} without a port; add ${describePorts(service, routeKind === "UDPRoute" ? "UDP" : "TCP")}`,
    };
  const ports = service.spec?.ports ?? [];
  const transport = routeKind === "UDPRoute" ? "UDP" : "TCP";
  const found = ports.find((candidate) => candidate.port === port && (candidate.protocol ?? "TCP") === transport);
  if (found === undefined) {
    const other = ports.find((candidate) => candidate.port === port)?.protocol;
    const misfit = other === undefined ? `has no such ${transport} port` : `takes ${other} there, not ${transport}`;
    const message = `names port ${port} of Service ${key}, which ${misfit}; name ${describePorts(service, transport)}`;
    return { reason: other === undefined ? "PortNotFound" : "UnsupportedProtocol", message };
  }
  const portName = found.name ?? "";
  if (transport === "UDP") {
    const reach: ClusterReach = { kind: "Service", key, port, portName, transport };
    return { reach, settings: { protocol: "http1" }, fallback: false };
  }
  const policy = policyOf(portName);
  if (policy !== undefined && policy.tls === undefined) return brokenPolicy(`Service ${key}`, policy.key);
  const appProtocol = (found.appProtocol ?? "").toLowerCase();
  const fault = isStreamKind(routeKind) ? undefined : findProtocolFault(appProtocol, policy !== undefined);
  if (fault !== undefined) {
    const message = `names port ${port} of Service ${key}, whose appProtocol ${found.appProtocol} ${fault}`;
    return { reason: "UnsupportedProtocol", message };
  }
  const speaksHttp2 = http2Protocols.has(appProtocol) && !isStreamKind(routeKind);
  const protocol = routeKind === "GRPCRoute" || speaksHttp2 ? "http2" : "http1";
  const reach: ClusterReach = { kind: "Service", key, port, portName };
  return { reach, settings: { protocol, ...(policy?.tls && { tls: policy.tls }) }, fallback: false };
}

/** Completes a sentence that begins with the protocol. */
function findProtocolFault(appProtocol: string, hasTls: boolean): string | undefined {
  if (http2Protocols.has(appProtocol) || http1Protocols.has(appProtocol)) return undefined;
  if (!tlsProtocols.has(appProtocol)) {
    const known = [...http2Protocols, ...http1Protocols, ...tlsProtocols].filter(Boolean).join(", ");
    return `is not supported; use ${known} or none`;
  }
  return hasTls ? undefined : "means TLS, and no BackendTLSPolicy says whom to trust; create one for the Service";
}

/** Ports to choose from, as the end of a sentence. */
function describePorts({ spec }: Service, transport: Transport): string {
  const ports = (spec?.ports ?? []).filter(({ protocol }) => (protocol ?? "TCP") === transport).map(({ port }) => port);
  return ports.length === 0 ? "one after giving it to the Service" : `one of its ports: ${ports.join(", ")}`;
}

function findAnyBackend(
  group: string,
  routeKind: string,
  key: string,
  policy: FoundPolicy | undefined,
  read: ResolveReader,
): FoundBackend | ReferenceFault {
  const isPoliced = policy !== undefined;
  const found =
    group === backendGroup
      ? findEnvoyBackend(routeKind, key, isPoliced, read)
      : findStaticBackend(routeKind, key, read);
  if (!isPoliced || "reason" in found) return found;
  if (policy.tls === undefined) return brokenPolicy(`Backend ${key}`, policy.key);
  // The policy says whom to trust and by which name; what else is negotiated the Backend may say.
  const tls = completeTls(policy.tls, found.settings.tls);
  return { ...found, settings: { ...found.settings, tls } };
}

function findEnvoyBackend(
  routeKind: string,
  key: string,
  isPoliced: boolean,
  read: ResolveReader,
): FoundBackend | ReferenceFault {
  const backend = read.backend(key);
  if (backend === undefined)
    return { reason: "BackendNotFound", message: `names Backend ${key}, which does not exist; ${createIt}` };
  const fault = findBackendFault(backend, read.settings, isPoliced);
  if (fault !== undefined) return describe(key, fault);
  const { spec } = backend;
  const misfit = findStreamMisfit(routeKind, key, backend);
  if (misfit !== undefined) return misfit;
  const h2c = spec.appProtocols?.includes("gateway.envoyproxy.io/h2c") === true;
  const protocol = routeKind === "GRPCRoute" || (h2c && !isStreamKind(routeKind)) ? "http2" : "http1";
  const tls = spec.tls && resolveBackendTls(backend, spec.tls, isPoliced, read);
  if (tls?.fault !== undefined) return describe(key, tls.fault);
  const settings: ClusterSettings = tls?.tls === undefined ? { protocol } : { protocol, tls: tls.tls };
  const fallback = spec.fallback === true;
  if (spec.type === "DynamicResolver") return { reach: { kind: "DynamicResolver", key }, settings, fallback };
  const endpoints = backendEndpoints(backend);
  if (usesUnixSockets(endpoints) && routeKind !== "EnvoyProxy") {
    const who = routeKind === "SecurityPolicy" ? plural(routeKind) : "routes";
    return {
      reason: "UnsupportedAddressType",
      message: `names Backend ${key} with a unix endpoint, which ${who} cannot use; list ip or fqdn endpoints`,
    };
  }
  return { reach: reachEndpoints(key, backendGroup, endpoints), endpoints, settings, fallback };
}

/** What a Backend can be for requests only. */
function findStreamMisfit(routeKind: string, key: string, { spec }: Backend): ReferenceFault | undefined {
  if (isStreamKind(routeKind) && spec.type === "DynamicResolver") {
    const message = `names Backend ${key} of type DynamicResolver, which goes where a request says, and a ${routeKind} sees no requests; name one with endpoints`;
    return { reason: "InvalidBackendRef", message };
  }
  if (routeKind === "UDPRoute" && spec.tls !== undefined) {
    const message = `names Backend ${key} with spec.tls, and there is no TLS over UDP; name one without`;
    return { reason: "UnsupportedProtocol", message };
  }
  return undefined;
}

function findStaticBackend(routeKind: string, key: string, read: ResolveReader): FoundBackend | ReferenceFault {
  const backend = read.staticBackend(key);
  if (backend === undefined)
    return { reason: "BackendNotFound", message: `names Backend ${key}, which does not exist; ${createIt}` };
  const fault = findStaticBackendFault(backend, read.settings);
  if (fault !== undefined) return describe(key, fault);
  const endpoints = staticBackendEndpoints(backend);
  const settings: ClusterSettings = { protocol: routeKind === "GRPCRoute" ? "http2" : "http1" };
  return { reach: reachEndpoints(key, staticBackendGroup, endpoints), endpoints, settings, fallback: false };
}

/** Host names are resolved by Envoy as part of the cluster; addresses come by EDS. */
function reachEndpoints(key: string, group: string, endpoints: readonly BackendEndpoint[]): ClusterReach {
  return usesDns(endpoints) ? { kind: "Dns", key, group, endpoints } : { kind: "Backend", key, group };
}

function describe(key: string, { reason, field, message }: BackendFault): ReferenceFault {
  return {
    reason: reason === "Invalid" ? "InvalidBackendRef" : reason,
    message: `names Backend ${key}, whose ${field} ${message}`,
  };
}

function plural(kind: BackendOrigin): string {
  if (kind === "SecurityPolicy") return "SecurityPolicies";
  return kind === "EnvoyProxy" ? "EnvoyProxies" : `${kind}s`;
}
