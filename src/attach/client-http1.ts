import type { ClientTrafficSettings } from "./client-traffic.ts";
import { type ListenerId, type ListenerPlan, listenerKey } from "./model.ts";

/** A listener with what its ClientTrafficPolicy says, if it has one that counts. */
interface SettledListener {
  readonly listener: ListenerId;
  readonly settings?: ClientTrafficSettings | undefined;
}

/**
 * The host of HTTP/1.0 requests that name none: the hostname of the first listener that has one and no asterisk in it. Undefined:
 * there is none, and Envoy refuses such requests.
 */
export function defaultHostOf(listeners: readonly Pick<ListenerPlan, "hostname">[]): string | undefined {
  return listeners.find(({ hostname }) => hostname !== undefined && !hostname.startsWith("*"))?.hostname;
}

/**
 * Keys of the listeners whose clients see names of headers as backends write them. Envoy reads and writes them so on both sides only
 * when told on both, so that their routes lead to clusters of their own.
 */
export function listenersKeepingCase(all: readonly SettledListener[]): readonly string[] {
  return all.flatMap(({ listener, settings }) => (settings?.http1?.preserveHeaderCase ? [listenerKey(listener)] : []));
}
