import type { EncodedResource } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { XdsLimits } from "./limits.ts";
import type { ClientResource } from "./subscription.ts";

/** A new version of a Listener that the Envoy has in another, by name. */
export type ListenerPauses = Map<string, Pause>;

interface Pause {
  readonly resource: EncodedResource;
  /** Of the first version that was not sent. */
  readonly since: number;
  readonly until: number;
}

/**
 * Until when a Listener waits for more of the same: as long as taking it keeps Envoy's main thread busy, from the last change on, and
 * four times as long in all. A tenant comes as several objects, one after another, and of hundreds of filter chains each version costs
 * Envoy a tenth of a second, in which nothing else is taken; small Listeners, and new ones, do not wait. Undefined: it may go.
 */
export function listenerPause(
  pauses: ListenerPauses,
  resource: EncodedResource,
  client: ClientResource | undefined,
  limits: XdsLimits,
  now: number,
): number | undefined {
  if (resource.type !== resourceTypes.listener) return undefined;
  const costMilliseconds = Math.floor(resource.byteLength / limits.listenerBytesPerMillisecond);
  if (client?.accepted === undefined || costMilliseconds === 0) return undefined;
  let pause = pauses.get(resource.name);
  if (pause?.resource !== resource) {
    const since = pause?.since ?? now;
    pause = { resource, since, until: Math.min(now + costMilliseconds, since + PAUSES_MAX * costMilliseconds) };
    pauses.set(resource.name, pause);
  }
  return now < pause.until ? pause.until : undefined;
}

const PAUSES_MAX = 4;
