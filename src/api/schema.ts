import { type Static, type TOptional, type TSchema, type TUnsafe, Type } from "typebox";
import type { ObjectMeta } from "./object.ts";

/**
 * The words in which our own kinds are written down, once each. A definition yields the TypeScript type (`ObjectOf`), the
 * CustomResourceDefinition (`crd.ts`) and the validator (`validator.ts`). The words cover exactly what a structural schema of
 * Kubernetes can say, so whatever is written here can be written to `crds/`. Fields are optional unless wrapped in `required`.
 */

/** A CEL rule about `self`. The message completes `<field>: `, says what is expected, and is what `kubectl` prints. */
export interface Rule {
  readonly rule: string;
  readonly message: string;
}

interface Common {
  readonly rules?: readonly Rule[];
}

interface TextOptions extends Common {
  readonly minLength?: number;
  readonly maxLength?: number;
  /** RE2 syntax that means the same in JavaScript. */
  readonly pattern?: string;
  /** What the CustomResourceDefinition says instead, which means the same: an engine that backtracks had better not see it. */
  readonly publishedPattern?: string;
  /** `byte`: base64. */
  readonly format?: "date-time" | "byte";
  readonly default?: string;
}

interface NumberOptions extends Common {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: "int32" | "int64";
  readonly default?: number;
}

interface ListOptions extends Common {
  readonly minItems?: number;
  readonly maxItems?: number;
  /** Server-side apply merges items by these fields, and no two items may agree in all of them. */
  readonly mapKeys?: readonly string[];
  /** Items are scalars, each at most once. */
  readonly set?: boolean;
  readonly default?: readonly unknown[];
}

interface ObjectOptions extends Common {
  /** Server-side apply takes the object as one value that has one owner. */
  readonly atomic?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly default?: Readonly<Record<string, unknown>>;
}

function keywords(description: string, { rules, ...rest }: Common): Record<string, unknown> {
  return { description, ...rest, ...(rules && { "x-kubernetes-validations": rules }) };
}

export function text(description: string, options: TextOptions = {}) {
  return Type.String(keywords(description, options));
}

/** One of a fixed set of words. `nested` puts the enum under `allOf`, where some published schemas have it. */
export function choice<const V extends readonly string[]>(
  description: string,
  values: V,
  options: Common & { readonly default?: V[number]; readonly nested?: boolean } = {},
): TUnsafe<V[number]> {
  const { nested, ...rest } = options;
  const limit = nested ? { allOf: [{ enum: values }] } : { enum: values };
  return Type.Unsafe<V[number]>({ type: "string", ...keywords(description, rest), ...limit });
}

export function integer(description: string, options: NumberOptions = {}) {
  return Type.Integer(keywords(description, options));
}

/** One of a fixed set of numbers. */
export function numberChoice<const V extends readonly number[]>(
  description: string,
  values: V,
  options: Common & { readonly default?: V[number] } = {},
): TUnsafe<V[number]> {
  return Type.Unsafe<V[number]>({ type: "integer", enum: values, ...keywords(description, options) });
}

export function decimal(description: string, options: Omit<NumberOptions, "format"> = {}) {
  return Type.Number(keywords(description, options));
}

export function flag(description: string, options: Common & { readonly default?: boolean } = {}) {
  return Type.Boolean(keywords(description, options));
}

/** A count or a percentage such as `25%`. */
export function intOrString(
  description: string,
  options: Common & { readonly pattern?: string; readonly default?: number | string } = {},
): TUnsafe<number | string> {
  return Type.Unsafe<number | string>({
    anyOf: [{ type: "integer" }, { type: "string" }],
    "x-kubernetes-int-or-string": true,
    ...keywords(description, options),
  });
}

/** Syntax of a Kubernetes quantity, such as `1.5`, `500m`, `2Gi` or `1e3`. */
export const QUANTITY =
  "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$";

/** A positive number of bytes, such as `32Ki`. */
export function byteSize(description: string): TUnsafe<number | string> {
  const whole = "^[1-9]+[0-9]*([EPTGMK]i|[EPTGMk])?$";
  return Type.Unsafe<number | string>({
    anyOf: [{ type: "integer" }, { type: "string" }],
    allOf: [{ pattern: QUANTITY }, { pattern: whole }],
    "x-kubernetes-int-or-string": true,
    description,
  });
}

export function list<S extends TSchema>(description: string, items: S, options: ListOptions = {}) {
  const { mapKeys, set, ...rest } = options;
  return Type.Array(items, {
    ...keywords(description, rest),
    ...(mapKeys && { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": mapKeys }),
    ...(set && { "x-kubernetes-list-type": "set" }),
  });
}

/** Any string key to values of one schema. */
export function map<S extends TSchema>(
  description: string,
  values: S,
  options: ObjectOptions = {},
): TUnsafe<Record<string, Static<S>>> {
  return Type.Unsafe<Record<string, Static<S>>>({
    type: "object",
    additionalProperties: values,
    ...keywords(description, options),
  });
}

/** Any object or, with `anyType`, any JSON value: kept as written, never looked into. */
export function anything(
  description: string,
  options: Common & { readonly anyType?: boolean } = {},
): TUnsafe<Record<string, unknown>> {
  const { anyType, ...rest } = options;
  return Type.Unsafe<Record<string, unknown>>({
    ...(anyType ? {} : { type: "object" }),
    "x-kubernetes-preserve-unknown-fields": true,
    ...keywords(description, rest),
  });
}

interface RequiredField<S extends TSchema> {
  readonly schemaOfRequiredField: S;
}

export function required<S extends TSchema>(schema: S): RequiredField<S> {
  return { schemaOfRequiredField: schema };
}

type Fields = Readonly<Record<string, TSchema | RequiredField<TSchema>>>;

type Properties<F extends Fields> = {
  -readonly [K in keyof F]: F[K] extends RequiredField<infer S> ? S : F[K] extends TSchema ? TOptional<F[K]> : never;
};

function isRequired(field: TSchema | RequiredField<TSchema>): field is RequiredField<TSchema> {
  return "schemaOfRequiredField" in field;
}

export function object<F extends Fields>(description: string, fields: F, options: ObjectOptions = {}) {
  const properties: Record<string, TSchema> = {};
  for (const [name, field] of Object.entries(fields)) {
    properties[name] = isRequired(field) ? field.schemaOfRequiredField : Type.Optional(field);
  }
  const { atomic, ...rest } = options;
  return Type.Object(properties as Properties<F>, {
    ...keywords(description, rest),
    ...(atomic && { "x-kubernetes-map-type": "atomic" }),
  });
}

/** The same object with further optional fields. */
export function extend<B extends ReturnType<typeof Type.Object>, F extends Readonly<Record<string, TSchema>>>(
  base: B,
  fields: F,
) {
  const { properties, required: names, ...options } = base as B & { required?: readonly string[] };
  const extra = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, Type.Optional(field)]));
  return Type.Object({ ...properties, ...extra } as B["properties"] & Properties<F>, { ...options });
}

export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date" | "boolean";
  /** Only its first result is shown. */
  readonly jsonPath: string;
  /** 1: only with `kubectl get -o wide`. */
  readonly priority?: 1;
}

/** A kind of ours: everything that its CustomResourceDefinition says. */
export interface KindDefinition<Spec extends TSchema = TSchema, Status extends TSchema = TSchema> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Description of the kind as a whole. */
  readonly description: string;
  readonly printerColumns: readonly PrinterColumn[];
  readonly spec: Spec;
  /** Present: the kind has a status subresource. All our kinds are namespaced. */
  readonly status?: Status;
}

export function defineKind<Spec extends TSchema, Status extends TSchema = never>(
  definition: KindDefinition<Spec, Status>,
): KindDefinition<Spec, Status> {
  return definition;
}

/** The TypeScript type of a kind's objects. */
export interface ObjectOf<D> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec: D extends KindDefinition<infer S, infer _> ? Static<S> : never;
  readonly status?: D extends KindDefinition<infer _, infer S> ? ([S] extends [never] ? never : Static<S>) : never;
}
