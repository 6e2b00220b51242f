import { GATEWAY_API, OURS } from "./world.ts";

/** Objects to create, all in the namespace `default`. */
export const gatewayClass = (name: string, controllerName = OURS) => ({
  apiVersion: `${GATEWAY_API}/v1`,
  kind: "GatewayClass",
  metadata: { name },
  spec: { controllerName },
});

export const gateway = (name: string, className: string, listeners: readonly string[] = ["http"]) => ({
  apiVersion: `${GATEWAY_API}/v1`,
  kind: "Gateway",
  metadata: { name },
  spec: {
    gatewayClassName: className,
    listeners: listeners.map((listener, index) => ({ name: listener, protocol: "HTTP", port: 8000 + index })),
  },
});

/** A Gateway that takes ListenerSets of its namespace. */
export const openGateway = (name: string, className: string) => {
  const plain = gateway(name, className);
  return { ...plain, spec: { ...plain.spec, allowedListeners: { namespaces: { from: "Same" } } } };
};

export const listenerSet = (name: string, parent: string, port: number) => ({
  apiVersion: `${GATEWAY_API}/v1`,
  kind: "ListenerSet",
  metadata: { name },
  spec: { parentRef: { name: parent }, listeners: [{ name: "http", protocol: "HTTP", port }] },
});

export const route = (name: string, gateways: readonly string[], host = `${name}.example.com`) => ({
  apiVersion: `${GATEWAY_API}/v1`,
  kind: "HTTPRoute",
  metadata: { name },
  spec: {
    parentRefs: gateways.map((parent) => ({ name: parent })),
    hostnames: [host],
    rules: [{ backendRefs: [{ name: "app", port: 80 }] }],
  },
});

export const grpcRoute = (name: string, gateways: readonly string[]) => ({
  ...route(name, gateways),
  kind: "GRPCRoute",
});

/** A Gateway that is run by an EnvoyProxy. */
export const gatewayWithProxy = (name: string, className: string, proxy: string) => {
  const plain = gateway(name, className);
  const parametersRef = { group: "gateway.envoyproxy.io", kind: "EnvoyProxy", name: proxy };
  return { ...plain, spec: { ...plain.spec, infrastructure: { parametersRef } } };
};

export const envoyProxy = (name: string) => ({
  apiVersion: "gateway.envoyproxy.io/v1alpha1",
  kind: "EnvoyProxy",
  metadata: { name },
  spec: { concurrency: 1 },
});

export const backend = (name: string, address: string) => ({
  apiVersion: "gateway.envoyproxy.io/v1alpha1",
  kind: "Backend",
  metadata: { name },
  spec: { endpoints: [{ ip: { address, port: 80 } }] },
});

/** For the Service to which all routes lead. */
export const backendTlsPolicy = (name: string) => ({
  apiVersion: `${GATEWAY_API}/v1`,
  kind: "BackendTLSPolicy",
  metadata: { name },
  spec: {
    targetRefs: [{ group: "", kind: "Service", name: "app" }],
    validation: { wellKnownCACertificates: "System", hostname: "app.example.com" },
  },
});
