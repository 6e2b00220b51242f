import { isIP, isIPv6 } from "node:net";
import type { Backend } from "../api/backend.ts";
import type { EndpointSlice, Service } from "../api/core.ts";
import { type StaticBackend, staticBackendDefinition } from "../api/static-backend.ts";
import { backendEndpoints, staticBackendEndpoints } from "../attach/backend.ts";
import type { BackendEndpoint, ClusterReach, ClusterSpec } from "../attach/model.ts";
import { compareStrings, type ObjectKey } from "../base/keys.ts";
import { ClusterLoadAssignment } from "../envoy/generated/envoy/config/endpoint/v3/endpoint.ts";
import type { LocalityLbEndpoints } from "../envoy/generated/envoy/config/endpoint/v3/endpoint_components.ts";
import { type EncodedResource, encodeResource } from "../envoy/resource.ts";
import { groupByLocality, memberLocality, type ZoneWeights, zoneWeights } from "./locality.ts";

export interface EndpointReader {
  /** All EndpointSlices of a Service, in any order. */
  endpointSlices(service: ObjectKey): Iterable<EndpointSlice>;
  service(key: ObjectKey): Service | undefined;
  backend(key: ObjectKey): Backend | undefined;
  staticBackend(key: ObjectKey): StaticBackend | undefined;
}

export interface TranslatedEndpoints {
  readonly resource: EncodedResource;
  /** How many endpoints can take requests. */
  readonly endpoints: number;
}

type EdsReach = Extract<ClusterReach, { kind: "Service" | "Backend" }>;
type ServiceReach = Extract<ClusterReach, { kind: "Service" }>;

/**
 * Builds the ClusterLoadAssignment of an EDS cluster; empty when nothing can take requests, because Envoy waits for one.
 * O(n log n) of the endpoints.
 */
export function translateEndpoints(spec: ClusterSpec, read: EndpointReader): TranslatedEndpoints {
  const { name, reach, family, connection } = spec;
  const endpoints = localitiesOf(reach, family === "IPv6" ? "IPv6" : "IPv4", zoneWeights(connection), read);
  const message: ClusterLoadAssignment = { clusterName: name, endpoints };
  return {
    resource: encodeResource(ClusterLoadAssignment, name, message),
    endpoints: endpoints.reduce((sum, { lbEndpoints }) => sum + (lbEndpoints?.length ?? 0), 0),
  };
}

type Family = "IPv4" | "IPv6";

function localitiesOf(
  reach: ClusterReach,
  family: Family,
  weights: ZoneWeights | undefined,
  read: EndpointReader,
): LocalityLbEndpoints[] {
  switch (reach.kind) {
    case "Service":
    case "Backend":
      // The priority of a Backend matters beside others only, and there the rule gives it (Fallback).
      return groupByLocality(
        readEndpoints(reach, family, read).map((endpoint) => ({ ...endpoint, priority: 0 })),
        weights,
      );
    case "Fallback":
      return reach.members.flatMap((member) =>
        memberLocality(member, readEndpoints(member.reach, family, read), weights),
      );
    case "Dns":
    case "DnsFallback":
    case "DynamicResolver":
      return [];
  }
}

function readEndpoints(reach: EdsReach, family: Family, read: EndpointReader): readonly BackendEndpoint[] {
  if (reach.kind === "Service") {
    const address = reach.address && serviceAddress(reach, family, read);
    return address === undefined ? serviceEndpoints(reach, family, read.endpointSlices(reach.key)) : [address];
  }
  if (reach.group === staticBackendDefinition.group) {
    const backend = read.staticBackend(reach.key);
    return backend === undefined ? [] : sortUnique(staticBackendEndpoints(backend));
  }
  const backend = read.backend(reach.key);
  return backend === undefined ? [] : sortUnique(backendEndpoints(backend));
}

/** Undefined: the Service has no address of its own (it is headless), and its endpoints are all there is. */
function serviceAddress(
  { key, port }: ServiceReach,
  family: Family,
  read: EndpointReader,
): BackendEndpoint | undefined {
  const { clusterIP, clusterIPs = [] } = read.service(key)?.spec ?? {};
  const addresses = [...clusterIPs, ...(clusterIP === undefined ? [] : [clusterIP])].filter(
    (address) => isIP(address) > 0,
  );
  const host = addresses.find((address) => isIPv6(address) === (family === "IPv6")) ?? addresses[0];
  return host === undefined ? undefined : { address: { host, port }, priority: 0 };
}

interface Candidate {
  readonly endpoint: BackendEndpoint;
  readonly family: EndpointSlice["addressType"];
}

/**
 * Endpoints of a Service port, chosen as kube-proxy chooses: those that are ready; when there are none, those that still
 * serve while they terminate. Where a Service has both families one is used, so that a pod counts once.
 */
function serviceEndpoints(
  reach: ServiceReach,
  wanted: Family,
  slices: Iterable<EndpointSlice>,
): readonly BackendEndpoint[] {
  const ready: Candidate[] = [];
  const draining: Candidate[] = [];
  for (const slice of slices) {
    if (slice.addressType === "FQDN") continue;
    for (const { name, port, protocol } of slice.ports ?? []) {
      if ((name ?? "") !== reach.portName || port === undefined) continue;
      if ((protocol ?? "TCP") !== (reach.transport ?? "TCP")) continue;
      for (const { addresses, conditions, zone } of slice.endpoints ?? []) {
        // All addresses of an endpoint are one pod: clients use the first (EndpointSlice API).
        const [host] = addresses;
        if (host === undefined) continue;
        const endpoint: BackendEndpoint = { address: { host, port }, ...(zone && { zone }), priority: 0 };
        // An unknown `ready` counts as ready, an unknown `serving` as what `ready` says (EndpointSlice API).
        if (conditions?.ready ?? true) ready.push({ endpoint, family: slice.addressType });
        else if (conditions?.serving && conditions.terminating) draining.push({ endpoint, family: slice.addressType });
      }
    }
  }
  const chosen = ready.length > 0 ? ready : draining;
  const other = wanted === "IPv4" ? "IPv6" : "IPv4";
  const served = chosen.some(({ family }) => family === wanted) ? wanted : other;
  return sortUnique(chosen.flatMap(({ endpoint, family }) => (family === served ? [endpoint] : [])));
}

/** Sorted by address, each address once: slices may overlap while their controller moves endpoints between them. */
function sortUnique(endpoints: readonly BackendEndpoint[]): readonly BackendEndpoint[] {
  const byAddress = new Map<string, BackendEndpoint>();
  for (const endpoint of endpoints) {
    const { address } = endpoint;
    const text = "unixPath" in address ? address.unixPath : `${address.host} ${address.port}`;
    const known = byAddress.get(text);
    // Of two that differ in the rest the choice must not depend on the order of the slices.
    if (known === undefined || compareStrings(endpoint.zone ?? "", known.zone ?? "") < 0) byAddress.set(text, endpoint);
  }
  return [...byAddress].sort(([a], [b]) => compareStrings(a, b)).map(([, endpoint]) => endpoint);
}
