import type { IConfigMap, IPod, ISecret } from "kubernetes-models/v1";
import type { Image } from "../images.ts";
import type { NodeNetwork } from "../node-network.ts";
import type { Rest } from "../rest.ts";

type Metadata = NonNullable<IPod["metadata"]>;

/** A Pod as an API server hands it out: named, identified, with a spec. */
export interface Pod extends IPod {
  readonly metadata: Metadata & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: PodSpec;
}
export type PodSpec = NonNullable<IPod["spec"]>;
export type PodStatus = NonNullable<IPod["status"]>;
export type PodCondition = NonNullable<PodStatus["conditions"]>[number];
export type Container = PodSpec["containers"][number];
export type ContainerStatus = NonNullable<PodStatus["containerStatuses"]>[number];
export type ContainerState = NonNullable<ContainerStatus["state"]>;
export type EnvironmentVariable = NonNullable<Container["env"]>[number];
export type Volume = NonNullable<PodSpec["volumes"]>[number];
export type VolumeMount = NonNullable<Container["volumeMounts"]>[number];
export type Probe = NonNullable<Container["livenessProbe"]>;
export type HookHandler = NonNullable<NonNullable<Container["lifecycle"]>["preStop"]>;
export type HttpGet = NonNullable<HookHandler["httpGet"]>;

/** Secrets and ConfigMaps that pods refer to. */
export interface Sources {
  secret(namespace: string, name: string): ISecret | undefined;
  configMap(namespace: string, name: string): IConfigMap | undefined;
}

/** What a pod may ask about where it runs. */
export interface PodFacts {
  readonly podAddress: string;
  readonly nodeAddress: string;
  /** Environment that every container gets: where the API server is. */
  readonly apiServer: { readonly host: string; readonly port: number };
  /** What a container without a limit may use. */
  readonly capacity: Readonly<Record<string, string>>;
}

/** Something a container has to wait for; kubelets name the reason in the container's `waiting` state. */
export interface Obstacle {
  readonly reason: "CreateContainerConfigError" | "ErrImagePull" | "CreateContainerError" | "FailedMount";
  readonly message: string;
}

export type Outcome<T> = { readonly value: T; readonly obstacle?: undefined } | { readonly obstacle: Obstacle };

/** What all pods of a node share. */
export interface NodeContext {
  readonly rest: Rest;
  readonly network: NodeNetwork;
  readonly images: readonly Image[];
  readonly sources: Sources;
  readonly nodeAddress: string;
  /** Address of the DNS server. */
  readonly nameserver: string;
  readonly apiServer: PodFacts["apiServer"];
  readonly capacity: PodFacts["capacity"];
  /** Room for the pods' files. */
  readonly folder: string;
}
