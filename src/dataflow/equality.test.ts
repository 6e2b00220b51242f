import { describe, expect, test } from "@jest/globals";
import { sameData } from "./equality.ts";

class Point {
  readonly x = 1;
}

describe("equal", () => {
  const nested = () => ({ a: [1, "x", null, undefined, { b: new Map([["k", [true]]]) }], c: new Uint8Array([1, 2]) });
  const shared = new Point();
  test.each([
    ["numbers", 1, 1],
    ["NaN", Number.NaN, Number.NaN],
    ["big integers", 1n, 1n],
    ["nested data", nested(), nested()],
    ["another order of properties", { a: 1, b: 2 }, { b: 2, a: 1 }],
    ["an object without a prototype", Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
    ["a Buffer and a byte array", Buffer.from("ab"), new Uint8Array([97, 98])],
    ["the same instance", shared, shared],
    ["empty things", [new Map(), {}, []], [new Map(), {}, []]],
  ])("%s", (_name, a, b) => {
    expect(sameData(a, b)).toBe(true);
    expect(sameData(b, a)).toBe(true);
  });
});

describe("different", () => {
  test.each<[string, unknown, unknown]>([
    ["numbers", 1, 2],
    ["a number and its text", 1, "1"],
    ["null and undefined", null, undefined],
    ["null and an object", null, {}],
    ["a missing and an undefined property", { a: undefined }, { b: 1 }],
    ["an undefined and an absent property", { a: undefined }, {}],
    ["one property more", { a: 1 }, { a: 1, b: 2 }],
    ["a deep difference", { a: [{ b: 1 }] }, { a: [{ b: 2 }] }],
    ["arrays of other lengths", [1], [1, 2]],
    ["arrays in another order", [1, 2], [2, 1]],
    ["an array and an object", [], {}],
    ["a Map and an object", new Map(), {}],
    ["Maps with other values", new Map([["a", 1]]), new Map([["a", 2]])],
    ["Maps with other keys", new Map([["a", undefined]]), new Map([["b", undefined]])],
    ["bytes", new Uint8Array([1]), new Uint8Array([2])],
    ["bytes of another length", new Uint8Array([1]), new Uint8Array([1, 1])],
    ["bytes and an array", new Uint8Array([1]), [1]],
    ["two instances of a class", new Point(), new Point()],
    ["an instance and its shape", new Point(), { x: 1 }],
    ["two dates", new Date(0), new Date(0)],
  ])("%s", (_name, a, b) => {
    expect(sameData(a, b)).toBe(false);
    expect(sameData(b, a)).toBe(false);
  });
});
