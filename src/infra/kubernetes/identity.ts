import {
  infrastructureAnnotations,
  infrastructureName,
  infrastructureLabels as labels,
  labelValue,
} from "../../attach/infrastructure-name.ts";
import { type ObjectKey, splitObjectKey } from "../../base/keys.ts";
import type { KubeObject } from "../../kube/resource-type.ts";
import type { GatewayInfrastructure } from "../../pipeline/infrastructure.ts";
import type { ClusterEnvironment } from "./environment.ts";

export const GATEWAY_ANNOTATION = infrastructureAnnotations.gateway;

interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** Who the objects of a gateway belong to, and how they are called. */
export interface Identity {
  readonly name: string;
  readonly namespace: string;
  /** What selects the pods: a Deployment can never change it. */
  readonly selector: Readonly<Record<string, string>>;
  /** On every object: the selector, and whose installation it is. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly owner: OwnerReference | undefined;
}

export function identify(gateway: GatewayInfrastructure, environment: ClusterEnvironment): Identity {
  const { inGatewayNamespace } = environment;
  const key = splitObjectKey(gateway.gateway);
  const owning: Record<string, string> =
    key.namespace === ""
      ? { [labels.owningClass]: labelValue(key.name) }
      : { [labels.owningNamespace]: key.namespace, [labels.owningName]: labelValue(key.name) };
  const selector = {
    [labels.appName]: "envoy",
    [labels.component]: "proxy",
    [labels.managedBy]: "gatehouse",
    ...owning,
    ...(inGatewayNamespace && { [labels.gatewayName]: labelValue(key.name) }),
  };
  return {
    name: inGatewayNamespace ? key.name : infrastructureName(gateway.gateway),
    namespace: inGatewayNamespace ? key.namespace : environment.namespace,
    selector,
    labels: { ...selector, [labels.installation]: environment.namespace },
    annotations: { [GATEWAY_ANNOTATION]: gateway.gateway },
    owner: inGatewayNamespace
      ? ownerReference("Gateway", key.name, gateway.gatewayUid)
      : ownerReference("GatewayClass", gateway.gatewayClass.name, gateway.gatewayClass.uid),
  };
}

/** The gateway that an object was made for; undefined when nobody knows. */
export function owningGateway(object: KubeObject): ObjectKey | undefined {
  return object.metadata.annotations?.[GATEWAY_ANNOTATION];
}

/** Whether an object was made by this installation of Gatehouse. */
export function isOfInstallation({ metadata }: KubeObject, { namespace }: ClusterEnvironment): boolean {
  return metadata.labels?.[labels.installation] === namespace;
}

/** An object outlives no owner: the API server deletes it after them, whatever becomes of this controller. */
export function ownerReference(kind: string, name: string, uid: string | undefined): OwnerReference | undefined {
  return uid === undefined ? undefined : { apiVersion: "gateway.networking.k8s.io/v1", kind, name, uid };
}

interface Extra {
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface RenderedMeta {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly ownerReferences?: OwnerReference[];
}

/** Metadata of an object: the Gateway's labels and annotations, those of its kind, and above all ours. */
export function metadataOf(
  gateway: GatewayInfrastructure,
  { name, namespace, labels, annotations: ours, owner }: Identity,
  own: Extra & { readonly name?: string | undefined } = {},
): RenderedMeta {
  return {
    name: own.name ?? name,
    namespace,
    labels: { ...gateway.labels, ...own.labels, ...labels },
    annotations: { ...gateway.annotations, ...own.annotations, ...ours },
    ...(owner && { ownerReferences: [owner] }),
  };
}
