import type { IService } from "kubernetes-models/v1";
import { aliasName, infrastructureLabels, labelValue } from "../../attach/infrastructure-name.ts";
import { splitObjectKey } from "../../base/keys.ts";
import type { KubeObject } from "../../kube/resource-type.ts";
import type { GatewayInfrastructure } from "../../pipeline/infrastructure.ts";
import type { ClusterEnvironment } from "./environment.ts";
import { GATEWAY_ANNOTATION, ownerReference } from "./identity.ts";

/**
 * Where Envoys run in the controller's namespace, each Gateway has a name in its own all the same: a Service of type ExternalName
 * that leads to the one of its Envoys. Who uses a Gateway inside of the cluster need not know where it runs, nor with whom it is
 * shared, and finds there the labels and annotations that the Gateway asks for (`spec.infrastructure`).
 *
 * @param service that clients of the fleet are served by
 */
export function renderAliases(
  { members, gateway: fleet, gatewayClass }: GatewayInfrastructure,
  environment: ClusterEnvironment,
  service: KubeObject,
): KubeObject[] {
  if (environment.inGatewayNamespace) return [];
  const externalName = `${service.metadata.name}.${environment.namespace}.svc.${environment.clusterDomain}`;
  return members.map(({ gateway, uid, labels, annotations }) => {
    const { namespace, name } = splitObjectKey(gateway);
    const owner = ownerReference("Gateway", name, uid);
    const alias: IService = {
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name: aliasName(name, gatewayClass.name),
        namespace,
        labels: {
          ...labels,
          [infrastructureLabels.managedBy]: "gatehouse",
          [infrastructureLabels.gatewayName]: labelValue(name),
          [infrastructureLabels.installation]: environment.namespace,
        },
        annotations: { ...annotations, [GATEWAY_ANNOTATION]: fleet },
        ...(owner && { ownerReferences: [owner] }),
      },
      spec: { type: "ExternalName", externalName, sessionAffinity: "None" },
    };
    return alias as KubeObject;
  });
}

/** The Service that leads to pods is never of this type. */
export function isAlias(object: KubeObject): boolean {
  return object.kind === "Service" && (object as IService).spec?.type === "ExternalName";
}
