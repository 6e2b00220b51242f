import type { Backend, BackendEndpointSpec } from "../api/backend.ts";
import type { StaticBackend } from "../api/static-backend.ts";
import { noProblems, type Problem } from "../base/problems.ts";
import { type AddressFault, findHostnameFault, findIpFault, findPortFault, isIpAddress } from "./address.ts";
import { findTlsSettingsFault } from "./backend-tls.ts";
import type { BackendEndpoint, Settings } from "./model.ts";

/** Why a Backend cannot be used, with the reason that routes referring to it report. */
export interface BackendFault {
  readonly reason:
    | "InvalidAddress"
    | "UnsupportedAddressType"
    | "InvalidBackendTLS"
    | "UnsupportedProtocol"
    | "Invalid";
  /** A path inside the Backend. */
  readonly field: string;
  /** Completes a sentence that begins with the field. */
  readonly message: string;
}

/** Problems of a Backend by itself, for its own status. What its references come to shows on the routes that use it. */
export function planBackend(backend: Backend, settings: Settings): readonly Problem[] {
  const fault = findBackendFault(backend, settings);
  return fault === undefined ? noProblems : [acceptedProblem(fault)];
}

function acceptedProblem({ field, message }: BackendFault): Problem {
  return { condition: "Accepted", reason: "Invalid", message: `${field} ${message}.`, field };
}

export function findBackendFault({ spec }: Backend, settings: Settings): BackendFault | undefined {
  if (spec.type === "DynamicResolver") {
    if (spec.endpoints !== undefined && spec.endpoints.length > 0) {
      return { reason: "Invalid", field: "spec.endpoints", message: "must be left out for type DynamicResolver" };
    }
    if (spec.tls?.autoSNIFromEndpointHostname) {
      return {
        reason: "InvalidBackendTLS",
        field: "spec.tls.autoSNIFromEndpointHostname",
        message: "needs endpoints, and a DynamicResolver has none: leave it out",
      };
    }
  } else {
    const fault = findEndpointsFault(spec.endpoints ?? [], settings, spec.tls?.autoSNIFromEndpointHostname === true);
    if (fault !== undefined) return fault;
  }
  if (spec.appProtocols?.includes("gateway.envoyproxy.io/wss") && spec.tls === undefined) {
    return { reason: "UnsupportedProtocol", field: "spec.appProtocols", message: "names wss, which needs spec.tls" };
  }
  return spec.tls && findTlsSettingsFault(spec.tls);
}

function findEndpointsFault(
  endpoints: readonly BackendEndpointSpec[],
  settings: Settings,
  hostnamesNeeded: boolean,
): BackendFault | undefined {
  if (endpoints.length === 0) {
    return { reason: "InvalidAddress", field: "spec.endpoints", message: "is empty: list at least one endpoint" };
  }
  for (const [index, endpoint] of endpoints.entries()) {
    const path = `spec.endpoints[${index}]`;
    const fault = findEndpointFault(endpoint, path, settings.hostInfrastructure);
    if (fault !== undefined) return fault;
    if (hostnamesNeeded && endpoint.fqdn === undefined && endpoint.hostname === undefined) {
      return {
        reason: "InvalidBackendTLS",
        field: `${path}.hostname`,
        message: "is missing, and spec.tls.autoSNIFromEndpointHostname needs it",
      };
    }
  }
  const names = endpoints.filter(({ fqdn }) => fqdn !== undefined).length;
  if (names > 0 && names < endpoints.length) {
    return {
      reason: "UnsupportedAddressType",
      field: "spec.endpoints",
      message: "mixes fqdn with other kinds of address: make two Backends of them",
    };
  }
  return undefined;
}

function findEndpointFault(
  { fqdn, ip, unix }: BackendEndpointSpec,
  path: string,
  loopbackAllowed: boolean,
): BackendFault | undefined {
  const kinds = [fqdn, ip, unix].filter((kind) => kind !== undefined).length;
  if (kinds !== 1) {
    return { reason: "InvalidAddress", field: path, message: "must have exactly one of fqdn, ip and unix" };
  }
  if (fqdn !== undefined) {
    return (
      at(`${path}.fqdn.hostname`, findHostnameFault(fqdn.hostname, loopbackAllowed, 2)) ??
      at(`${path}.fqdn.port`, findPortFault(fqdn.port))
    );
  }
  if (ip !== undefined) {
    return (
      at(`${path}.ip.address`, findIpFault(ip.address, loopbackAllowed)) ??
      at(`${path}.ip.port`, findPortFault(ip.port))
    );
  }
  return unix?.path.startsWith("/")
    ? undefined
    : { reason: "InvalidAddress", field: `${path}.unix.path`, message: "must be an absolute path" };
}

function at(field: string, fault: AddressFault | undefined): BackendFault | undefined {
  return fault && { ...fault, field };
}

export function findStaticBackendFault({ spec }: StaticBackend, settings: Settings): BackendFault | undefined {
  if (spec.type !== "Static" || spec.static === undefined) {
    return { reason: "Invalid", field: "spec.type", message: "must be Static, with the hosts under spec.static" };
  }
  if (spec.static.hosts.length === 0) {
    return { reason: "InvalidAddress", field: "spec.static.hosts", message: "is empty: list at least one host" };
  }
  for (const [index, { host, port }] of spec.static.hosts.entries()) {
    const path = `spec.static.hosts[${index}]`;
    const fault =
      at(
        `${path}.host`,
        isIpAddress(host)
          ? findIpFault(host, settings.hostInfrastructure)
          : findHostnameFault(host, settings.hostInfrastructure, 1),
      ) ?? at(`${path}.port`, findPortFault(port));
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Does Envoy resolve the endpoints by DNS? Otherwise they come by EDS. */
export function usesDns(endpoints: readonly BackendEndpoint[]): boolean {
  return endpoints.some(({ address }) => "host" in address && !isIpAddress(address.host));
}

/** Is an endpoint a Unix domain socket? */
export function usesUnixSockets(endpoints: readonly BackendEndpoint[]): boolean {
  return endpoints.some(({ address }) => "unixPath" in address);
}

/** Endpoints of a Backend without faults. */
export function backendEndpoints({ spec }: Backend): readonly BackendEndpoint[] {
  const priority = spec.fallback ? 1 : 0;
  return (spec.endpoints ?? []).flatMap(({ fqdn, ip, unix, hostname, zone }): BackendEndpoint[] => {
    const rest = { ...(hostname !== undefined && { hostname }), ...(zone !== undefined && { zone }), priority };
    if (fqdn !== undefined) {
      return [{ address: { host: fqdn.hostname, port: fqdn.port }, ...rest, hostname: hostname ?? fqdn.hostname }];
    }
    if (ip !== undefined) return [{ address: { host: ip.address, port: ip.port }, ...rest }];
    return unix === undefined ? [] : [{ address: { unixPath: unix.path }, ...rest }];
  });
}

/** Endpoints of a static Backend without faults. */
export function staticBackendEndpoints({ spec }: StaticBackend): readonly BackendEndpoint[] {
  return (spec.static?.hosts ?? []).map(({ host, port }) => ({
    address: { host, port },
    ...(!isIpAddress(host) && { hostname: host }),
    priority: 0,
  }));
}
