import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { customResourceDefinition } from "../../src/api/crd.ts";
import { policyDefinitions } from "../../src/api/definitions.ts";
import { formatPath } from "../../src/api/field.ts";
import { validateObject } from "../../src/api/kinds.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { type ConstraintCase, constraintCases, rulesOf, type Schema } from "./constraints.ts";
import { installCrds } from "./gateway-api.ts";

/**
 * Each constraint of the schemas of policies, on a real API server and in our own validator of files: an object that breaks it is refused,
 * for that field, and one that keeps it is not. CEL rules are the matter of `policy-rules.test.ts`.
 */

jest.setTimeout(120_000);

interface Status {
  readonly details?: { readonly causes?: readonly { readonly field?: string; readonly message?: string }[] };
}

let server: ApiServer;

beforeAll(async () => {
  server = await startApiServer({});
  await installCrds(server, "standard");
}, 180_000);
afterAll(() => server?.stop());

const kinds = ["ClientTrafficPolicy", "BackendTrafficPolicy", "SecurityPolicy"].map((kind) => {
  const definition = policyDefinitions.find((each) => each.kind === kind);
  if (definition === undefined) throw new Error(kind);
  const crd = customResourceDefinition(definition) as {
    readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
  };
  const spec = crd.spec.versions[0]?.schema.openAPIV3Schema.properties?.["spec"] as Schema;
  return { kind, plural: definition.plural, cases: constraintCases(spec), rules: [...new Set(rulesOf(spec))] };
});

const apiVersion = "gateway.envoyproxy.io/v1alpha1";
const objectOf = (kind: string, spec: unknown) => ({
  apiVersion,
  kind,
  metadata: { name: "a", namespace: "default" },
  spec,
});

describe.each(kinds)("$kind", ({ kind, plural, cases, rules }) => {
  const isRule = (message = "") => rules.some((rule) => message.includes(rule));

  /** Fields that the API server complains about, but for CEL rules. */
  async function refusedByServer({ spec }: ConstraintCase): Promise<readonly string[]> {
    const path = `/apis/${apiVersion}/namespaces/default/${plural}?dryRun=All`;
    const { body } = await server.rest.ask(path, { method: "POST", body: objectOf(kind, spec) });
    const { details } = JSON.parse(body) as Status;
    return (details?.causes ?? []).filter(({ message }) => !isRule(message)).map(({ field = "" }) => field);
  }

  function refusedByUs({ spec }: ConstraintCase): readonly string[] {
    const { problems } = validateObject(objectOf(kind, spec));
    return problems.filter(({ message }) => !isRule(message)).map(({ path }) => formatPath(path));
  }

  const judges = [
    ["the API server", refusedByServer],
    ["the validator of files", async (one: ConstraintCase) => refusedByUs(one)],
  ] as const;

  test.each(judges)("%s takes what keeps the constraints", async (_name, judge) => {
    const wrong: unknown[] = [];
    for (const one of cases.valid) {
      const fields = await judge(one);
      if (fields.length > 0) wrong.push({ ...one, fields });
    }
    expect(wrong).toEqual([]);
  });

  test.each(judges)("%s refuses what breaks one", async (_name, judge) => {
    const wrong: unknown[] = [];
    for (const one of cases.invalid) {
      const fields = await judge(one);
      if (!fields.some((field) => field === one.field || field.startsWith(`${one.field}[`)))
        wrong.push({ ...one, fields });
    }
    expect(wrong).toEqual([]);
    expect(cases.invalid.length).toBeGreaterThan(200);
  });
});
