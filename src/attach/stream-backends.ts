import type { Route } from "../api/gateway-api.ts";
import { adaptRoute } from "./adapt-route.ts";
import { withoutTls } from "./cluster-spec.ts";
import type { ParentAttachment, ResolvedBackend, ResolvedRoute } from "./model.ts";

/** Backends of a listener that passes TLS through get the client's own TLS, and no other around it. */
export function passTlsThrough(resolved: ResolvedRoute): ResolvedRoute {
  const encrypts = ({ target }: ResolvedBackend) => target?.tls !== undefined;
  if (!resolved.rules.some(({ backends }) => backends.some(encrypts))) return resolved;
  const strip = (backend: ResolvedBackend): ResolvedBackend =>
    backend.target === undefined ? backend : { ...backend, target: withoutTls(backend.target) };
  return { ...resolved, rules: resolved.rules.map((rule) => ({ ...rule, backends: rule.backends.map(strip) })) };
}

/**
 * The route as the Envoys of a Gateway serve it: once for all its listeners, or twice where some of them pass TLS through and others
 * open it before they speak TLS to the backend.
 *
 * @param object is asked for only when its names matter
 */
export function servedForms(
  resolved: ResolvedRoute,
  { routing, listeners }: Pick<ParentAttachment, "routing" | "listeners">,
  object: () => Route | undefined,
): readonly ResolvedRoute[] {
  const adapted = adaptRoute(resolved, routing, object);
  if (!listeners.some(({ streams }) => streams?.passesTls)) return [adapted];
  const passed = passTlsThrough(adapted);
  return passed === adapted || listeners.every(({ streams }) => streams?.passesTls) ? [passed] : [adapted, passed];
}
