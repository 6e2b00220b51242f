import { hostOf, widerHostnames } from "./hostname.ts";
import { ownerKey } from "./listener.ts";
import { familyOf } from "./listener-protocol.ts";
import { type ListenerNames, type ListenerPlan, listenerKey, type PortPlan } from "./model.ts";

/**
 * Which hosts a connection to an HTTPS listener must not ask for, since another listener of its port has them: their requests are
 * answered with 421, upon which a client asks again on a connection of their own (Gateway API, Listener.hostname; RFC 9110,
 * 15.5.20). A host belongs to the listener with the most specific hostname that covers it, so beside the listener's own hostname
 * three kinds are enough, and none follows from another: hostnames right below it, the broadest one above it, and the broadest
 * ones elsewhere. What no hostname covers is nobody's and stays 404.
 *
 * Elsewhere is the listener's own Gateway or ListenerSet, and where its certificates are good for a host: there alone clients
 * reuse connections. So tenants that share a port and nothing else are not in each other's tables: with all of them there, a
 * new one would change everybody's. Tenants of one certificate are many too: beyond {@link ELSEWHERE_MAX} hostnames stands what covers
 * them, which a new one rarely changes; a host of nobody that it covers is answered with 421 as well.
 *
 * By route table, sorted; tables without any are left out. O(listeners × names of certificates × labels).
 */
export function misdirectedHosts(
  { protocol, listeners }: Pick<PortPlan, "protocol" | "listeners">,
  certificates: Iterable<ListenerNames>,
): ReadonlyMap<string, readonly string[]> {
  const result = new Map<string, readonly string[]>();
  if (familyOf(protocol) !== "TLS") return result;
  const hostnames = new Set(listeners.map(hostOf));
  const below = new Map<string, string[]>();
  const broadest = new Map<string, string>();
  for (const hostname of hostnames) {
    const above = hostnamesAbove(hostname, hostnames);
    broadest.set(hostname, above.at(-1) ?? hostname);
    if (above[0] !== undefined) append(below, above[0], hostname);
  }
  /** What covers these hostnames, of those of the port or beyond. */
  const covering = (some: readonly string[]) =>
    coverHosts(new Set(some.map((hostname) => broadest.get(hostname) ?? hostname)));
  const ofOwner = new Map<string, readonly string[]>();
  for (const [owner, own] of Map.groupBy(listeners, ownerKey)) ofOwner.set(owner, covering(own.map(hostOf)));
  const goodFor = hostsOfCertificates(hostnames, certificates, covering);
  for (const listener of listeners) {
    if (listener.routeTable === undefined) continue;
    const own = hostOf(listener);
    const elsewhere = [broadest.get(own) ?? own, ...(ofOwner.get(ownerKey(listener)) ?? []), ...goodFor(listener)];
    const hosts = new Set([...(below.get(own) ?? []), ...coverHosts(new Set(elsewhere))]);
    hosts.delete(own);
    if (hosts.size > 0) result.set(listener.routeTable, [...hosts].sort());
  }
  return result;
}

/** As many as a Gateway has listeners: one by itself is answered to the letter, and a table has no more than its listener's own beside. */
const ELSEWHERE_MAX = 64;

/** What covers the hosts, none of it another: they themselves, or, until they are few, wildcards in place of the deepest. */
function coverHosts(hosts: ReadonlySet<string>): readonly string[] {
  const outer = [...hosts].filter((host) => hostnamesAbove(host, hosts).length === 0);
  if (outer.length <= ELSEWHERE_MAX) return outer;
  const deepest = Math.max(...outer.map((host) => labelsOf(host).length));
  return coverHosts(new Set(outer.map((host) => (labelsOf(host).length < deepest ? host : widen(host)))));
}

/** Of what an asterisk stands before, where there is one. */
function labelsOf(host: string): readonly string[] {
  return host.split(".").filter((label) => label !== "*");
}

/** `a.b.c` and `*.a.b.c` to `*.b.c`, at last to `*`. */
function widen(host: string): string {
  return ["*", ...labelsOf(host).slice(1)].join(".");
}

/** What covers the hostnames of the port for which the certificates of a listener are good. */
function hostsOfCertificates(
  hostnames: ReadonlySet<string>,
  certificates: Iterable<ListenerNames>,
  covering: (hosts: readonly string[]) => readonly string[],
): (listener: ListenerPlan) => readonly string[] {
  const byPattern = Map.groupBy(hostnames, certificatePattern);
  const byName = new Map<string, readonly string[]>();
  const byListener = new Map([...certificates].map((held) => [listenerKey(held), held.dnsNames]));
  // One certificate may be that of a thousand listeners.
  const hostsOf = (name: string) => {
    const known = byName.get(name);
    if (known !== undefined) return known;
    const wildcards = [name, ...hostnamesAbove(name, hostnames)].filter((hostname) => hostnames.has(hostname));
    const found = covering([...(byPattern.get(name) ?? []), ...wildcards]);
    byName.set(name, found);
    return found;
  };
  return (listener) => (byListener.get(listenerKey(listener)) ?? []).flatMap(hostsOf);
}

function append(groups: Map<string, string[]>, key: string, host: string): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [host]);
  else group.push(host);
}

/** The name by which a certificate with an asterisk is good for a host: the asterisk is one label (RFC 9525, 6.3). */
function certificatePattern(hostname: string): string {
  const dot = hostname.indexOf(".");
  return hostname.startsWith("*") || dot < 0 ? hostname : `*${hostname.slice(dot)}`;
}

/** Hostnames of the set that cover this one, the narrowest first. */
function hostnamesAbove(hostname: string, among: ReadonlySet<string>): string[] {
  return widerHostnames(hostname).filter((wider) => among.has(wider));
}
