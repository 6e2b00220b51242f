/** Longest wait of {@link waitFor} unless the caller says otherwise. */
export const WAIT_LIMIT_MS = 20_000;
const WAIT_STEP_MS = 20;

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * Asks again and again until the answer is neither undefined nor false, and returns it. A check that throws counts as "not
 * yet"; its last error is part of the message when the time is over.
 */
export async function waitFor<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs: number = WAIT_LIMIT_MS,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await check();
      if (answer !== undefined && answer !== false) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= deadline) {
      throw new Error(`waited ${limitMs} ms for ${what}${last === undefined ? "" : `; last error: ${String(last)}`}`);
    }
    await pause(WAIT_STEP_MS);
  }
}
