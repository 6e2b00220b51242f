import type { FieldPath } from "./field.ts";
import type { GRPCRouteFilter, HTTPRouteFilter, HTTPRouteMatch } from "./gateway-api.ts";
import { type Report, reportRepeated } from "./gateway-rules.ts";

/** The CEL rules on the filters of routes; see {@link checkGateway} for what is meant by that. */

type RouteFilter = HTTPRouteFilter | GRPCRouteFilter;

/** Field that carries the settings of a filter type. */
const fieldOfType: Readonly<Record<string, string>> = {
  RequestHeaderModifier: "requestHeaderModifier",
  ResponseHeaderModifier: "responseHeaderModifier",
  RequestMirror: "requestMirror",
  RequestRedirect: "requestRedirect",
  URLRewrite: "urlRewrite",
  CORS: "cors",
  ExternalAuth: "externalAuth",
  ExtensionRef: "extensionRef",
};

/** Of these types there may be one filter in a list; mirrors and extensions may be several. */
const onceTypes: ReadonlySet<string> = new Set([
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestRedirect",
  "URLRewrite",
  "CORS",
]);

export function checkFilters(filters: readonly RouteFilter[] | undefined, path: FieldPath, report: Report): void {
  if (filters === undefined) return;
  reportRepeated(
    filters,
    path,
    (filter) => (onceTypes.has(filter.type) ? filter.type : undefined),
    (first) => `is of the same type as filter ${first}, which is allowed only once here: merge them`,
    report,
  );
  const types = new Set<string>(filters.map((filter) => filter.type));
  if (types.has("RequestRedirect") && types.has("URLRewrite")) {
    report(path, "must not have both a RequestRedirect and a URLRewrite: a redirected request reaches no backend");
  }
  for (const [index, filter] of filters.entries()) checkFilter(filter, [...path, index], report);
}

function checkFilter(filter: RouteFilter, path: FieldPath, report: Report): void {
  const own = fieldOfType[filter.type];
  for (const [type, field] of Object.entries(fieldOfType)) {
    const present = filter[field as keyof RouteFilter] !== undefined;
    if (field === own && !present) report([...path, field], `is required with type ${type}`);
    if (field !== own && present)
      report([...path, field], `does not belong to type ${filter.type}: remove it or set type to ${type}`);
  }
  for (const field of ["requestHeaderModifier", "responseHeaderModifier"] as const) {
    for (const list of ["set", "add"] as const) {
      reportRepeated(
        filter[field]?.[list],
        [...path, field, list],
        (header) => header.name,
        (first) => `sets the same header as item ${first}`,
        report,
      );
    }
  }
  const mirror = filter.requestMirror;
  if (mirror) checkMirror(mirror, [...path, "requestMirror"], report);
  if ("requestRedirect" in filter)
    checkPathModifier(filter.requestRedirect?.path, [...path, "requestRedirect", "path"], report);
  if ("urlRewrite" in filter) checkPathModifier(filter.urlRewrite?.path, [...path, "urlRewrite", "path"], report);
  if ("cors" in filter && filter.cors) checkCors(filter.cors, [...path, "cors"], report);
}

function checkMirror(mirror: NonNullable<HTTPRouteFilter["requestMirror"]>, path: FieldPath, report: Report): void {
  checkServicePort(mirror.backendRef, [...path, "backendRef"], report);
  if (mirror.percent !== undefined && mirror.fraction !== undefined) {
    report([...path, "fraction"], "cannot stand beside percent: leave one of them out");
  }
  if (mirror.fraction && mirror.fraction.numerator > (mirror.fraction.denominator ?? 100)) {
    report([...path, "fraction", "numerator"], "must not be above the denominator (100 when left out)");
  }
}

type PathModifier = NonNullable<HTTPRouteFilter["urlRewrite"]>["path"];

function checkPathModifier(modifier: PathModifier, path: FieldPath, report: Report): void {
  if (modifier === undefined) return;
  const pairs = [
    ["ReplaceFullPath", "replaceFullPath"],
    ["ReplacePrefixMatch", "replacePrefixMatch"],
  ] as const;
  for (const [type, field] of pairs) {
    const present = modifier[field] !== undefined;
    if (modifier.type === type && !present) report([...path, field], `is required with type ${type}`);
    if (modifier.type !== type && present)
      report([...path, field], `does not belong to type ${modifier.type}: remove it or set type to ${type}`);
  }
}

type Cors = NonNullable<HTTPRouteFilter["cors"]>;

function checkCors(cors: Cors, path: FieldPath, report: Report): void {
  for (const field of ["allowOrigins", "allowMethods", "allowHeaders"] as const) {
    const values: readonly string[] = cors[field] ?? [];
    if (values.length > 1 && values.includes("*")) {
      report([...path, field], "must not have other entries beside *, which already allows everything");
    }
  }
}

interface BackendReference {
  readonly group?: string;
  readonly kind?: string;
  readonly port?: number;
}

/** A reference to a Service must say which of its ports. */
export function checkServicePort(reference: BackendReference, path: FieldPath, report: Report): void {
  if ((reference.group ?? "") === "" && (reference.kind ?? "Service") === "Service" && reference.port === undefined) {
    report([...path, "port"], "is required for a Service");
  }
}

/** ReplacePrefixMatch needs to know the one prefix that it replaces. */
export function checkPrefixReplacement(
  filters: readonly HTTPRouteFilter[] | undefined,
  matches: readonly HTTPRouteMatch[] | undefined,
  path: FieldPath,
  report: Report,
): void {
  for (const [index, filter] of (filters ?? []).entries()) {
    for (const field of ["requestRedirect", "urlRewrite"] as const) {
      if (filter[field]?.path?.type !== "ReplacePrefixMatch") continue;
      if (matches?.length === 1 && matches[0]?.path?.type === "PathPrefix") continue;
      report(
        [...path, index, field, "path", "type"],
        "ReplacePrefixMatch needs a rule with exactly one match, of path type PathPrefix: split the rule",
      );
    }
  }
}
