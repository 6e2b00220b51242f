import type { KeyPair } from "../test/harness/certificates.ts";
import { SYSTEM } from "./api-table.ts";
import type { PlainObject } from "./table.ts";

/** How a client's connection is served: HTTP routes, a decrypted stream, or a stream that only the backend can read. */
export const protocols = ["https", "terminated", "passthrough"] as const;
export type Protocol = (typeof protocols)[number];

/** What one tenant brings, as in a published stress test of ingress controllers. */
const DEPLOYMENTS = 13;
const SERVICES = 60;
/** Of 20: the other two are TLSRoutes. */
export const HTTP_ROUTES = 18;
/** All Services are in use: by a rule each, or together by the one rule of a TLSRoute. */
const SERVICES_PER_ROUTE = 3;
/** The first Service of those that a TLSRoute leads to. */
const firstService = { terminated: 54, passthrough: 57 } as const;

/** With what a tenant brings its listeners to the port: Gateways that share their Envoys, or ListenerSets of one Gateway. */
export type Bringer = "Gateway" | "ListenerSet";

/** The class of all Gateways; with Gateways that share their Envoys also the fleet's name. */
const SHARED_CLASS = "shared";
/** The one Gateway of all ListenerSets. */
const SHARED_GATEWAY = { name: "shared", namespace: SYSTEM };

/** The Envoys of all tenants. */
export function fleetOf(bringer: Bringer): string {
  return bringer === "Gateway" ? SHARED_CLASS : `${SHARED_GATEWAY.namespace}/${SHARED_GATEWAY.name}`;
}
/** What clients connect to, and what Envoy opens: a pod may. */
export const PORT = 443;
export const PASSTHROUGH_NAME = "passthrough";
/** Name of what a tenant brings its listeners with. */
const PARENT = "tenant";
const SECRET = "certificate";
const gatewayApi = "gateway.networking.k8s.io/v1";

/** Where the backends of all tenants are: in front of nobody's pods, so that only gateways are measured. */
export interface TenantBackends {
  readonly address: string;
  /** Answers HTTP, whole or in a decrypted stream. */
  readonly plainPort: number;
  /** Speaks TLS itself, with a certificate issued to {@link PASSTHROUGH_NAME}. */
  readonly tlsPort: number;
}

/** What a tenant's owner may change. */
export interface TenantState {
  readonly certificate: KeyPair;
  /** Value of the response header of every HTTP route. */
  readonly revision: string;
  /** A label of the hosts of all listeners, so that a change of it changes every listener of the tenant. */
  readonly zone: string;
  /** Never changed. */
  readonly bringer: Bringer;
}

export function tenantNamespace(index: number): string {
  return `tenant-${index}`;
}

function domain(index: number, protocol: Protocol, { zone }: Pick<TenantState, "zone">): string {
  return `${protocol}.${zone}.${tenantNamespace(index)}.example.com`;
}

/** A server name of the tenant that is answered by the protocol. */
export function serverName(index: number, protocol: Protocol, state: Pick<TenantState, "zone">): string {
  return `route-0.${domain(index, protocol, state)}`;
}

/** To whom the certificate is issued that a client of the protocol is shown. */
export function shownName(index: number, protocol: Protocol): string {
  return protocol === "passthrough" ? PASSTHROUGH_NAME : tenantNamespace(index);
}

/** DNS names that the tenant's certificate has to be good for. */
export function certificateNames(index: number, zones: readonly string[]): string[] {
  return zones.flatMap((zone) => protocols.map((protocol) => `*.${domain(index, protocol, { zone })}`));
}

/** What gives all tenants one fleet of Envoys and one port 443. */
export function sharedObjects(bringer: Bringer): PlainObject[] {
  const parameters = { name: SHARED_CLASS, namespace: SYSTEM };
  const isMerged = bringer === "Gateway";
  const gatewayClass = {
    apiVersion: gatewayApi,
    kind: "GatewayClass",
    metadata: { name: SHARED_CLASS },
    spec: {
      controllerName: "gatehouse.dev/gateway-controller",
      ...(isMerged && { parametersRef: { group: "gateway.envoyproxy.io", kind: "EnvoyProxy", ...parameters } }),
    },
  };
  const proxy = {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "EnvoyProxy",
    metadata: parameters,
    spec: { mergeGateways: true },
  };
  const gateway = {
    apiVersion: gatewayApi,
    kind: "Gateway",
    metadata: SHARED_GATEWAY,
    spec: {
      gatewayClassName: SHARED_CLASS,
      allowedListeners: { namespaces: { from: "All" } },
      // It must have one of its own.
      listeners: [{ name: "http", protocol: "HTTP", port: 80 }],
    },
  };
  return isMerged ? [proxy, gatewayClass] : [gatewayClass, gateway];
}

/** What runs a tenant's applications: nothing of it reaches Envoy while no route refers to it. The namespace is first. */
export function workloadObjects(index: number, backends: TenantBackends): PlainObject[] {
  const namespace = tenantNamespace(index);
  const objects: PlainObject[] = [{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }];
  for (let i = 0; i < DEPLOYMENTS; i++) objects.push(deployment(namespace, i));
  for (let i = 0; i < SERVICES; i++) objects.push(service(namespace, i), endpointSlice(namespace, i, backends));
  return objects;
}

/** What brings the tenant to the shared port, in the order in which its owner applies it. */
export function servingObjects(index: number, state: TenantState): PlainObject[] {
  const routes = Array.from({ length: HTTP_ROUTES }, (_, route) => httpRoute(index, route, state));
  const streams = (["terminated", "passthrough"] as const).map((protocol) => tlsRoute(index, protocol, state));
  return [tenantSecret(index, state), tenantListeners(index, state), ...routes, ...streams];
}

/** The tenant's certificate. */
export function tenantSecret(index: number, { certificate }: TenantState): PlainObject {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: SECRET, namespace: tenantNamespace(index) },
    type: "kubernetes.io/tls",
    data: { "tls.crt": base64(certificate.certificate), "tls.key": base64(certificate.key) },
  };
}

/** What brings the tenant's names onto the shared port. */
export function tenantListeners(index: number, state: Pick<TenantState, "zone" | "bringer">): PlainObject {
  const listeners = protocols.map((name) => ({
    name,
    protocol: name === "https" ? "HTTPS" : "TLS",
    port: PORT,
    hostname: `*.${domain(index, name, state)}`,
    tls: name === "passthrough" ? { mode: "Passthrough" } : { mode: "Terminate", certificateRefs: [{ name: SECRET }] },
  }));
  const isGateway = state.bringer === "Gateway";
  return {
    apiVersion: gatewayApi,
    kind: state.bringer,
    metadata: { name: PARENT, namespace: tenantNamespace(index) },
    spec: { ...(isGateway ? { gatewayClassName: SHARED_CLASS } : { parentRef: SHARED_GATEWAY }), listeners },
  };
}

/** HTTP route N of the tenant: a host of its own, and rules that lead to Services of their own. */
export function httpRoute(index: number, route: number, state: TenantState): PlainObject {
  const rules = Array.from({ length: SERVICES_PER_ROUTE }, (_, rule) => ({
    matches: [{ path: { type: "PathPrefix", value: rule === 0 ? "/" : `/part-${rule}` } }],
    filters: [
      {
        type: "ResponseHeaderModifier",
        responseHeaderModifier: { set: [{ name: "x-revision", value: state.revision }] },
      },
    ],
    backendRefs: [{ name: `service-${route * SERVICES_PER_ROUTE + rule}`, port: 80 }],
  }));
  return {
    apiVersion: gatewayApi,
    kind: "HTTPRoute",
    metadata: { name: `route-${route}`, namespace: tenantNamespace(index) },
    spec: {
      parentRefs: [{ kind: state.bringer, name: PARENT, sectionName: "https" }],
      hostnames: [`route-${route}.${domain(index, "https", state)}`],
      rules,
    },
  };
}

/** The tenant's route for streams that come by the protocol. */
function tlsRoute(index: number, protocol: "terminated" | "passthrough", state: TenantState): PlainObject {
  const backendRefs = Array.from({ length: SERVICES_PER_ROUTE }, (_, i) => ({
    name: `service-${firstService[protocol] + i}`,
    port: 80,
  }));
  return {
    apiVersion: gatewayApi,
    kind: "TLSRoute",
    metadata: { name: protocol, namespace: tenantNamespace(index) },
    spec: {
      parentRefs: [{ kind: state.bringer, name: PARENT, sectionName: protocol }],
      hostnames: [serverName(index, protocol, state)],
      rules: [{ backendRefs }],
    },
  };
}

function deployment(namespace: string, index: number): PlainObject {
  const labels = { app: `app-${index}` };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: `app-${index}`, namespace },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "app", image: "example.com/echo:v1" }] } },
    },
  };
}

function service(namespace: string, index: number): PlainObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `service-${index}`, namespace },
    spec: {
      // Addresses that nobody dials cost the API server more than all the rest.
      clusterIP: "None",
      selector: { app: `app-${index % DEPLOYMENTS}` },
      ports: [{ name: "main", port: 80, targetPort: 8080, protocol: "TCP" }],
    },
  };
}

function endpointSlice(namespace: string, index: number, backends: TenantBackends): PlainObject {
  const name = `service-${index}`;
  const port = index < firstService.passthrough ? backends.plainPort : backends.tlsPort;
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-slice`, namespace, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: "main", port, protocol: "TCP" }],
    endpoints: [{ addresses: [backends.address], conditions: { ready: true } }],
  } as PlainObject;
}
