import type { ControlPlaneAddress } from "../../envoy/control-plane.ts";

/** What every Gateway's objects have in common: the cluster and the installation. */
export interface ClusterEnvironment {
  /** Namespace of the controller, where objects are unless `inGatewayNamespace`. */
  readonly namespace: string;
  /** True: the objects of a Gateway are in its own namespace (`provider.kubernetes.deploy.type: GatewayNamespace`). */
  readonly inGatewayNamespace: boolean;
  /** How Envoy reaches the control plane; its files are those of {@link sdsFiles}. */
  readonly controlPlane: ControlPlaneAddress;
  /** Image of Envoy when an EnvoyProxy names none, with its tag. */
  readonly envoyImage: string;
  /** Image of Gatehouse itself, for the container that drains Envoy; it has `gatehouse` on its PATH. */
  readonly gatehouseImage: string;
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
}

/** The default image of Envoy: the version that the tests run. */
export const ENVOY_IMAGE = "docker.io/envoyproxy/envoy:distroless-v1.40.0";

/** Folders in Envoy's container: the Secret with its certificate, and the SDS files that point there. */
export const CERTIFICATE_FOLDER = "/certs";
export const SDS_FOLDER = "/sds";

export const sdsFileNames = { certificate: "xds-certificate.json", trust: "xds-trusted-ca.json" } as const;

export const sdsFiles = {
  certificateFile: `${SDS_FOLDER}/${sdsFileNames.certificate}`,
  trustFile: `${SDS_FOLDER}/${sdsFileNames.trust}`,
} as const;
