import { buildClusterSpec, type ClusterSettings, HOST_GROUP } from "./cluster-spec.ts";
import { type BackendSettings, planConnection } from "./connection-settings.ts";
import type { ProxyFinding } from "./envoy-proxy.ts";
import type { ClusterReach, ClusterSpec } from "./model.ts";
import { type BackendOrigin, type BackendReference, type FoundBackend, findBackend } from "./resolve-backend.ts";
import type { ResolveReader } from "./resolve-reader.ts";
import type { TlsTarget } from "./tls-targets.ts";

/** How an EnvoyProxy names a server that Envoy itself calls. */
export interface CollectorReference {
  readonly backendRefs?: readonly (BackendReference & { readonly weight?: number; readonly fallback?: boolean })[];
  readonly host?: string;
  readonly port?: number;
  readonly backendSettings?: BackendSettings;
}

/** A server that Envoy calls. */
export interface Collector {
  readonly cluster: ClusterSpec;
  /**
   * Host that calls name. Without it Envoy names its cluster, and servers refuse a host with slashes.
   */
  readonly authority: string;
}

/**
 * Follows the reference to a collector.
 *
 * @param field where it stands
 * @param namespace of the EnvoyProxy that has it
 * @param tlsTargets takes what it refers to and BackendTLSPolicies target
 */
export function findCollector(
  reference: CollectorReference,
  protocol: ClusterSpec["protocol"],
  field: string,
  namespace: string,
  read: ResolveReader,
  tlsTargets: Set<TlsTarget>,
): Collector | ProxyFinding {
  const { backendRefs = [], host, port } = reference;
  const build = (reach: ClusterReach, settings: ClusterSettings, authority: string): Collector | ProxyFinding => {
    if (reference.backendSettings === undefined) return { cluster: buildClusterSpec(reach, settings), authority };
    const connection = planConnection(reference.backendSettings, `${field}.backendSettings`, {
      resolvesNames: reach.kind === "Dns" || reach.kind === "DnsFallback",
      speaksHttp2: protocol === "http2",
    });
    return "field" in connection
      ? connection
      : { cluster: buildClusterSpec(reach, { ...settings, connection }), authority };
  };
  if (backendRefs.length === 0) {
    if (host === undefined || port === undefined) return { field, text: "names no server; set backendRefs or host" };
    const endpoints = [{ address: { host, port }, hostname: host, priority: 0 }];
    const reach: ClusterReach = { kind: "Dns", group: HOST_GROUP, key: `${host}:${port}`, endpoints };
    return build(reach, { protocol }, `${host}:${port}`);
  }
  const authority = nameBackend(backendRefs[0], namespace);
  const found = findServer("EnvoyProxy", backendRefs, field, namespace, read, tlsTargets);
  return "field" in found ? found : build(found.reach, { ...found.settings, protocol }, authority);
}

/** Backends that Envoy calls as one server. */
interface FoundServer {
  readonly reach: ClusterReach;
  readonly settings: ClusterSettings;
}

/**
 * Follows `backendRefs` of an object that names a server: several are one cluster whose endpoints come from all of them.
 *
 * @param references at least one
 * @param field in which they are called `backendRefs`
 * @param namespace of the object
 * @param tlsTargets as in {@link findCollector}
 */
export function findServer(
  origin: BackendOrigin,
  references: NonNullable<CollectorReference["backendRefs"]>,
  field: string,
  namespace: string,
  read: ResolveReader,
  tlsTargets: Set<TlsTarget>,
): FoundServer | ProxyFinding {
  const found: FoundBackend[] = [];
  for (const [index, backendRef] of references.entries()) {
    const one = findBackend(origin, namespace, backendRef, read);
    if (one.tlsTarget !== undefined) tlsTargets.add(one.tlsTarget);
    if ("reason" in one) return { field: `${field}.backendRefs[${index}]`, text: one.message };
    found.push(one);
  }
  const [first] = found;
  if (first === undefined) return { field: `${field}.backendRefs`, text: "is empty; name a backend" };
  if (found.length === 1) return { reach: first.reach, settings: first.settings };
  const joined = joinBackends(references, found, field);
  if ("field" in joined) return joined;
  return { reach: { kind: "Fallback", members: joined.members }, settings: { protocol: first.settings.protocol } };
}

/** As clients in the cluster call it. */
function nameBackend(reference: BackendReference | undefined, namespace: string): string {
  const { name, port } = reference ?? { name: "" };
  return `${name}.${reference?.namespace ?? namespace}${port === undefined ? "" : `:${port}`}`;
}

type Member = Extract<ClusterReach, { kind: "Fallback" }>["members"][number];

/** Several backends are one cluster whose endpoints come from all of them. */
function joinBackends(
  references: NonNullable<CollectorReference["backendRefs"]>,
  found: readonly FoundBackend[],
  field: string,
): { readonly members: readonly Member[] } | ProxyFinding {
  const members: Member[] = [];
  for (const [index, { reach, settings, fallback }] of found.entries()) {
    const reference = references[index];
    if ((reach.kind !== "Service" && reach.kind !== "Backend") || settings.tls !== undefined) {
      const text =
        "names one of several backends, and those must be Services or Backends with addresses, without TLS; use it alone";
      return { field: `${field}.backendRefs[${index}]`, text };
    }
    const priority = fallback || reference?.fallback === true ? 1 : 0;
    members.push({ reach, weight: reference?.weight ?? 1, priority });
  }
  return { members };
}
