/** YAML text of the objects that tests and benches need, in flow style so that one object is a few short lines. */

const gatewayApi = "gateway.networking.k8s.io/v1";

export function joinDocuments(...documents: readonly string[]): string {
  return documents.map((text) => text.trim()).join("\n---\n");
}

export interface GatewayText {
  readonly name: string;
  readonly namespace?: string;
  readonly className?: string;
  /** Default: one HTTP listener named `http` on `port`. */
  readonly port?: number;
  /** YAML in flow style: the value of `spec.listeners`. */
  readonly listeners?: string;
}

/** A Gateway and its GatewayClass of Gatehouse's controller. */
export function gatewayYaml(gateway: GatewayText): string {
  const { name, namespace = "default", className = "gatehouse", port } = gateway;
  const listeners =
    gateway.listeners ?? `[{name: http, protocol: HTTP, port: ${port}, allowedRoutes: {namespaces: {from: All}}}]`;
  return joinDocuments(
    `apiVersion: ${gatewayApi}
kind: GatewayClass
metadata: {name: ${className}}
spec: {controllerName: gatehouse.dev/gateway-controller}`,
    `apiVersion: ${gatewayApi}
kind: Gateway
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  gatewayClassName: ${className}
  listeners: ${listeners}`,
  );
}

export interface BackendText {
  readonly name: string;
  readonly namespace?: string;
  /** `gateway` (default): kind Backend of gateway.envoyproxy.io; `static`: kind Backend of gateway.kgateway.dev. */
  readonly flavour?: "gateway" | "static";
  readonly address?: string;
  readonly port: number;
}

export const backendGroups = { gateway: "gateway.envoyproxy.io", static: "gateway.kgateway.dev" } as const;

export function backendYaml(backend: BackendText): string {
  const { name, namespace = "default", flavour = "gateway", address = "127.0.0.1", port } = backend;
  const spec =
    flavour === "static"
      ? `{type: Static, static: {hosts: [{host: ${address}, port: ${port}}]}}`
      : `{endpoints: [{ip: {address: ${address}, port: ${port}}}]}`;
  return `apiVersion: ${backendGroups[flavour]}/v1alpha1
kind: Backend
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}`;
}

/** A kubernetes.io/tls Secret. Times are left out: a file has none. */
export function tlsSecretYaml(secret: {
  readonly name: string;
  readonly namespace?: string;
  readonly certificate: string;
  readonly key: string;
}): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return `apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: ${secret.name}, namespace: ${secret.namespace ?? "default"}}
data: {tls.crt: ${base64(secret.certificate)}, tls.key: ${base64(secret.key)}}`;
}
