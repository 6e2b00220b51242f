/** What a process waits for before it can serve; each part comes once and stays. */
export interface Readiness {
  arrived(part: string): void;
  /** Parts that have not arrived; empty: ready. */
  missing(): readonly string[];
}

/**
 * @param parts as completions of `waiting for`, such as `the first commit`
 */
export function createReadiness(parts: readonly string[]): Readiness {
  const missing = new Set(parts);
  return {
    arrived: (part) => void missing.delete(part),
    missing: () => [...missing],
  };
}
