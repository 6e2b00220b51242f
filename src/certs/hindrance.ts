import type { Logger } from "../base/log.ts";

/** What an issuer waits for. */
export interface Hindrance {
  /** For people, with the way out. */
  readonly message: string;
  /** Nothing can be written meanwhile. */
  readonly blocks: boolean;
}

/** Looked so often whether what blocks everything is gone; it costs no request. */
const BLOCKED_PAUSE_MS = 2000;
/** Who has been asked for a certificate takes about a second; what takes longer is worth a line. */
const PATIENCE_MS = 10_000;

/**
 * Tells the log what is waited for, once for each reason.
 *
 * @returns a function to be called with what is waited for now; it says when to look again, in milliseconds since the epoch
 */
export function createHindranceLog(log: Logger): (hindrance: Hindrance | undefined) => number {
  let last: { readonly message: string; readonly since: number } | undefined;
  let told: string | undefined;
  return (hindrance) => {
    if (hindrance === undefined) {
      if (told !== undefined) log.info("certificates do not wait any more", { for: told });
      told = undefined;
      last = undefined;
      return Number.POSITIVE_INFINITY;
    }
    const { message, blocks } = hindrance;
    const now = Date.now();
    if (last?.message !== message) last = { message, since: now };
    const tellAt = last.since + (blocks ? 0 : PATIENCE_MS);
    if (tellAt <= now && told !== message) {
      log.warn("certificates wait", { for: message });
      told = message;
    }
    if (blocks) return now + BLOCKED_PAUSE_MS;
    return told === message ? Number.POSITIVE_INFINITY : tellAt;
  };
}
