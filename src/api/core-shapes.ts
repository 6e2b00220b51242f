import type { ConfigMap, EndpointSlice, Namespace, Secret, Service } from "./core.ts";
import { orElse, type Sketch, scalar, scalars, shapeOfSketch } from "./sketch.ts";

/** Fields and defaults of the Kubernetes kinds. Defaults are those that Gatehouse or its users look at. */

type Content<T> = Omit<T, "apiVersion" | "kind" | "metadata" | "status">;

const service = {
  spec: {
    allocateLoadBalancerNodePorts: scalar,
    clusterIP: scalar,
    clusterIPs: [scalar],
    externalIPs: [scalar],
    externalName: scalar,
    externalTrafficPolicy: scalar,
    healthCheckNodePort: scalar,
    internalTrafficPolicy: scalar,
    ipFamilies: [scalar],
    ipFamilyPolicy: scalar,
    loadBalancerClass: scalar,
    loadBalancerIP: scalar,
    loadBalancerSourceRanges: [scalar],
    ports: [
      {
        name: scalar,
        port: scalar,
        protocol: orElse("TCP"),
        appProtocol: scalar,
        targetPort: scalar,
        nodePort: scalar,
      },
    ],
    publishNotReadyAddresses: scalar,
    selector: scalars,
    sessionAffinity: orElse("None"),
    sessionAffinityConfig: { clientIP: { timeoutSeconds: scalar } },
    trafficDistribution: scalar,
    type: orElse("ClusterIP"),
  },
} as const satisfies Sketch<Content<Service>>;

const endpointSlice = {
  addressType: scalar,
  endpoints: [
    {
      addresses: [scalar],
      conditions: { ready: scalar, serving: scalar, terminating: scalar },
      deprecatedTopology: scalars,
      hints: { forNodes: [{ name: scalar }], forZones: [{ name: scalar }] },
      hostname: scalar,
      nodeName: scalar,
      targetRef: {
        apiVersion: scalar,
        fieldPath: scalar,
        kind: scalar,
        name: scalar,
        namespace: scalar,
        resourceVersion: scalar,
        uid: scalar,
      },
      zone: scalar,
    },
  ],
  ports: [{ name: orElse(""), port: scalar, protocol: orElse("TCP"), appProtocol: scalar }],
} as const satisfies Sketch<Content<EndpointSlice>>;

const secret = {
  type: orElse("Opaque"),
  data: scalars,
  stringData: scalars,
  immutable: scalar,
} as const satisfies Sketch<Content<Secret>>;

const configMap = { data: scalars, binaryData: scalars, immutable: scalar } as const satisfies Sketch<
  Content<ConfigMap>
>;

const namespace = { spec: { finalizers: [scalar] } } as const satisfies Sketch<Content<Namespace>>;

export const coreShapes = {
  Service: shapeOfSketch(service),
  EndpointSlice: shapeOfSketch(endpointSlice),
  Secret: shapeOfSketch(secret),
  ConfigMap: shapeOfSketch(configMap),
  Namespace: shapeOfSketch(namespace),
} as const;
