import { Environment } from "@marcbachmann/cel-js";
import { type FieldProblem, isRecord } from "./field.ts";
import type { Rule } from "./schema.ts";

/** Checks a value against the CEL rules of a schema and of everything inside it. */
export type RuleCheck = (value: unknown, path: (string | number)[], problems: FieldProblem[]) => void;

/** The keywords of a schema that matter for its rules. Written by `schema.ts` only. */
export interface RuledSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, RuledSchema>>;
  readonly items?: RuledSchema;
  readonly additionalProperties?: RuledSchema;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-validations"?: readonly Rule[];
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
}

const environment = new Environment({ homogeneousAggregateLiterals: false }).registerVariable("self", "dyn");

/** Undefined when there is no rule in the schema at all. Also checks that list items differ in their keys (list types map and set). */
export function compileRules(schema: RuledSchema): RuleCheck | undefined {
  const checks = [ownRules(schema), itemsDiffer(schema), ...innerRules(schema)].filter((check) => check !== undefined);
  if (checks.length <= 1) return checks[0];
  return (value, path, problems) => {
    for (const check of checks) check(value, path, problems);
  };
}

function ownRules(schema: RuledSchema): RuleCheck | undefined {
  const rules = schema["x-kubernetes-validations"]?.map(({ rule, message }) => ({
    rule,
    message,
    evaluate: environment.parse(unescapeNames(rule)),
  }));
  if (rules === undefined) return undefined;
  const convert = celConversion(schema);
  return (value, path, problems) => {
    const self = convert ? convert(value) : value;
    for (const { rule, message, evaluate } of rules) {
      let holds: unknown;
      try {
        holds = evaluate({ self });
      } catch (error) {
        // Like an API server: a rule that cannot be evaluated is not fulfilled. Our own rules never get here (kinds.test.ts).
        problems.push({
          path: [...path],
          message: `${message} (rule ${rule} failed: ${String(error).split("\n")[0]})`,
        });
        continue;
      }
      if (holds !== true) problems.push({ path: [...path], message });
    }
  };
}

/** Kubernetes spells fields that are CEL keywords with underscores (`__namespace__`); the evaluator takes them as they are. */
function unescapeNames(rule: string): string {
  return rule.replace(/\.__([a-z]+)__\b/g, ".$1");
}

function* innerRules(schema: RuledSchema): Generator<RuleCheck> {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const check = compileRules(property);
    if (!check) continue;
    yield (value, path, problems) => {
      const content = isRecord(value) ? value[name] : undefined;
      if (content === undefined) return;
      path.push(name);
      check(content, path, problems);
      path.pop();
    };
  }
  const inside = schema.items ?? schema.additionalProperties;
  const check = inside && compileRules(inside);
  if (!check) return;
  yield (value, path, problems) => {
    const entries = Array.isArray(value) ? value.entries() : isRecord(value) ? Object.entries(value) : [];
    for (const [key, content] of entries) {
      path.push(key);
      check(content, path, problems);
      path.pop();
    }
  };
}

function itemsDiffer(schema: RuledSchema): RuleCheck | undefined {
  const type = schema["x-kubernetes-list-type"];
  if (type !== "map" && type !== "set") return undefined;
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  return (value, path, problems) => {
    if (!Array.isArray(value)) return;
    const seen = new Map<string, number>();
    for (const [index, item] of value.entries()) {
      const id = JSON.stringify(type === "set" ? item : keys.map((key) => (isRecord(item) ? item[key] : undefined)));
      const first = seen.get(id);
      if (first === undefined) seen.set(id, index);
      else {
        const what = type === "set" ? "repeats" : `has the same ${keys.join(" and ")} as`;
        problems.push({ path: [...path, index], message: `${what} item ${first}` });
      }
    }
  };
}

type Conversion = (value: unknown) => unknown;

/** CEL's int is a BigInt here; undefined when the schema holds no integer, so that the value can be taken as it is. */
function celConversion(schema: RuledSchema): Conversion | undefined {
  if (schema.type === "integer" || schema["x-kubernetes-int-or-string"]) {
    return (value) => (typeof value === "number" && Number.isInteger(value) ? BigInt(value) : value);
  }
  const inside = schema.items ?? schema.additionalProperties;
  const convertInside = inside && celConversion(inside);
  if (convertInside) {
    return (value) => {
      if (Array.isArray(value)) return value.map(convertInside);
      if (!isRecord(value)) return value;
      return Object.fromEntries(Object.entries(value).map(([key, content]) => [key, convertInside(content)]));
    };
  }
  const properties = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const convert = celConversion(property);
    return convert ? [[name, convert] as const] : [];
  });
  if (properties.length === 0) return undefined;
  return (value) => {
    if (!isRecord(value)) return value;
    const copy = { ...value };
    for (const [name, convert] of properties) {
      if (copy[name] !== undefined) copy[name] = convert(copy[name]);
    }
    return copy;
  };
}
