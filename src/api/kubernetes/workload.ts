import type { IDaemonSetUpdateStrategy, IDeploymentStrategy } from "kubernetes-models/apps/v1";
import type { IHorizontalPodAutoscalerBehavior, IMetricSpec } from "kubernetes-models/autoscaling/v2";
import { int32, intOrString, must, type Notation, quantity, string } from "./notation.ts";
import { labelSelector } from "./pod.ts";

const rollingUpdate = { maxSurge: intOrString, maxUnavailable: intOrString } as const;

/** Kubernetes 1.35, apps/v1. */
export const deploymentStrategy = { rollingUpdate, type: string } as const satisfies Notation<IDeploymentStrategy>;
export const daemonSetStrategy = { rollingUpdate, type: string } as const satisfies Notation<IDaemonSetUpdateStrategy>;

const scalingRules = {
  policies: [{ periodSeconds: must(int32), type: must(string), value: must(int32) }],
  selectPolicy: string,
  stabilizationWindowSeconds: int32,
  tolerance: quantity,
} as const;

/** Kubernetes 1.35, autoscaling/v2. */
export const scalingBehavior = {
  scaleDown: scalingRules,
  scaleUp: scalingRules,
} as const satisfies Notation<IHorizontalPodAutoscalerBehavior>;

const target = must({
  averageUtilization: int32,
  averageValue: quantity,
  type: must(string),
  value: quantity,
});
const metric = must({ name: must(string), selector: labelSelector });

export const metricSpec = {
  containerResource: { container: must(string), name: must(string), target },
  external: { metric, target },
  object: {
    describedObject: must({ apiVersion: string, kind: must(string), name: must(string) }),
    metric,
    target,
  },
  pods: { metric, target },
  resource: { name: must(string), target },
  type: must(string),
} as const satisfies Notation<IMetricSpec>;
