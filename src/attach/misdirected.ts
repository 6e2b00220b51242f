import { ANY_HOST } from "./hostname.ts";
import type { ListenerPlan, PortPlan } from "./model.ts";

/**
 * Which hosts a connection to an HTTPS listener must not ask for, since another listener of its port has them: their requests are
 * answered with 421, upon which a client asks again on a connection of their own (Gateway API, Listener.hostname; RFC 9110,
 * 15.5.20). A host belongs to the listener with the most specific hostname that covers it, so beside the listener's own hostname
 * three kinds are enough, and none follows from another: hostnames right below it, the broadest one above it, and the broadest
 * ones elsewhere. What no hostname covers is nobody's and stays 404.
 *
 * By route table, sorted; tables without any are left out. O(listeners × labels), and one entry for each pair of a listener with a
 * broadest hostname elsewhere.
 */
export function misdirectedHosts({
  protocol,
  listeners,
}: Pick<PortPlan, "protocol" | "listeners">): ReadonlyMap<string, readonly string[]> {
  const result = new Map<string, readonly string[]>();
  if (protocol !== "HTTPS") return result;
  const hostnames = new Set(listeners.map(hostOf));
  const below = new Map<string, string[]>();
  const broadest: string[] = [];
  for (const hostname of hostnames) {
    const above = ascend(hostname, hostnames).next().value;
    if (above === undefined) broadest.push(hostname);
    else below.set(above, [...(below.get(above) ?? []), hostname]);
  }
  for (const listener of listeners) {
    if (listener.routeTable === undefined) continue;
    const own = hostOf(listener);
    const others = broadest.filter((hostname) => hostname !== own);
    const hosts = [...(below.get(own) ?? []), ...others];
    if (hosts.length > 0) result.set(listener.routeTable, hosts.sort());
  }
  return result;
}

function hostOf({ hostname = ANY_HOST }: ListenerPlan): string {
  return hostname;
}

/** Hostnames of the set that cover this one, the narrowest first. */
function* ascend(hostname: string, among: ReadonlySet<string>): Iterator<string, undefined> {
  if (hostname === ANY_HOST) return undefined;
  const labels = hostname.split(".");
  for (let from = 1; from < labels.length; from++) {
    const wildcard = `*.${labels.slice(from).join(".")}`;
    if (wildcard !== hostname && among.has(wildcard)) yield wildcard;
  }
  if (among.has(ANY_HOST)) yield ANY_HOST;
  return undefined;
}
