import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import { expandShorthands } from "./policy-shorthands.ts";

type Content = Record<string, unknown>;
type Kind = Parameters<typeof expandShorthands>[0];

interface Row {
  readonly kind: Kind;
  readonly written: Content;
  readonly meant: Content;
  /** Below `spec`: what the warnings name, in their order. */
  readonly fields: readonly string[];
  /** The catalogue's field beside the shorthand with another value. */
  readonly other?: Content;
}

const backend = (
  written: Content,
  meant: Content,
  field: string | readonly string[],
  other?: Content,
): readonly [string, Row] => [
  JSON.stringify(written),
  { kind: "BackendTrafficPolicy", written, meant, fields: [field].flat(), ...(other && { other }) },
];

const rows: readonly (readonly [string, Row])[] = [
  backend(
    { circuitBreaker: { maxRequests: 5 } },
    { circuitBreaker: { maxParallelRequests: 5 } },
    "circuitBreaker.maxParallelRequests",
    { circuitBreaker: { maxParallelRequests: 6 } },
  ),
  backend(
    { circuitBreaker: { maxRetries: 3 } },
    { circuitBreaker: { maxParallelRetries: 3 } },
    "circuitBreaker.maxParallelRetries",
    { circuitBreaker: { maxParallelRetries: 4 } },
  ),
  backend(
    { connectionPool: { maxConnections: 7 } },
    { circuitBreaker: { maxConnections: 7 } },
    "circuitBreaker.maxConnections",
    { circuitBreaker: { maxConnections: 8 } },
  ),
  backend(
    { connectionPool: { maxPendingRequests: 7 } },
    { circuitBreaker: { maxPendingRequests: 7 } },
    "circuitBreaker.maxPendingRequests",
    { circuitBreaker: { maxPendingRequests: 8 } },
  ),
  backend(
    { connectionPool: { maxRequestsPerConnection: 0 } },
    { circuitBreaker: { maxRequestsPerConnection: 0 } },
    "circuitBreaker.maxRequestsPerConnection",
    { circuitBreaker: { maxRequestsPerConnection: 100 } },
  ),
  backend(
    { connectionPool: { idleTimeout: "1h" } },
    { timeout: { http: { connectionIdleTimeout: "1h" } } },
    "timeout.http.connectionIdleTimeout",
    { timeout: { http: { connectionIdleTimeout: "2h" } } },
  ),
  backend(
    { timeout: { request: "10s" } },
    { timeout: { http: { requestTimeout: "10s" } } },
    "timeout.http.requestTimeout",
    { timeout: { http: { requestTimeout: "11s" } } },
  ),
  // An attempt may be limited where nothing is tried again.
  backend(
    { timeout: { backendRequest: "8s" } },
    { retry: { numRetries: 0, perRetry: { timeout: "8s" } } },
    "retry.perRetry.timeout",
    { retry: { perRetry: { timeout: "9s" } } },
  ),
  backend({ retry: { perRetryTimeout: "3s" } }, { retry: { perRetry: { timeout: "3s" } } }, "retry.perRetry.timeout", {
    retry: { perRetry: { timeout: "4s" } },
  }),
  backend(
    { timeout: { backendRequest: "8s" }, retry: { numRetries: 2, perRetryTimeout: "3s" } },
    { retry: { numRetries: 2, perRetry: { timeout: "3s" } } },
    ["retry.perRetry.timeout", "retry.perRetry.timeout"],
  ),
  backend(
    { healthCheck: { passive: { consecutive5xxErrors: 4 } } },
    { healthCheck: { passive: { consecutive5XxErrors: 4 } } },
    "healthCheck.passive.consecutive5XxErrors",
    { healthCheck: { passive: { consecutive5XxErrors: 6 } } },
  ),
  ...[true, false].map((merged): readonly [string, Row] => [
    `path.mergeSlashes: ${merged}`,
    {
      kind: "ClientTrafficPolicy",
      written: { path: { mergeSlashes: merged } },
      meant: { path: { disableMergeSlashes: !merged } },
      fields: ["path.disableMergeSlashes"],
      other: { path: { disableMergeSlashes: merged } },
    },
  ]),
];

test.each(rows)("%s", (_name, { kind, written, meant, fields, other }) => {
  const { spec, refused, warnings } = expandShorthands(kind, written);
  expect(spec).toEqual(meant);
  expect(refused).toEqual([]);
  expect(warnings).toEqual(
    fields.map((field) => ({
      field: expect.any(String),
      text: expect.stringContaining(`write spec.${field} instead`),
      reason: "Shorthand",
    })),
  );
  if (other === undefined) return;
  expect(expandShorthands(kind, merge(written, meant))).toMatchObject({ spec: meant, refused: [] });
  expect(expandShorthands(kind, merge(written, other)).refused).toEqual([
    {
      field: warnings[0]?.field,
      text: expect.stringMatching(`spec\\.${fields[0]}, which says .*; remove one of them`),
    },
  ]);
});

test.each([
  ["circuitBreaker", { maxRequests: 5, maxParallelRequests: 1024 }, { maxParallelRequests: 5 }],
  ["circuitBreaker", { maxRetries: 5, maxParallelRetries: 1024 }, { maxParallelRetries: 5 }],
])("what an API server has filled in for %s does not contradict %j", (field, written, meant) => {
  expect(expandShorthands("BackendTrafficPolicy", { [field]: written })).toMatchObject({
    spec: { [field]: meant },
    refused: [],
  });
});

test.each(["global", "local"])("a range that is left out of rateLimit.%s is warned of, and stays left out", (scope) => {
  const selectors = [
    { sourceCIDR: { type: "Distinct" } },
    { sourceCIDR: { value: "10.0.0.0/8" } },
    { headers: [{ name: "a" }] },
  ];
  const written = { rateLimit: { [scope]: { rules: [{}, { clientSelectors: selectors }] } } };
  expect(expandShorthands("BackendTrafficPolicy", written)).toEqual({
    spec: written,
    refused: [],
    warnings: [
      {
        field: `spec.rateLimit.${scope}.rules[1].clientSelectors[0].sourceCIDR.value`,
        text: expect.stringContaining("is left out, which means every address"),
        reason: "Shorthand",
      },
    ],
  });
});

test("a policy without shorthands stays the object that it is", () => {
  const spec = { circuitBreaker: { maxParallelRequests: 1 } };
  expect(expandShorthands("BackendTrafficPolicy", spec).spec).toBe(spec);
});

/** Whatever the CRD takes as a shorthand is expanded: none is accepted and ignored. */
test.each([
  ["BackendTrafficPolicy", "backendtrafficpolicies"],
  ["ClientTrafficPolicy", "clienttrafficpolicies"],
] as const)("all shorthands of the CRD of %s are known", (kind, plural) => {
  const file = join(import.meta.dirname, `../../crds/gateway.envoyproxy.io_${plural}.yaml`);
  const crd = parse(readFileSync(file, "utf8")) as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } };
  const found = [...shorthandsIn(crd.spec.versions[0]?.schema.openAPIV3Schema.properties?.["spec"] ?? {}, [])];
  expect(found.length).toBeGreaterThan(0);
  const tested = new Set(rows.flatMap(([, row]) => (row.kind === kind ? [...leaves(row.written)] : [])));
  for (const path of found) {
    const { warnings } = expandShorthands(kind, build(path));
    expect([path.join("."), warnings.map(({ reason }) => reason)]).toEqual([path.join("."), ["Shorthand"]]);
    if (!path.includes("[]")) expect(tested).toContain(path.join("."));
  }
});

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

function* shorthandsIn({ description = "", properties, items }: Schema, path: readonly string[]): Generator<string[]> {
  if (properties === undefined && items === undefined && description.includes("Shorthand")) yield [...path];
  if (items !== undefined) yield* shorthandsIn(items, [...path, "[]"]);
  for (const [name, inside] of Object.entries(properties ?? {})) yield* shorthandsIn(inside, [...path, name]);
}

/** An object in which the path is written, or only what is around it where the shorthand is to leave the field out. */
function build([step, ...rest]: readonly string[]): Content {
  if (rest[0] === "[]") return { [step as string]: [build(rest.slice(1))] };
  if (rest.length > 0) return { [step as string]: build(rest) };
  return step === "value" ? {} : { [step as string]: 1 };
}

function* leaves(value: Content, path = ""): Generator<string> {
  for (const [name, inside] of Object.entries(value)) {
    if (typeof inside === "object") yield* leaves(inside as Content, `${path}${name}.`);
    else yield `${path}${name}`;
  }
}

function merge(one: Content, other: Content): Content {
  const result = { ...one };
  for (const [name, value] of Object.entries(other)) {
    const own = result[name];
    result[name] =
      typeof own === "object" && typeof value === "object" ? merge(own as Content, value as Content) : value;
  }
  return result;
}
