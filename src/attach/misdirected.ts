import { ANY_HOST } from "./hostname.ts";
import { familyOf } from "./listener-protocol.ts";
import { type ListenerCertificates, type ListenerPlan, listenerKey, type PortPlan } from "./model.ts";

/**
 * Which hosts a connection to an HTTPS listener must not ask for, since another listener of its port has them: their requests are
 * answered with 421, upon which a client asks again on a connection of their own (Gateway API, Listener.hostname; RFC 9110,
 * 15.5.20). A host belongs to the listener with the most specific hostname that covers it, so beside the listener's own hostname
 * three kinds are enough, and none follows from another: hostnames right below it, the broadest one above it, and the broadest
 * ones elsewhere. What no hostname covers is nobody's and stays 404.
 *
 * Elsewhere is the listener's own Gateway, which is what the API speaks of, and where its certificates are good for a host: there alone
 * clients reuse connections. So tenants that share a port and nothing else are not in each other's tables: with all of them there, a
 * new one would change everybody's.
 *
 * By route table, sorted; tables without any are left out. O(listeners × labels), and one entry for each pair of a listener with a
 * broadest hostname elsewhere.
 */
export function misdirectedHosts(
  { protocol, listeners }: Pick<PortPlan, "protocol" | "listeners">,
  certificates: Iterable<ListenerCertificates>,
): ReadonlyMap<string, readonly string[]> {
  const result = new Map<string, readonly string[]>();
  if (familyOf(protocol) !== "TLS") return result;
  const hostnames = new Set(listeners.map(hostOf));
  const below = new Map<string, string[]>();
  const broadestAbove = (hostname: string) => hostnamesAbove(hostname, hostnames).at(-1);
  for (const hostname of hostnames) {
    const [above] = hostnamesAbove(hostname, hostnames);
    if (above !== undefined) below.set(above, [...(below.get(above) ?? []), hostname]);
  }
  const byGateway = Map.groupBy(listeners, ({ gateway }) => gateway);
  const goodFor = hostsOfCertificates(hostnames, certificates);
  for (const listener of listeners) {
    if (listener.routeTable === undefined) continue;
    const own = hostOf(listener);
    const others = new Set(below.get(own));
    const near = [own, ...(byGateway.get(listener.gateway) ?? []).map(hostOf), ...goodFor(listener)];
    for (const hostname of near) {
      const outermost = broadestAbove(hostname) ?? hostname;
      if (outermost !== own) others.add(outermost);
    }
    if (others.size > 0) result.set(listener.routeTable, [...others].sort());
  }
  return result;
}

/** Hostnames of the port for which the certificates of a listener are good. */
function hostsOfCertificates(
  hostnames: ReadonlySet<string>,
  certificates: Iterable<ListenerCertificates>,
): (listener: ListenerPlan) => readonly string[] {
  const byPattern = Map.groupBy(hostnames, certificatePattern);
  const byListener = new Map(
    [...certificates].map((held) => [listenerKey({ gateway: held.gateway, name: held.listener }), held.dnsNames]),
  );
  return (listener) =>
    (byListener.get(listenerKey(listener)) ?? []).flatMap((name) => [
      ...(byPattern.get(name) ?? []),
      ...[name, ...hostnamesAbove(name, hostnames)].filter((hostname) => hostnames.has(hostname)),
    ]);
}

/** The name by which a certificate with an asterisk is good for a host: the asterisk is one label (RFC 9525, 6.3). */
function certificatePattern(hostname: string): string {
  const dot = hostname.indexOf(".");
  return hostname.startsWith("*") || dot < 0 ? hostname : `*${hostname.slice(dot)}`;
}

function hostOf({ hostname = ANY_HOST }: ListenerPlan): string {
  return hostname;
}

/** Hostnames of the set that cover this one, the narrowest first. */
function hostnamesAbove(hostname: string, among: ReadonlySet<string>): string[] {
  if (hostname === ANY_HOST) return [];
  const labels = hostname.split(".");
  const wildcards = labels.map((_label, from) => `*.${labels.slice(from).join(".")}`).slice(1);
  return [...wildcards, ANY_HOST].filter((wildcard) => wildcard !== hostname && among.has(wildcard));
}
