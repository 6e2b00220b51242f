import { isRecord } from "../api/field.ts";
import type { AttachedPolicyKind, PolicyFinding } from "./policy-model.ts";

/**
 * Ways of writing a field that published guides have and the catalogue of fields has not. They are replaced before anything else
 * looks at the policy; a warning names the field to write instead.
 */
interface Shorthand {
  readonly from: string;
  readonly to: string;
  /** What an API server fills in for `to`, so that it counts as not written. */
  readonly usual?: unknown;
  /** A shorthand for the same field that is listed before and wins without a word. */
  readonly yieldsTo?: string;
  readonly value?: (written: unknown) => unknown;
  /** It is a shorthand only where this is written. */
  readonly beside?: string;
}

/** Envoy's own limits, which an API server fills in. */
const usual = 1024;

/** In the order in which they are replaced. */
const shorthands: Readonly<Record<AttachedPolicyKind, readonly Shorthand[]>> = {
  BackendTrafficPolicy: [
    { from: "circuitBreaker.maxRequests", to: "circuitBreaker.maxParallelRequests", usual },
    { from: "circuitBreaker.maxRetries", to: "circuitBreaker.maxParallelRetries", usual },
    { from: "connectionPool.maxConnections", to: "circuitBreaker.maxConnections", usual },
    { from: "connectionPool.maxPendingRequests", to: "circuitBreaker.maxPendingRequests", usual },
    { from: "connectionPool.maxRequestsPerConnection", to: "circuitBreaker.maxRequestsPerConnection" },
    { from: "connectionPool.idleTimeout", to: "timeout.http.connectionIdleTimeout" },
    { from: "timeout.request", to: "timeout.http.requestTimeout" },
    { from: "retry.perRetryTimeout", to: "retry.perRetry.timeout" },
    { from: "timeout.backendRequest", to: "retry.perRetry.timeout", yieldsTo: "retry.perRetryTimeout" },
    { from: "healthCheck.passive.consecutive5xxErrors", to: "healthCheck.passive.consecutive5XxErrors", usual: 5 },
  ],
  ClientTrafficPolicy: [
    { from: "path.mergeSlashes", to: "path.disableMergeSlashes", value: (merged) => merged === false },
  ],
  SecurityPolicy: [{ from: "extAuth.headersToBackend", to: "extAuth.http.headersToBackend", beside: "extAuth.http" }],
};

/**
 * Fields that the catalogue requires and published guides leave out, with what that means. They stay left out: no one range has the
 * addresses of both families.
 */
const omissions: Readonly<Record<AttachedPolicyKind, readonly Omission[]>> = {
  BackendTrafficPolicy: ["global", "local"].map((scope) => ({
    within: `rateLimit.${scope}.rules[].clientSelectors[].sourceCIDR`,
    field: "value",
    meaning: "every address, as a shorthand that other implementations may not know; write a range such as 0.0.0.0/0",
  })),
  ClientTrafficPolicy: [],
  SecurityPolicy: [],
};

interface Omission {
  /** `[]` is any item of a list. */
  readonly within: string;
  readonly field: string;
  readonly meaning: string;
}

interface Expanded<S> {
  readonly spec: S;
  readonly refused: readonly PolicyFinding[];
  readonly warnings: readonly PolicyFinding[];
}

/** The spec in the catalogue's fields alone, but for those that are left out. The same object when there is no shorthand in it. */
export function expandShorthands<S extends object>(kind: AttachedPolicyKind, spec: S): Expanded<S> {
  const leftOut = omissions[kind].flatMap((omission) => findOmissions(spec, omission));
  const present = shorthands[kind].filter(
    ({ from, beside }) =>
      valueAt(spec, from) !== undefined && (beside === undefined || valueAt(spec, beside) !== undefined),
  );
  if (present.length === 0) return { spec, refused: [], warnings: leftOut };
  const refused: PolicyFinding[] = [];
  const result = structuredClone(spec) as Record<string, unknown>;
  // An attempt may be limited where nothing is tried again.
  const retries = valueAt(spec, "retry") !== undefined;
  for (const { from, to, usual, yieldsTo, value: read = (written: unknown) => written } of present) {
    const value = read(valueAt(spec, from));
    remove(result, from);
    if (yieldsTo !== undefined && valueAt(spec, yieldsTo) !== undefined) continue;
    const standing = valueAt(result, to);
    if (standing === undefined || standing === usual) assign(result, to, value);
    else if (standing !== value) {
      const text = `is a shorthand for spec.${to}, which says ${JSON.stringify(standing)}; remove one of them`;
      refused.push({ field: `spec.${from}`, text });
    }
  }
  if (!retries && valueAt(result, "retry") !== undefined) assign(result, "retry.numRetries", 0);
  const warnings = present.map(({ from, to }) => ({
    field: `spec.${from}`,
    text: `is a shorthand that other implementations may not know; write spec.${to} instead`,
    reason: "Shorthand",
  }));
  return { spec: result as S, refused, warnings: [...warnings, ...leftOut] };
}

function findOmissions(spec: object, { within, field, meaning }: Omission): PolicyFinding[] {
  return [...valuesAt(spec, within.split(/\.|(?=\[\])/), "spec")].flatMap(([path, value]) =>
    isRecord(value) && value[field] === undefined
      ? [{ field: `${path}.${field}`, text: `is left out, which means ${meaning}`, reason: "Shorthand" }]
      : [],
  );
}

function* valuesAt(value: unknown, [step, ...rest]: readonly string[], path: string): Generator<[string, unknown]> {
  if (step === undefined) yield [path, value];
  else if (step === "[]") {
    if (!Array.isArray(value)) return;
    for (const [index, item] of value.entries()) yield* valuesAt(item, rest, `${path}[${index}]`);
  } else if (isRecord(value) && value[step] !== undefined) yield* valuesAt(value[step], rest, `${path}.${step}`);
}

function valueAt(value: object, path: string): unknown {
  let inside: unknown = value;
  for (const step of path.split(".")) inside = isRecord(inside) ? inside[step] : undefined;
  return inside;
}

function assign(value: Record<string, unknown>, path: string, content: unknown): void {
  const steps = path.split(".");
  const last = steps.pop() as string;
  let inside = value;
  for (const step of steps) {
    if (!isRecord(inside[step])) inside[step] = {};
    inside = inside[step] as Record<string, unknown>;
  }
  inside[last] = content;
}

/** With what becomes empty around it. */
function remove(value: Record<string, unknown>, path: string): void {
  const [step = "", ...rest] = path.split(".");
  const inside = value[step];
  if (rest.length === 0) delete value[step];
  else if (isRecord(inside)) {
    remove(inside, rest.join("."));
    if (Object.keys(inside).length === 0) delete value[step];
  }
}
