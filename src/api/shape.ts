import { type FieldPath, type FieldProblem, isRecord } from "./field.ts";

/**
 * The fields that a kind knows and the defaults that an API server fills in. A shape says nothing about types or limits:
 * those are the validators' part, which run on what {@link normalize} returns.
 */
export type Shape =
  | { readonly kind: "leaf" }
  /** Any content, kept as written. */
  | { readonly kind: "any" }
  | { readonly kind: "list"; readonly items: Shape }
  | { readonly kind: "map"; readonly values: Shape }
  | {
      readonly kind: "object";
      readonly fields: ReadonlyMap<string, Shape>;
      readonly defaults: readonly FieldDefault[];
    };

/** A value for a field that is absent while its parent is present. */
type FieldDefault = readonly [name: string, value: unknown];

export const leafShape: Shape = { kind: "leaf" };
export const anyShape: Shape = { kind: "any" };

/** Kinds reached by no field: deeper than any schema, so that a cyclic YAML alias ends here. */
const MAX_DEPTH = 64;

/**
 * Does what an API server does on receipt: a copy of `value` without fields and map entries that are null, with the defaults of absent fields, and one
 * problem for each field that the shape does not know (strict field validation). O(size of the value).
 */
export function normalize(
  shape: Shape,
  value: unknown,
  base: FieldPath = [],
): { value: unknown; problems: FieldProblem[] } {
  const problems: FieldProblem[] = [];
  const path = [...base];
  return { value: visit(shape, value, path, problems), problems };
}

function visit(shape: Shape, value: unknown, path: (string | number)[], problems: FieldProblem[]): unknown {
  if (typeof value !== "object" || value === null || shape.kind === "any" || shape.kind === "leaf") return value;
  if (path.length > MAX_DEPTH) {
    problems.push({ path: [...path], message: `is nested more than ${MAX_DEPTH} levels deep` });
    return null;
  }
  if (shape.kind === "list") {
    if (!Array.isArray(value)) return value;
    return value.map((item, index) => {
      if (item === null)
        problems.push({ path: [...path, index], message: "is empty: give the item a value or remove it" });
      path.push(index);
      const result = visit(shape.items, item, path, problems);
      path.pop();
      return result;
    });
  }
  if (!isRecord(value)) return value;
  return shape.kind === "map"
    ? visitMap(shape.values, value, path, problems)
    : visitObject(shape, value, path, problems);
}

function visitMap(values: Shape, value: Record<string, unknown>, path: (string | number)[], problems: FieldProblem[]) {
  const result: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    if (key === "__proto__") {
      problems.push({ path: [...path, key], message: "is not allowed as a key" });
      continue;
    }
    if (value[key] === null) continue;
    path.push(key);
    result[key] = visit(values, value[key], path, problems);
    path.pop();
  }
  return result;
}

function visitObject(
  shape: Extract<Shape, { kind: "object" }>,
  value: Record<string, unknown>,
  path: (string | number)[],
  problems: FieldProblem[],
) {
  const result: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const field = shape.fields.get(key);
    if (field === undefined) {
      problems.push({
        path: [...path, key],
        message: `is not a known field${suggestion(key, [...shape.fields.keys()])}`,
        unknownField: true,
      });
      continue;
    }
    const content = value[key];
    if (content === null || content === undefined) continue;
    path.push(key);
    result[key] = visit(field, content, path, problems);
    path.pop();
  }
  for (const [name, content] of shape.defaults) {
    if (result[name] === undefined) result[name] = typeof content === "object" ? structuredClone(content) : content;
  }
  return result;
}

const MAX_TYPING_ERRORS = 2;

/** `; did you mean x?` for a name that is nearly one of the known ones, else the known ones if they are few. */
export function suggestion(name: string, known: readonly string[]): string {
  const lower = name.toLowerCase();
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(lower, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= MAX_TYPING_ERRORS)
    .sort((a, b) => a.distance - b.distance)[0];
  if (near !== undefined && near.distance < name.length / 2) return `; did you mean ${near.candidate}?`;
  return known.length > 0 && known.length <= 10 ? `; known here: ${known.join(", ")}` : "";
}

/** Levenshtein distance, O(a·b); names only. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MAX_TYPING_ERRORS) return MAX_TYPING_ERRORS + 1;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
