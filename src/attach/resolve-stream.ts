import type { StreamRoute } from "../api/gateway-api.ts";
import { objectKey } from "../base/keys.ts";
import type { ResolvedRoute } from "./model.ts";
import type { ResolveReader } from "./resolve-reader.ts";
import { finishContext, startContext } from "./route-context.ts";
import { resolveBackends } from "./rule-backends.ts";

/** Follows all references of a TLSRoute, TCPRoute or UDPRoute, which says nothing but who takes its connections. */
export function resolveStreamRoute(
  routeKind: "TLSRoute" | "TCPRoute" | "UDPRoute",
  { metadata, spec }: StreamRoute,
  read: ResolveReader,
): ResolvedRoute {
  const { namespace = "", name } = metadata;
  const context = startContext(routeKind, namespace, read);
  const rules = spec.rules.map(({ backendRefs }, index) => ({
    backends: resolveBackends(context, backendRefs ? { backendRefs } : {}, `spec.rules[${index}]`, undefined),
    mirrors: [],
    extensions: [],
  }));
  return finishContext(context, objectKey(namespace, name), rules);
}
