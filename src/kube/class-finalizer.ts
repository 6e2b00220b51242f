import { setTimeout as delay } from "node:timers/promises";
import type { ObjectKey } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import type { ApiError } from "./api-error.ts";
import { countFailure, type Failures, noFailures } from "./back-off.ts";
import type { Leadership } from "./leader-election.ts";
import type { KubeObject } from "./resource-type.ts";

/** Keeps a GatewayClass from being deleted while Gateways use it (Gateway API, GatewayClass: "in-use" finalizer). */
export const CLASS_FINALIZER = "gateway-exists-finalizer.gateway.networking.k8s.io";

/** What a class needs: the finalizer put on it, taken off it, or nothing. */
export type FinalizerDecision = "add" | "remove" | "none";

/** A class that is being deleted may get no new finalizers, and keeps the one it has until its last Gateway is gone. */
export function decideFinalizer({ metadata }: KubeObject, used: boolean): FinalizerDecision {
  const has = metadata.finalizers?.includes(CLASS_FINALIZER) ?? false;
  if (used) return has || metadata.deletionTimestamp ? "none" : "add";
  return has ? "remove" : "none";
}

export interface ClassFinalizers {
  observeClass(name: string, object: KubeObject | undefined): void;
  observeGateway(key: ObjectKey, object: KubeObject | undefined): void;
  /** Every Gateway is known from now on: before, a class may look unused that is not. */
  markSynced(): void;
  /** Writes as long as the leadership holds, beginning with what others may have left undone. */
  lead(leadership: Leadership): void;
  /** Resolves when nothing is being written. */
  idle(): Promise<void>;
}

export interface ClassFinalizersOptions {
  /** Whether a GatewayClass is ours. */
  readonly isOurs: (gatewayClass: KubeObject) => boolean;
  /** Writes; answers with what went wrong. */
  readonly write: (
    gatewayClass: KubeObject,
    decision: "add" | "remove",
    signal: AbortSignal,
  ) => Promise<ApiError | undefined>;
  readonly log: Logger;
}

/** Puts the finalizer on the classes that Gateways use, and takes it off the others. One write at a time; classes are few. */
export function createClassFinalizers({ isOurs, write, log }: ClassFinalizersOptions): ClassFinalizers {
  const classes = new Map<string, KubeObject>();
  const classOfGateway = new Map<ObjectKey, string>();
  const gatewaysOf = new Map<string, Set<ObjectKey>>();
  const due = new Set<string>();
  let failures: Failures = noFailures();
  let synced = false;
  let leadership: Leadership | undefined;
  let working: Promise<void> | undefined;

  function mark(name: string): void {
    due.add(name);
    if (!synced || !leadership?.holds() || working !== undefined) return;
    const failed = (error: unknown) => log.error("finalizers could not be kept; this is a bug in Gatehouse", { error });
    working = work(leadership)
      .catch(failed)
      .finally(() => {
        working = undefined;
        // What came while the last write ended.
        const [next] = due;
        if (next !== undefined) mark(next);
      });
  }

  async function work(mine: Leadership): Promise<void> {
    for (const name of due) {
      due.delete(name);
      const gatewayClass = classes.get(name);
      if (gatewayClass === undefined || !isOurs(gatewayClass)) continue;
      const decision = decideFinalizer(gatewayClass, (gatewaysOf.get(name)?.size ?? 0) > 0);
      if (decision === "none") continue;
      if (!mine.holds()) return;
      const error = await write(gatewayClass, decision, mine.signal);
      if (error === undefined) {
        failures = noFailures();
        continue;
      }
      if (error.reason === "NotFound" || mine.signal.aborted) continue;
      // A conflict ends when the newer version arrives through the watch, which marks the class again.
      log.debug("a finalizer could not be written; trying again", { error: error.message });
      due.add(name);
      await delay(countFailure(failures, error), undefined, { signal: mine.signal }).catch(() => {});
    }
  }

  function moveGateway(key: ObjectKey, to: string | undefined): void {
    const from = classOfGateway.get(key);
    if (from === to) return;
    if (from !== undefined) {
      gatewaysOf.get(from)?.delete(key);
      mark(from);
    }
    if (to === undefined) classOfGateway.delete(key);
    else {
      classOfGateway.set(key, to);
      const members = gatewaysOf.get(to) ?? new Set();
      gatewaysOf.set(to, members.add(key));
      mark(to);
    }
  }

  const markAll = () => {
    for (const name of classes.keys()) mark(name);
  };

  return {
    observeClass(name, object) {
      if (object === undefined) classes.delete(name);
      else {
        classes.set(name, object);
        mark(name);
      }
    },
    observeGateway(key, object) {
      const { spec } = (object ?? {}) as { readonly spec?: { readonly gatewayClassName?: unknown } };
      moveGateway(key, typeof spec?.gatewayClassName === "string" ? spec.gatewayClassName : undefined);
    },
    markSynced() {
      synced = true;
      markAll();
    },
    lead(given) {
      leadership = given;
      markAll();
    },
    async idle() {
      await working;
    },
  };
}
