import { listenerSecrets } from "../attach/certificates.ts";
import type { ListenerCertificates, ListenerPlan, PortPlan } from "../attach/model.ts";
import { listenerKey } from "../attach/model.ts";
import { Listener } from "../envoy/generated/envoy/config/listener/v3/listener.ts";
import type { FilterChain } from "../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import { contentHash } from "../envoy/hash.ts";
import { buildHttpChain, buildHttpsChain } from "./filter-chain.ts";
import type { ListenerShape } from "./http-connection-manager.ts";

/** The port of Envoy that a listener is served on. */
export type EnvoyPort = Pick<PortPlan, "name" | "bindPort">;

/**
 * What one listener, or one route of it, puts into an Envoy Listener, encoded once: a Listener of a thousand filter chains is the
 * concatenation of their bytes, and an edit encodes one of them.
 */
export interface ListenerPart {
  /** Name of the Envoy Listener. */
  readonly port: string;
  /** Parts of a Listener stand in the order of their names, and those of one name in that of `of`. */
  readonly name: string;
  /** Key of the listener. */
  readonly of: string;
  /** A whole field of the Listener message. */
  readonly field: Uint8Array;
  readonly hash: string;
  /** Names of the xDS resources of secrets that it names. */
  readonly secrets: readonly string[];
  /** Route table that it takes its routes from in buckets. */
  readonly inBuckets?: string;
  /** Clusters that it leads to by itself, without a route table. */
  readonly clusters: readonly string[];
}

/** What a part refers to. */
export type PartUses = Partial<Pick<ListenerPart, "secrets" | "clusters" | "inBuckets">>;

const nothing: readonly never[] = Object.freeze([]);

export function sameListenerPart(a: ListenerPart, b: ListenerPart): boolean {
  return a.hash === b.hash && a.port === b.port && a.name === b.name;
}

/** @param fields the one field that the part is */
export function encodePart(
  port: EnvoyPort,
  of: string,
  name: string,
  fields: Listener,
  { secrets = nothing, clusters = nothing, inBuckets }: PartUses = {},
): ListenerPart {
  const field = Listener.encode(fields).finish();
  const table = inBuckets !== undefined && { inBuckets };
  return { port: port.name, name, of, field, hash: contentHash(field), secrets, clusters, ...table };
}

export function encodeChain(port: EnvoyPort, of: string, chain: FilterChain, uses?: PartUses): ListenerPart {
  return encodePart(port, of, chain.name ?? "", { filterChains: [chain] }, uses);
}

export function secretNames(certificates: ListenerCertificates | undefined): readonly string[] {
  return certificates === undefined ? nothing : listenerSecrets(certificates).map(({ name }) => name);
}

/** All of a port of plain HTTP. Undefined when nothing can be served. */
export function translateHttpPart(port: PortPlan, shape: ListenerShape): ListenerPart | undefined {
  const chain = buildHttpChain(port, shape);
  return chain && encodePart(port, port.name, port.name, { defaultFilterChain: chain }, tableUse(chain.name, shape));
}

export function translateHttpsPart(
  port: EnvoyPort,
  listener: ListenerPlan,
  certificates: ListenerCertificates | undefined,
  shape: ListenerShape,
): ListenerPart | undefined {
  const chain = buildHttpsChain(port, listener, certificates, shape);
  const uses = { secrets: secretNames(certificates), ...tableUse(listener.routeTable, shape) };
  return chain && encodeChain(port, listenerKey(listener), chain, uses);
}

function tableUse(routeTable: string | undefined, { inBuckets }: ListenerShape): PartUses {
  return inBuckets && routeTable !== undefined ? { inBuckets: routeTable } : {};
}
