import type { IDaemonSetUpdateStrategy, IDeploymentStrategy } from "kubernetes-models/apps/v1";
import type { IHorizontalPodAutoscalerBehavior, IMetricSpec } from "kubernetes-models/autoscaling/v2";
import type {
  IAffinity,
  IContainer,
  IEnvVar,
  ILocalObjectReference,
  IPodSecurityContext,
  IResourceRequirements,
  ISecurityContext,
  IToleration,
  ITopologySpreadConstraint,
  IVolume,
  IVolumeMount,
} from "kubernetes-models/v1";
import { kubernetes } from "./kubernetes/notation.ts";
import * as pod from "./kubernetes/pod.ts";
import { volume } from "./kubernetes/volume.ts";
import * as workload from "./kubernetes/workload.ts";
import { anything, choice, flag, integer, intOrString, list, map, object, required, text } from "./schema.ts";

/** What Gatehouse runs for a Gateway in a cluster: the part `spec.provider.kubernetes` of an EnvoyProxy. */

const name = (what: string) => text(`Name of the ${what}; made from the Gateway's when left out.`);

const patch = (what: string) =>
  object(`Changes the ${what} after everything else has been worked out.`, {
    type: text("StrategicMerge or JSONMerge; StrategicMerge when left out."),
    value: required(anything("The patch.", { anyType: true })),
  });

const labels = (what: string) => map(`Further labels of the ${what}.`, text("Value of the label."));
const annotations = (what: string) => map(`Further annotations of the ${what}.`, text("Value of the annotation."));

const podSettings = object("Settings of Envoy's pods.", {
  annotations: annotations("pods"),
  labels: labels("pods"),
  securityContext: kubernetes<IPodSecurityContext>(
    "Users, groups and privileges of the pod.",
    "pod.spec.securityContext",
    pod.podSecurityContext,
  ),
  affinity: kubernetes<IAffinity>("Which nodes and neighbours pods want.", "pod.spec.affinity", pod.affinity),
  tolerations: list(
    "Taints of nodes that pods put up with.",
    kubernetes<IToleration>("A toleration.", "pod.spec.tolerations", pod.toleration),
  ),
  volumes: list("Further volumes of the pods.", kubernetes<IVolume>("A volume.", "pod.spec.volumes", volume)),
  imagePullSecrets: list(
    "Secrets for pulling images.",
    kubernetes<ILocalObjectReference>("Name of a Secret.", "pod.spec.imagePullSecrets", pod.localObjectReference),
  ),
  nodeSelector: map("Labels that a node must have.", text("Value of the label.")),
  topologySpreadConstraints: list(
    "How pods spread over nodes and zones.",
    kubernetes<ITopologySpreadConstraint>(
      "A constraint.",
      "pod.spec.topologySpreadConstraints",
      pod.topologySpreadConstraint,
    ),
  ),
  priorityClassName: text("Priority class of the pods."),
});

const containerSettings = object(
  "Settings of Envoy's container.",
  {
    env: list("Environment variables.", kubernetes<IEnvVar>("A variable.", "pod.spec.containers.env", pod.envVar)),
    resources: kubernetes<IResourceRequirements>(
      "Requests and limits; a memory limit also makes Envoy shed load before it is reached.",
      "pod.spec.containers.resources",
      pod.resourceRequirements,
    ),
    securityContext: kubernetes<ISecurityContext>(
      "User and privileges of the container.",
      "pod.spec.containers.securityContext",
      pod.securityContext,
    ),
    image: text("Image of Envoy, with its tag or digest.", {
      rules: [
        {
          rule: "self.matches('^[a-zA-Z0-9._-]+(:[0-9]+)?(/[a-zA-Z0-9._/-]+)?(:[a-zA-Z0-9._-]+)?(@sha256:[a-z0-9]+)?$')",
          message: "must be an image such as registry/name:tag",
        },
      ],
    }),
    imageRepository: text("Image of Envoy without tag; the tag is that of the default image.", {
      rules: [
        {
          rule: "self.matches('^[a-zA-Z0-9._-]+(:[0-9]+)?[a-zA-Z0-9._/-]+$')",
          message: "must be an image without tag, such as registry/name",
        },
      ],
    }),
    volumeMounts: list(
      "Where volumes of the pod appear in the container.",
      kubernetes<IVolumeMount>("A mount.", "pod.spec.containers.volumeMounts", pod.volumeMount),
    ),
  },
  {
    rules: [
      {
        rule: "!has(self.image) || !has(self.imageRepository)",
        message: "image and imageRepository exclude one another",
      },
    ],
  },
);

const deployment = object("Runs Envoy as a Deployment, which is the default.", {
  name: name("Deployment"),
  patch: patch("Deployment"),
  replicas: integer("Number of pods; 1 when left out. An autoscaler takes over from here.", { format: "int32" }),
  strategy: kubernetes<IDeploymentStrategy>(
    "How pods are replaced.",
    "deployment.spec.strategy",
    workload.deploymentStrategy,
  ),
  pod: podSettings,
  container: containerSettings,
  initContainers: list(
    "Containers that run before Envoy.",
    kubernetes<IContainer>("A container.", "pod.spec.initContainers", pod.container),
  ),
});

const daemonSet = object("Runs Envoy on every node, as a DaemonSet.", {
  name: name("DaemonSet"),
  patch: patch("DaemonSet"),
  strategy: kubernetes<IDaemonSetUpdateStrategy>(
    "How pods are replaced.",
    "daemonset.spec.updateStrategy",
    workload.daemonSetStrategy,
  ),
  pod: podSettings,
  container: containerSettings,
});

const onlyLoadBalancer = (field: string) => ({
  rule: `!has(self.${field}) || self.type == 'LoadBalancer'`,
  message: `${field} is for type LoadBalancer only`,
});

const service = object(
  "The Service in front of Envoy.",
  {
    name: name("Service"),
    patch: patch("Service"),
    type: choice("Type of the Service.", ["ClusterIP", "LoadBalancer", "NodePort"], { default: "LoadBalancer" }),
    annotations: annotations("Service"),
    labels: labels("Service"),
    externalTrafficPolicy: choice(
      "Local keeps the client's address; Cluster also uses Envoys of other nodes.",
      ["Local", "Cluster"],
      { default: "Local" },
    ),
    allocateLoadBalancerNodePorts: flag("Whether a load balancer gets node ports."),
    loadBalancerClass: text("Class of the load balancer."),
    loadBalancerIP: text("Address to ask the load balancer for.", {
      rules: [
        {
          rule: "self.matches('^((25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)[.]){3}(25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)$')",
          message: "must be an IPv4 address",
        },
      ],
    }),
    loadBalancerSourceRanges: list("Clients that may connect.", text("A range of addresses, such as 10.0.0.0/8.")),
  },
  {
    rules: [
      onlyLoadBalancer("allocateLoadBalancerNodePorts"),
      onlyLoadBalancer("loadBalancerSourceRanges"),
      onlyLoadBalancer("loadBalancerIP"),
    ],
  },
);

const positive = { rules: [{ rule: "self > 0", message: "must be at least 1" }] };

const autoscaler = object(
  "Scales the Deployment with its load.",
  {
    name: name("HorizontalPodAutoscaler"),
    patch: patch("HorizontalPodAutoscaler"),
    minReplicas: integer("Fewest pods; 1 when left out.", { format: "int32", ...positive }),
    maxReplicas: required(integer("Most pods.", { format: "int32", ...positive })),
    metrics: list(
      "What to scale by; CPU at 80 % when left out.",
      kubernetes<IMetricSpec>("A metric.", "hpa.spec.metrics", workload.metricSpec),
    ),
    behavior: kubernetes<IHorizontalPodAutoscalerBehavior>(
      "How fast to scale.",
      "hpa.spec.behavior",
      workload.scalingBehavior,
    ),
  },
  {
    rules: [
      {
        rule: "!has(self.minReplicas) || self.maxReplicas >= self.minReplicas",
        message: "maxReplicas must not be below minReplicas",
      },
    ],
  },
);

const disruptionBudget = object(
  "Limits how many pods an eviction may take at a time.",
  {
    name: name("PodDisruptionBudget"),
    patch: patch("PodDisruptionBudget"),
    minAvailable: intOrString("Pods that must stay, as a number or a percentage."),
    maxUnavailable: intOrString("Pods that may go, as a number or a percentage."),
  },
  {
    rules: [
      {
        rule: "has(self.minAvailable) != has(self.maxUnavailable)",
        message: "set one of minAvailable and maxUnavailable",
      },
    ],
  },
);

export const kubernetesProvider = object(
  "Settings for type Kubernetes.",
  {
    envoyDeployment: deployment,
    envoyDaemonSet: daemonSet,
    envoyService: service,
    envoyServiceAccount: object("The ServiceAccount of Envoy's pods.", { name: name("ServiceAccount") }),
    envoyHpa: autoscaler,
    envoyPDB: disruptionBudget,
    useListenerPortAsContainerPort: flag(
      "Envoy binds the ports of the listeners as they are; otherwise ports below 1024 are bound 10,000 higher.",
    ),
  },
  {
    rules: [
      {
        rule: "!has(self.envoyDeployment) || !has(self.envoyDaemonSet)",
        message: "envoyDeployment and envoyDaemonSet exclude one another",
      },
      {
        rule: "!has(self.envoyHpa) || !has(self.envoyDaemonSet)",
        message: "envoyHpa is not for a DaemonSet",
      },
    ],
  },
);
