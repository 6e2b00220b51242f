/** Objects that keep, and objects that break, each constraint of a structural schema by itself. */

export interface Schema {
  readonly type?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-validations"?: readonly { readonly message: string }[];
}

/** A field, `[]` for an item of a list, `{}` for a value of a map. */
type Step = string;

export interface ConstraintCase {
  /** As an API server writes it, such as `spec.targetRefs[0].name`. */
  readonly field: string;
  /** Keyword and value, such as `maxLength 253`. */
  readonly constraint: string;
  readonly spec: unknown;
}

export interface ConstraintCases {
  readonly valid: readonly ConstraintCase[];
  readonly invalid: readonly ConstraintCase[];
}

const MAP_KEY = "key";

/** One valid object for each node of the schema of `spec`, and an invalid one for each of its constraints. */
export function constraintCases(root: Schema): ConstraintCases {
  const valid: ConstraintCase[] = [];
  const invalid: ConstraintCase[] = [];
  const visit = (schema: Schema, steps: readonly Step[]) => {
    const field = fieldOf(steps);
    const at = (value: unknown) => place(root, steps, value);
    valid.push({ field, constraint: "valid", spec: at(sample(schema)) });
    for (const { constraint, value, below = "" } of breaking(schema)) {
      invalid.push({ field: field + below, constraint, spec: at(value) });
    }
    for (const [name, property] of Object.entries(schema.properties ?? {})) visit(property, [...steps, name]);
    if (schema.items) visit(schema.items, [...steps, "[]"]);
    if (schema.additionalProperties) visit(schema.additionalProperties, [...steps, "{}"]);
  };
  visit(root, []);
  return { valid, invalid };
}

function fieldOf(steps: readonly Step[]): string {
  return steps.reduce((text, step) => text + (step === "[]" ? "[0]" : `.${step === "{}" ? MAP_KEY : step}`), "spec");
}

/** The smallest object around a value. @param steps fields, `[]` for an item of a list, `{}` for a value of a map */
export function place(schema: Schema, [step, ...rest]: readonly Step[], value: unknown): unknown {
  if (step === undefined) return value;
  if (step === "[]") {
    const items = schema.items ?? {};
    const others = Array.from({ length: Math.max(0, (schema.minItems ?? 1) - 1) }, () => sample(items));
    return [place(items, rest, value), ...others];
  }
  if (step === "{}") return { [MAP_KEY]: place(schema.additionalProperties ?? {}, rest, value) };
  return { ...(sample(schema) as object), [step]: place(schema.properties?.[step] ?? {}, rest, value) };
}

const texts = [
  "a",
  "1s",
  "1Ki",
  "A",
  "10.0.0.0/8",
  "example.com",
  "/a",
  "1.2.3.4",
  "https://a.example.com",
  "a/b",
  "DE",
  "2001:db8::1",
];

const wordsOf = ({ enum: words, allOf = [] }: Schema) => words ?? allOf.find((each) => each.enum)?.enum;
const patternsOf = ({ pattern, allOf = [] }: Schema) =>
  [pattern, ...allOf.map((each) => each.pattern)].filter((each) => each !== undefined).map((each) => new RegExp(each));

/** The smallest value that a schema allows. */
function sample(schema: Schema): unknown {
  if (schema.format === "byte") return "YQ==";
  const [word] = wordsOf(schema) ?? [];
  if (word !== undefined) return word;
  if (schema["x-kubernetes-int-or-string"] || schema.type === "string") {
    const patterns = patternsOf(schema);
    const found = texts.find((text) => patterns.every((each) => each.test(text)));
    if (found === undefined) throw new Error(`no text of ${JSON.stringify(patterns.map(String))}`);
    return patterns.length > 0 ? found : found.repeat(schema.minLength ?? 1);
  }
  switch (schema.type) {
    case "integer":
    case "number":
      return Math.max(schema.minimum ?? 1, Math.min(1, schema.maximum ?? 1));
    case "boolean":
      return true;
    case "array":
      return Array.from({ length: schema.minItems ?? 0 }, () => sample(schema.items ?? {}));
    default:
      return Object.fromEntries((schema.required ?? []).map((name) => [name, sample(schema.properties?.[name] ?? {})]));
  }
}

interface Breach {
  readonly constraint: string;
  readonly value: unknown;
  /** What of the value is to blame, such as `.name`. */
  readonly below?: string;
}

/** A value for each keyword that it breaks. */
function breaking(schema: Schema): readonly Breach[] {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, minProperties, maxProperties } = schema;
  const usual = sample(schema);
  const list = (length: number) => Array.from({ length }, () => sample(schema.items ?? {}));
  const text = (length: number) => (typeof usual === "string" ? usual.padEnd(length, "a").slice(0, length) : "");
  const map = (size: number) =>
    Object.fromEntries(
      Array.from({ length: size }, (_, index) => [`k${index}`, sample(schema.additionalProperties ?? {})]),
    );
  const breach = (constraint: string, limit: number | undefined, value: (limit: number) => unknown): Breach[] =>
    limit === undefined ? [] : [{ constraint: `${constraint} ${limit}`, value: value(limit) }];
  return [
    ...breakType(schema),
    ...(wordsOf(schema) === undefined
      ? []
      : [{ constraint: "enum", value: schema.type === "integer" ? -77 : "NoSuchWord" }]),
    ...patternsOf(schema).map((each) => ({ constraint: `pattern ${each.source}`, value: "%\n " })),
    ...breach("minimum", minimum, (limit) => limit - 1),
    ...breach("maximum", maximum, (limit) => limit + 1),
    // Of none there cannot be fewer.
    ...breach("minLength", minLength || undefined, (limit) => text(limit - 1)),
    ...breach("maxLength", maxLength, (limit) => text(limit + 1)),
    ...breach("minItems", minItems || undefined, (limit) => list(limit - 1)),
    ...breach("maxItems", maxItems, (limit) => list(limit + 1)),
    ...breach("minProperties", minProperties || undefined, (limit) => map(limit - 1)),
    ...breach("maxProperties", maxProperties, (limit) => map(limit + 1)),
    ...(schema.required ?? [])
      .filter((name) => schema.properties?.[name]?.default === undefined)
      .map((name) => ({
        constraint: `required ${name}`,
        value: Object.fromEntries(Object.entries(usual as object).filter(([other]) => other !== name)),
        below: `.${name}`,
      })),
  ];
}

function breakType(schema: Schema): readonly Breach[] {
  if (schema["x-kubernetes-int-or-string"]) return [{ constraint: "integer or string", value: true }];
  const others: Readonly<Record<string, unknown>> = {
    ...{ string: 17, integer: "text", number: "text", boolean: "text", array: "text", object: "text" },
  };
  return schema.type === undefined ? [] : [{ constraint: `type ${schema.type}`, value: others[schema.type] }];
}

/** What CEL rules say, which no case here is about. */
export function* rulesOf(schema: object): Generator<string> {
  for (const [key, value] of Object.entries(schema)) {
    if (key === "x-kubernetes-validations") for (const { message } of value as { message: string }[]) yield message;
    else if (typeof value === "object" && value !== null) yield* rulesOf(value as object);
  }
}
