import type {
  IBackendTLSPolicy,
  IGateway,
  IGatewayClass,
  IGRPCRoute,
  IHTTPRoute,
  IListenerSet,
  IReferenceGrant,
  ITLSRoute,
} from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import type { ITCPRoute, IUDPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1alpha2";
import type { Kept } from "./object.ts";

/** Gateway API kinds as read, Gateway API v1.6. */
export type GatewayClass = Kept<IGatewayClass>;
export type Gateway = Kept<IGateway>;
export type HTTPRoute = Kept<IHTTPRoute>;
export type GRPCRoute = Kept<IGRPCRoute>;
export type TLSRoute = Kept<ITLSRoute>;
/** The models know it as v1alpha2, whose fields v1 has too. */
export type TCPRoute = Kept<AsV1<ITCPRoute>>;
export type UDPRoute = Kept<AsV1<IUDPRoute>>;
export type ReferenceGrant = Kept<IReferenceGrant>;
export type BackendTLSPolicy = Kept<IBackendTLSPolicy>;
export type ListenerSet = Kept<IListenerSet>;

type AsV1<T> = Omit<T, "apiVersion"> & { apiVersion: `${typeof gatewayGroup}/v1` };

/** A route of connections or datagrams, whose content nobody looks into. */
export type StreamRoute = TLSRoute | TCPRoute | UDPRoute;
export type Route = HTTPRoute | GRPCRoute | StreamRoute;
export type RouteKind = Route["kind"];

/** A listener of a Gateway or, alike in every field, of a ListenerSet. */
export type GatewayListener = Gateway["spec"]["listeners"][number];
export type HTTPRouteRule = NonNullable<HTTPRoute["spec"]["rules"]>[number];
export type HTTPRouteMatch = NonNullable<HTTPRouteRule["matches"]>[number];
export type HTTPRouteFilter = NonNullable<HTTPRouteRule["filters"]>[number];
export type GRPCRouteRule = NonNullable<GRPCRoute["spec"]["rules"]>[number];
export type GRPCRouteMatch = NonNullable<GRPCRouteRule["matches"]>[number];
export type GRPCRouteFilter = NonNullable<GRPCRouteRule["filters"]>[number];
export type ParentReference = NonNullable<HTTPRoute["spec"]["parentRefs"]>[number];

export const gatewayGroup = "gateway.networking.k8s.io";
