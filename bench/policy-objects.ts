import { GATEWAY, type PlainObject } from "./table.ts";

/**
 * What a policy of the bench says: a part that Envoy has in its routes and that shows in answers, and one that it has in its clusters,
 * of which an edit makes new ones.
 */
export interface PolicyState {
  /** Bodies of {@link POSTED_BYTES} are refused with 413. */
  readonly refuses: boolean;
  readonly maxConnections: number;
}

/** Body of the requests by which it is seen whether a policy is in effect. */
export const POSTED_BYTES = 2_000;
export const REFUSED_STATUS = 413;

/** A policy of one route of the table. */
export function routePolicy(index: number, state: PolicyState): PlainObject {
  return policy(`route-${index}`, { kind: "HTTPRoute", name: `route-${index}` }, state);
}

/** A policy of the table's Gateway, which counts for all routes that have none of their own. */
export function gatewayPolicy(state: PolicyState): PlainObject {
  return policy("everything", { kind: "Gateway", name: GATEWAY.name }, state);
}

function policy(name: string, target: { kind: string; name: string }, state: PolicyState): PlainObject {
  return {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "BackendTrafficPolicy",
    metadata: { name, namespace: GATEWAY.namespace },
    spec: {
      targetRefs: [{ group: "gateway.networking.k8s.io", ...target }],
      circuitBreaker: { maxConnections: state.maxConnections, maxPendingRequests: 2_048 },
      requestBuffer: { limit: state.refuses ? "1Ki" : "1Mi" },
      timeout: { http: { requestTimeout: "30s" } },
      retry: { numRetries: 2, retryOn: { triggers: ["connect-failure", "refused-stream"] } },
    },
  };
}
