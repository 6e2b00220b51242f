import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { readDocument, splitDocuments } from "../../src/inputs/files/document.ts";

/**
 * Every CEL rule of our CRDs is evaluated on files too: for each there is an object here that breaks it, in a file named as the
 * CRD's. A rule without such an object fails.
 */
const root = join(import.meta.dirname, "../..");
/** Their rules are many and stand in many places; `envoyproxy.test.ts` and `traffic-policies.test.ts` of `src/api` break each of them. */
const judgedElsewhere = ["envoyproxies", "clienttrafficpolicies", "backendtrafficpolicies", "securitypolicies"].map(
  (plural) => `gateway.envoyproxy.io_${plural}.yaml`,
);
const crds = ["crds", "config/compat"].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.includes("_") && !judgedElsewhere.includes(name))
    .map((name) => ({ name, path: join(root, folder, name) })),
);

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly "x-kubernetes-validations"?: readonly { readonly message: string }[];
}

/** `field: message` of each rule; `[]` stands for any item. */
function* rulesOf(schema: Schema, field = ""): Generator<string> {
  for (const { message } of schema["x-kubernetes-validations"] ?? []) yield `${field}: ${message}`;
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    yield* rulesOf(inner, field === "" ? name : `${field}.${name}`);
  }
  for (const inner of [schema.items, schema.additionalProperties]) if (inner) yield* rulesOf(inner, `${field}[]`);
}

interface Crd {
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
}

interface Refusal {
  readonly line: number;
  readonly rule: string;
}

/** What is wrong with an object, as `gatehouse standalone` reports it. */
function refusalsOf(text: string): Refusal[] {
  return readDocument(text).entries.flatMap(({ problems }) =>
    problems.map(({ line, field = "", message }) => ({
      line,
      rule: `${field.replace(/\[\d+\]/g, "[]")}: ${message}`,
    })),
  );
}

describe.each(crds)("$name", ({ name, path }) => {
  const examples = join(import.meta.dirname, name);
  const documents = existsSync(examples) ? splitDocuments(readFileSync(examples, "utf8")) : [];
  const crd = parse(readFileSync(path, "utf8")) as Crd;
  const rules = crd.spec.versions.flatMap(({ schema }) => [...rulesOf(schema.openAPIV3Schema)]);

  test.each(documents)("the object on line $line breaks its rule and no other", ({ text }) => {
    const lines = text.split("\n");
    const at = lines.findIndex((line) => line.includes("# refused: "));
    const [refusal, ...others] = refusalsOf(text);
    expect(others).toEqual([]);
    expect(refusal?.line).toBe(at + 1);
    expect(rules).toContain(refusal?.rule);
    expect(refusal?.rule).toContain(`: ${lines[at]?.split("# refused: ")[1]}`);
  });

  test("every rule has an object that breaks it", () => {
    const broken = new Set(documents.flatMap(({ text }) => refusalsOf(text)).map(({ rule }) => rule));
    expect(rules.filter((rule) => !broken.has(rule))).toEqual([]);
  });
});
