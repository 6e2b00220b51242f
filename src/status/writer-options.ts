import type { Logger } from "../base/log.ts";
import type { ApiErrorReason } from "../kube/api-error.ts";
import type { ResourceType } from "../kube/resource-type.ts";
import type { Rate } from "../kube/token-bucket.ts";
import type { StatusClient } from "./writer-attempt.ts";
import type { PauseLimits } from "./writer-pauses.ts";
import type { LaneName } from "./writer-queue.ts";

/** Every bound and wait of the status writer. Times in milliseconds. */
export interface StatusLimits {
  /** Calls, reads included. 10,000 first statuses take half a minute at this rate. */
  readonly rate: Rate;
  /** Calls under way at once: enough to keep the API server busy over a slow link, too few to fill its queues. */
  readonly concurrency: number;
  /** An object counts as just created or edited for so long. */
  readonly freshMilliseconds: number;
  /** How long the status of one object rests after a write, unless a user has just edited it: a Gateway whose routes are loading. */
  readonly rest: PauseLimits;
  /**
   * When somebody else changed our part of a status: later than the commit that may already be answering to the same change, and
   * ever later when they do so again and again.
   */
  readonly repair: PauseLimits;
  /** Per kind and namespace, when permission lacks. */
  readonly forbidden: PauseLimits;
  /** Per object, when its status is refused or the server fails on it. */
  readonly refused: PauseLimits;
  /** For all, when the server is away or asks to wait. */
  readonly server: PauseLimits;
  /** On stop, calls under way may take so long before they are given up. Less than what a lease leaves to its next holder. */
  readonly stopGraceMilliseconds: number;
  /** Work without a call that is done at one go before other events have their turn. */
  readonly sliceMilliseconds: number;
}

export const defaultStatusLimits: StatusLimits = {
  rate: { queriesPerSecond: 400, burst: 400 },
  concurrency: 8,
  freshMilliseconds: 10_000,
  rest: { first: 50, max: 1_000 },
  repair: { first: 1_000, max: 60_000 },
  forbidden: { first: 1_000, max: 60_000 },
  refused: { first: 500, max: 300_000 },
  server: { first: 250, max: 2_000 },
  stopGraceMilliseconds: 3_000,
  sliceMilliseconds: 10,
};

export interface StatusWriterOptions {
  readonly client: StatusClient;
  /** All whose entries are ours. */
  readonly controllerNames: readonly string[];
  /** As the API server serves the kind; undefined: it does not. */
  readonly typeOf: (kind: string) => ResourceType | undefined;
  /** The status that the object `kind/namespace/name` should have now, without times; undefined: none of ours. */
  readonly render: (key: string) => unknown;
  readonly log: Logger;
  readonly limits?: Partial<StatusLimits>;
  readonly onWritten?: (write: WrittenStatus) => void;
  /** Milliseconds since 1970, for the times in conditions. Default: `Date.now`. */
  readonly wallClock?: () => number;
}

export interface WrittenStatus {
  readonly kind: string;
  readonly lane: LaneName;
  /** From the change to the answer of the API server. */
  readonly milliseconds: number;
}

/** Running totals, except where it says now. */
export interface StatusFigures {
  readonly writes: number;
  /** Reads before a write. */
  readonly reads: number;
  /** Changes after which the status turned out to read as it should already. */
  readonly skipped: number;
  readonly conflicts: number;
  readonly failures: Readonly<Partial<Record<ApiErrorReason, number>>>;
  /** Now, by lane. */
  readonly waiting: Readonly<Record<LaneName, number>>;
  /** Now: waiting for a pause to end. */
  readonly postponed: number;
  /** Now. */
  readonly inFlight: number;
}

export interface StatusWriter {
  /**
   * Tells what stands in the API server, after every list and for every event of a watch, before the object is staged. The
   * object must be whole: status and `metadata.managedFields` included. It is not kept.
   *
   * @param key `kind/namespace/name`; of `Backend` only those of `gateway.envoyproxy.io`
   * @param object undefined: it was deleted
   */
  observe(key: string, object: object | undefined): void;
  /** These objects may have other statuses now. Call after the commit. */
  changed(keys: Iterable<string>): void;
  /** This process leads, and its first commit is published: writes whatever differs. */
  start(): void;
  /** No call begins any more; resolves when those under way have ended or been given up. */
  stop(): Promise<void>;
  figures(): StatusFigures;
}
