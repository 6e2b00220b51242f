import type { EncodedResource, ResourceType } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { XdsLimits } from "./limits.ts";
import type { GatewayResources } from "./resource-store.ts";
import type { Subscription } from "./subscription.ts";
import { markChanged } from "./subscription.ts";

/** A resource that an Envoy could not take for now, and when it is offered again. */
export interface Retry {
  readonly version: string;
  readonly error: string;
  /** Times in a row that it could not be taken. */
  readonly failures: number;
  readonly pause: number;
  /** Infinite once it is on its way. */
  at: number;
}

/** Envoy's words for a socket that it cannot open: another process has the port, the host lacks the address or the right. */
const socketRefusal = /\bcannot (bind|listen)\b|\bhas duplicate address\b/;
/** Those of them that one of its own listeners may be the cause of. */
const portInUse = /\bAddress already in use\b|\bhas duplicate address\b/;

/** Whether the host is what is wrong, not the resource: then the very same bytes may be taken later. */
export function mayPass(type: ResourceType, error: string): boolean {
  return type === resourceTypes.listener && socketRefusal.test(error);
}

/**
 * Gives way for a listener that finds its port in use: this Envoy's own listeners that still have the port, although they are
 * published with another one, are displaced, and so is the listener itself where only its address changes. Two listeners that
 * exchange their ports would wait for each other for ever. What another process has is left alone, and so is everything that
 * keeps its port.
 */
export function displaceHolders(
  subscription: Subscription,
  gateway: GatewayResources,
  { type, name, port }: EncodedResource,
  error: string,
): void {
  if (port === undefined || !portInUse.test(error)) return;
  for (const client of subscription.client.values()) {
    if (client.accepted === undefined || (client.port ?? port) !== port) continue;
    if (client.name === name || gateway.current(type, client.name)?.port !== port) {
      subscription.displaced.add(client.name);
      if (client.name !== name) markChanged(subscription, name);
    }
  }
}

/**
 * The pause doubles with each failure of one version, up to a bound.
 *
 * @returns whether it is time to tell: a port is often in use for a moment only, while an Envoy ends or a listener moves, so
 *   the first failure counts as "not yet"; and a failure that is told is told again when Envoy's words change
 */
export function planRetry(
  subscription: Subscription,
  { name, version }: EncodedResource,
  error: string,
  limits: XdsLimits,
  now: number,
): boolean {
  if (!subscription.client.has(name)) return false;
  const known = subscription.retries.get(name);
  const before = known?.version === version ? known : undefined;
  const pause = before === undefined ? limits.retryMilliseconds : before.pause * 2;
  const bounded = Math.min(pause, limits.maxRetryMilliseconds);
  const failures = (before?.failures ?? 0) + 1;
  subscription.retries.set(name, { version, error, failures, pause: bounded, at: now + bounded });
  return failures === 2 || (failures > 2 && before?.error !== error);
}
