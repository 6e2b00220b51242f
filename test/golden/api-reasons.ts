/**
 * Conditions and reasons of the Gateway API v1.6, by kind, as its types list them (`apis/v1/*_types.go`); without those that are
 * deprecated or reserved for later. `conditions.test.ts` holds the checklist against it.
 */
const route = [
  "Accepted/Accepted",
  "Accepted/NotAllowedByListeners",
  "Accepted/NoMatchingParent",
  "Accepted/UnsupportedValue",
  "Accepted/Pending",
  "ResolvedRefs/ResolvedRefs",
  "ResolvedRefs/RefNotPermitted",
  "ResolvedRefs/InvalidKind",
  "ResolvedRefs/BackendNotFound",
  "ResolvedRefs/UnsupportedProtocol",
];

/** Of routes with hostnames. */
const namedRoute = [...route, "Accepted/NoMatchingListenerHostname"];
/** Of routes with filters, and with rules that can be dropped alone. */
const filteringRoute = [...namedRoute, "Accepted/IncompatibleFilters", "PartiallyInvalid/UnsupportedValue"];

export const apiReasons: Readonly<Record<string, readonly string[]>> = {
  GatewayClass: [
    "Accepted/Accepted",
    "Accepted/InvalidParameters",
    "Accepted/Unsupported",
    "Accepted/Pending",
    "SupportedVersion/SupportedVersion",
    "SupportedVersion/UnsupportedVersion",
  ],
  Gateway: [
    "Accepted/Accepted",
    "Accepted/ListenersNotValid",
    "Accepted/UnsupportedAddress",
    "Accepted/InvalidParameters",
    "Accepted/Invalid",
    "Accepted/NotReconciled",
    "Accepted/Pending",
    "Programmed/Programmed",
    "Programmed/Invalid",
    "Programmed/NoResources",
    "Programmed/AddressNotAssigned",
    "Programmed/AddressNotUsable",
    "Programmed/Pending",
    "ResolvedRefs/ResolvedRefs",
    "ResolvedRefs/InvalidClientCertificateRef",
    "ResolvedRefs/RefNotPermitted",
    "ResolvedRefs/ListenersNotResolved",
    "InsecureFrontendValidationMode/ConfigurationChanged",
  ],
  Listener: [
    "Accepted/Accepted",
    "Accepted/PortUnavailable",
    "Accepted/UnsupportedProtocol",
    "Accepted/NoValidCACertificate",
    "Accepted/UnsupportedValue",
    "Conflicted/HostnameConflict",
    "Conflicted/ProtocolConflict",
    "Conflicted/NoConflicts",
    "ResolvedRefs/ResolvedRefs",
    "ResolvedRefs/InvalidCertificateRef",
    "ResolvedRefs/InvalidRouteKinds",
    "ResolvedRefs/RefNotPermitted",
    "ResolvedRefs/InvalidCACertificateRef",
    "ResolvedRefs/InvalidCACertificateKind",
    "Programmed/Programmed",
    "Programmed/Invalid",
    "Programmed/Pending",
    "OverlappingTLSConfig/OverlappingHostnames",
    "OverlappingTLSConfig/OverlappingCertificates",
  ],
  ListenerSet: [
    "Accepted/Accepted",
    "Accepted/NotAllowed",
    "Accepted/ParentNotAccepted",
    "Accepted/ListenersNotValid",
    "Accepted/Invalid",
    "Accepted/Pending",
    "Programmed/Programmed",
  ],
  HTTPRoute: filteringRoute,
  GRPCRoute: filteringRoute,
  TLSRoute: namedRoute,
  TCPRoute: route,
  UDPRoute: route,
  BackendTLSPolicy: [
    "Accepted/Accepted",
    "Accepted/Conflicted",
    "Accepted/Invalid",
    "Accepted/TargetNotFound",
    "Accepted/NoValidCACertificate",
    "ResolvedRefs/ResolvedRefs",
    "ResolvedRefs/InvalidCACertificateRef",
    "ResolvedRefs/InvalidKind",
  ],
};
