/**
 * What is wrong with an object, as a value. Wrong input never throws: it travels beside the output as problems, and one
 * place (`src/status/`) turns problems into conditions.
 */
export interface Problem {
  /** Condition type that the problem puts into its bad status: `Accepted`, `ResolvedRefs`, `Programmed`, ... */
  readonly condition: string;
  /** Condition reason, a CamelCase word of the Gateway API or of Envoy Gateway. */
  readonly reason: string;
  /** A sentence that names the object, the field and the way out. No secret may appear in it. */
  readonly message: string;
  /** Path of the field at fault inside the object that carries the problem, such as `spec.rules[0].backendRefs[1]`. */
  readonly field?: string;
}

export const noProblems: readonly Problem[] = Object.freeze([]);
