/** What is wrong with a file or an object in it. */
export interface InputProblem {
  /** `error`: the object is not taken as written. `warning`: something was left out that is not wrong in itself. */
  readonly severity: "error" | "warning";
  /** Relative to the directory, with forward slashes. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** Kind and key, such as `HTTPRoute default/web`, as far as they could be read. */
  readonly object?: string;
  /** Path of the field, such as `spec.rules[0].name`. */
  readonly field?: string;
  readonly message: string;
  /** True: an earlier version of the object stays in use. */
  readonly keepsPrevious: boolean;
}

/** `routes.yaml:12:5: HTTPRoute default/web: spec.rules[0].name: must be ...`, one line. */
export function formatInputProblem(problem: InputProblem): string {
  const { file, line, column, object, field, message, keepsPrevious } = problem;
  const parts = [`${file}:${line}:${column}`, object, field, message].filter(
    (part) => part !== undefined && part !== "",
  );
  return `${parts.join(": ")}${keepsPrevious ? " (the previous version stays in use)" : ""}`;
}
