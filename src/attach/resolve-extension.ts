import type { ConfigMap } from "../api/core.ts";
import type { HTTPRouteFilter } from "../api/httproutefilter.ts";
import { compareStrings, objectKey } from "../base/keys.ts";
import { findHeaderNameFault, findHeaderValueFault, findModifiedHeaderFault } from "./header-syntax.ts";
import type { ClusterSpec, ResolvedExtension } from "./model.ts";
import { lineOf, objectBytes } from "./object-data.ts";
import { findRegexFault, findSubstitutionFault } from "./regex.ts";
import type { ReferenceFault } from "./resolve-backend.ts";
import type { ResolveReader } from "./resolve-reader.ts";
import { findModifierFault } from "./rule-filters.ts";

/** Longest body of a direct response: what a ConfigMap can hold. Mind that it is part of every update of the route table. */
const BODY_BYTES_MAX = 1024 * 1024;
const STATUS_MIN = 200;
const STATUS_MAX = 599;
/** A client takes what follows such an answer for the beginning of the next one (RFC 9110 section 6.4.1). */
const bodilessStatuses: ReadonlySet<number> = new Set([204, 205, 304]);

export interface FoundExtension {
  readonly extension: ResolvedExtension;
  readonly credential?: NonNullable<ClusterSpec["credential"]>;
}

/** Why a filter cannot be used. */
export interface ExtensionFault extends ReferenceFault {
  /** Present when the filter exists and its matches are good: they narrow what the rule fails on. */
  readonly extension?: ResolvedExtension;
}

/** The matches that a filter adds cannot be given to Envoy; completes a sentence that begins with the reference. */
export interface UnmatchableExtension {
  readonly unmatchable: string;
}

/** Follows an ExtensionRef filter to its HTTPRouteFilter and what that refers to. References stay in the namespace. */
export function findExtension(
  namespace: string,
  reference: { readonly group: string; readonly kind: string; readonly name: string },
  filterIndex: number,
  read: ResolveReader,
): FoundExtension | ExtensionFault | UnmatchableExtension {
  const { group, kind, name } = reference;
  if (group !== "gateway.envoyproxy.io" || kind !== "HTTPRouteFilter") {
    return {
      reason: "InvalidKind",
      message: `names kind ${kind} of group "${group}", and only HTTPRouteFilter of gateway.envoyproxy.io extends a route; name one`,
    };
  }
  const key = objectKey(namespace, name);
  const filter = read.routeFilter(key);
  if (filter === undefined)
    return {
      reason: "BackendNotFound",
      message: `names HTTPRouteFilter ${key}, which does not exist; create it or correct the reference`,
    };
  const cookieFault = findCookieFault(filter);
  if (cookieFault !== undefined) return { unmatchable: `names HTTPRouteFilter ${key}, whose ${cookieFault}` };
  const bare: ResolvedExtension = { filterIndex, filter: filter.spec };
  const fault = findFilterFault(filter);
  if (fault !== undefined) {
    return { reason: "UnsupportedValue", message: `names HTTPRouteFilter ${key}, whose ${fault}`, extension: bare };
  }
  const body = findBody(namespace, key, filter, read);
  if (typeof body === "object" && "reason" in body) return { ...body, extension: bare };
  const credential = findCredential(namespace, key, filter, read);
  if (credential !== undefined && "reason" in credential) return { ...credential, extension: bare };
  const extension: ResolvedExtension = { filterIndex, filter: filter.spec, ...(body !== undefined && { body }) };
  return credential === undefined ? { extension } : { extension, credential };
}

function findFilterFault({ spec }: HTTPRouteFilter): string | undefined {
  const { path, hostname } = spec.urlRewrite ?? {};
  const rewrite =
    findReplacementFault("spec.urlRewrite.path.replaceRegexMatch", path?.replaceRegexMatch) ??
    findReplacementFault("spec.urlRewrite.hostname.pathRegex", hostname?.pathRegex) ??
    complete("spec.urlRewrite.hostname.header", hostname?.header, findHeaderNameFault) ??
    complete("spec.credentialInjection.header", spec.credentialInjection?.header, findModifiedHeaderFault) ??
    complete("spec.directResponse.contentType", spec.directResponse?.contentType, findHeaderValueFault);
  if (rewrite !== undefined) return rewrite;
  const response = spec.directResponse;
  const status = response?.statusCode ?? STATUS_MIN;
  if (status < STATUS_MIN || status > STATUS_MAX) {
    return `spec.directResponse.statusCode is ${status}, and a final status is from ${STATUS_MIN} to ${STATUS_MAX}; write one`;
  }
  if (response?.body !== undefined && bodilessStatuses.has(status)) {
    return `spec.directResponse.body stands beside status ${status}, whose answers have none; remove it`;
  }
  const header = response?.header && findModifierFault(response.header, "spec.directResponse.header");
  return header && `${header.field} ${header.message}`;
}

function complete(
  field: string,
  value: string | undefined,
  find: (value: string) => string | undefined,
): string | undefined {
  const found = value === undefined ? undefined : find(value);
  return found && `${field} ${found}`;
}

function findReplacementFault(
  field: string,
  replacement: { readonly pattern: string; readonly substitution: string } | undefined,
): string | undefined {
  if (replacement === undefined) return undefined;
  const { pattern, substitution } = replacement;
  return (
    complete(`${field}.pattern`, pattern, findRegexFault) ??
    complete(`${field}.substitution`, substitution, (text) => findSubstitutionFault(pattern, text))
  );
}

function findCookieFault({ spec }: HTTPRouteFilter): string | undefined {
  for (const { cookies } of spec.matches ?? []) {
    for (const cookie of cookies ?? []) {
      const found = cookie.type === "RegularExpression" ? findRegexFault(cookie.value) : undefined;
      if (found !== undefined) return `spec.matches cookie ${cookie.name} ${found}`;
    }
  }
  return undefined;
}

function findBody(
  namespace: string,
  key: string,
  { spec }: HTTPRouteFilter,
  read: ResolveReader,
): ResolvedExtension["body"] | ReferenceFault {
  const written = spec.directResponse?.body;
  if (written === undefined) return undefined;
  const fail = (why: string): ReferenceFault => ({
    reason: "UnsupportedValue",
    message: `names HTTPRouteFilter ${key}, whose spec.directResponse.body ${why}`,
  });
  let body: ResolvedExtension["body"] = written.inline;
  if (written.type === "ValueRef" || body === undefined) {
    const name = objectKey(namespace, written.valueRef?.name ?? "");
    const configMap = read.configMap(name);
    if (configMap === undefined)
      return fail(`is in ConfigMap ${name}, which does not exist; create it with a key response.body`);
    body = bodyOf(configMap);
    if (body === undefined) return fail(`is in ConfigMap ${name}, which is empty; give it a key response.body`);
  }
  const bytes = typeof body === "string" ? Buffer.byteLength(body) : Buffer.byteLength(body.base64, "base64");
  if (bytes > BODY_BYTES_MAX)
    return fail(`has ${bytes} bytes, more than the ${BODY_BYTES_MAX} that are taken; shorten it`);
  return body;
}

/** Under the key `response.body`, else under the first key. */
function bodyOf({ data = {}, binaryData = {} }: ConfigMap): ResolvedExtension["body"] {
  const keys = [...Object.keys(data), ...Object.keys(binaryData)].sort(compareStrings);
  const key = keys.find((name) => name === "response.body") ?? keys[0] ?? "";
  const base64 = binaryData[key];
  return base64 === undefined ? data[key] : { base64 };
}

function findCredential(
  namespace: string,
  key: string,
  { spec }: HTTPRouteFilter,
  read: ResolveReader,
): NonNullable<ClusterSpec["credential"]> | ReferenceFault | undefined {
  const injection = spec.credentialInjection;
  if (injection === undefined) return undefined;
  const { valueRef } = injection.credential;
  const fail = (why: string): ReferenceFault => ({
    reason: "UnsupportedValue",
    message: `names HTTPRouteFilter ${key}, whose spec.credentialInjection.credential.valueRef ${why}`,
  });
  if ((valueRef.namespace ?? namespace) !== namespace)
    return fail("names another namespace; keep the Secret beside the filter");
  if ((valueRef.group ?? "") !== "" || (valueRef.kind ?? "Secret") !== "Secret")
    return fail("names no Secret; name one");
  const secretKey = objectKey(namespace, valueRef.name);
  const secret = read.secret(secretKey);
  if (secret === undefined)
    return fail(`names Secret ${secretKey}, which does not exist; create it or correct the reference`);
  const credential = objectBytes(secret, "credential");
  if (credential === undefined) return fail(`names Secret ${secretKey}, which has no key credential; add it`);
  const fault = findHeaderValueFault(lineOf(credential));
  if (fault !== undefined) return fail(`names Secret ${secretKey}, whose key credential ${fault}`);
  return { secret: secretKey, header: injection.header ?? "Authorization", overwrite: injection.overwrite === true };
}
