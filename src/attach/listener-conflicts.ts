import { type Problem, problemAt } from "../base/problems.ts";
import { familyOf, transportOf } from "./listener-protocol.ts";
import type { ListenerPlan } from "./model.ts";

/**
 * Listeners of one Gateway that cannot live together (Gateway API, Listener: "distinct listeners"). Inside one Gateway nobody
 * wins: all that conflict are told. By listener name, several problems each.
 */
export function findConflicts(listeners: readonly ListenerPlan[]): Map<string, Problem[]> {
  const result = new Map<string, Problem[]>();
  for (const listener of listeners) {
    if (!listener.valid) continue;
    const others = listeners.filter((other) => other !== listener && other.valid && sharePort(other, listener));
    const family = familyOf(listener.protocol);
    const protocols = others.filter((other) => familyOf(other.protocol) !== family);
    const hostnames = others.filter(
      (other) => familyOf(other.protocol) === family && other.hostname === listener.hostname,
    );
    const [reason, rivals] =
      protocols.length > 0 ? (["ProtocolConflict", protocols] as const) : (["HostnameConflict", hostnames] as const);
    if (rivals.length === 0) continue;
    const names = rivals.map(({ name }) => name).join(", ");
    const hostname = listener.hostname === undefined ? "every hostname" : `hostname ${listener.hostname}`;
    const text =
      reason === "ProtocolConflict"
        ? `has port ${listener.port} with another protocol than ${names}; give each protocol a port of its own`
        : `has port ${listener.port} and ${hostname} like ${names}; make one of them differ`;
    const field = `spec.listeners[${listener.index}]`;
    result.set(
      listener.name,
      ["Conflicted", "Accepted"].map((condition) => problemAt(condition, reason, field, text)),
    );
  }
  return result;
}

function sharePort(a: ListenerPlan, b: ListenerPlan): boolean {
  return a.port === b.port && transportOf(a.protocol) === transportOf(b.protocol);
}
