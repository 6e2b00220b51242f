const secondsPerUnit: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 0.001 };

/** Seconds of a duration that its schema has let pass, such as `1m30s` (GEP-2257). */
export function secondsOf(duration: string): number {
  const parts = [...duration.matchAll(/([0-9]+)(ms|h|m|s)/g)];
  return parts.reduce((sum, [, amount, unit = ""]) => sum + Number(amount) * (secondsPerUnit[unit] ?? 0), 0);
}
