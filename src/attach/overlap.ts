import { type Problem, problemAt } from "../base/problems.ts";
import { ANY_HOST, coversHostname } from "./hostname.ts";
import { type ListenerCertificates, type ListenerPlan, listenerKey, type PortPlan } from "./model.ts";

/**
 * HTTPS listeners of one port between which a browser could reuse a connection (Gateway API, OverlappingTLSConfig): hostnames
 * that overlap, or certificates that are good for another listener's hosts. What such a connection asks for in vain is answered
 * with 421 (`misdirected.ts`), so HTTP/2 is offered all the same. By listener key.
 * O(listeners² × names).
 */
export function overlappingTls(
  { protocol, listeners }: Pick<PortPlan, "protocol" | "listeners">,
  certificates: Iterable<ListenerCertificates>,
): ReadonlyMap<string, Problem> {
  const result = new Map<string, Problem>();
  if (protocol !== "HTTPS") return result;
  const names = new Map(
    [...certificates].map(({ gateway, listener, dnsNames }) => [listenerKey({ gateway, name: listener }), dnsNames]),
  );
  for (const listener of listeners) {
    const others = listeners.filter((other) => other !== listener);
    const byHostname = others.find((other) => overlap(hostOf(listener), hostOf(other)));
    const byCertificate = others.find((other) => shareCertificate(names, listener, other));
    // Of two reasons the API wants the certificates told.
    const [reason, rival, what] =
      byCertificate === undefined
        ? (["OverlappingHostnames", byHostname, "the hostnames of both overlap"] as const)
        : (["OverlappingCertificates", byCertificate, "a certificate of one is good for hosts of the other"] as const);
    if (rival === undefined) continue;
    const place = rival.gateway === listener.gateway ? "" : ` of Gateway ${rival.gateway}`;
    const text = `shares port ${listener.port} with listener ${rival.name}${place}, and ${what}, so that a client could send requests for one on a connection to the other; these are answered with 421 and cost it another connection: give them certificates and hostnames apart, or a port each, to spare that`;
    const field = `spec.listeners[${listener.index}]`;
    result.set(listenerKey(listener), problemAt("OverlappingTLSConfig", reason, field, text));
  }
  return result;
}

function hostOf(listener: ListenerPlan): string {
  return listener.hostname ?? ANY_HOST;
}

function overlap(a: string, b: string): boolean {
  return coversHostname(a, b) || coversHostname(b, a);
}

function shareCertificate(names: ReadonlyMap<string, readonly string[]>, a: ListenerPlan, b: ListenerPlan): boolean {
  const covers = (owner: ListenerPlan, other: ListenerPlan) =>
    (names.get(listenerKey(owner)) ?? []).some((name) => isGoodFor(name, hostOf(other)));
  return covers(a, b) || covers(b, a);
}

/** Whether a DNS name of a certificate is good for a host of a listener. A certificate's asterisk is one label (RFC 9525, 6.3). */
function isGoodFor(name: string, hostname: string): boolean {
  if (hostname.startsWith("*")) return coversHostname(hostname, name);
  return coversHostname(name, hostname) && name.split(".").length === hostname.split(".").length;
}
