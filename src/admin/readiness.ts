/** What a process waits for before it can serve; each part comes once and stays. */
export interface Readiness {
  arrived(part: string): void;
  /** @param why asked while the part is missing: what it waits for itself, with the way out */
  explain(part: string, why: () => string | undefined): void;
  /** Parts that have not arrived; empty: ready. */
  missing(): readonly string[];
}

/**
 * @param parts as completions of `waiting for`, such as `the first commit`
 */
export function createReadiness(parts: readonly string[]): Readiness {
  const missing = new Set(parts);
  const reasons = new Map<string, () => string | undefined>();
  return {
    arrived: (part) => void missing.delete(part),
    explain: (part, why) => void reasons.set(part, why),
    missing: () =>
      [...missing].map((part) => {
        const why = reasons.get(part)?.();
        return why === undefined ? part : `${part}: ${why}`;
      }),
  };
}
