import type { ObjectKey } from "../base/keys.ts";
import { problemAt } from "../base/problems.ts";
import { isTlsRefused } from "./client-tls.ts";
import type { ClientListener, ClientPortFinding } from "./client-traffic-ports.ts";
import { type ListenerCertificates, type ListenerPlan, listenerKey, type PortPlan } from "./model.ts";
import type { PolicyPlace } from "./policy-model.ts";

/** That the ClientTrafficPolicy of a listener asks for HTTP/3. */
export interface Http3Wish {
  /** Key of the listener; on a port of plain HTTP of one of those that it counts for. */
  readonly listener: string;
  readonly gateway: ObjectKey;
  readonly policy: ObjectKey;
  readonly place: PolicyPlace;
  /** Set: the newest version of TLS that the policy allows, which is too old. */
  readonly tlsVersion?: string;
}

const FIELD = "spec.http3";

/** QUIC begins with this version (RFC 9001, 4.2). */
const versionsBefore13: readonly string[] = ["1.0", "1.1", "1.2"];

export function findHttp3Wishes(all: readonly ClientListener[]): readonly Http3Wish[] {
  return all.flatMap(({ listener, inherited, plan }) => {
    const { http3, tls } = plan?.settings ?? {};
    if (isTlsRefused(listener, { inherited, plan })) return [];
    if (inherited === undefined || http3 === undefined || !["HTTP", "HTTPS"].includes(listener.protocol)) return [];
    const { maxVersion } = tls ?? {};
    return {
      listener: listenerKey(listener),
      gateway: listener.gateway,
      policy: inherited.policy,
      place: inherited.from,
      ...(maxVersion !== undefined && versionsBefore13.includes(maxVersion) && { tlsVersion: maxVersion }),
    };
  });
}

/** What the Envoys of a port have and are, as far as it is in the way of HTTP/3. */
export interface Http3Surroundings {
  certificatesOf(listener: string): ListenerCertificates | undefined;
  /** Listeners that have the number as a port of UDP. */
  readonly datagramListeners: readonly Pick<ListenerPlan, "gateway" | "listenerSet" | "name">[];
  /** All listeners for which the policy at the place could count. */
  listenersAt(wish: Http3Wish): readonly Pick<ListenerPlan, "protocol">[];
}

export interface Http3Verdict {
  readonly listeners: readonly ListenerPlan[];
  readonly findings: readonly ClientPortFinding[];
}

/**
 * Which listeners of a port are served over HTTP/3, too. HTTPS listeners that can serve nobody are not, and need no word here. O(listeners).
 */
export function judgeHttp3(
  { port, listeners }: Pick<PortPlan, "port" | "listeners">,
  wishes: readonly Http3Wish[],
  around: Http3Surroundings,
): Http3Verdict {
  const byKey = new Map(listeners.map((listener) => [listenerKey(listener), listener]));
  const served: ListenerPlan[] = [];
  const findings = new Map<string, ClientPortFinding>();
  for (const wish of wishes) {
    const listener = byKey.get(wish.listener);
    if (listener === undefined) continue;
    const hindrance = findHindrance(port, listener, wish, around);
    if (hindrance !== undefined) {
      const { policy, place, gateway } = wish;
      const key = `${policy} ${place.kind} ${place.key} ${place.section ?? ""}`;
      const problem = problemAt("Warning", hindrance.reason ?? "NoEffect", FIELD, hindrance.text);
      if (!findings.has(key)) findings.set(key, { policy, place, gateway, problem });
    } else if (canServe(listener, around)) served.push(listener);
  }
  return { listeners: served, findings: [...findings.values()] };
}

function canServe({ protocol, routeTable, ...listener }: ListenerPlan, around: Http3Surroundings): boolean {
  const secrets = around.certificatesOf(listenerKey(listener))?.secrets ?? [];
  return protocol === "HTTPS" && routeTable !== undefined && secrets.length > 0;
}

function findHindrance(
  port: number,
  listener: ListenerPlan,
  wish: Http3Wish,
  around: Http3Surroundings,
): { readonly reason?: string; readonly text: string } | undefined {
  const named = `listener ${wish.listener}`;
  if (listener.protocol !== "HTTPS") {
    // A policy that names the listener is told by `client-traffic-effect.ts`; one for many means those that it fits.
    const isOnly = around.listenersAt(wish).every(({ protocol }) => protocol !== "HTTPS");
    if (wish.place.section !== undefined || !isOnly) return undefined;
    const text = `has no effect: HTTP/3 needs TLS, and no listener of ${wish.place.kind} ${wish.place.key} is of HTTPS; remove it, or add one`;
    return { text };
  }
  if (around.certificatesOf(wish.listener)?.clientValidation !== undefined) {
    const text = `has no effect on ${named}: it asks clients for certificates, which Envoy does not do over HTTP/3; remove it there, or do without certificates of clients`;
    return { reason: "UnsupportedHTTP3ClientValidation", text };
  }
  if (wish.tlsVersion !== undefined) {
    return {
      text: `has no effect on ${named}: HTTP/3 needs TLS 1.3, and spec.tls.maxVersion is ${wish.tlsVersion}; remove one of them`,
    };
  }
  const [other] = around.datagramListeners;
  if (other === undefined) return undefined;
  return {
    text: `has no effect on ${named}: HTTP/3 needs port ${port} of UDP, which listener ${listenerKey(other)} has; give one of them another port`,
  };
}
