import { isRecord } from "../api/field.ts";
import type { AttachedPolicyKind, PolicyFinding } from "./policy-model.ts";

/**
 * The fields of each kind of policy that are served. A path stands for itself and everything inside of it; `[]` is any item of a list. A
 * policy with any other field is invalid, and its status names the field: nothing is accepted and ignored. Who serves a field
 * adds it here.
 */
export const servedFields: Readonly<Record<AttachedPolicyKind, readonly string[]>> = {
  BackendTrafficPolicy: [
    "admissionControl",
    "bandwidthLimit",
    "circuitBreaker",
    "compressor",
    "connection",
    "dns",
    "faultInjection",
    "healthCheck",
    "http2",
    "httpUpgrade",
    ...["type", "consistentHash", "slowStart", "endpointOverride", "backendUtilization"].map(
      (field) => `loadBalancer.${field}`,
    ),
    "loadBalancer.zoneAware.weightedZones",
    "proxyProtocol",
    "rateLimit.type",
    ...["clientSelectors", "limit", "cost", "shared", "shadowMode", "xRateLimitHeaders"].map(
      (field) => `rateLimit.global.rules[].${field}`,
    ),
    ...["clientSelectors", "limit", "cost.request", "shared", "shadowMode", "xRateLimitHeaders"].map(
      (field) => `rateLimit.local.rules[].${field}`,
    ),
    "requestBuffer",
    "responseOverride",
    "retry",
    "routingType",
    "tcpKeepalive",
    "telemetry.metrics.routeStatName",
    "telemetry.tracing",
    "timeout",
    "useClientProtocol",
  ],
  ClientTrafficPolicy: [
    "clientIPDetection",
    "connection",
    "enableProxyProtocol",
    "grpc",
    "headers.disableRateLimitHeaders",
    ...["enableEnvoyHeaders", "xForwardedClientCert", "withUnderscoresAction", "preserveXRequestID", "requestID"].map(
      (field) => `headers.${field}`,
    ),
    ...["earlyRequestHeaders", "lateResponseHeaders", "maxRequestHeaderLimit", "host"].map(
      (field) => `headers.${field}`,
    ),
    "healthCheck",
    "http1",
    "http2",
    "http3",
    "path",
    "proxyProtocol",
    "scheme",
    "tcpKeepalive",
    "timeout",
    "tls",
  ],
  SecurityPolicy: [
    ...["apiKeyAuth", "basicAuth", "cors", "csrf", "jwt"],
    "authorization.defaultAction",
    ...["name", "action", "principal", "operation", "cel"].map((field) => `authorization.rules[].${field}`),
    ...["grpc", "headersToExtAuth", "headersToBackend", "bodyToExtAuth"].map((field) => `extAuth.${field}`),
    ...["failOpen", "statusOnError", "recomputeRoute", "timeout", "contextExtensions"].map(
      (field) => `extAuth.${field}`,
    ),
    ...["backendRef", "backendRefs", "backendSettings", "path", "pathOverride", "headersToBackend"].map(
      (field) => `extAuth.http.${field}`,
    ),
    ...["issuer", "authorizationEndpoint", "tokenEndpoint", "endSessionEndpoint", "backendRefs", "backendSettings"].map(
      (field) => `oidc.provider.${field}`,
    ),
    ...["clientID", "clientIDRef", "clientSecret", "cookieNames", "cookieConfig", "cookieDomain", "scopes"].map(
      (field) => `oidc.${field}`,
    ),
    ...["resources", "redirectURL", "logoutPath", "forwardAccessToken", "defaultTokenTTL", "refreshToken"].map(
      (field) => `oidc.${field}`,
    ),
    ...["defaultRefreshTokenTTL", "csrfTokenTTL", "disableTokenEncryption"].map((field) => `oidc.${field}`),
  ],
};

/** Where a policy belongs, which is served for all of them. */
const targetFields = ["targetRef", "targetRefs", "targetSelectors", "mergeType"];

const served: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(servedFields).map(([kind, fields]) => [kind, new Set([...targetFields, ...fields])]),
);

/** A field that is in effect and better written otherwise. Both below `spec`. */
export function warnOfDeprecated(field: string, to: string): PolicyFinding {
  return { field: `spec.${field}`, text: `is deprecated; write spec.${to} instead`, reason: "DeprecatedField" };
}

/** @param reasons why, by field, where there is more to say */
export function refuseUnserved(
  kind: AttachedPolicyKind,
  spec: object,
  reasons: ReadonlyMap<string, string> = new Map(),
): PolicyFinding[] {
  return findUnservedFields(kind, spec).map((field) => ({
    field: `spec.${field}`,
    text: reasons.get(field) ?? "is not implemented in this version; remove it",
  }));
}

/** Paths below `spec` of fields that are not served, each as far as it can be named; items of lists count together. */
export function findUnservedFields(kind: AttachedPolicyKind, spec: object): readonly string[] {
  const known = served.get(kind) as ReadonlySet<string>;
  return [...new Set(unserved(spec, "", known))];
}

function* unserved(value: unknown, path: string, known: ReadonlySet<string>): Generator<string> {
  if (known.has(path)) return;
  const inside = Array.isArray(value) ? value.entries() : isRecord(value) ? Object.entries(value) : [];
  // Nothing below is served: the field as a whole is to blame.
  if (typeof value !== "object" || ![...known].some((field) => isBelow(field, path))) {
    yield path;
    return;
  }
  for (const [name, content] of inside) {
    const step = Array.isArray(value) ? "[]" : path === "" ? name : `.${name}`;
    yield* unserved(content, `${path}${step}`, known);
  }
}

function isBelow(field: string, path: string): boolean {
  return path === "" || field.startsWith(`${path}.`) || field.startsWith(`${path}[]`);
}
