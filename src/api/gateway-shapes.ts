import type {
  BackendTLSPolicy,
  Gateway,
  GatewayClass,
  GatewayListener,
  GRPCRoute,
  HTTPRoute,
  ListenerSet,
  ReferenceGrant,
  TCPRoute,
  TLSRoute,
  UDPRoute,
} from "./gateway-api.ts";
import { gatewayGroup } from "./gateway-api.ts";
import { orElse, type Sketch, scalar, scalars, shapeOfSketch } from "./sketch.ts";

/** Fields and defaults of the Gateway API kinds, as the defaults of its CRDs (experimental channel) are. */

type RouteNamespaces = NonNullable<NonNullable<GatewayListener["allowedRoutes"]>["namespaces"]>;

const labelSelector = {
  matchLabels: scalars,
  matchExpressions: [{ key: scalar, operator: scalar, values: [scalar] }],
} as const satisfies Sketch<RouteNamespaces["selector"]>;

const parentRef = {
  group: orElse(gatewayGroup),
  kind: orElse("Gateway"),
  namespace: scalar,
  name: scalar,
  sectionName: scalar,
  port: scalar,
} as const;

const backendReference = {
  group: orElse(""),
  kind: orElse("Service"),
  name: scalar,
  namespace: scalar,
  port: scalar,
} as const;

const secretReference = { group: orElse(""), kind: orElse("Secret"), name: scalar, namespace: scalar } as const;
const localReference = { group: scalar, kind: scalar, name: scalar } as const;
const header = { name: scalar, value: scalar } as const;
const headerFilter = { set: [header], add: [header], remove: [scalar] } as const;
const pathModifier = { type: scalar, replaceFullPath: scalar, replacePrefixMatch: scalar } as const;
const typedHeader = { type: orElse("Exact"), name: scalar, value: scalar } as const;

const mirror = {
  backendRef: backendReference,
  percent: scalar,
  fraction: { numerator: scalar, denominator: orElse(100) },
} as const;

const sessionPersistence = {
  absoluteTimeout: scalar,
  cookieConfig: { lifetimeType: orElse("Session") },
  idleTimeout: scalar,
  sessionName: scalar,
  type: orElse("Cookie"),
} as const;

const httpFilter = {
  type: scalar,
  requestHeaderModifier: headerFilter,
  responseHeaderModifier: headerFilter,
  requestMirror: mirror,
  requestRedirect: { scheme: scalar, hostname: scalar, path: pathModifier, port: scalar, statusCode: orElse(302) },
  urlRewrite: { hostname: scalar, path: pathModifier },
  cors: {
    allowOrigins: [scalar],
    allowCredentials: scalar,
    allowMethods: [scalar],
    allowHeaders: [scalar],
    exposeHeaders: [scalar],
    maxAge: orElse(5),
  },
  externalAuth: {
    protocol: scalar,
    backendRef: backendReference,
    grpc: { allowedHeaders: [scalar] },
    http: { path: scalar, allowedHeaders: [scalar], allowedResponseHeaders: [scalar] },
    forwardBody: { maxSize: scalar },
  },
  extensionRef: localReference,
} as const;

const everyPath = { type: "PathPrefix", value: "/" };

const httpRoute = {
  spec: {
    parentRefs: [parentRef],
    useDefaultGateways: scalar,
    hostnames: [scalar],
    rules: orElse(
      [{ matches: [{ path: everyPath }] }],
      [
        {
          name: scalar,
          matches: orElse(
            [{ path: everyPath }],
            [
              {
                path: orElse(everyPath, { type: orElse("PathPrefix"), value: orElse("/") } as const),
                headers: [typedHeader],
                queryParams: [typedHeader],
                method: scalar,
              },
            ],
          ),
          filters: [httpFilter],
          backendRefs: [{ ...backendReference, weight: orElse(1), filters: [httpFilter] }],
          timeouts: { request: scalar, backendRequest: scalar },
          retry: { codes: [scalar], attempts: scalar, backoff: scalar },
          sessionPersistence,
        },
      ],
    ),
  },
} as const satisfies Sketch<Pick<HTTPRoute, "spec">>;

const grpcFilter = {
  type: scalar,
  requestHeaderModifier: headerFilter,
  responseHeaderModifier: headerFilter,
  requestMirror: mirror,
  extensionRef: localReference,
} as const;

const grpcRoute = {
  spec: {
    parentRefs: [parentRef],
    useDefaultGateways: scalar,
    hostnames: [scalar],
    rules: [
      {
        name: scalar,
        matches: [{ method: { type: orElse("Exact"), service: scalar, method: scalar }, headers: [typedHeader] }],
        filters: [grpcFilter],
        backendRefs: [{ ...backendReference, weight: orElse(1), filters: [grpcFilter] }],
        sessionPersistence,
      },
    ],
  },
} as const satisfies Sketch<Pick<GRPCRoute, "spec">>;

const streamRules = [{ name: scalar, backendRefs: [{ ...backendReference, weight: orElse(1) }] }] as const;

const tlsRoute = {
  spec: { parentRefs: [parentRef], useDefaultGateways: scalar, hostnames: [scalar], rules: streamRules },
} as const satisfies Sketch<Pick<TLSRoute, "spec">>;

const tcpOrUdpRoute = {
  spec: { parentRefs: [parentRef], useDefaultGateways: scalar, rules: streamRules },
} as const satisfies Sketch<Pick<TCPRoute, "spec">> & Sketch<Pick<UDPRoute, "spec">>;

const frontendTls = {
  validation: {
    caCertificateRefs: [{ ...localReference, namespace: scalar }],
    mode: orElse("AllowValidOnly"),
  },
} as const;

const listener = {
  name: scalar,
  hostname: scalar,
  port: scalar,
  protocol: scalar,
  tls: { mode: orElse("Terminate"), certificateRefs: [secretReference], options: scalars },
  allowedRoutes: orElse({ namespaces: { from: "Same" } }, {
    namespaces: orElse({ from: "Same" }, { from: orElse("Same"), selector: labelSelector } as const),
    kinds: [{ group: orElse(gatewayGroup), kind: scalar }],
  } as const),
} as const satisfies Sketch<GatewayListener>;

const listenerSet = {
  spec: {
    parentRef: { group: orElse(gatewayGroup), kind: orElse("Gateway"), namespace: scalar, name: scalar },
    listeners: [listener],
  },
} as const satisfies Sketch<Pick<ListenerSet, "spec">>;

const gateway = {
  spec: {
    gatewayClassName: scalar,
    listeners: [listener],
    addresses: [{ type: orElse("IPAddress"), value: scalar }],
    infrastructure: { labels: scalars, annotations: scalars, parametersRef: localReference },
    allowedListeners: orElse({ namespaces: { from: "None" } }, {
      namespaces: orElse({ from: "None" }, { from: orElse("None"), selector: labelSelector } as const),
    } as const),
    tls: {
      backend: { clientCertificateRef: secretReference },
      frontend: { default: frontendTls, perPort: [{ port: scalar, tls: frontendTls }] },
    },
    defaultScope: scalar,
  },
} as const satisfies Sketch<Pick<Gateway, "spec">>;

const gatewayClass = {
  spec: { controllerName: scalar, description: scalar, parametersRef: { ...localReference, namespace: scalar } },
} as const satisfies Sketch<Pick<GatewayClass, "spec">>;

const referenceGrant = {
  spec: {
    from: [{ group: scalar, kind: scalar, namespace: scalar }],
    to: [{ group: scalar, kind: scalar, name: scalar }],
  },
} as const satisfies Sketch<Pick<ReferenceGrant, "spec">>;

const backendTlsPolicy = {
  spec: {
    targetRefs: [{ ...localReference, sectionName: scalar }],
    validation: {
      caCertificateRefs: [localReference],
      wellKnownCACertificates: scalar,
      hostname: scalar,
      subjectAltNames: [{ type: scalar, hostname: scalar, uri: scalar }],
    },
    options: scalars,
  },
} as const satisfies Sketch<Pick<BackendTLSPolicy, "spec">>;

export const gatewayShapes = {
  GatewayClass: shapeOfSketch(gatewayClass),
  Gateway: shapeOfSketch(gateway),
  HTTPRoute: shapeOfSketch(httpRoute),
  GRPCRoute: shapeOfSketch(grpcRoute),
  TLSRoute: shapeOfSketch(tlsRoute),
  TCPRoute: shapeOfSketch(tcpOrUdpRoute),
  UDPRoute: shapeOfSketch(tcpOrUdpRoute),
  ListenerSet: shapeOfSketch(listenerSet),
  ReferenceGrant: shapeOfSketch(referenceGrant),
  BackendTLSPolicy: shapeOfSketch(backendTlsPolicy),
} as const;
