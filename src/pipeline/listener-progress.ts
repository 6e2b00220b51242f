import { quicName } from "../attach/resource-names.ts";
import type { FleetKey } from "../base/keys.ts";
import type { Collection, Graph, Reader, Source } from "../dataflow/graph.ts";
import { resourceTypes } from "../envoy/resource.ts";
import { quicShare } from "../translate/quic-listener.ts";
import { findRefusal, type Refusal } from "./envoys.ts";
import type { EnvoyListener } from "./listeners.ts";
import { wordsOf } from "./route-findings.ts";
import { acknowledgementKey, type Sources } from "./sources.ts";

/** How far the Envoys of a Gateway, which others may share, have come with what serves one listener. */
export type ListenerProgress =
  | { readonly state: "Pending" | "Accepted" }
  /** `resource` was refused, with Envoy's own words. */
  | { readonly state: "Rejected"; readonly resource: string; readonly error: string };

/** What an Envoy Listener held in a version of it: by listener key, the hash of all that the listener means there. */
export type Shares = ReadonlyMap<string, string>;

/** A published version of an Envoy Listener. */
export interface ListenerVersion {
  readonly version: string;
  readonly shares: Shares;
}

/** Versions of one Listener that an Envoy may have and not be given up on: newer ones come as fast as tenants do. */
const VERSIONS_MAX = 16;

/** How far the Envoys are with what a listener means; unmoved by what the other listeners of its port do. */
export interface ListenerProgressNodes {
  /** Key: listener. Hash of all that it means in its Envoy Listener now. */
  readonly shares: Collection<string>;
  /** Key: listener. What it means in the version that each Envoy took last, of those that have any of it. */
  readonly taken: Collection<readonly string[]>;
  /** Key: name of an Envoy Listener whose present version is refused. */
  readonly refusals: Collection<Refusal>;
}

/**
 * An Envoy Listener is many people's: it changes with each of them, and who stays the same stays programmed meanwhile, since Envoy
 * updates it in place. So versions are not compared as a whole but by the share of each listener.
 */
export function createListenerProgress(
  graph: Graph,
  sources: Sources,
  listeners: Collection<EnvoyListener>,
): ListenerProgressNodes {
  const answersOn = (fleet: FleetKey, name: string, read: Reader) =>
    read.get(sources.acknowledgements, acknowledgementKey(fleet, resourceTypes.listener, name)) ?? [];
  const shares = graph.flatMap("listenerShares", listeners, (listener) => listener.shares);
  const taken = graph.flatMap("takenShares", listeners, ({ fleet }, name, read) => {
    const result = new Map<string, string[]>();
    const versions = read.get(sources.listenerVersions, name) ?? [];
    for (const { accepted } of answersOn(fleet, name, read)) {
      const known = versions.find(({ version }) => version === accepted);
      for (const [key, share] of known?.shares ?? []) {
        const others = result.get(key);
        if (others === undefined) result.set(key, [share]);
        else others.push(share);
      }
    }
    return result;
  });
  const refusals = graph.map("listenerRefusals", listeners, ({ fleet, resource }, name, read) =>
    findRefusal(answersOn(fleet, name, read), resource.version),
  );
  return { shares, taken, refusals };
}

interface PlacedPort {
  /** Of the Envoy Listener. */
  readonly name: string;
  readonly bindPort: number;
}

/**
 * A listener is accepted when every Envoy that serves acknowledged a version with all that it means now, over HTTP/3 too where it is
 * served so.
 */
export function judgeListener(
  key: string,
  port: PlacedPort,
  answering: number,
  nodes: ListenerProgressNodes,
  read: Reader,
): ListenerProgress {
  const overTcp = judgeShare(key, port, answering, nodes, read);
  if (overTcp.state !== "Accepted" || read.get(nodes.shares, quicShare(key)) === undefined) return overTcp;
  const overQuic = judgeShare(quicShare(key), { ...port, name: quicName(port.name) }, answering, nodes, read);
  return overQuic.state === "Rejected" ? { ...overQuic, resource: `port ${port.bindPort} of UDP` } : overQuic;
}

function judgeShare(
  key: string,
  { name, bindPort }: PlacedPort,
  answering: number,
  { shares, taken, refusals }: ListenerProgressNodes,
  read: Reader,
): ListenerProgress {
  const wanted = read.get(shares, key);
  const accepted = (read.get(taken, key) ?? []).filter((share) => share === wanted);
  if (accepted.length > 0 && accepted.length >= answering) return { state: "Accepted" };
  const refusal = read.get(refusals, name);
  if (refusal === undefined) return { state: "Pending" };
  return { state: "Rejected", resource: `port ${bindPort}`, error: wordsOf(refusal) };
}

/** Puts down what each version of an Envoy Listener holds, for when an Envoy says that it has it. */
export function recordListenerVersions(
  source: Source<readonly ListenerVersion[]>,
  changes: ReadonlyMap<string, EnvoyListener | undefined>,
): void {
  for (const [name, listener] of changes) {
    if (listener === undefined) {
      source.delete(name);
      continue;
    }
    const { version } = listener.resource;
    const others = (source.get(name) ?? []).filter((known) => known.version !== version);
    source.set(name, [...others, { version, shares: listener.shares }].slice(-VERSIONS_MAX));
  }
}
