import { leafShape, type Shape } from "./shape.ts";

/**
 * A short notation for the shapes of kinds whose types are generated elsewhere: `{ name: scalar, ports: [{ port: scalar }] }`.
 * `Sketch<T>` makes the compiler refuse a sketch that lacks a field of T or has one too many, so sketches follow the types.
 */
export type Sketch<T> = Plain<NonNullable<T>> | Defaulted<Plain<NonNullable<T>>>;

type Scalar = string | number | boolean;

type Plain<T> = [T] extends [Scalar]
  ? typeof scalar
  : T extends readonly (infer Item)[]
    ? readonly [Sketch<Item>]
    : string extends keyof T
      ? typeof scalars
      : { readonly [K in keyof Required<T>]: Sketch<Required<T>[K]> };

interface Defaulted<S> {
  readonly [defaultValue]: unknown;
  readonly sketch: S;
}

/** A string, number or boolean. */
export const scalar = Symbol("scalar");
/** Any names to scalars. */
export const scalars = Symbol("scalars");
const defaultValue = Symbol("default");

/** A field that has a default. For objects and lists the default is taken as it is: write its inner defaults out. */
export function orElse(value: Scalar): Defaulted<typeof scalar>;
export function orElse<S>(value: object, sketch: S): Defaulted<S>;
export function orElse(value: Scalar | object, sketch: unknown = scalar): Defaulted<unknown> {
  return { [defaultValue]: value, sketch };
}

function isDefaulted(sketch: object): sketch is Defaulted<unknown> {
  return defaultValue in sketch;
}

export function shapeOfSketch(sketch: unknown): Shape {
  if (sketch === scalar) return leafShape;
  if (sketch === scalars) return { kind: "map", values: leafShape };
  if (typeof sketch !== "object" || sketch === null) throw new TypeError("not a sketch");
  if (isDefaulted(sketch)) return shapeOfSketch(sketch.sketch);
  if (Array.isArray(sketch)) return { kind: "list", items: shapeOfSketch(sketch[0]) };
  const fields = Object.entries(sketch);
  return {
    kind: "object",
    fields: new Map(fields.map(([name, field]) => [name, shapeOfSketch(field)])),
    defaults: fields.flatMap(([name, field]) =>
      typeof field === "object" && isDefaulted(field) ? [[name, field[defaultValue]] as const] : [],
    ),
  };
}
