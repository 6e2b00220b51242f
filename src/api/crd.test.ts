import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import { crdFolders, renderCrds } from "../../tools/generate-crds.ts";
import { customResourceDefinition } from "./crd.ts";
import type { HTTPRoute } from "./gateway-api.ts";
import { type Sketch, scalar } from "./sketch.ts";

/** Kubernetes: at most so many bytes in all annotations of an object. */
const ANNOTATIONS_BYTES_MAX = 262_144;

const root = join(import.meta.dirname, "../..");

test.each([...crdFolders])("%s is what `make generate` writes", (folder, definitions) => {
  const files = renderCrds(definitions);
  expect(readdirSync(join(root, folder)).filter((name) => name.endsWith(".yaml"))).toEqual([...files.keys()].sort());
  for (const [name, content] of files) expect(readFileSync(join(root, folder, name), "utf8")).toBe(content);
});

/** `Off` is false in YAML 1.1, and that is what kubectl reads: an enum of it would refuse the text. */
test.each([...crdFolders])("%s means the same in YAML 1.1", (_folder, definitions) => {
  for (const [name, content] of renderCrds(definitions)) {
    expect({ name, content: parse(content, { version: "1.1" }) }).toEqual({ name, content: parse(content) });
  }
});

/** Keywords of a structural schema. The API server refuses a CustomResourceDefinition with any other. */
const structuralKeywords = new Set([
  ..."type description default enum allOf anyOf format pattern minLength maxLength minimum maximum minItems maxItems".split(
    " ",
  ),
  ..."minProperties maxProperties required properties items additionalProperties x-kubernetes-validations".split(" "),
  ..."x-kubernetes-list-type x-kubernetes-list-map-keys x-kubernetes-int-or-string".split(" "),
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-map-type",
  // Of our own; a CustomResourceDefinition has it as its pattern.
  "publishedPattern",
]);

/** What is a type of Kubernetes' own says where its fields are described. */
const describedElsewhere = /See `kubectl explain [a-zA-Z.]+`\.$/;

function* schemasIn(
  schema: Record<string, unknown>,
  path: string,
  described = true,
): Generator<[path: string, schema: Record<string, unknown>, described: boolean]> {
  yield [path, schema, described];
  const inside = described && !describedElsewhere.test(String(schema["description"]));
  for (const [name, property] of Object.entries((schema["properties"] ?? {}) as Record<string, object>)) {
    yield* schemasIn(property as Record<string, unknown>, `${path}.${name}`, inside);
  }
  for (const items of ["items", "additionalProperties"]) {
    if (schema[items]) yield* schemasIn(schema[items] as Record<string, unknown>, `${path}[]`, inside);
  }
}

test("every schema is structural, and every field is described", () => {
  for (const definition of [...crdFolders.values()].flat()) {
    for (const root of [definition.spec, definition.status ?? { description: "" }]) {
      for (const [path, schema, described] of schemasIn(root as unknown as Record<string, unknown>, definition.kind)) {
        expect([path, Object.keys(schema).filter((key) => !structuralKeywords.has(key))]).toEqual([path, []]);
        if (root === definition.spec && described)
          expect([path, schema["description"]]).toEqual([path, expect.stringMatching(/[.]$/)]);
      }
    }
  }
});

test("every CustomResourceDefinition is small enough for kubectl apply, which repeats it in an annotation", () => {
  for (const definition of [...crdFolders.values()].flat()) {
    expect(JSON.stringify(customResourceDefinition(definition)).length).toBeLessThan(ANNOTATIONS_BYTES_MAX);
  }
});

test("a sketch with a field too few or too many does not compile", () => {
  type Path = NonNullable<NonNullable<NonNullable<HTTPRoute["spec"]["rules"]>[number]["matches"]>[number]["path"]>;
  // @ts-expect-error value is missing
  const short: Sketch<Path> = { type: scalar };
  // @ts-expect-error values is unknown
  const long: Sketch<Path> = { type: scalar, value: scalar, values: scalar };
  expect([short, long]).toHaveLength(2);
});
