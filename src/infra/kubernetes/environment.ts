import type { ControlPlaneAddress, XdsTls } from "../../envoy/control-plane.ts";

/** What every Gateway's objects have in common: the cluster and the installation. */
export interface ClusterEnvironment {
  /** Namespace of the controller, where objects are unless `inGatewayNamespace`. */
  readonly namespace: string;
  /** True: the objects of a Gateway are in its own namespace (`provider.kubernetes.deploy.type: GatewayNamespace`). */
  readonly inGatewayNamespace: boolean;
  /** Domain of the cluster's DNS. */
  readonly clusterDomain: string;
  /** How Envoy reaches the control plane; its folders are those of {@link podTls}. */
  readonly controlPlane: ControlPlaneAddress;
  /** Image of Envoy when an EnvoyProxy names none, with its tag. */
  readonly envoyImage: string;
  /** Image of Gatehouse itself, for the container that drains Envoy; it has `gatehouse` on its PATH. */
  readonly gatehouseImage: string;
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
}

/** The default image of Envoy: the version that the tests run. */
export const ENVOY_IMAGE = "docker.io/envoyproxy/envoy:distroless-v1.40.0";

/**
 * Where Envoy's container has what it takes to know the control plane and to be known by it.
 *
 * @param serverName that the control plane's certificate carries; also the audience of tokens
 * @param inGatewayNamespace true: Envoy shows a ServiceAccount token, so that no key need be kept in the Gateway's namespace
 */
export function podTls(serverName: string, inGatewayNamespace: boolean): XdsTls {
  const tokenFolder = "/var/run/secrets/gatehouse.dev";
  return {
    serverName,
    sdsFolder: "/sds",
    certificateFolder: "/certs",
    ...(inGatewayNamespace && { tokenFolder }),
  };
}
