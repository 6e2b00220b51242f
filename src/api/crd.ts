import type { KindDefinition } from "./schema.ts";

/** The CustomResourceDefinition of a kind of ours, ready to be written as YAML. */
export function customResourceDefinition(definition: KindDefinition): object {
  const { group, version, kind, plural, shortNames, categories, printerColumns } = definition;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        ...(shortNames.length > 0 && { shortNames }),
        ...(categories.length > 0 && { categories }),
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          ...(definition.status && { subresources: { status: {} } }),
          ...(printerColumns.length > 0 && { additionalPrinterColumns: printerColumns }),
          schema: { openAPIV3Schema: objectSchema(definition) },
        },
      ],
    },
  };
}

function objectSchema({ description, spec, status }: KindDefinition): object {
  return {
    type: "object",
    description,
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: "API group and version of the object." },
      kind: { type: "string", description: "Kind of the object." },
      metadata: { type: "object" },
      spec: ordered(spec),
      ...(status && { status: ordered(status) }),
    },
  };
}

/** Keywords in a fixed order, whatever order they were written in; anything else follows. */
const keywordOrder = ["type", "description", "default", "enum", "allOf", "anyOf", "format", "pattern"];
const lastKeywords = ["required", "properties", "items", "additionalProperties", "x-kubernetes-validations"];

/** A deep copy in plain JSON with keywords in order. The order of fields is kept: it is the one that reads best. */
function ordered(schema: object): Record<string, unknown> {
  const rank = (key: string) => {
    const first = keywordOrder.indexOf(key);
    return first >= 0 ? first : 100 + lastKeywords.indexOf(key);
  };
  const { publishedPattern, ...own } = schema as { readonly publishedPattern?: string };
  const published = publishedPattern === undefined ? own : { ...own, pattern: publishedPattern };
  const entries = Object.entries(published).sort(([a], [b]) => rank(a) - rank(b));
  return Object.fromEntries(entries.map(([key, value]) => [key, orderedValue(key, value)]));
}

function orderedValue(key: string, value: unknown): unknown {
  if (key === "properties") {
    return Object.fromEntries(
      Object.entries(value as object).map(([name, schema]) => [name, ordered(schema as object)]),
    );
  }
  if (key === "items" || key === "additionalProperties") return ordered(value as object);
  return JSON.parse(JSON.stringify(value));
}
