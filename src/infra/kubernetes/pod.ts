import type { IContainer, IPodSpec, IPodTemplateSpec, IProbe, ISecurityContext, IVolume } from "kubernetes-models/v1";
import type { EnvoyProxySpec } from "../../api/envoyproxy.ts";
import { TRUST_CONFIG_MAP, type XdsTls } from "../../envoy/control-plane.ts";
import { podPorts, podSockets } from "../../envoy/pod-ports.ts";
import type { GatewayInfrastructure } from "../../pipeline/infrastructure.ts";
import { METRICS_PATH, READY_PATH } from "../../translate/bootstrap-listeners.ts";
import { buildProxyBootstrap } from "../../translate/proxy-bootstrap.ts";
import { drainTimeoutMs, processArguments } from "../envoy-arguments.ts";
import { READY_WAIT_PATH, SHUTDOWN_HEALTH_PATH } from "../shutdown-protocol.ts";
import { drainArguments } from "../shutdown-settings.ts";
import type { ClusterEnvironment } from "./environment.ts";
import { type Identity, metadataOf } from "./identity.ts";

type Kubernetes = NonNullable<NonNullable<EnvoyProxySpec["provider"]>["kubernetes"]>;
export type DeploymentSettings = NonNullable<Kubernetes["envoyDeployment"]>;
type PodSettings = NonNullable<DeploymentSettings["pod"]>;

/** How long after its drain timeout a pod may still take: for what the kubelet and load balancers do around it. */
const GRACE_BEYOND_DRAIN_S = 300;

/** User and group of distroless images. */
const NOBODY = 65_532;

const LOG_LEVEL = "warn";
const DEFAULT_REQUESTS = { cpu: "100m", memory: "512Mi" };
/** A Node.js process that waits. */
const SHUTDOWN_REQUESTS = { cpu: "10m", memory: "64Mi" };

const FIRST_UNPRIVILEGED_PORT = 1024;

/** Where the kubelet writes the zone of the pod's node, when something has put it on the pod. */
const ZONE_ANNOTATION = "topology.kubernetes.io/zone";

/** Nothing beyond what a process needs that reads files and opens ports. */
export const confined: ISecurityContext = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  privileged: false,
  runAsGroup: NOBODY,
  runAsNonRoot: true,
  runAsUser: NOBODY,
  seccompProfile: { type: "RuntimeDefault" },
};

/** The pod of a Gateway's Envoys, the same for a Deployment and a DaemonSet. */
export function renderPod(
  gateway: GatewayInfrastructure,
  identity: Identity,
  environment: ClusterEnvironment,
  workload: DeploymentSettings,
  serviceAccountName: string,
): IPodTemplateSpec {
  const { settings } = gateway;
  const { pod = {} } = workload;
  const mounts = xdsMounts(identity, environment.controlPlane.tls);
  const spec: IPodSpec = {
    serviceAccountName,
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: Math.ceil(drainTimeoutMs(settings) / 1000) + GRACE_BEYOND_DRAIN_S,
    ...schedulingOf(pod),
    securityContext: podSecurity(gateway, pod),
    ...(workload.initContainers && { initContainers: workload.initContainers }),
    containers: [renderEnvoy(gateway, environment, workload, mounts), renderShutdown(gateway, environment)],
    volumes: [{ name: SOCKETS, emptyDir: {} }, ...mounts.map(({ volume }) => volume), ...(pod.volumes ?? [])],
  };
  const scraping = settings.telemetry?.metrics?.prometheus?.disable
    ? {}
    : scrapeAnnotations(METRICS_PATH, podPorts.stats);
  const { labels, annotations } = metadataOf(gateway, identity, {
    labels: pod.labels,
    annotations: { ...scraping, ...pod.annotations },
  });
  return { metadata: { labels, annotations }, spec };
}

/** By which Prometheus finds the figures of a pod. */
export const scrapeAnnotations = (path: string, port: number) => ({
  "prometheus.io/scrape": "true",
  "prometheus.io/path": path,
  "prometheus.io/port": String(port),
});

function schedulingOf(pod: PodSettings): Partial<IPodSpec> {
  const { affinity, tolerations, imagePullSecrets, nodeSelector, topologySpreadConstraints, priorityClassName } = pod;
  return {
    ...(affinity && { affinity }),
    ...(tolerations && { tolerations }),
    ...(imagePullSecrets && { imagePullSecrets }),
    ...(nodeSelector && { nodeSelector }),
    ...(topologySpreadConstraints && { topologySpreadConstraints }),
    ...(priorityClassName !== undefined && { priorityClassName }),
  };
}

/** A process without privileges may bind a port below 1024 only where the pod's network says so. */
function podSecurity({ ports }: GatewayInfrastructure, { securityContext }: PodSettings): IPodSpec["securityContext"] {
  if (!ports.some((port) => port < FIRST_UNPRIVILEGED_PORT)) return securityContext;
  const name = "net.ipv4.ip_unprivileged_port_start";
  const sysctls = securityContext?.sysctls ?? [];
  if (sysctls.some((sysctl) => sysctl.name === name)) return securityContext;
  return { ...securityContext, sysctls: [...sysctls, { name, value: "0" }] };
}

/** How long a token is good; the kubelet renews it after four fifths of that. */
const TOKEN_LIFE_S = 3600;

interface Mount {
  readonly volume: IVolume;
  readonly path: string;
}

/** Volume of the sockets by which the pod's containers speak to each other. */
const SOCKETS = "envoy-admin";
const socketsMount = { name: SOCKETS, mountPath: podSockets.folder };

/** What Envoy needs to know the control plane and to be known by it; in one folder what must change together. */
function xdsMounts({ name }: Identity, tls: XdsTls | undefined): readonly Mount[] {
  if (tls === undefined) return [];
  const { sdsFolder, certificateFolder, tokenFolder, serverName: audience } = tls;
  const file = (path: string) => ({ key: path, path });
  const authorities = { configMap: { name: TRUST_CONFIG_MAP, items: [file("ca.crt")] } };
  const pair = { secret: { name, items: [file("tls.crt"), file("tls.key")] } };
  const token = { serviceAccountToken: { audience, expirationSeconds: TOKEN_LIFE_S, path: "token" } };
  const projected = (...sources: object[]) => ({ projected: { sources, defaultMode: 0o444 } });
  const certificates = tokenFolder === undefined ? projected(pair, authorities) : projected(authorities);
  return [
    { volume: { name: "certs", ...certificates }, path: certificateFolder },
    { volume: { name: "sds", configMap: { name, defaultMode: 0o444 } }, path: sdsFolder },
    ...(tokenFolder === undefined ? [] : [{ volume: { name: "token", ...projected(token) }, path: tokenFolder }]),
  ];
}

function renderEnvoy(
  gateway: GatewayInfrastructure,
  environment: ClusterEnvironment,
  { container = {} }: DeploymentSettings,
  mounts: readonly Mount[],
): IContainer {
  const probe = (settings: Partial<IProbe>): IProbe => ({
    httpGet: { path: READY_PATH, port: podPorts.ready, scheme: "HTTP" },
    timeoutSeconds: 1,
    successThreshold: 1,
    ...settings,
  });
  return {
    name: "envoy",
    image: envoyImage(environment, container),
    ...(environment.imagePullPolicy && { imagePullPolicy: environment.imagePullPolicy }),
    command: ["envoy"],
    args: envoyArguments(gateway, environment),
    env: withOwn(container.env ?? []),
    ports: containerPorts(gateway),
    resources: container.resources ?? { requests: DEFAULT_REQUESTS },
    securityContext: container.securityContext ?? confined,
    // A configuration of 10,000 routes may take a while to arrive; an Envoy that serves is not ended for being slow.
    // Often, until it succeeds once: the first request of a new Gateway waits for it.
    startupProbe: probe({ failureThreshold: 300, periodSeconds: 1 }),
    readinessProbe: probe({ failureThreshold: 1, periodSeconds: 5 }),
    livenessProbe: probe({ failureThreshold: 3, periodSeconds: 10 }),
    // Envoy gets its signal only when the other container has drained it.
    lifecycle: { preStop: { httpGet: { path: READY_WAIT_PATH, port: podPorts.shutdown, scheme: "HTTP" } } },
    volumeMounts: [
      socketsMount,
      ...mounts.map(({ volume, path }) => ({ name: volume.name, mountPath: path, readOnly: true })),
      ...(container.volumeMounts ?? []),
    ],
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}

function envoyImage(
  { envoyImage: image }: ClusterEnvironment,
  container: NonNullable<DeploymentSettings["container"]>,
) {
  if (container.image !== undefined) return container.image;
  if (container.imageRepository === undefined) return image;
  return `${container.imageRepository}${image.slice(image.lastIndexOf(":"))}`;
}

/** Ports in a pod only inform; those of listeners are left out, so that none that comes or goes replaces the pod. */
function containerPorts({ settings }: GatewayInfrastructure): IContainer["ports"] {
  const metrics = { name: "metrics", containerPort: podPorts.stats, protocol: "TCP" } as const;
  return [
    ...(settings.telemetry?.metrics?.prometheus?.disable ? [] : [metrics]),
    { name: "readiness", containerPort: podPorts.ready, protocol: "TCP" as const },
  ];
}

type Variables = NonNullable<IContainer["env"]>;

/** A variable that the user sets too is the user's. */
function withOwn(variables: Variables): Variables {
  const names = new Set(variables.map(({ name }) => name));
  return [...podEnvironment.filter(({ name }) => !names.has(name)), ...variables];
}

/** Fields of the pod that its containers learn. */
const podEnvironment: readonly Variables[number][] = [
  { name: "ENVOY_POD_NAMESPACE", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } } },
  { name: "ENVOY_POD_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } } },
  {
    name: "ENVOY_SERVICE_ZONE",
    valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: `metadata.annotations['${ZONE_ANNOTATION}']` } },
  },
];

function envoyArguments({ gateway, settings }: GatewayInfrastructure, environment: ClusterEnvironment): string[] {
  const result = buildProxyBootstrap(settings, { controlPlane: environment.controlPlane, adminSocket: undefined });
  // A gateway whose override is refused is held and so never rendered.
  if (!("bootstrap" in result))
    throw new Error(`the bootstrap cannot be changed as asked: ${result.field} ${result.text}`);
  return [
    ...["--service-cluster", gateway],
    ...["--service-node", "$(ENVOY_POD_NAME)"],
    ...["--service-zone", "$(ENVOY_SERVICE_ZONE)"],
    ...["--config-yaml", JSON.stringify(result.bootstrap)],
    ...processArguments(settings, { logLevel: LOG_LEVEL }).flat(),
    ...(settings.extraArgs ?? []),
  ];
}

/** Drains Envoy before it is ended: see `src/infra/shutdown-manager.ts`. */
function renderShutdown(
  { settings }: GatewayInfrastructure,
  { gatehouseImage, imagePullPolicy }: ClusterEnvironment,
): IContainer {
  const probe: IProbe = { httpGet: { path: SHUTDOWN_HEALTH_PATH, port: podPorts.shutdown, scheme: "HTTP" } };
  return {
    name: "shutdown-manager",
    image: gatehouseImage,
    ...(imagePullPolicy && { imagePullPolicy }),
    command: ["gatehouse"],
    args: ["envoy", "shutdown-manager", ...drainArguments(settings)],
    env: [...podEnvironment.slice(0, 2)],
    ports: [{ name: "shutdown", containerPort: podPorts.shutdown, protocol: "TCP" }],
    resources: { requests: SHUTDOWN_REQUESTS },
    securityContext: { ...confined, readOnlyRootFilesystem: true },
    volumeMounts: [socketsMount],
    startupProbe: { ...probe, failureThreshold: 30, periodSeconds: 2 },
    readinessProbe: { ...probe, periodSeconds: 10 },
    livenessProbe: { ...probe, periodSeconds: 10 },
    lifecycle: { preStop: { exec: { command: ["gatehouse", "envoy", "shutdown"] } } },
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}
