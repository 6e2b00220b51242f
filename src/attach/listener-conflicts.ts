import type { ObjectKey } from "../base/keys.ts";
import type { Problem } from "../base/problems.ts";
import type { ListenerPlan } from "./model.ts";

/**
 * Listeners of one Gateway that cannot live together (Gateway API, Listener: "distinct listeners"). Inside one Gateway nobody
 * wins: all that conflict are told. By listener name, several problems each.
 */
export function findConflicts(key: ObjectKey, listeners: readonly ListenerPlan[]): Map<string, Problem[]> {
  const result = new Map<string, Problem[]>();
  for (const listener of listeners) {
    if (!listener.valid) continue;
    const others = listeners.filter((other) => other !== listener && other.valid && other.port === listener.port);
    const protocols = others.filter((other) => other.protocol !== listener.protocol);
    const hostnames = others.filter(
      (other) => other.protocol === listener.protocol && other.hostname === listener.hostname,
    );
    const [reason, rivals] = protocols.length > 0 ? ["ProtocolConflict", protocols] : ["HostnameConflict", hostnames];
    if (rivals.length === 0) continue;
    const names = rivals.map(({ name }) => name).join(", ");
    const what =
      reason === "ProtocolConflict"
        ? `port ${listener.port} has another protocol in ${names}; give each protocol a port of its own.`
        : `port ${listener.port} and hostname ${listener.hostname ?? "(every host)"} stand in ${names} too; make one of them differ.`;
    const message = `Gateway ${key}, listener ${listener.name}: ${what}`;
    const field = `spec.listeners[${listener.index}]`;
    result.set(listener.name, [
      { condition: "Conflicted", reason: reason as string, field, message },
      { condition: "Accepted", reason: reason as string, field, message },
    ]);
  }
  return result;
}
