import { setTimeout as delay } from "node:timers/promises";
import type { ControlPlane } from "./control-plane.ts";

/** Gateways that were served when this process began: their Envoys run, and come back to the control plane one by one. */
export interface ReturningGateways {
  observe(key: string, gateway: object | undefined): void;
  /** Resolves when all of them are served again and routes that Envoy refused are found again, or that has taken too long. */
  settled(): Promise<void>;
}

/** An Envoy that has lost its stream tries again within half a second at first, and later within {@link RETURN_LIMIT_MS}. */
const RETURN_LIMIT_MS = 15_000;
const RETURN_POLL_MS = 50;

/**
 * A control plane that has just started knows of no Envoy. To write so would turn every Gateway off and on again in the eyes of
 * those who watch it, while not a request is lost.
 */
export function watchReturns(control: ControlPlane): ReturningGateways {
  const served = new Set<string>();
  let closed = false;
  return {
    observe(key, gateway) {
      if (gateway === undefined || !isProgrammed((gateway as { readonly status?: unknown }).status)) served.delete(key);
      else if (!closed) served.add(key);
    },
    async settled() {
      const deadline = performance.now() + RETURN_LIMIT_MS;
      const isAway = (key: string) => control.reports.has(key) && !isProgrammed(control.status(key));
      const isSettled = () => ![...served].some(isAway) && !control.pipeline.suspicions.suspecting;
      while (performance.now() < deadline && !isSettled()) await delay(RETURN_POLL_MS);
      closed = true;
      served.clear();
    },
  };
}

function isProgrammed(status: unknown): boolean {
  const { conditions } = (status ?? {}) as { readonly conditions?: readonly { type: string; status: string }[] };
  return conditions?.some(({ type, status: value }) => type === "Programmed" && value === "True") ?? false;
}

interface RouteStatus {
  readonly parents?: readonly {
    readonly controllerName: string;
    readonly conditions?: readonly { type: string; status: string; reason: string; observedGeneration?: number }[];
  }[];
}

/** A route whose status, written by this or an earlier control plane, says that Envoy refused what it is now. */
export function wasRefused(route: object | undefined, controllerNames: readonly string[]): boolean {
  const { metadata, status } = (route ?? {}) as { metadata?: { generation?: number }; status?: RouteStatus };
  const own = status?.parents?.filter(({ controllerName }) => controllerNames.includes(controllerName)) ?? [];
  return own.some(({ conditions }) =>
    conditions?.some(
      ({ type, status: value, reason, observedGeneration }) =>
        type === "Programmed" &&
        value === "False" &&
        reason === "Invalid" &&
        observedGeneration === metadata?.generation,
    ),
  );
}
