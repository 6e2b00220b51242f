/**
 * Every condition and reason that the kinds served so far can have: what a status says, the source file where it comes
 * about, and the case that shows it. `conditions.test.ts` holds this list and the cases against each other, so that neither a
 * reason can get lost nor a new one come in unseen. Sources of the list: the types of Gateway API v1.6 and, for conditions
 * beyond it (PartiallyInvalidCertificateRef, BackendsAvailable, RouteRulesOverlap, further reasons of ResolvedRefs), Envoy
 * Gateway's; `Programmed` of a route is our own: what Envoy refused of it.
 */
export type ChecklistRow = readonly [condition: string, source: string, goldenCase: string];

const gatewayClass: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/gateway-class-status.ts", "quickstart"],
  ["Accepted=False/InvalidParameters", "attach/envoy-proxy.ts", "classes"],
  ["SupportedVersion=True/SupportedVersion", "status/gateway-class-status.ts", "quickstart"],
  ["SupportedVersion=False/UnsupportedVersion", "status/gateway-class-status.ts", "classes"],
];

const gateway: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/gateway-status.ts", "quickstart"],
  ["Accepted=True/ListenersNotValid", "status/gateway-status.ts", "conflicts"],
  ["Accepted=False/ListenersNotValid", "status/gateway-status.ts", "gateways-refused"],
  ["Accepted=False/UnsupportedAddress", "attach/gateway.ts", "gateways-refused"],
  ["Accepted=False/InvalidParameters", "attach/envoy-proxy.ts", "gateways-refused"],
  ["Accepted=False/Invalid", "attach/gateway.ts", "gateways-refused"],
  ["Programmed=True/Programmed", "status/gateway-status.ts", "quickstart"],
  ["Programmed=False/Invalid", "status/gateway-status.ts", "acknowledgements"],
  ["Programmed=False/Pending", "status/gateway-status.ts", "acknowledgements"],
  ["Programmed=False/NoResources", "status/gateway-fault.ts", "unconnected"],
  ["Programmed=False/AddressNotAssigned", "status/gateway-fault.ts", "unaddressed"],
  ["Programmed=False/AddressNotUsable", "status/gateway-status.ts", "addresses-in-cluster"],
  ["ResolvedRefs=True/ResolvedRefs", "status/gateway-status.ts", "quickstart"],
  ["ResolvedRefs=False/ListenersNotResolved", "status/gateway-status.ts", "certificates"],
  ["ResolvedRefs=False/InvalidClientCertificateRef", "attach/gateway-client-certificate.ts", "client-certificates"],
  ["ResolvedRefs=False/RefNotPermitted", "attach/gateway-client-certificate.ts", "client-certificates"],
  [
    "ResolvedRefs=False/InvalidClientCertificateRef,ListenersNotResolved",
    "status/conditions.ts",
    "client-certificates",
  ],
  ["InsecureFrontendValidationMode=True/ConfigurationChanged", "attach/client-validation.ts", "frontend-validation"],
];

const listener: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/listener-status.ts", "quickstart"],
  ["Accepted=False/PortUnavailable", "attach/gateway.ts", "ports"],
  ["Accepted=False/UnsupportedProtocol", "attach/listener.ts", "conflicts"],
  ["Accepted=False/UnsupportedValue", "attach/listener.ts", "older-schemas"],
  ["Accepted=False/HostnameConflict", "attach/listener-conflicts.ts", "older-schemas"],
  ["Accepted=False/ProtocolConflict", "attach/listener-conflicts.ts", "conflicts"],
  ["Accepted=False/NoValidCACertificate", "attach/client-validation.ts", "frontend-validation"],
  ["Conflicted=False/NoConflicts", "status/listener-status.ts", "quickstart"],
  ["Conflicted=True/HostnameConflict", "attach/listener-conflicts.ts", "older-schemas"],
  ["Conflicted=True/ProtocolConflict", "attach/listener-conflicts.ts", "conflicts"],
  ["ResolvedRefs=True/ResolvedRefs", "status/listener-status.ts", "quickstart"],
  ["ResolvedRefs=False/InvalidCertificateRef", "attach/certificates.ts", "certificates"],
  ["ResolvedRefs=False/RefNotPermitted", "attach/certificates.ts", "certificates"],
  ["ResolvedRefs=False/PartiallyInvalidCertificateRef", "attach/certificates.ts", "certificates"],
  ["ResolvedRefs=False/RefNotPermitted,InvalidCertificateRef", "status/conditions.ts", "certificates"],
  ["ResolvedRefs=False/InvalidCACertificateRef", "attach/client-validation.ts", "frontend-validation"],
  ["ResolvedRefs=False/InvalidCACertificateKind", "attach/client-validation.ts", "frontend-validation"],
  ["ResolvedRefs=False/InvalidCACertificateRef,RefNotPermitted", "status/conditions.ts", "frontend-validation"],
  ["ResolvedRefs=False/InvalidRouteKinds", "attach/listener.ts", "conflicts"],
  ["Programmed=True/Programmed", "status/listener-status.ts", "quickstart"],
  ["Programmed=False/Invalid", "status/listener-status.ts", "acknowledgements"],
  ["Programmed=False/Pending", "status/listener-status.ts", "acknowledgements"],
  ["OverlappingTLSConfig=True/OverlappingHostnames", "attach/overlap.ts", "certificates"],
  ["OverlappingTLSConfig=True/OverlappingCertificates", "attach/overlap.ts", "certificates"],
];

const listenerSet: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/listener-set-status.ts", "listener-sets"],
  ["Accepted=True/ListenersNotValid", "status/listener-set-status.ts", "listener-sets"],
  ["Accepted=False/ListenersNotValid", "status/listener-set-status.ts", "listener-set-certificates"],
  ["Accepted=False/NotAllowed", "attach/listener-set.ts", "listener-sets"],
  ["Accepted=False/ParentNotAccepted", "status/listener-set-status.ts", "listener-sets"],
  ["Programmed=True/Programmed", "status/listener-set-status.ts", "listener-sets"],
  ["Programmed=False/ListenersNotValid", "status/listener-set-status.ts", "listener-set-certificates"],
  ["Programmed=False/NotAllowed", "attach/listener-set.ts", "listener-sets"],
  ["Programmed=False/ParentNotProgrammed", "status/listener-set-status.ts", "listener-sets-unserved"],
  ["Programmed=False/Invalid", "status/listener-set-status.ts", "listener-sets"],
  ["Programmed=Unknown/Pending", "status/listener-set-status.ts", "listener-sets"],
];

/** A listener of a ListenerSet. */
const listenerEntry: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/listener-status.ts", "listener-sets"],
  ["Accepted=False/PortUnavailable", "attach/gateway.ts", "listener-sets"],
  ["Accepted=False/UnsupportedProtocol", "attach/listener.ts", "listener-sets"],
  ["Accepted=False/UnsupportedValue", "attach/listener.ts", "listener-sets"],
  ["Accepted=False/HostnameConflict", "attach/listener-conflicts.ts", "listener-sets"],
  ["Accepted=False/ProtocolConflict", "attach/listener-conflicts.ts", "listener-sets"],
  ["Accepted=False/ListenerConflict", "attach/listener-conflicts.ts", "listener-sets"],
  ["Accepted=False/TooManyListeners", "attach/gateway.ts", "listener-sets-unserved"],
  ["Accepted=False/NoValidCACertificate", "attach/certificates.ts", "client-tls"],
  ["Conflicted=False/NoConflicts", "status/listener-status.ts", "listener-sets"],
  ["Conflicted=True/HostnameConflict", "attach/listener-conflicts.ts", "listener-sets"],
  ["Conflicted=True/ProtocolConflict", "attach/listener-conflicts.ts", "listener-sets"],
  ["Conflicted=True/ListenerConflict", "attach/listener-conflicts.ts", "listener-sets"],
  ["ResolvedRefs=True/ResolvedRefs", "status/listener-status.ts", "listener-sets"],
  ["ResolvedRefs=False/InvalidCertificateRef", "attach/certificates.ts", "listener-set-certificates"],
  ["ResolvedRefs=False/PartiallyInvalidCertificateRef", "attach/certificates.ts", "listener-set-certificates"],
  ["ResolvedRefs=False/RefNotPermitted", "attach/certificates.ts", "listener-set-certificates"],
  ["ResolvedRefs=False/InvalidRouteKinds", "attach/listener.ts", "listener-sets"],
  ["Programmed=True/Programmed", "status/listener-status.ts", "listener-sets"],
  ["Programmed=False/Invalid", "status/listener-status.ts", "listener-sets"],
  ["Programmed=False/HostnameConflict", "status/listener-status.ts", "listener-sets"],
  ["Programmed=False/ProtocolConflict", "status/listener-status.ts", "listener-sets"],
  ["Programmed=False/ListenerConflict", "status/listener-status.ts", "listener-sets"],
  ["Programmed=False/PortUnavailable", "status/listener-status.ts", "listener-sets"],
  ["Programmed=Unknown/Pending", "status/listener-status.ts", "listener-sets"],
  ["OverlappingTLSConfig=True/OverlappingHostnames", "attach/overlap.ts", "listener-set-certificates"],
  ["OverlappingTLSConfig=True/OverlappingCertificates", "attach/overlap.ts", "listener-set-certificates"],
];

/** Of HTTPRoutes and GRPCRoutes, for each parent. */
const route: readonly ChecklistRow[] = [
  ["Accepted=False/NotAllowedByListeners", "attach/route.ts", "attachment"],
  ["Accepted=False/NoMatchingListenerHostname", "attach/route.ts", "attachment"],
  ["Accepted=False/NoMatchingParent", "attach/route.ts", "attachment"],
  ["Accepted=False/UnsupportedValue", "attach/resolve-rule.ts", "invalid-rules"],
  ["Accepted=False/IncompatibleFilters", "attach/rule-filters.ts", "older-schemas"],
  ["ResolvedRefs=True/ResolvedRefs", "status/route-status.ts", "invalid-rules"],
  ["ResolvedRefs=False/RefNotPermitted", "attach/resolve-backend.ts", "references"],
  ["ResolvedRefs=False/InvalidKind", "attach/resolve-backend.ts", "references"],
  ["ResolvedRefs=False/BackendNotFound", "attach/resolve-backend.ts", "references"],
  ["ResolvedRefs=False/UnsupportedProtocol", "attach/resolve-backend.ts", "references"],
  ["PartiallyInvalid=True/UnsupportedValue", "attach/resolve-rule.ts", "invalid-rules"],
  ["Programmed=False/Invalid", "pipeline/route-findings.ts", "acknowledgements"],
  ["BackendsAvailable=False/EndpointsNotFound", "pipeline/route-findings.ts", "overlaps"],
  ["RouteRulesOverlap=True/Overlapping", "pipeline/route-findings.ts", "overlaps"],
];

const httpRoute: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/route-status.ts", "quickstart"],
  ...route,
  ["ResolvedRefs=False/InvalidBackendRef", "attach/rule-backends.ts", "references"],
  ["ResolvedRefs=False/InvalidBackendFilters", "attach/rule-backends.ts", "references"],
  ["ResolvedRefs=False/InvalidBackendTLS", "attach/backend-tls.ts", "references"],
  ["ResolvedRefs=False/InvalidAddress", "attach/address.ts", "references"],
  ["ResolvedRefs=False/UnsupportedAddressType", "attach/resolve-backend.ts", "references"],
  ["ResolvedRefs=False/UnsupportedValue", "attach/resolve-backend.ts", "references"],
  ["ResolvedRefs=False/PortNotFound", "attach/resolve-backend.ts", "references"],
  ["ResolvedRefs=False/PortNotSpecified", "attach/resolve-backend.ts", "older-schemas"],
  ["ResolvedRefs=False/BackendNotFound,InvalidKind,RefNotPermitted", "status/conditions.ts", "references"],
  ["PartiallyInvalid=True/IncompatibleFilters", "attach/rule-filters.ts", "older-schemas"],
];

const grpcRoute: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/route-status.ts", "attachment"],
  ...route,
];

/** Of TLSRoutes, TCPRoutes and UDPRoutes, for each parent. */
const streamRoute: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/route-status.ts", "streams"],
  ["Accepted=False/NotAllowedByListeners", "attach/route.ts", "streams"],
  ["Accepted=False/NoMatchingParent", "attach/route.ts", "streams"],
  ["ResolvedRefs=True/ResolvedRefs", "status/route-status.ts", "streams"],
  ["ResolvedRefs=False/BackendNotFound", "attach/resolve-backend.ts", "streams"],
  ["ResolvedRefs=False/UnsupportedProtocol", "attach/resolve-backend.ts", "streams"],
  ["ResolvedRefs=False/RefNotPermitted", "attach/resolve-backend.ts", "streams"],
  ["ResolvedRefs=False/InvalidKind", "attach/resolve-backend.ts", "streams"],
  ["ResolvedRefs=False/InvalidBackendRef", "attach/resolve-backend.ts", "streams"],
  ["ResolvedRefs=False/PortNotFound", "attach/resolve-backend.ts", "streams"],
  ["BackendsAvailable=False/EndpointsNotFound", "pipeline/route-findings.ts", "streams"],
  ["RouteRulesOverlap=True/Overlapping", "pipeline/route-findings.ts", "streams"],
];

const tlsRoute: readonly ChecklistRow[] = [
  ...streamRoute,
  ["Accepted=False/NoMatchingListenerHostname", "attach/route.ts", "streams"],
];

const backend: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/render.ts", "backends"],
  ["Accepted=False/Invalid", "attach/backend.ts", "backends"],
];

/** For each GatewayClass and Gateway that refers to it. */
const envoyProxy: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/envoy-proxy-status.ts", "envoy-proxies"],
  ["Accepted=False/InvalidParameters", "status/envoy-proxy-status.ts", "envoy-proxies"],
  ["Warning=True/NoEffect", "status/envoy-proxy-status.ts", "envoy-proxies"],
  ["Warning=True/Shorthand", "attach/envoy-proxy-judge.ts", "envoy-proxies"],
];

/** For each Gateway that reaches a target of the policy. */
const backendTlsPolicy: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/policy-status.ts", "backend-tls"],
  ["Accepted=False/Conflicted", "attach/tls-targets.ts", "backend-tls"],
  ["Accepted=False/TargetNotFound", "attach/tls-targets.ts", "backend-tls"],
  ["Accepted=False/Invalid", "attach/tls-policy.ts", "backend-tls"],
  ["Accepted=False/NoValidCACertificate", "attach/tls-policy.ts", "backend-tls"],
  ["ResolvedRefs=True/ResolvedRefs", "status/policy-status.ts", "backend-tls"],
  ["ResolvedRefs=False/InvalidCACertificateRef", "attach/authorities.ts", "backend-tls"],
  ["ResolvedRefs=False/InvalidKind", "attach/authorities.ts", "backend-tls"],
];

/** For each Gateway or listener where the policy matters. */
const backendTrafficPolicy: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/policy-status.ts", "policies"],
  ["Accepted=False/Conflicted", "attach/policy-standing.ts", "policies"],
  ["Accepted=False/TargetNotFound", "attach/policy-standing.ts", "policies"],
  ["Accepted=False/Invalid", "pipeline/policy-reports.ts", "policies"],
  ["Overridden=True/Overridden", "attach/policy-standing.ts", "policies"],
  ["Merged=True/Merged", "attach/policy-standing.ts", "policies"],
  ["Warning=True/DeprecatedField", "attach/policy-fields.ts", "policies"],
  ["Warning=True/Shorthand", "attach/policy-shorthands.ts", "policies"],
  ["Warning=True/NoEffect", "attach/backend-traffic.ts", "policies"],
  ["Warning=True/Rounded", "attach/bandwidth-units.ts", "policies"],
];

const clientTrafficPolicy: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/policy-status.ts", "client-traffic"],
  ["Accepted=False/Invalid", "pipeline/policy-reports.ts", "policies"],
  ["Overridden=True/Overridden", "attach/policy-standing.ts", "client-traffic"],
  ["Warning=True/NoEffect", "attach/client-traffic-ports.ts", "client-traffic"],
  ["Warning=True/DeprecatedField", "attach/policy-fields.ts", "policies"],
  ["Warning=True/UnsupportedHTTP3ClientValidation", "attach/http3.ts", "http3"],
  ["Warning=True/MissingRevocationList", "attach/client-certificates.ts", "client-tls"],
];

const securityPolicy: readonly ChecklistRow[] = [
  ["Accepted=True/Accepted", "status/policy-status.ts", "security-policies"],
  ["Accepted=False/Conflicted", "attach/policy-standing.ts", "security-policies"],
  ["Accepted=False/TargetNotFound", "attach/policy-standing.ts", "security-policies"],
  ["Accepted=False/Invalid", "pipeline/policy-reports.ts", "security-policies"],
  ["Overridden=True/Overridden", "attach/policy-standing.ts", "security-policies"],
  ["Merged=True/Merged", "attach/policy-standing.ts", "security-policies"],
  ["Warning=True/DeprecatedField", "attach/policy-fields.ts", "security-policies"],
  ["Warning=True/Shorthand", "attach/policy-shorthands.ts", "external-authorization"],
];

export const checklist: Readonly<Record<string, readonly ChecklistRow[]>> = {
  GatewayClass: gatewayClass,
  Gateway: gateway,
  Listener: listener,
  ListenerSet: listenerSet,
  ListenerEntry: listenerEntry,
  HTTPRoute: httpRoute,
  GRPCRoute: grpcRoute,
  TLSRoute: tlsRoute,
  TCPRoute: streamRoute,
  UDPRoute: streamRoute,
  Backend: backend,
  EnvoyProxy: envoyProxy,
  BackendTLSPolicy: backendTlsPolicy,
  BackendTrafficPolicy: backendTrafficPolicy,
  ClientTrafficPolicy: clientTrafficPolicy,
  SecurityPolicy: securityPolicy,
};

/** Reasons of the API that no object of these kinds can come to, and why. */
export const impossible: Readonly<Record<string, string>> = {
  "GatewayClass Accepted=False/Unsupported": "a class of ours can always be served",
  "GatewayClass Accepted=Unknown/Pending": "a class is judged in the same commit in which it is read",
  "Gateway Accepted=Unknown/Pending": "a Gateway is judged in the same commit in which it is read",
  "Gateway Accepted=False/NotReconciled": "whoever makes a Gateway writes it, for as long as no controller has",
  "Listener OverlappingTLSConfig=True/SDSCertificateOpaque": "certificates come from Secrets, which are read",
  "ListenerSet Accepted=False/Invalid": "what is not understood comes to no pipeline: status/refusal-status.test.ts",
  "ListenerSet Accepted=Unknown/Pending": "a ListenerSet is judged in the same commit in which it is read",
  "ListenerEntry Accepted=Unknown/Pending": "a listener is judged in the same commit in which it is read",
  "HTTPRoute Accepted=Unknown/Pending": "a route is judged in the same commit in which it is read",
  "GRPCRoute Accepted=Unknown/Pending": "a route is judged in the same commit in which it is read",
  "TLSRoute Accepted=Unknown/Pending": "a route is judged in the same commit in which it is read",
  "TCPRoute Accepted=Unknown/Pending": "a route is judged in the same commit in which it is read",
  "UDPRoute Accepted=Unknown/Pending": "a route is judged in the same commit in which it is read",
  "TLSRoute Accepted=False/UnsupportedValue": "what its fields can say is all supported",
  "TCPRoute Accepted=False/UnsupportedValue": "what its fields can say is all supported",
  "UDPRoute Accepted=False/UnsupportedValue": "what its fields can say is all supported",
};
