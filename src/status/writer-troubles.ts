import type { Logger } from "../base/log.ts";
import type { ApiError, ApiErrorReason } from "../kube/api-error.ts";
import type { StatusTarget } from "./writer-objects.ts";
import type { StatusLimits } from "./writer-options.ts";
import { createPauses, type PauseLimits } from "./writer-pauses.ts";

/** What goes wrong with writes: who has to wait, how long, and what is told about it. Times are those of `performance.now`. */
export interface Troubles {
  /** Until when an object has to wait. One that a user has just edited does not rest after its last write. */
  pauseOf(target: StatusTarget, edited: boolean): number | undefined;
  /** Until when nothing may be asked of the server. */
  serverPause(): number | undefined;
  /** A call failed; answers when the object may be tried again. What has the same cause is logged once. */
  failed(target: StatusTarget, error: ApiError): number;
  /** The server does not have the object, and the watch has not said so yet; answers when to try again. */
  missing(target: StatusTarget): number;
  /** Somebody else changed our part of a status; answers when to repair it. */
  altered(key: string): number;
  succeeded(target: StatusTarget, written: boolean): void;
  forget(key: string): void;
  readonly failures: Readonly<Partial<Record<ApiErrorReason, number>>>;
}

/** An answer 500 is about the object (a webhook that fails on it); the rest of these says that the server cannot work now. */
function isServerDown({ reason, status }: ApiError): boolean {
  if (reason === "Unavailable") return status !== 500;
  return reason === "Timeout" || reason === "TooManyRequests" || reason === "Unauthorized";
}

const SERVER = "server";

export function createTroubles(limits: StatusLimits, log: Logger): Troubles {
  const pauses = createPauses();
  const failures: Partial<Record<ApiErrorReason, number>> = {};
  /** Messages told, by what pauses. */
  const told = new Map<string, string>();

  const scopeOf = ({ kind, namespace }: StatusTarget) => `permission ${kind} ${namespace}`;
  const restOf = ({ key }: StatusTarget) => `rest ${key}`;

  function pause(what: string, length: PauseLimits, atLeast?: number): number {
    const now = performance.now();
    pauses.extend(what, length, now, atLeast);
    return pauses.until(what, now) ?? now;
  }

  function tell(what: string, message: string, fields: Readonly<Record<string, unknown>>): void {
    if (told.get(what) === message) return;
    told.set(what, message);
    log.warn(message, fields);
  }

  return {
    failures,
    pauseOf(target, edited) {
      const now = performance.now();
      const waits = [scopeOf(target), target.key, ...(edited ? [] : [restOf(target)])];
      const untils = waits.flatMap((what) => pauses.until(what, now) ?? []);
      return untils.length === 0 ? undefined : Math.max(...untils);
    },
    serverPause: () => pauses.until(SERVER, performance.now()),
    failed(target, error) {
      failures[error.reason] = (failures[error.reason] ?? 0) + 1;
      if (isServerDown(error)) {
        tell(SERVER, "the API server does not take statuses; they wait", {
          reason: error.reason,
          error: error.message,
        });
        return pause(SERVER, limits.server, error.retryAfterMilliseconds);
      }
      if (error.reason === "Forbidden") {
        const { kind, namespace } = target;
        const place = namespace === "" ? "" : ` in namespace ${namespace}`;
        tell(scopeOf(target), `statuses of ${kind}${place} may not be written: allow it in the role`, {
          error: error.message,
        });
        return pause(scopeOf(target), limits.forbidden);
      }
      if (error.reason !== "Conflict") tell(target.key, "the API server refuses a status", { error: error.message });
      return pause(target.key, limits.refused);
    },
    missing: (target) => pause(target.key, limits.refused),
    altered: (key) => pause(`repair ${key}`, limits.repair),
    succeeded(target, written) {
      if (told.delete(SERVER)) log.info("the API server takes statuses again");
      for (const what of [SERVER, scopeOf(target), target.key]) {
        told.delete(what);
        pauses.clear(what);
      }
      if (written) pause(restOf(target), limits.rest);
    },
    forget(key) {
      told.delete(key);
      for (const what of [key, `rest ${key}`, `repair ${key}`]) pauses.clear(what);
    },
  };
}
