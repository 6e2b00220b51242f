const group = "gateway.networking.k8s.io";

type Content = Readonly<Record<string, unknown>>;

/** An HTTPRoute of the Gateway `web` with one host and one rule. */
export function routeOf(name: string, host: string, rule: Content): object {
  return {
    apiVersion: `${group}/v1`,
    kind: "HTTPRoute",
    metadata: { name },
    spec: { parentRefs: [{ name: "web" }], hostnames: [host], rules: [rule] },
  };
}

/** A policy with the name of the HTTPRoute that it is for. */
export function policyOfRoute(kind: "BackendTrafficPolicy" | "SecurityPolicy", name: string, spec: Content): object {
  return {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind,
    metadata: { name },
    spec: { targetRefs: [{ group, kind: "HTTPRoute", name }], ...spec },
  };
}
