import type { EncodedResource, ResourceType } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { XdsLimits } from "./limits.ts";

/** A resource that an Envoy could not take for now, and when it is offered again. */
export interface Retry {
  readonly version: string;
  readonly error: string;
  readonly pause: number;
  /** Infinite once it is on its way. */
  at: number;
}

/** Envoy's words for a socket that it cannot open: another process has the port, the host lacks the address or the right. */
const socketRefusal = /\bcannot (bind|listen)\b/;

/** Whether the host is what is wrong, not the resource: then the very same bytes may be taken later. */
export function mayPass(type: ResourceType, error: string): boolean {
  return type === resourceTypes.listener && socketRefusal.test(error);
}

/** The pause doubles with each failure of one version, up to a bound. */
export function planRetry(
  { version }: EncodedResource,
  error: string,
  before: Retry | undefined,
  limits: XdsLimits,
  now: number,
): Retry {
  const doubled = before?.version === version ? before.pause * 2 : limits.retryMilliseconds;
  const pause = Math.min(doubled, limits.maxRetryMilliseconds);
  return { version, error, pause, at: now + pause };
}
