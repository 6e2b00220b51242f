import { type Problem, problemAt } from "../base/problems.ts";
import { ANY_HOST, hostOf, widerHostnames } from "./hostname.ts";
import { nameRival } from "./listener-conflicts.ts";
import { type ListenerNames, listenerKey, type PortPlan } from "./model.ts";

/**
 * HTTPS listeners of one port between which a browser could reuse a connection (Gateway API, OverlappingTLSConfig): hostnames
 * that overlap, or certificates that are good for another listener's hosts. What such a connection asks for in vain is answered
 * with 421 (`misdirected.ts`), so HTTP/2 is offered all the same. By listener key.
 * O(listeners × names × labels of a name).
 */
export function overlappingTls(
  { listeners: all }: Pick<PortPlan, "listeners">,
  certificates: Iterable<ListenerNames>,
): ReadonlyMap<string, Problem> {
  const result = new Map<string, Problem>();
  const listeners = all.filter(({ protocol }) => protocol === "HTTPS");
  const positions = new Map(listeners.map((listener, position) => [listenerKey(listener), position]));
  const byHost = new Map<string, number[]>();
  for (const [position, listener] of listeners.entries()) append(byHost, hostOf(listener), position);
  const byName = new Map<string, number[]>();
  for (const held of certificates) {
    const position = positions.get(listenerKey(held));
    if (position !== undefined) for (const name of held.dnsNames) append(byName, name, position);
  }
  const byHostname = rivalsByHostname(byHost);
  const byCertificate = rivalsByCertificate(byHost, byName);
  for (const [position, listener] of listeners.entries()) {
    // Of two reasons the API wants the certificates told.
    const shared = byCertificate.get(position);
    const rival = listeners[shared ?? byHostname.get(position) ?? -1];
    if (rival === undefined) continue;
    const [reason, what] =
      shared === undefined
        ? ["OverlappingHostnames", "the hostnames of both overlap"]
        : ["OverlappingCertificates", "a certificate of one is good for hosts of the other"];
    const text = `shares port ${listener.port} with ${nameRival(listener, rival)}, and ${what}, so that a client could send requests for one on a connection to the other; these are answered with 421 and cost it another connection: give them certificates and hostnames apart, or a port each, to spare that`;
    const field = `spec.listeners[${listener.index}]`;
    result.set(listenerKey(listener), problemAt("OverlappingTLSConfig", reason, field, text));
  }
  return result;
}

/** Positions of listeners, ascending, by what they have in common. */
type Groups = ReadonlyMap<string, readonly number[]>;

/** For each listener that is in another's way, the first such other, by position. */
type Rivals = ReadonlyMap<number, number>;

function rivalsByHostname(byHost: Groups): Rivals {
  const rivals = new Map<number, number>();
  for (const [host, group] of byHost) {
    for (const outer of hostnamesOver(host)) note(rivals, group, byHost.get(outer));
  }
  return rivals;
}

/** A certificate's asterisk is one label (RFC 9525, 6.3), a listener's any number of them. */
function rivalsByCertificate(byHost: Groups, byName: Groups): Rivals {
  const byPattern = new Map<string, number[]>();
  for (const [host, group] of byHost) {
    if (!host.startsWith("*")) for (const position of group) append(byPattern, oneLabelOver(host), position);
  }
  const rivals = new Map<number, number>();
  for (const [name, owners] of byName) {
    for (const outer of hostnamesOver(name)) {
      if (outer === name || outer.startsWith("*")) note(rivals, owners, byHost.get(outer));
    }
    note(rivals, owners, byPattern.get(name));
  }
  return rivals;
}

/** Each of the one group is in the way of each of the other: for each the first is enough. */
function note(rivals: Map<number, number>, some: readonly number[], others: readonly number[] = []): void {
  const first = (position: number, group: readonly number[]) => {
    const rival = group[0] === position ? group[1] : group[0];
    const known = rivals.get(position);
    if (rival !== undefined && (known === undefined || rival < known)) rivals.set(position, rival);
  };
  for (const position of some) first(position, others);
  for (const position of others) first(position, some);
}

/** A hostname, and every hostname that stands for all its hosts: `a.b.c` → `a.b.c`, `*.b.c`, `*.c`, `*`. */
function hostnamesOver(host: string): readonly string[] {
  return [host, ...widerHostnames(host)];
}

/** `a.b.c` → `*.b.c` */
function oneLabelOver(host: string): string {
  const dot = host.indexOf(".");
  return dot < 0 ? ANY_HOST : `*${host.slice(dot)}`;
}

function append(groups: Map<string, number[]>, key: string, position: number): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [position]);
  else if (group.at(-1) !== position) group.push(position);
}
