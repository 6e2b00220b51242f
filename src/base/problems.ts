/**
 * What is wrong with an object, as a value. Wrong input never throws: it travels beside the output as problems, and one
 * place (`src/status/`) turns problems into conditions.
 */
export interface Problem {
  /** Condition type that the problem puts into its bad status: `Accepted`, `ResolvedRefs`, `Programmed`, ... */
  readonly condition: string;
  /** Condition reason, a CamelCase word of the Gateway API or of Envoy Gateway. */
  readonly reason: string;
  /**
   * One sentence: what is at fault (a field of the object that carries the problem, or another object by kind and key), why,
   * and after a semicolon what to do. It does not name its own object, since it is read there. No secret may appear in it.
   */
  readonly message: string;
  /** Path of the field at fault inside the object that carries the problem, such as `spec.rules[0].backendRefs[1]`. */
  readonly field?: string;
}

/** A problem of one field; `text` completes a sentence that begins with the field and has no period. */
export function problemAt(condition: string, reason: string, field: string, text: string): Problem {
  return { condition, reason, field, message: describeField(field, text) };
}

/** The sentence of {@link problemAt}. */
export function describeField(field: string, text: string): string {
  return `Field ${field} ${text}.`;
}

export const noProblems: readonly Problem[] = Object.freeze([]);
