import { describe, expect, test } from "@jest/globals";
import { backendTrafficPolicyDefinition } from "./backendtrafficpolicy.ts";
import { clientTrafficPolicyDefinition } from "./clienttrafficpolicy.ts";
import { envoyProxyDefinition } from "./envoyproxy.ts";
import { formatFieldProblem } from "./field.ts";
import { validateObject } from "./kinds.ts";
import { origins } from "./security-policies.test-support.ts";
import { securityPolicyDefinition } from "./securitypolicy.ts";
import { policyCases, publishedBackendSpecs } from "./traffic-policies.test-support.ts";

function complaints(kind: string, spec: unknown): string[] {
  const object = { apiVersion: "gateway.envoyproxy.io/v1alpha1", kind, metadata: { name: "a" }, spec };
  return validateObject(object).problems.map(formatFieldProblem);
}

function* rulesOf(schema: object): Generator<string> {
  for (const [key, value] of Object.entries(schema)) {
    if (key === "x-kubernetes-validations") for (const { message } of value as { message: string }[]) yield message;
    else if (typeof value === "object" && value !== null) yield* rulesOf(value as object);
  }
}

/** What backends of all kinds have in common is broken in `envoyproxy.test.ts`. */
const ofClusters = new Set(rulesOf(envoyProxyDefinition.spec));

describe.each([
  [clientTrafficPolicyDefinition.spec, "ClientTrafficPolicy"],
  [backendTrafficPolicyDefinition.spec, "BackendTrafficPolicy"],
  [securityPolicyDefinition.spec, "SecurityPolicy"],
] as const)("each rule of %#", (schema, kind) => {
  const cases = policyCases[kind];

  test.each(cases)("%s", (message, valid, invalid) => {
    expect(complaints(kind, valid)).toEqual([]);
    expect(complaints(kind, invalid)).toEqual([expect.stringMatching(new RegExp(`: ${escaped(message)}$`))]);
  });

  test("is in the list", () => {
    const judged = new Set(cases.map(([message]) => message));
    const rules = [...new Set(rulesOf(schema))];
    expect(rules.filter((rule) => !judged.has(rule) && !ofClusters.has(rule))).toEqual([]);
    expect([...judged].filter((message) => !rules.includes(message))).toEqual([]);
  });
});

function escaped(message: string): string {
  return message.replace(/[().]/g, "\\$&");
}

test.each(publishedBackendSpecs)("the published spec %j is taken as it is", (spec) => {
  expect(complaints("BackendTrafficPolicy", spec)).toEqual([]);
});

const corsOf = (origin: string) => ({
  targetRefs: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: "a" }],
  cors: { allowOrigins: [origin] },
});

test.each(origins.valid)("%s is an origin", (origin) => {
  expect(complaints("SecurityPolicy", corsOf(origin))).toEqual([]);
});

test.each(origins.invalid)("%j is no origin", (origin) => {
  expect(complaints("SecurityPolicy", corsOf(origin))).not.toEqual([]);
});
