import type { HTTPRouteFilter, HTTPRouteMatch } from "../api/gateway-api.ts";
import { findHeaderValueFault, findModifiedHeaderFault } from "./header-syntax.ts";
import { fault, findFirst, type RuleFault } from "./rule-matches.ts";

/** A fault of a filter with the reason that the route's `Accepted` condition shows. */
export interface FilterFault extends RuleFault {
  readonly reason: "UnsupportedValue" | "IncompatibleFilters";
}

/** Filters of which a list may hold one at most (Gateway API, HTTPRouteFilter). */
const atMostOnce: ReadonlySet<string> = new Set([
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestRedirect",
  "URLRewrite",
  "CORS",
]);

/**
 * The first filter of a rule that cannot work as written. References (RequestMirror, ExtensionRef) are followed elsewhere.
 *
 * @param matches of the rule: a prefix can only be replaced where a prefix is matched
 */
export function findFilterFault(
  filters: readonly HTTPRouteFilter[] | undefined,
  matches: readonly HTTPRouteMatch[] | undefined,
): FilterFault | undefined {
  const seen = new Set<string>();
  for (const [index, filter] of (filters ?? []).entries()) {
    const field = `filters[${index}]`;
    if (atMostOnce.has(filter.type) && seen.has(filter.type)) {
      return incompatible(field, `is a second ${filter.type}, and a rule takes one; merge them`);
    }
    seen.add(filter.type);
    const found = findOneFault(filter, field, matches);
    if (found !== undefined) return found;
  }
  return seen.has("RequestRedirect") && seen.has("URLRewrite")
    ? incompatible(
        "filters",
        "holds both RequestRedirect and URLRewrite, and a redirected request is not forwarded; keep one of them",
      )
    : undefined;
}

function findOneFault(
  filter: HTTPRouteFilter,
  field: string,
  matches: readonly HTTPRouteMatch[] | undefined,
): FilterFault | undefined {
  switch (filter.type) {
    case "RequestHeaderModifier":
      return unsupported(findModifierFault(filter.requestHeaderModifier, `${field}.requestHeaderModifier`));
    case "ResponseHeaderModifier":
      return unsupported(findModifierFault(filter.responseHeaderModifier, `${field}.responseHeaderModifier`));
    case "RequestRedirect":
      return unsupported(
        missing(filter.requestRedirect, `${field}.requestRedirect`) ??
          findPathModifierFault(filter.requestRedirect?.path, `${field}.requestRedirect.path`, matches, true),
      );
    case "URLRewrite":
      return unsupported(
        missing(filter.urlRewrite, `${field}.urlRewrite`) ??
          findPathModifierFault(filter.urlRewrite?.path, `${field}.urlRewrite.path`, matches, false),
      );
    case "RequestMirror":
      return unsupported(findMirrorFault(filter.requestMirror, `${field}.requestMirror`));
    case "CORS":
      return unsupported(missing(filter.cors, `${field}.cors`));
    case "ExtensionRef":
      return unsupported(missing(filter.extensionRef, `${field}.extensionRef`));
    default:
      return unsupported(
        fault(`${field}.type`, `is ${filter.type as string}, which is not implemented in this version; remove it`),
      );
  }
}

function unsupported(found: RuleFault | undefined): FilterFault | undefined {
  return found && { ...found, reason: "UnsupportedValue" };
}

function incompatible(field: string, message: string): FilterFault {
  return { field, message, reason: "IncompatibleFilters" };
}

const absent = "is missing; set it, or remove the filter";

function missing(part: object | undefined, field: string): RuleFault | undefined {
  return part === undefined ? { field, message: absent } : undefined;
}

interface HeaderModifier {
  readonly set?: readonly { readonly name: string; readonly value: string }[];
  readonly add?: readonly { readonly name: string; readonly value: string }[];
  readonly remove?: readonly string[];
}

/** Faults of a header modifier, also of the headers of a direct response. */
export function findModifierFault(modifier: HeaderModifier | undefined, field: string): RuleFault | undefined {
  if (modifier === undefined) return { field, message: absent };
  for (const part of ["set", "add"] as const) {
    const found = findFirst(
      modifier[part],
      `${field}.${part}`,
      ({ name, value }, at) =>
        fault(`${at}.name`, findModifiedHeaderFault(name)) ?? fault(`${at}.value`, findHeaderValueFault(value)),
    );
    if (found !== undefined) return found;
  }
  return findFirst(modifier.remove, `${field}.remove`, (name, at) => fault(at, findModifiedHeaderFault(name)));
}

interface PathModifier {
  readonly type: string;
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
}

/** @param queryAllowed the new path may bring a query of its own, as the Location of a redirect does */
function findPathModifierFault(
  modifier: PathModifier | undefined,
  field: string,
  matches: readonly HTTPRouteMatch[] | undefined,
  queryAllowed: boolean,
): RuleFault | undefined {
  if (modifier === undefined) return undefined;
  const { type, replaceFullPath, replacePrefixMatch } = modifier;
  if (type !== "ReplaceFullPath" && type !== "ReplacePrefixMatch") {
    return fault(`${field}.type`, `is ${type}, which is unknown; use ReplaceFullPath or ReplacePrefixMatch`);
  }
  if (type === "ReplacePrefixMatch" && matches?.some(({ path }) => (path?.type ?? "PathPrefix") !== "PathPrefix")) {
    return fault(
      `${field}.type`,
      "is ReplacePrefixMatch beside a match that is no PathPrefix; use ReplaceFullPath, or match prefixes only",
    );
  }
  const name = type === "ReplaceFullPath" ? "replaceFullPath" : "replacePrefixMatch";
  const value = type === "ReplaceFullPath" ? replaceFullPath : replacePrefixMatch;
  if (value === undefined) return fault(`${field}.${name}`, absent);
  return fault(`${field}.${name}`, findNewPathFault(value, type === "ReplaceFullPath", queryAllowed));
}

/** Without its slash a path would run into the host of a Location, or be no request at all. */
function findNewPathFault(path: string, whole: boolean, queryAllowed: boolean): string | undefined {
  if (!path.startsWith("/") && (whole || path !== "")) return `is "${path}", and a path begins with "/"; write one`;
  if (/[#\0-\x20\x7f]/.test(path))
    return 'holds a space, a control character or "#", which no path has; write it as %XX';
  if (path.includes("?") && !(whole && queryAllowed)) {
    return 'holds a "?", and the query of the request stays as it is; remove it';
  }
  return undefined;
}

function findMirrorFault(mirror: HTTPRouteFilter["requestMirror"], field: string): RuleFault | undefined {
  if (mirror === undefined) return { field, message: absent };
  const { percent, fraction } = mirror;
  if (percent !== undefined && fraction !== undefined) {
    return fault(field, "has both percent and fraction; keep one of them");
  }
  if (percent !== undefined && !(percent >= 0 && percent <= 100)) {
    return fault(`${field}.percent`, `is ${percent}; write a number from 0 to 100`);
  }
  if (fraction === undefined) return undefined;
  const { numerator, denominator = 100 } = fraction;
  return denominator >= 1 && numerator >= 0 && numerator <= denominator
    ? undefined
    : fault(`${field}.fraction`, `is ${numerator} of ${denominator}; write one between 0 and 1`);
}
