import { type TSchema, type TUnsafe, Type } from "typebox";
import { QUANTITY } from "../schema.ts";

/**
 * A short notation for Kubernetes' own types inside our kinds, such as the containers and volumes of an EnvoyProxy. The compiler
 * refuses one that lacks a field of the type, has one too many or errs in what is required, so the notation follows the
 * types. Their fields are described by `kubectl explain`, so they carry no description here; that keeps a
 * CustomResourceDefinition small enough for `kubectl apply`.
 */
export type Notation<T> = Plain<NonNullable<T>>;

type Plain<T> = [T] extends [string]
  ? typeof string
  : [T] extends [number]
    ? typeof int32 | typeof int64
    : [T] extends [boolean]
      ? typeof boolean
      : [T] extends [string | number]
        ? typeof quantity | typeof intOrString
        : T extends readonly (infer Item)[]
          ? readonly [Notation<Item>] | Keyed<Notation<Item>>
          : string extends keyof T
            ? typeof strings | typeof quantities
            : "managedFields" extends keyof T
              ? typeof metadata
              : { readonly [K in keyof Required<T>]: Field<T, K> };

type Field<T, K extends keyof T> = undefined extends T[K] ? Notation<T[K]> : Must<Notation<T[K]>>;

export const string = Symbol("string");
export const int32 = Symbol("int32");
export const int64 = Symbol("int64");
export const boolean = Symbol("boolean");
/** A number or a percentage, or the number or name of a port. */
export const intOrString = Symbol("intOrString");
/** An amount such as `512Mi` or `0.5`. */
export const quantity = Symbol("quantity");
/** Names to strings. */
export const strings = Symbol("strings");
/** Names to quantities. */
export const quantities = Symbol("quantities");
/** Metadata of an object made out of a template: kept as written. */
export const metadata = Symbol("metadata");

const requiredField = Symbol("required");

interface Must<N> {
  readonly [requiredField]: N;
}

/** A field that must be there. */
export function must<const N>(notation: N): Must<N> {
  return { [requiredField]: notation };
}

const itemKeys = Symbol("itemKeys");

interface Keyed<N> {
  readonly [itemKeys]: readonly string[];
  readonly items: N;
}

/** A list whose items differ in these fields and are merged by them. */
export function keyed<const N>(keys: readonly string[], items: N): Keyed<N> {
  return { [itemKeys]: keys, items };
}

/** The schema of a Kubernetes type where it stands as a field of ours. `explain` is the path to give to `kubectl explain`. */
export function kubernetes<T>(description: string, explain: string, notation: Notation<T>): TUnsafe<T> {
  const schema = schemaOf(notation);
  return Type.Unsafe<T>({ ...schema, description: `${description} See \`kubectl explain ${explain}\`.` });
}

const scalars: ReadonlyMap<unknown, object> = new Map<unknown, object>([
  [string, { type: "string" }],
  [int32, { type: "integer", format: "int32" }],
  [int64, { type: "integer", format: "int64" }],
  [boolean, { type: "boolean" }],
  [intOrString, { anyOf: [{ type: "integer" }, { type: "string" }], "x-kubernetes-int-or-string": true }],
  [
    quantity,
    { anyOf: [{ type: "integer" }, { type: "string" }], pattern: QUANTITY, "x-kubernetes-int-or-string": true },
  ],
  [metadata, { type: "object", "x-kubernetes-preserve-unknown-fields": true }],
]);

function schemaOf(notation: unknown): TSchema {
  const scalar = scalars.get(notation);
  if (scalar !== undefined) return { ...scalar };
  if (notation === strings) return { type: "object", additionalProperties: schemaOf(string) };
  if (notation === quantities) return { type: "object", additionalProperties: schemaOf(quantity) };
  if (Array.isArray(notation)) return { type: "array", items: schemaOf(notation[0]) };
  if (typeof notation !== "object" || notation === null) throw new TypeError("not a notation");
  if (itemKeys in notation) {
    const { items, [itemKeys]: keys } = notation as Keyed<unknown>;
    return {
      type: "array",
      items: schemaOf(items),
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": keys,
    };
  }
  return objectSchema(notation);
}

function objectSchema(fields: object): TSchema {
  const required: string[] = [];
  const properties: Record<string, TSchema> = {};
  for (const [name, field] of Object.entries(fields)) {
    const isRequired = typeof field === "object" && field !== null && requiredField in field;
    if (isRequired) required.push(name);
    properties[name] = schemaOf(isRequired ? (field as Must<unknown>)[requiredField] : field);
  }
  return { type: "object", ...(required.length > 0 && { required }), properties };
}
