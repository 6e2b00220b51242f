/** Objects as a user writes them, for tests that apply them to an API server. */

export function namespace(name: string, labels: Record<string, string> = {}): object {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

export const GATEWAY_API = "gateway.networking.k8s.io/v1";

export function gatewayClass(name: string): object {
  return {
    apiVersion: GATEWAY_API,
    kind: "GatewayClass",
    metadata: { name },
    spec: { controllerName: "gatehouse.dev/gateway-controller" },
  };
}

export function gateway(name: string, inNamespace = "default"): object {
  return {
    apiVersion: GATEWAY_API,
    kind: "Gateway",
    metadata: { name, namespace: inNamespace },
    spec: { gatewayClassName: "gatehouse", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
  };
}

export function route(name: string, inNamespace = "default", hostname = "a.example.com") {
  return {
    apiVersion: GATEWAY_API,
    kind: "HTTPRoute",
    metadata: { name, namespace: inNamespace },
    spec: {
      parentRefs: [{ name: "web" }],
      hostnames: [hostname],
      rules: [{ backendRefs: [{ name: "app", port: 80 }] }],
    },
  };
}
