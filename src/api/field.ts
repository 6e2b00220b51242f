/** Where a field stands inside an object: names of fields and positions in lists. */
export type FieldPath = readonly (string | number)[];

/** What is wrong with one field. The message completes the sentence that starts with the path: `must be at least 1`. */
export interface FieldProblem {
  readonly path: FieldPath;
  readonly message: string;
  /** True: the field is not known here; everything else can be judged and used without it. */
  readonly unknownField?: true;
}

/** `spec.rules[0].name`; a name that is not a plain word is quoted: `data["tls.crt"]`. Empty for the object as a whole. */
export function formatPath(path: FieldPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** `spec.rules[0].name: must be ...`, or the message alone for the object as a whole. */
export function formatFieldProblem({ path, message }: FieldProblem): string {
  return path.length === 0 ? message : `${formatPath(path)}: ${message}`;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
