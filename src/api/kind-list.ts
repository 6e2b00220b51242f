import { validate as validateTcpRoute } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1alpha2TCPRoute";
import { validate as validateUdpRoute } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1alpha2UDPRoute";
import { validate as validateBackendTlsPolicy } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1BackendTLSPolicy";
import { validate as validateGateway } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1Gateway";
import { validate as validateGatewayClass } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1GatewayClass";
import { validate as validateGrpcRoute } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1GRPCRoute";
import { validate as validateHttpRoute } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1HTTPRoute";
import { validate as validateListenerSet } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1ListenerSet";
import { validate as validateReferenceGrant } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1ReferenceGrant";
import { validate as validateTlsRoute } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1TLSRoute";
import { validate as validateConfigMap } from "kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap";
import { validate as validateNamespace } from "kubernetes-models/_schemas/IoK8sApiCoreV1Namespace";
import { validate as validateSecret } from "kubernetes-models/_schemas/IoK8sApiCoreV1Secret";
import { validate as validateService } from "kubernetes-models/_schemas/IoK8sApiCoreV1Service";
import { validate as validateEndpointSlice } from "kubernetes-models/_schemas/IoK8sApiDiscoveryV1EndpointSlice";
import { backendDefinition } from "./backend.ts";
import { checkBackendTlsPolicy } from "./backend-tls-policy-rules.ts";
import { backendTrafficPolicyDefinition } from "./backendtrafficpolicy.ts";
import { clientTrafficPolicyDefinition } from "./clienttrafficpolicy.ts";
import { locate, type SchemaError } from "./complaints.ts";
import { checkEndpointSlice, checkService, completeNamespace, completeSecret, completeService } from "./core-rules.ts";
import { coreShapes } from "./core-shapes.ts";
import { envoyProxyDefinition } from "./envoyproxy.ts";
import { gatewayGroup } from "./gateway-api.ts";
import { checkGateway, checkListenerSet } from "./gateway-rules.ts";
import { gatewayShapes } from "./gateway-shapes.ts";
import { httpRouteFilterDefinition } from "./httproutefilter.ts";
import { definedKind, type Kind, modelKind } from "./kind.ts";
import { checkGrpcRoute, checkHttpRoute } from "./route-rules.ts";
import { securityPolicyDefinition } from "./securitypolicy.ts";
import { staticBackendDefinition } from "./static-backend.ts";
import { checkStreamRoute } from "./stream-route-rules.ts";

/** The models know the field of this filter (of the experimental channel) but not its type; the route's status says what comes of it. */
function isExternalAuth({ keyword, instancePath }: SchemaError, object: unknown): boolean {
  const isType = keyword === "enum" && /\/filters\/\d+\/type$/.test(instancePath);
  return isType && locate(object, instancePath).value === "ExternalAuth";
}

/** The models know the kind as v1alpha2 only; its fields are the same in v1. */
function isNewerVersion({ instancePath }: SchemaError): boolean {
  return instancePath === "/apiVersion";
}

/** Every kind that Gatehouse reads, with what judges its objects. */
export const kinds: readonly Kind[] = [
  modelKind("GatewayClass", {
    group: gatewayGroup,
    versions: ["v1", "v1beta1"],
    namespaced: false,
    collection: "gatewayClasses",
    shape: gatewayShapes.GatewayClass,
    model: validateGatewayClass,
  }),
  modelKind("Gateway", {
    group: gatewayGroup,
    versions: ["v1", "v1beta1"],
    collection: "gateways",
    shape: gatewayShapes.Gateway,
    model: validateGateway,
    check: checkGateway,
  }),
  modelKind("ListenerSet", {
    group: gatewayGroup,
    collection: "listenerSets",
    shape: gatewayShapes.ListenerSet,
    model: validateListenerSet,
    check: checkListenerSet,
  }),
  modelKind("HTTPRoute", {
    group: gatewayGroup,
    versions: ["v1", "v1beta1"],
    collection: "httpRoutes",
    shape: gatewayShapes.HTTPRoute,
    model: validateHttpRoute,
    mistaken: isExternalAuth,
    check: checkHttpRoute,
  }),
  modelKind("GRPCRoute", {
    group: gatewayGroup,
    collection: "grpcRoutes",
    shape: gatewayShapes.GRPCRoute,
    model: validateGrpcRoute,
    check: checkGrpcRoute,
  }),
  modelKind("TLSRoute", {
    group: gatewayGroup,
    versions: ["v1", "v1alpha3", "v1alpha2"],
    collection: "tlsRoutes",
    shape: gatewayShapes.TLSRoute,
    model: validateTlsRoute,
    check: checkStreamRoute,
  }),
  modelKind("TCPRoute", {
    group: gatewayGroup,
    versions: ["v1", "v1alpha2"],
    collection: "tcpRoutes",
    shape: gatewayShapes.TCPRoute,
    model: validateTcpRoute,
    mistaken: isNewerVersion,
    check: checkStreamRoute,
  }),
  modelKind("UDPRoute", {
    group: gatewayGroup,
    versions: ["v1", "v1alpha2"],
    collection: "udpRoutes",
    shape: gatewayShapes.UDPRoute,
    model: validateUdpRoute,
    mistaken: isNewerVersion,
    check: checkStreamRoute,
  }),
  modelKind("ReferenceGrant", {
    group: gatewayGroup,
    versions: ["v1", "v1beta1"],
    collection: "referenceGrants",
    shape: gatewayShapes.ReferenceGrant,
    model: validateReferenceGrant,
  }),
  modelKind("BackendTLSPolicy", {
    group: gatewayGroup,
    collection: "backendTlsPolicies",
    shape: gatewayShapes.BackendTLSPolicy,
    model: validateBackendTlsPolicy,
    check: checkBackendTlsPolicy,
  }),
  modelKind("Namespace", {
    namespaced: false,
    collection: "namespaces",
    shape: coreShapes.Namespace,
    model: validateNamespace,
    complete: completeNamespace,
    nameRule: "label",
  }),
  modelKind("Service", {
    collection: "services",
    shape: coreShapes.Service,
    model: validateService,
    check: checkService,
    complete: completeService,
    nameRule: "label",
  }),
  modelKind("EndpointSlice", {
    group: "discovery.k8s.io",
    collection: "endpointSlices",
    shape: coreShapes.EndpointSlice,
    model: validateEndpointSlice,
    check: checkEndpointSlice,
  }),
  modelKind("Secret", {
    collection: "secrets",
    shape: coreShapes.Secret,
    model: validateSecret,
    complete: completeSecret,
    secret: true,
  }),
  modelKind("ConfigMap", { collection: "configMaps", shape: coreShapes.ConfigMap, model: validateConfigMap }),
  definedKind(backendDefinition, "backends"),
  definedKind(staticBackendDefinition, "staticBackends"),
  definedKind(httpRouteFilterDefinition, "httpRouteFilters"),
  definedKind(envoyProxyDefinition, "envoyProxies"),
  definedKind(clientTrafficPolicyDefinition, "clientTrafficPolicies"),
  definedKind(backendTrafficPolicyDefinition, "backendTrafficPolicies"),
  definedKind(securityPolicyDefinition, "securityPolicies"),
];
