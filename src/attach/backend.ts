import type { Backend, BackendEndpointSpec } from "../api/backend.ts";
import type { StaticBackend } from "../api/static-backend.ts";
import { noProblems, type Problem, problemAt } from "../base/problems.ts";
import {
  type AddressFault,
  findHostnameFault,
  findIpFault,
  findPortFault,
  findSocketFault,
  isIpAddress,
} from "./address.ts";
import { findTlsSettingsFault } from "./backend-tls.ts";
import type { BackendEndpoint, Settings } from "./model.ts";

/** Why a Backend cannot be used, with the reason that routes referring to it report. */
export interface BackendFault {
  readonly reason:
    | "InvalidKind"
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
  return fault === undefined ? noProblems : [problemAt("Accepted", "Invalid", fault.field, fault.message)];
}

/** Whoever can write Backends can reach whatever Envoy can reach, so the kind may be switched off. */
const switchedOff: BackendFault = {
  reason: "InvalidKind",
  field: "kind",
  message: "is Backend, which extensionApis.enableBackend of the configuration file switches off; use a Service",
};

/** @param policed a BackendTLSPolicy configures TLS towards it */
export function findBackendFault({ spec }: Backend, settings: Settings, policed = false): BackendFault | undefined {
  if (settings.backendsRefused) return switchedOff;
  if (spec.type === "DynamicResolver") {
    if (spec.endpoints !== undefined && spec.endpoints.length > 0) {
      return {
        reason: "Invalid",
        field: "spec.endpoints",
        message: "is set, and a DynamicResolver goes where the request says; leave it out",
      };
    }
    if (spec.tls?.autoSNIFromEndpointHostname) {
      return {
        reason: "InvalidBackendTLS",
        field: "spec.tls.autoSNIFromEndpointHostname",
        message: "is set, and a DynamicResolver has no endpoints; leave it out",
      };
    }
  } else {
    const fault = findEndpointsFault(spec.endpoints ?? [], settings, spec.tls?.autoSNIFromEndpointHostname === true);
    if (fault !== undefined) return fault;
  }
  if (spec.appProtocols?.includes("gateway.envoyproxy.io/wss") && spec.tls === undefined && !policed) {
    return {
      reason: "UnsupportedProtocol",
      field: "spec.appProtocols",
      message: "names wss, which needs TLS; set spec.tls, or name ws",
    };
  }
  return spec.tls && findTlsSettingsFault(spec.tls);
}

function findEndpointsFault(
  endpoints: readonly BackendEndpointSpec[],
  settings: Settings,
  hostnamesNeeded: boolean,
): BackendFault | undefined {
  if (endpoints.length === 0) {
    return { reason: "InvalidAddress", field: "spec.endpoints", message: "is empty; list at least one endpoint" };
  }
  for (const [index, endpoint] of endpoints.entries()) {
    const path = `spec.endpoints[${index}]`;
    const fault = findEndpointFault(endpoint, path, settings);
    if (fault !== undefined) return fault;
    if (hostnamesNeeded && endpoint.fqdn === undefined && endpoint.hostname === undefined) {
      return {
        reason: "InvalidBackendTLS",
        field: `${path}.hostname`,
        message: "is missing, and spec.tls.autoSNIFromEndpointHostname needs it; set it",
      };
    }
  }
  const names = endpoints.filter(({ fqdn }) => fqdn !== undefined).length;
  if (names > 0 && names < endpoints.length) {
    return {
      reason: "UnsupportedAddressType",
      field: "spec.endpoints",
      message: "mixes fqdn with other kinds of address; make two Backends of them",
    };
  }
  return undefined;
}

function findEndpointFault(
  { fqdn, ip, unix }: BackendEndpointSpec,
  path: string,
  { hostInfrastructure: loopbackAllowed, guardedFolder }: Settings,
): BackendFault | undefined {
  const kinds = [fqdn, ip, unix].filter((kind) => kind !== undefined).length;
  if (kinds !== 1) {
    return { reason: "InvalidAddress", field: path, message: `has ${kinds} of fqdn, ip and unix; set one` };
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
  return at(`${path}.unix.path`, findSocketFault(unix?.path ?? "", guardedFolder));
}

function at(field: string, fault: AddressFault | undefined): BackendFault | undefined {
  return fault && { ...fault, field };
}

export function findStaticBackendFault({ spec }: StaticBackend, settings: Settings): BackendFault | undefined {
  if (settings.backendsRefused) return switchedOff;
  if ((spec.type ?? "Static") !== "Static" || spec.static === undefined) {
    return {
      reason: "Invalid",
      field: "spec.type",
      message: "is not Static with hosts under spec.static, the only type that is served; write that",
    };
  }
  if (spec.static.hosts.length === 0) {
    return { reason: "InvalidAddress", field: "spec.static.hosts", message: "is empty; list at least one host" };
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
