import { parseDocument, stringify } from "yaml";

/** An object as a user would write it. */
export interface PlainObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: object;
  /** Of the kinds that have no `spec`, such as `data` of a Secret. */
  readonly [field: string]: unknown;
}

/** `hosts`: a hostname for every route. `paths`: one catch-all host, a prefix `/foo/N` for every route. */
export type Shape = "hosts" | "paths";

export interface TableOptions {
  readonly shape: Shape;
  /** Port of the Gateway's one HTTP listener. */
  readonly port: number;
  /** Where the backends of all routes are: the same server, in clusters of their own. */
  readonly backendPort: number;
  /** Default {@link LOOPBACK}, which Gatehouse refuses in a cluster: it would be the pod of Envoy itself. */
  readonly backendAddress?: string;
}

/** What one route is at some moment. */
export interface RouteState {
  /** Value of the response header {@link REVISION_HEADER}. */
  readonly revision: string;
  /** Default: that of the table. */
  readonly backendPort?: number;
}

export const REVISION_HEADER = "x-revision";
/** What every route says before its first edit; a word, since YAML reads a bare number as one and the API wants a string. */
export const FIRST_REVISION = "first";
export const GATEWAY = { namespace: "default", name: "http" } as const;

const LOOPBACK = "127.0.0.1";
const gatewayApi = "gateway.networking.k8s.io/v1";
const namespace = GATEWAY.namespace;

/** The Gateway of the table and its class. */
export function gatewayObjects({ port }: TableOptions): PlainObject[] {
  return [
    {
      apiVersion: gatewayApi,
      kind: "GatewayClass",
      metadata: { name: "gatehouse" },
      spec: { controllerName: "gatehouse.dev/gateway-controller" },
    },
    {
      apiVersion: gatewayApi,
      kind: "Gateway",
      metadata: { ...GATEWAY },
      spec: {
        gatewayClassName: "gatehouse",
        listeners: [{ name: "http", protocol: "HTTP", port, allowedRoutes: { namespaces: { from: "All" } } }],
      },
    },
  ];
}

/** Route N and its own Backend: what one file of the table holds. */
export function routeObjects(options: TableOptions, index: number, state: RouteState): PlainObject[] {
  const { host, prefix } = routeAddress(options.shape, index);
  const port = state.backendPort ?? options.backendPort;
  const address = options.backendAddress ?? LOOPBACK;
  const backend = options.shape === "paths" ? staticBackend(index, address, port) : ipBackend(index, address, port);
  const group = backend.apiVersion.split("/")[0];
  return [
    backend,
    {
      apiVersion: gatewayApi,
      kind: "HTTPRoute",
      metadata: { name: `route-${index}`, namespace },
      spec: {
        parentRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: GATEWAY.name, namespace }],
        ...(options.shape === "hosts" ? { hostnames: [host] } : {}),
        rules: [
          {
            matches: [{ path: { type: "PathPrefix", value: prefix } }],
            filters: [
              {
                type: "URLRewrite",
                urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/anything/" } },
              },
              {
                type: "ResponseHeaderModifier",
                responseHeaderModifier: { add: [{ name: REVISION_HEADER, value: state.revision }] },
              },
            ],
            backendRefs: [{ group, kind: "Backend", name: backend.metadata.name, weight: 1 }],
          },
        ],
      },
    },
  ];
}

/** Host and path of a request that only this route answers. */
export function routeAddress(shape: Shape, index: number): { host: string; prefix: string; path: string } {
  return shape === "hosts"
    ? { host: `host-${index}.example.com`, prefix: "/", path: "/get" }
    : { host: "any.example.com", prefix: `/foo/${index}`, path: `/foo/${index}/get` };
}

export function fileText(objects: readonly PlainObject[]): string {
  return objects.map((object) => stringify(object)).join("---\n");
}

/**
 * File texts of many routes, from one that is serialised once: `stringify` of ten thousand routes takes longer than
 * everything that is measured.
 */
export function routeFileWriter(options: TableOptions): (index: number, state: RouteState) => string {
  const [index, revision, port] = [987_654_321, "placeholder-revision", 987_650];
  const template = fileText(routeObjects(options, index, { revision, backendPort: port }));
  if (parseDocument(template.split("---\n")[1] ?? "").errors.length > 0) throw new Error("the template is not YAML");
  return (route, state) =>
    template
      .replaceAll(String(index), String(route))
      .replaceAll(revision, state.revision)
      .replaceAll(String(port), String(state.backendPort ?? options.backendPort));
}

function ipBackend(index: number, address: string, port: number): PlainObject {
  return {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "Backend",
    metadata: { name: `backend-${index}`, namespace },
    spec: { endpoints: [{ ip: { address, port } }] },
  };
}

function staticBackend(index: number, address: string, port: number): PlainObject {
  return {
    apiVersion: "gateway.kgateway.dev/v1alpha1",
    kind: "Backend",
    metadata: { name: `backend-${index}`, namespace },
    spec: { type: "Static", static: { hosts: [{ host: address, port }] } },
  };
}
