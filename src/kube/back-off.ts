import type { ApiError } from "./api-error.ts";

/** First wait after a failure; doubles with each further one. */
const FIRST_WAIT_MS = 100;
/** A server that cannot be reached is asked about once a second: it costs nothing, and its return is noticed at once. */
const UNREACHABLE_WAIT_MAX_MS = 1000;
/**
 * A server that has just come back answers 503 until it has installed all its paths, which takes it a second or two, and asks for
 * patience of 5 seconds. So often it is taken at its progress instead of at its word: as one that cannot be reached yet.
 */
const STARTING_TRIES = 20;
/** A server that answers with errors is spared. */
const REFUSED_WAIT_MAX_MS = 10_000;
/** Waits that a success elsewhere ends early are ended at most so often, or a half-broken server would be asked without pause. */
const WAKE_INTERVAL_MS = 2000;
/** Those woken come back spread over this time. */
const WAKE_SPREAD_MS = 200;

/** How often calls failed since something last went well, by what it says about the server. */
export interface Failures {
  unreachable: number;
  /** 503 with a time: it starts or ends. */
  starting: number;
  refused: number;
  /** A place in its history that the server no longer knows: to be expected after every longer absence. */
  expired: number;
}

export function noFailures(): Failures {
  return { unreachable: 0, starting: 0, refused: 0, expired: 0 };
}

/**
 * Counts a failure and tells how long to wait: exponential, bounded, between half and all of it so that many clients do not come
 * back together; never less than what a server that is not just starting asks for. Each sort counts for itself, so that a server that is back after a
 * long absence and first says 503 or 410 is asked again at once.
 */
export function countFailure(failures: Failures, error: ApiError, random: () => number = Math.random): number {
  const sort = sortOf(failures, error);
  failures[sort]++;
  const isSoon = sort === "unreachable" || sort === "starting";
  const wait = Math.min(
    isSoon ? UNREACHABLE_WAIT_MAX_MS : REFUSED_WAIT_MAX_MS,
    FIRST_WAIT_MS * 2 ** (failures[sort] - 1),
  );
  const asked = sort === "starting" ? 0 : (error.retryAfterMilliseconds ?? 0);
  return Math.max(wait * (0.5 + random() / 2), asked * (1 + random() / 5));
}

function sortOf(failures: Failures, { status, reason, retryAfterMilliseconds }: ApiError): keyof Failures {
  if (status === 0) return "unreachable";
  if (reason === "Expired") return "expired";
  const isStarting = status === 503 && retryAfterMilliseconds !== undefined && failures.starting < STARTING_TRIES;
  return isStarting ? "starting" : "refused";
}

export function totalOf({ unreachable, starting, refused, expired }: Failures): number {
  return unreachable + starting + refused + expired;
}

/** The waits of all that talk to one API server: the first call that succeeds after a failure ends the others' waits. */
export interface SharedWaits {
  /** @param firm true: only the signal ends it early, because the server named the time */
  wait(milliseconds: number, options: { readonly firm: boolean; readonly signal: AbortSignal }): Promise<void>;
  failed(): void;
  succeeded(): void;
}

export function createSharedWaits(random: () => number = Math.random): SharedWaits {
  const sleepers = new Set<() => void>();
  let broken = false;
  let wokenAt = Number.NEGATIVE_INFINITY;
  return {
    wait(milliseconds, { firm, signal }) {
      if (signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const end = () => {
          clearTimeout(timer);
          sleepers.delete(wake);
          signal.removeEventListener("abort", end);
          resolve();
        };
        let timer = setTimeout(end, milliseconds);
        const wake = () => {
          sleepers.delete(wake);
          clearTimeout(timer);
          timer = setTimeout(end, random() * WAKE_SPREAD_MS);
        };
        if (!firm) sleepers.add(wake);
        signal.addEventListener("abort", end, { once: true });
      });
    },
    failed() {
      broken = true;
    },
    succeeded() {
      if (!broken || performance.now() - wokenAt < WAKE_INTERVAL_MS) return;
      broken = false;
      wokenAt = performance.now();
      for (const wake of [...sleepers]) wake();
    },
  };
}
