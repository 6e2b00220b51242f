import type { Service } from "../api/core.ts";
import { objectKey } from "../base/keys.ts";
import {
  type BackendFault,
  backendEndpoints,
  findBackendFault,
  findStaticBackendFault,
  staticBackendEndpoints,
  usesDns,
  usesUnixSockets,
} from "./backend.ts";
import { resolveBackendTls } from "./backend-tls.ts";
import type { ClusterSettings } from "./cluster-spec.ts";
import { isGranted } from "./grants.ts";
import type { BackendEndpoint, ClusterReach } from "./model.ts";
import type { ResolveReader } from "./resolve-reader.ts";

/** A reference of a route to what takes its requests. */
export interface BackendReference {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
}

/** Why a reference cannot be followed; `message` completes a sentence that begins with the field. */
export interface ReferenceFault {
  readonly reason: string;
  readonly message: string;
}

/** What a reference leads to, before it is a cluster of its own or one of several. */
export interface FoundBackend {
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
  EnvoyProxy: backendGroup,
} as const;

export type BackendOrigin = keyof typeof originGroups;

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
  if (!isService && !isBackend) {
    return {
      reason: "InvalidKind",
      message: `names kind ${kind} of group "${group}", and only a Service, or a Backend of ${backendGroup}, can take requests; name one of these`,
    };
  }
  const target = { group, kind, namespace: reference.namespace ?? namespace, name };
  const key = objectKey(target.namespace, name);
  if (!isGranted(read.grants, { group: originGroups[routeKind], kind: routeKind, namespace }, target)) {
    return {
      reason: "RefNotPermitted",
      message: `names ${kind} ${key} in another namespace, and no ReferenceGrant there lets ${plural(routeKind)} of ${namespace} refer to it; create one in namespace ${target.namespace}`,
    };
  }
  if (isService) return findService(routeKind, key, reference.port, read);
  return group === backendGroup ? findEnvoyBackend(routeKind, key, read) : findStaticBackend(routeKind, key, read);
}

/** Protocols of Service ports that tell how to speak to the endpoints (KEP-3726 and common use). */
const http2Protocols = new Set(["kubernetes.io/h2c", "grpc", "h2c"]);
const http1Protocols = new Set(["http", "kubernetes.io/ws", "ws", ""]);

function findService(
  routeKind: string,
  key: string,
  port: number | undefined,
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
      message: `names Service ${key} without a port; add ${describePorts(service)}`,
    };
  const ports = service.spec?.ports ?? [];
  const found = ports.find((candidate) => candidate.port === port && (candidate.protocol ?? "TCP") === "TCP");
  if (found === undefined) {
    const message = `names port ${port} of Service ${key}, which has no such TCP port; name ${describePorts(service)}`;
    return { reason: "PortNotFound", message };
  }
  const appProtocol = found.appProtocol ?? "";
  if (!http2Protocols.has(appProtocol) && !http1Protocols.has(appProtocol)) {
    return {
      reason: "UnsupportedProtocol",
      message: `names port ${port} of Service ${key}, whose appProtocol ${appProtocol} is not supported; use ${[...http2Protocols, ...http1Protocols].filter(Boolean).join(", ")} or none`,
    };
  }
  const protocol = routeKind === "GRPCRoute" || http2Protocols.has(appProtocol) ? "http2" : "http1";
  const reach: ClusterReach = { kind: "Service", key, port, portName: found.name ?? "" };
  return { reach, settings: { protocol }, fallback: false };
}

/** Ports to choose from, as the end of a sentence. */
function describePorts({ spec }: Service): string {
  const ports = (spec?.ports ?? []).filter(({ protocol }) => (protocol ?? "TCP") === "TCP").map(({ port }) => port);
  return ports.length === 0 ? "one after giving it to the Service" : `one of its ports: ${ports.join(", ")}`;
}

function findEnvoyBackend(routeKind: string, key: string, read: ResolveReader): FoundBackend | ReferenceFault {
  const backend = read.backend(key);
  if (backend === undefined)
    return { reason: "BackendNotFound", message: `names Backend ${key}, which does not exist; ${createIt}` };
  const fault = findBackendFault(backend, read.settings);
  if (fault !== undefined) return describe(key, fault);
  const { spec } = backend;
  const h2c = spec.appProtocols?.includes("gateway.envoyproxy.io/h2c") === true;
  const protocol = routeKind === "GRPCRoute" || h2c ? "http2" : "http1";
  const tls = spec.tls && resolveBackendTls(backend, spec.tls, read);
  if (tls?.fault !== undefined) return describe(key, tls.fault);
  const settings: ClusterSettings = tls?.tls === undefined ? { protocol } : { protocol, tls: tls.tls };
  const fallback = spec.fallback === true;
  if (spec.type === "DynamicResolver") return { reach: { kind: "DynamicResolver", key }, settings, fallback };
  const endpoints = backendEndpoints(backend);
  if (usesUnixSockets(endpoints) && routeKind !== "EnvoyProxy") {
    return {
      reason: "UnsupportedAddressType",
      message: `names Backend ${key} with a unix endpoint, which routes cannot use; list ip or fqdn endpoints`,
    };
  }
  return { reach: reachEndpoints(key, backendGroup, endpoints), endpoints, settings, fallback };
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
  return kind === "EnvoyProxy" ? "EnvoyProxies" : `${kind}s`;
}
