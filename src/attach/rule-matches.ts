import type { GRPCRouteMatch, HTTPRouteMatch } from "../api/gateway-api.ts";
import { findHeaderNameFault } from "./header-syntax.ts";
import { findRegexFault } from "./regex.ts";

/** Something of a rule that Envoy would refuse or the API does not know. */
export interface RuleFault {
  /** A path inside the rule. */
  readonly field: string;
  /** Completes a sentence that begins with the field. */
  readonly message: string;
}

const methods: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
]);

/** The first match of an HTTPRoute rule that cannot be given to Envoy. */
export function findHttpMatchFault(matches: readonly HTTPRouteMatch[] | undefined): RuleFault | undefined {
  return findFirst(matches, "matches", (match, field) => {
    const { path, headers, queryParams, method } = match;
    if (method !== undefined && !methods.has(method))
      return fault(`${field}.method`, `is ${method}, which is unknown; use ${[...methods].join(", ")}`);
    return (
      findPathFault(path, `${field}.path`) ??
      findFirst(headers, `${field}.headers`, findHeaderConditionFault) ??
      findFirst(queryParams, `${field}.queryParams`, (param, at) =>
        param.name === "" ? fault(`${at}.name`, "is empty; name the parameter") : findValueFault(param, at),
      )
    );
  });
}

/** The first match of a GRPCRoute rule that cannot be given to Envoy. */
export function findGrpcMatchFault(matches: readonly GRPCRouteMatch[] | undefined): RuleFault | undefined {
  return findFirst(
    matches,
    "matches",
    ({ method, headers }, field) =>
      findGrpcMethodFault(method, `${field}.method`) ??
      findFirst(headers, `${field}.headers`, findHeaderConditionFault),
  );
}

/** The first item with a fault; `field` of the item is `list[index]`. */
export function findFirst<T>(
  items: readonly T[] | undefined,
  field: string,
  find: (item: T, field: string) => RuleFault | undefined,
): RuleFault | undefined {
  for (const [index, item] of (items ?? []).entries()) {
    const found = find(item, `${field}[${index}]`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findPathFault(path: HTTPRouteMatch["path"], field: string): RuleFault | undefined {
  if (path === undefined) return undefined;
  const { type = "PathPrefix", value = "/" } = path;
  if (type === "RegularExpression") return fault(`${field}.value`, findRegexFault(value));
  if (type !== "Exact" && type !== "PathPrefix")
    return unknownType(field, String(type), "Exact, PathPrefix or RegularExpression");
  return /^\/[^?#\0-\x20]*$/.test(value)
    ? undefined
    : fault(`${field}.value`, `is "${value}", and a path begins with / and holds no space, ? or #; correct it`);
}

interface NamedCondition {
  readonly name: string;
  readonly type?: string;
  readonly value: string;
}

function findHeaderConditionFault(header: NamedCondition, field: string): RuleFault | undefined {
  return fault(`${field}.name`, findHeaderNameFault(header.name)) ?? findValueFault(header, field);
}

/** Faults of type and value, which headers, query parameters and cookies share. */
export function findValueFault({ type = "Exact", value }: NamedCondition, field: string): RuleFault | undefined {
  if (type === "Exact") return undefined;
  return type === "RegularExpression"
    ? fault(`${field}.value`, findRegexFault(value))
    : unknownType(field, type, exactOrRegex);
}

function findGrpcMethodFault(match: GRPCRouteMatch["method"], field: string): RuleFault | undefined {
  const { type = "Exact", service, method } = match ?? {};
  for (const [name, value] of [
    ["service", service],
    ["method", method],
  ] as const) {
    if (value === undefined || value === "") continue;
    if (type === "RegularExpression") {
      const found = fault(`${field}.${name}`, findRegexFault(value));
      if (found !== undefined) return found;
    } else if (type !== "Exact") {
      return unknownType(field, String(type), exactOrRegex);
    } else if (/[/?#\0-\x20]/.test(value)) {
      return fault(`${field}.${name}`, `is "${value}", and such a name holds no /, ?, # or space; correct it`);
    }
  }
  return undefined;
}

const exactOrRegex = "Exact or RegularExpression";

function unknownType(field: string, type: string, known: string): RuleFault {
  return { field: `${field}.type`, message: `is ${type}, which is unknown; use ${known}` };
}

export function fault(field: string, message: string | undefined): RuleFault | undefined {
  return message === undefined ? undefined : { field, message };
}
