import { type Problem, problemAt } from "../base/problems.ts";
import { familyOf, type ProtocolFamily, transportOf } from "./listener-protocol.ts";
import type { ListenerPlan } from "./model.ts";

/**
 * Listeners that cannot live together (Gateway API, Listener: "distinct listeners"), and what each of them is told. Inside one Gateway,
 * as inside one ListenerSet, nobody wins. Between them the first does, which is the Gateway itself if it is one of both; what it has
 * stays its own while its listeners are at odds with each other, so that mending that takes nothing from anybody. O(listeners), and
 * O(n²) inside a Gateway or ListenerSet, which has 64 at most.
 *
 * @param sources the listeners of the Gateway, then of each of its ListenerSets, in the order of precedence
 */
export function findConflicts(sources: readonly (readonly ListenerPlan[])[]): Map<ListenerPlan, Problem[]> {
  const result = new Map<ListenerPlan, Problem[]>();
  const claims = new Map<string, ListenerPlan>();
  for (const source of sources) {
    const left = source.filter((listener) => {
      if (!listener.valid) return false;
      const lost = findLost(listener, claims);
      if (lost !== undefined) result.set(listener, lost);
      return lost === undefined;
    });
    for (const listener of left) {
      const problems = findEqual(listener, left);
      if (problems !== undefined) result.set(listener, problems);
    }
    for (const listener of left) {
      for (const claim of claimsOf(listener)) if (!claims.has(claim)) claims.set(claim, listener);
    }
  }
  return result;
}

/** What a listener takes of its port: for a family of protocols, and a hostname there. */
function claimsOf(listener: ListenerPlan): [family: string, hostname: string] {
  const family = claimOfFamily(listener, familyOf(listener.protocol));
  return [family, `${family} ${listener.hostname ?? ""}`];
}

function claimOfFamily({ port, protocol }: ListenerPlan, family: ProtocolFamily | undefined): string {
  return `${transportOf(protocol)} ${port} ${family}`;
}

const families: readonly ProtocolFamily[] = ["HTTP", "TLS", "TCP", "UDP"];

/** A conflict with those that come before. */
function findLost(listener: ListenerPlan, claims: ReadonlyMap<string, ListenerPlan>): Problem[] | undefined {
  const { port, protocol } = listener;
  const family = familyOf(protocol);
  const [byProtocol] = families.flatMap((one) => {
    return one === family ? [] : (claims.get(claimOfFamily(listener, one)) ?? []);
  });
  const byHostname = claims.get(claimsOf(listener)[1]);
  if (byProtocol !== undefined && byHostname !== undefined) {
    const text = `has port ${port} and ${describeHost(listener)} like ${nameRival(listener, byHostname)}, and another protocol than ${nameRival(listener, byProtocol)}, which come first; choose another port`;
    return conflict(listener, "ListenerConflict", text);
  }
  if (byProtocol !== undefined) {
    const text = `has port ${port} with another protocol than ${nameRival(listener, byProtocol)}, which comes first; choose another port`;
    return conflict(listener, "ProtocolConflict", text);
  }
  if (byHostname === undefined) return undefined;
  const text = `has port ${port} and ${describeHost(listener)} like ${nameRival(listener, byHostname)}, which comes first; choose another hostname or port`;
  return conflict(listener, "HostnameConflict", text);
}

/** A conflict between equals. */
function findEqual(listener: ListenerPlan, source: readonly ListenerPlan[]): Problem[] | undefined {
  const others = source.filter((other) => other !== listener && sharePort(other, listener));
  const family = familyOf(listener.protocol);
  const byProtocol = others.filter((other) => familyOf(other.protocol) !== family);
  const byHostname = others.filter(
    (other) => familyOf(other.protocol) === family && other.hostname === listener.hostname,
  );
  const names = (rivals: readonly ListenerPlan[]) => rivals.map(({ name }) => name).join(", ");
  const { port } = listener;
  if (byProtocol.length > 0) {
    const text = `has port ${port} with another protocol than ${names(byProtocol)}; give each protocol a port of its own`;
    return conflict(listener, "ProtocolConflict", text);
  }
  if (byHostname.length === 0) return undefined;
  const text = `has port ${port} and ${describeHost(listener)} like ${names(byHostname)}; make one of them differ`;
  return conflict(listener, "HostnameConflict", text);
}

export function sharePort(a: ListenerPlan, b: ListenerPlan): boolean {
  return a.port === b.port && transportOf(a.protocol) === transportOf(b.protocol);
}

function conflict({ index }: ListenerPlan, reason: string, text: string): Problem[] {
  return ["Conflicted", "Accepted"].map((condition) => problemAt(condition, reason, `spec.listeners[${index}]`, text));
}

function describeHost({ hostname }: ListenerPlan): string {
  return hostname === undefined ? "every hostname" : `hostname ${hostname}`;
}

/**
 * Another listener as it may be called in the status of this one. Who can read a ListenerSet need not know the others (Gateway API,
 * ListenerSetSpec.listeners).
 */
export function nameRival(own: ListenerPlan, rival: ListenerPlan): string {
  const same = rival.gateway === own.gateway && rival.listenerSet === own.listenerSet;
  if (same) return `listener ${rival.name}`;
  if (rival.listenerSet === undefined) return `listener ${rival.name} of Gateway ${rival.gateway}`;
  return own.gateway === rival.gateway ? "a listener of another ListenerSet" : "a listener of a ListenerSet elsewhere";
}
