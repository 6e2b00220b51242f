import { expect, test } from "@jest/globals";
import { supportedKinds } from "../api/kinds.ts";
import { featuresOf, supportedFeatures } from "./supported-features.ts";

/** Features of the suite's gateway profiles that are not claimed, and what is missing. */
const unsupported: Readonly<Record<string, string>> = {};

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
  HTTPRouteRetryConnectionError HTTPRouteSchemeRedirect ListenerSet GRPCRouteNamedRouteRule TCPRoute TLSRoute TLSRouteModeMixed
  TLSRouteModeTerminate UDPRoute
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

const installed = { bundleVersions: ["v1.6.3"], absentKinds: [] };

test("what the standard channel lacks is not claimed there", () => {
  const missing = supportedFeatures.filter((name) => !featuresOf({ ...installed, channel: "standard" }).includes(name));
  expect(missing).toEqual(["HTTPRouteRetry", "HTTPRouteRetryBackendTimeout", "HTTPRouteRetryConnectionError"]);
  expect(featuresOf({ ...installed, channel: "experimental" })).toEqual(supportedFeatures);
  expect(featuresOf(installed)).toEqual(supportedFeatures);
  expect(featuresOf(undefined)).toEqual(supportedFeatures);
});

test.each([
  "BackendTLSPolicy",
  "Gateway",
  "HTTPRoute",
  "GRPCRoute",
  "ListenerSet",
  "ReferenceGrant",
  "TLSRoute",
  "TCPRoute",
  "UDPRoute",
])("without the kind %s none of its features is claimed", (kind) => {
  const claimed = featuresOf({ ...installed, absentKinds: [kind] });
  expect(claimed.filter((name) => name.startsWith(kind))).toEqual([]);
  expect(supportedFeatures.filter((name) => !claimed.includes(name) && !name.startsWith(kind))).toEqual([]);
  expect(claimed).not.toEqual(supportedFeatures);
});

test("every feature is one of a kind that can be missing", () => {
  const kinds = supportedKinds.map(({ kind }) => kind);
  expect(featuresOf({ ...installed, absentKinds: kinds })).toEqual([]);
});
