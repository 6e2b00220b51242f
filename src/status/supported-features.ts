import type { InstalledApi } from "../pipeline/sources.ts";

/**
 * Features of Gateway API that are implemented, as GatewayClass `status.supportedFeatures` lists them. Sorted; the official
 * conformance suite takes its tests from here, so a name stands here only when the feature is complete.
 */
export const supportedFeatures: readonly string[] = [
  "BackendTLSPolicy",
  "BackendTLSPolicySANValidation",
  "GRPCRoute",
  "GRPCRouteNamedRouteRule",
  "Gateway",
  "GatewayAddressEmpty",
  "GatewayBackendClientCertificate",
  "GatewayFrontendClientCertificateValidation",
  "GatewayFrontendClientCertificateValidationInsecureFallback",
  "GatewayHTTPListenerIsolation",
  "GatewayHTTPSListenerDetectMisdirectedRequests",
  "GatewayInfrastructure",
  "GatewayPort8080",
  "GatewayStaticAddresses",
  "HTTPRoute",
  "HTTPRoute303RedirectStatusCode",
  "HTTPRoute307RedirectStatusCode",
  "HTTPRoute308RedirectStatusCode",
  "HTTPRouteBackendProtocolH2C",
  "HTTPRouteBackendProtocolWebSocket",
  "HTTPRouteBackendRequestHeaderModification",
  "HTTPRouteBackendTimeout",
  "HTTPRouteCORS",
  "HTTPRouteDestinationPortMatching",
  "HTTPRouteHostRewrite",
  "HTTPRouteMethodMatching",
  "HTTPRouteNamedRouteRule",
  "HTTPRouteParentRefPort",
  "HTTPRoutePathRedirect",
  "HTTPRoutePathRewrite",
  "HTTPRoutePortRedirect",
  "HTTPRouteQueryParamMatching",
  "HTTPRouteRequestMirror",
  "HTTPRouteRequestMultipleMirrors",
  "HTTPRouteRequestPercentageMirror",
  "HTTPRouteRequestTimeout",
  "HTTPRouteResponseHeaderModification",
  "HTTPRouteRetry",
  "HTTPRouteRetryBackendTimeout",
  "HTTPRouteRetryConnectionError",
  "HTTPRouteSchemeRedirect",
  "ListenerSet",
  "ReferenceGrant",
  "TCPRoute",
  "TLSRoute",
  "TLSRouteModeMixed",
  "TLSRouteModeTerminate",
  "UDPRoute",
];

/** Features of fields that only the experimental channel has. */
const experimentalFeatures: ReadonlySet<string> = new Set([
  "HTTPRouteRetry",
  "HTTPRouteRetryBackendTimeout",
  "HTTPRouteRetryConnectionError",
]);

/** Kinds with whose names those of features begin. */
const featuredKinds = [
  "BackendTLSPolicy",
  "GRPCRoute",
  "Gateway",
  "HTTPRoute",
  "ListenerSet",
  "ReferenceGrant",
  "TCPRoute",
  "TLSRoute",
  "UDPRoute",
];

/**
 * What can be used in a cluster, sorted: where a kind is not installed, or the standard channel lacks a field, what is missing is not
 * claimed.
 */
export function featuresOf(installed: InstalledApi | undefined): readonly string[] {
  const absent = new Set(installed?.absentKinds);
  return supportedFeatures.filter((name) => {
    if (installed?.channel === "standard" && experimentalFeatures.has(name)) return false;
    const kind = featuredKinds.find((each) => name.startsWith(each));
    return kind === undefined || !absent.has(kind);
  });
}
