import { expect, test } from "@jest/globals";
import { featuresOf, supportedFeatures } from "./supported-features.ts";

/** Features of the suite's profiles GATEWAY-HTTP and GATEWAY-GRPC that are not claimed, and what is missing. */
const unsupported: Readonly<Record<string, string>> = {
  BackendTLSPolicy: "the kind is not read",
  BackendTLSPolicySANValidation: "the kind is not read",
  GatewayBackendClientCertificate: "spec.tls.backend is refused",
  GatewayFrontendClientCertificateValidation: "spec.tls.frontend is refused",
  GatewayFrontendClientCertificateValidationInsecureFallback: "spec.tls.frontend is refused",
  GatewayHTTPSListenerDetectMisdirectedRequests: "a misdirected request is answered with 404",
  GatewayInfrastructure: "nothing that could carry labels is made",
  GatewayStaticAddresses: "several addresses are refused",
  ListenerSet: "the kind is not read",
};

/** All names of these profiles in Gateway API v1.6, and those of two tests outside of any profile. */
const known = `
  Gateway HTTPRoute GRPCRoute ReferenceGrant
  BackendTLSPolicy BackendTLSPolicySANValidation GatewayAddressEmpty GatewayBackendClientCertificate
  GatewayFrontendClientCertificateValidation GatewayFrontendClientCertificateValidationInsecureFallback
  GatewayHTTPListenerIsolation GatewayHTTPSListenerDetectMisdirectedRequests GatewayInfrastructure GatewayPort8080
  GatewayStaticAddresses HTTPRoute303RedirectStatusCode HTTPRoute307RedirectStatusCode HTTPRoute308RedirectStatusCode
  HTTPRouteBackendProtocolH2C HTTPRouteBackendProtocolWebSocket HTTPRouteBackendRequestHeaderModification
  HTTPRouteBackendTimeout HTTPRouteCORS HTTPRouteDestinationPortMatching HTTPRouteHostRewrite HTTPRouteMethodMatching
  HTTPRouteNamedRouteRule HTTPRouteParentRefPort HTTPRoutePathRedirect HTTPRoutePathRewrite HTTPRoutePortRedirect
  HTTPRouteQueryParamMatching HTTPRouteRequestMirror HTTPRouteRequestMultipleMirrors HTTPRouteRequestPercentageMirror
  HTTPRouteRequestTimeout HTTPRouteResponseHeaderModification HTTPRouteRetry HTTPRouteRetryBackendTimeout
  HTTPRouteRetryConnectionError HTTPRouteSchemeRedirect ListenerSet GRPCRouteNamedRouteRule
`
  .trim()
  .split(/\s+/);

test("every feature of the profiles is claimed, or not for a reason", () => {
  expect([...supportedFeatures, ...Object.keys(unsupported)].sort()).toEqual([...known].sort());
});

test("features are sorted, each once, and no more than the CustomResourceDefinition takes", () => {
  expect([...new Set(supportedFeatures)].sort()).toEqual(supportedFeatures);
  expect(supportedFeatures.length).toBeLessThanOrEqual(64);
});

test("what the standard channel lacks is not claimed there", () => {
  const missing = supportedFeatures.filter((name) => !featuresOf("standard").includes(name));
  expect(missing).toEqual(["HTTPRouteRetry", "HTTPRouteRetryBackendTimeout", "HTTPRouteRetryConnectionError"]);
  expect(featuresOf("experimental")).toEqual(supportedFeatures);
  expect(featuresOf(undefined)).toEqual(supportedFeatures);
});
