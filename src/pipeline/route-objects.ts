import type { GRPCRoute, HTTPRoute, Route, RouteKind, TCPRoute, TLSRoute, UDPRoute } from "../api/gateway-api.ts";
import type { ObjectKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import type { Collection, Graph, Source } from "../dataflow/graph.ts";
import type { Sources } from "./sources.ts";

/** A route of any kind; the key of the collection is {@link routeKey}. */
export type RouteObject =
  | { readonly kind: "HTTPRoute"; readonly key: ObjectKey; readonly route: HTTPRoute }
  | { readonly kind: "GRPCRoute"; readonly key: ObjectKey; readonly route: GRPCRoute }
  | { readonly kind: "TLSRoute"; readonly key: ObjectKey; readonly route: TLSRoute }
  | { readonly kind: "TCPRoute"; readonly key: ObjectKey; readonly route: TCPRoute }
  | { readonly kind: "UDPRoute"; readonly key: ObjectKey; readonly route: UDPRoute };

/** `HTTPRoute/namespace/name`: unique over the kinds, and the origin that translated routes carry. */
export function routeKey(kind: RouteKind, key: ObjectKey): string {
  return flatText(kind, "/", key);
}

export interface RouteObjects {
  readonly all: Collection<RouteObject>;
  /** Those of connections and datagrams. */
  readonly streams: Collection<RouteObject>;
}

export function createRouteObjects(graph: Graph, sources: Sources): RouteObjects {
  const ofKind = <R extends Route>(name: string, source: Source<R>, wrap: (route: R, key: ObjectKey) => RouteObject) =>
    graph.flatMap<R, RouteObject>(name, source, (route, key) => {
      const object = wrap(route, key);
      return [[routeKey(object.kind, key), object]];
    });
  const streams = graph.union(
    "streamRoutes",
    ofKind("tlsRouteObjects", sources.tlsRoutes, (route, key) => ({ kind: "TLSRoute", key, route })),
    ofKind("tcpRouteObjects", sources.tcpRoutes, (route, key) => ({ kind: "TCPRoute", key, route })),
    ofKind("udpRouteObjects", sources.udpRoutes, (route, key) => ({ kind: "UDPRoute", key, route })),
  );
  const all = graph.union(
    "routes",
    ofKind("httpRouteObjects", sources.httpRoutes, (route, key) => ({ kind: "HTTPRoute", key, route })),
    ofKind("grpcRouteObjects", sources.grpcRoutes, (route, key) => ({ kind: "GRPCRoute", key, route })),
    streams,
  );
  return { all, streams };
}
