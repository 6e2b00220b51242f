import { type FieldPath, type FieldProblem, isRecord } from "./field.ts";

/** What the compiled validators (of our schemas and of the generated models) report: the errors of JSON Schema. */
export interface SchemaError {
  readonly keyword: string;
  /** JSON pointer. */
  readonly instancePath: string;
  readonly params: object;
}

/** Values longer than this are not repeated in a message. */
const MAX_SHOWN_CHARACTERS = 60;

/**
 * Puts validators' errors into our words, one problem per field and cause, in the order found.
 * @param showValues false for objects that hold secrets: the messages then repeat no value.
 */
export function complaintsOf(errors: readonly SchemaError[], root: unknown, showValues: boolean): FieldProblem[] {
  const types = new Map<string, Set<string>>();
  for (const { keyword, instancePath, params } of errors) {
    if (keyword !== "type") continue;
    const names = types.get(instancePath) ?? new Set<string>();
    for (const name of [param(params, "type")].flat()) names.add(typeWord(String(name)));
    types.set(instancePath, names);
  }
  const problems: FieldProblem[] = [];
  const seen = new Set<string>();
  for (const error of errors) {
    const { path, value } = locate(root, error.instancePath);
    const wrongType = types.get(error.instancePath);
    // A value of the wrong type breaks other keywords too; the type is the cause.
    const message = wrongType ? `must be ${[...wrongType].join(" or ")}` : describe(error);
    if (message === undefined) continue;
    const shown = showValues && !wrongType ? shownValue(error.keyword, value) : "";
    for (const missing of missingFields(error)) {
      const problem = { path: missing === undefined ? path : [...path, missing], message: `${message}${shown}` };
      const id = JSON.stringify([problem.path, message]);
      if (!seen.has(id)) problems.push(problem);
      seen.add(id);
    }
  }
  if (problems.length === 0 && errors.length > 0) {
    problems.push({
      path: locate(root, errors[0]!.instancePath).path,
      message: "has a value that its schema does not allow",
    });
  }
  return problems;
}

function param(params: object, name: string): unknown {
  return (params as Record<string, unknown>)[name];
}

function typeWord(type: string): string {
  const words: Record<string, string> = {
    string: "a string (numbers and words like true need quotes in YAML)",
    integer: "a whole number",
    number: "a number",
    boolean: "true or false",
    object: "an object",
    array: "a list",
    null: "null",
  };
  return words[type] ?? type;
}

function missingFields({ keyword, params }: SchemaError): readonly (string | undefined)[] {
  if (keyword !== "required") return [undefined];
  const several = param(params, "requiredProperties");
  return Array.isArray(several) ? several : [String(param(params, "missingProperty"))];
}

/** Undefined for errors that only repeat what errors further in say. */
function describe({ keyword, params }: SchemaError): string | undefined {
  const limit = String(param(params, "limit"));
  switch (keyword) {
    case "required":
      return "is required";
    case "enum":
      return `must be one of ${[param(params, "allowedValues")].flat().join(", ")}`;
    case "pattern":
      return `must match ${String(param(params, "pattern"))}`;
    case "format":
      return `must be a valid ${String(param(params, "format"))}`;
    case "minLength":
      return limit === "1" ? "must not be empty" : `must have at least ${limit} characters`;
    case "maxLength":
      return `must have at most ${limit} characters`;
    case "minimum":
      return `must be at least ${limit}`;
    case "maximum":
      return `must be at most ${limit}`;
    case "minItems":
      return limit === "1" ? "must have at least one item" : `must have at least ${limit} items`;
    case "maxItems":
      return `must have at most ${limit} items`;
    case "minProperties":
      return limit === "1" ? "must set at least one field" : `must have at least ${limit} fields`;
    case "maxProperties":
      return `must have at most ${limit} fields`;
    default:
      return undefined;
  }
}

/** ` (it is "x")` for keywords about a scalar. */
function shownValue(keyword: string, value: unknown): string {
  if (!["enum", "pattern", "format", "minimum", "maximum"].includes(keyword)) return "";
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return "";
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN_CHARACTERS ? "" : ` (it is ${text})`;
}

/** Follows a JSON pointer; steps into lists become numbers. */
export function locate(root: unknown, pointer: string): { path: FieldPath; value: unknown } {
  const path: (string | number)[] = [];
  let value = root;
  for (const step of pointer.split("/").slice(1)) {
    const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(value)) {
      path.push(Number(name));
      value = value[Number(name)];
    } else {
      path.push(name);
      value = isRecord(value) ? value[name] : undefined;
    }
  }
  return { path, value };
}
