import { ScopedRouteConfiguration } from "../envoy/generated/envoy/config/route/v3/scoped_route.ts";
import { type EncodedResource, encodeResource } from "../envoy/resource.ts";

/**
 * Leads requests with this value in the bucket header to the RouteConfiguration of that name. All HTTP connection managers of an Envoy
 * have their scopes in common, so the key names the table too; and it never changes: requests would be without routes while
 * Envoy fetches another.
 */
export function translateScope(name: string): EncodedResource {
  const scope: ScopedRouteConfiguration = {
    name,
    routeConfigurationName: name,
    key: { fragments: [{ stringKey: name }] },
  };
  return encodeResource(ScopedRouteConfiguration, name, scope);
}
