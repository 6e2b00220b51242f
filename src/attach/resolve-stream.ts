import type { StreamRoute, TLSRoute } from "../api/gateway-api.ts";
import { objectKey } from "../base/keys.ts";
import { withoutTls } from "./cluster-spec.ts";
import type { ResolvedBackend, ResolvedRoute, ResolvedRule, RouteAttachment, UpstreamTls } from "./model.ts";
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

/**
 * The same of a TLSRoute. Listeners that pass TLS through hand on the client's own TLS, so what BackendTLSPolicies say does not count
 * there, and one that cannot be done stops nothing.
 */
export function resolveTlsRoute(
  route: TLSRoute,
  { parents }: Pick<RouteAttachment, "parents">,
  read: ResolveReader,
): ResolvedRoute {
  const listeners = parents.flatMap((parent) => parent.listeners);
  const passing = listeners.filter(({ streams }) => streams?.passesTls);
  if (passing.length === 0) return resolveStreamRoute("TLSRoute", route, read);
  const anyPolicy: ResolveReader = { ...read, tlsPolicy: () => ({ tls: unusedTls, problems: [] }) };
  const { tlsTargets, ...passed } = resolveStreamRoute("TLSRoute", route, anyPolicy);
  const rules = passed.rules.map(passTlsThrough);
  if (passing.length === listeners.length) return { ...passed, rules };
  const opened = resolveStreamRoute("TLSRoute", route, read);
  const differs = tlsTargets !== undefined || rules.some((rule, index) => rule !== passed.rules[index]);
  return differs ? { ...opened, passedRules: rules } : opened;
}

/** Stands for what a policy says where nothing comes of it. */
const unusedTls: UpstreamTls = { autoSniFromEndpointHostname: false, insecureSkipVerify: false, trust: "System" };

/** Backends without TLS around the client's own. */
function passTlsThrough(rule: ResolvedRule): ResolvedRule {
  const encrypts = ({ target }: ResolvedBackend) => target?.tls !== undefined;
  if (!rule.backends.some(encrypts)) return rule;
  const strip = (backend: ResolvedBackend): ResolvedBackend =>
    backend.target === undefined ? backend : { ...backend, target: withoutTls(backend.target) };
  return { ...rule, backends: rule.backends.map(strip) };
}

/** A route as it is where TLS passes through. */
export function asPassedThrough(resolved: ResolvedRoute): ResolvedRoute {
  const { passedRules, ...rest } = resolved;
  return passedRules === undefined ? resolved : { ...rest, rules: passedRules };
}
