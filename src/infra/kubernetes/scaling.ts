import type { IHorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import type { IPodDisruptionBudget } from "kubernetes-models/policy/v1";
import type { KubeObject } from "../../kube/resource-type.ts";
import type { GatewayInfrastructure } from "../../pipeline/infrastructure.ts";
import { type Identity, metadataOf } from "./identity.ts";
import { patchObject } from "./patch.ts";

const DEFAULT_CPU_UTILIZATION = 80;

export function renderAutoscaler(
  gateway: GatewayInfrastructure,
  identity: Identity,
  deployment: string,
): KubeObject | undefined {
  const { envoyHpa: settings } = gateway.settings.provider?.kubernetes ?? {};
  if (settings === undefined) return undefined;
  const { name, patch, minReplicas, maxReplicas, metrics, behavior } = settings;
  const averageUtilization = DEFAULT_CPU_UTILIZATION;
  const cpu = { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization } } };
  const autoscaler: IHorizontalPodAutoscaler = {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: metadataOf(gateway, identity, { name }),
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: deployment },
      ...(minReplicas !== undefined && { minReplicas }),
      maxReplicas,
      metrics: metrics ?? [cpu],
      ...(behavior && { behavior }),
    },
  };
  return patchObject(autoscaler as KubeObject, patch);
}

export function renderDisruptionBudget(gateway: GatewayInfrastructure, identity: Identity): KubeObject | undefined {
  const { envoyPDB: settings } = gateway.settings.provider?.kubernetes ?? {};
  if (settings === undefined) return undefined;
  const { name, patch, minAvailable, maxUnavailable } = settings;
  const budget: IPodDisruptionBudget = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: metadataOf(gateway, identity, { name }),
    spec: {
      selector: { matchLabels: { ...identity.selector } },
      ...(minAvailable !== undefined && { minAvailable }),
      ...(maxUnavailable !== undefined && { maxUnavailable }),
    },
  };
  return patchObject(budget as KubeObject, patch);
}
