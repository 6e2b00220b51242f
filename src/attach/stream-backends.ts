import { withoutTls } from "./cluster-spec.ts";
import type { ResolvedBackend, ResolvedRoute } from "./model.ts";

/** Backends of a listener that passes TLS through get the client's own TLS, and no other around it. */
export function passTlsThrough(resolved: ResolvedRoute): ResolvedRoute {
  const encrypts = ({ target }: ResolvedBackend) => target?.tls !== undefined;
  if (!resolved.rules.some(({ backends }) => backends.some(encrypts))) return resolved;
  const strip = (backend: ResolvedBackend): ResolvedBackend =>
    backend.target === undefined ? backend : { ...backend, target: withoutTls(backend.target) };
  return { ...resolved, rules: resolved.rules.map((rule) => ({ ...rule, backends: rule.backends.map(strip) })) };
}
