import type { IDeployment } from "kubernetes-models/apps/v1";
import type { IContainer, IEnvVar, IProbe, IService, IServiceAccount, IVolume } from "kubernetes-models/v1";
import { infrastructureLabels as labels } from "../../attach/infrastructure-name.ts";
import { TRUST_CONFIG_MAP } from "../../envoy/control-plane.ts";
import type { KubeObject } from "../../kube/resource-type.ts";
import { redisEnvironment, xdsEnvironment } from "../rate-limit-environment.ts";
import { type ObjectPatch, patchObject } from "./patch.ts";
import { confined, scrapeAnnotations } from "./pod.ts";

/** The rate limit service of an installation, as the leader has it run beside Gatehouse. */
export interface RateLimitWorkload {
  /** The controller's. */
  readonly namespace: string;
  readonly image: string;
  readonly redis: {
    readonly address: { readonly url: string } | { readonly secretName: string; readonly key: string };
    readonly tls?: { readonly certificateSecret?: string };
  };
  readonly prometheus: boolean;
  /** Default 1. */
  readonly replicas?: number;
  /** Of the Deployment, by whoever installs Gatehouse. */
  readonly patch?: ObjectPatch;
  /** The control plane's, as the service reaches it, and the name that its certificate carries. */
  readonly xds: { readonly address: string; readonly serverName: string };
  /** Secrets with what it shows the control plane, and Envoys. */
  readonly certificates: { readonly client: string; readonly server: string };
}

/** Names and ports as in Envoy Gateway. */
export const RATE_LIMIT_NAME = "envoy-ratelimit";
export const RATE_LIMIT_PORT = 8081;
const HEALTH_PORT = 8080;
const METRICS_PORT = 19_001;

/** Of the commit that tools/ratelimit/go.mod pins, which the tests run. */
export const RATE_LIMIT_IMAGE = "docker.io/envoyproxy/ratelimit:3fb70258";

const REQUESTS = { cpu: "100m", memory: "128Mi" };

const selector = {
  [labels.appName]: RATE_LIMIT_NAME,
  [labels.component]: "ratelimit",
  [labels.managedBy]: "gatehouse",
};

/** When the certificates that a pod began with are replaced; it reads what it shows the control plane only when it starts. */
export const CERTIFICATE_ANNOTATION = "gatehouse.dev/certificate-expires";

/** By name and kind alone: what there is where nobody wants the service any more. */
export function rateLimitObjects(namespace: string): readonly KubeObject[] {
  const metadata = { name: RATE_LIMIT_NAME, namespace, labels: { ...selector } };
  return [
    { apiVersion: "apps/v1", kind: "Deployment", metadata },
    { apiVersion: "v1", kind: "Service", metadata },
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
  ];
}

/** Whether an object of such a name is Gatehouse's. */
export function isRateLimitObject({ metadata }: KubeObject): boolean {
  return Object.entries(selector).every(([label, value]) => metadata.labels?.[label] === value);
}

/** All objects of the service, in the order in which they are applied. @param expires of {@link CERTIFICATE_ANNOTATION} */
export function renderRateLimit(workload: RateLimitWorkload, expires: string): readonly KubeObject[] {
  const metadata = { name: RATE_LIMIT_NAME, namespace: workload.namespace, labels: { ...selector } };
  const account: IServiceAccount = {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata,
    automountServiceAccountToken: false,
  };
  const service: IService = {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: {
      type: "ClusterIP",
      selector: { ...selector },
      // Without an address of its own: Envoy resolves all pods, and each connection goes to one.
      clusterIP: "None",
      ports: [{ name: "grpc", port: RATE_LIMIT_PORT, targetPort: RATE_LIMIT_PORT, protocol: "TCP" }],
    },
  };
  const deployment: IDeployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
    spec: {
      replicas: workload.replicas ?? 1,
      // Its successor answers before it goes.
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      selector: { matchLabels: { ...selector } },
      template: {
        metadata: {
          labels: { ...selector },
          annotations: {
            ...(workload.prometheus && scrapeAnnotations("/metrics", METRICS_PORT)),
            [CERTIFICATE_ANNOTATION]: expires,
          },
        },
        spec: {
          serviceAccountName: RATE_LIMIT_NAME,
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
          containers: [renderContainer(workload)],
          volumes: renderVolumes(workload),
        },
      },
      revisionHistoryLimit: 3,
    },
  };
  return [account, service, patchObject(deployment as KubeObject, workload.patch)] as readonly KubeObject[];
}

const folders = { client: "/certs/client", server: "/certs/server", redis: "/certs/redis" } as const;

function renderContainer(workload: RateLimitWorkload): IContainer {
  const probe: IProbe = { httpGet: { path: "/healthcheck", port: HEALTH_PORT, scheme: "HTTP" } };
  const { certificateSecret } = workload.redis.tls ?? {};
  const mounted = ["client", "server", ...(certificateSecret === undefined ? [] : ["redis" as const])] as const;
  return {
    name: "ratelimit",
    image: workload.image,
    // On the PATH of its image.
    command: ["ratelimit"],
    env: renderEnvironment(workload),
    ports: [
      { name: "grpc", containerPort: RATE_LIMIT_PORT, protocol: "TCP" },
      ...(workload.prometheus ? [{ name: "metrics", containerPort: METRICS_PORT, protocol: "TCP" as const }] : []),
    ],
    resources: { requests: REQUESTS },
    securityContext: { ...confined, readOnlyRootFilesystem: true },
    startupProbe: { ...probe, failureThreshold: 60, periodSeconds: 1 },
    readinessProbe: { ...probe, periodSeconds: 5 },
    volumeMounts: mounted.map((name) => ({ name, mountPath: folders[name], readOnly: true })),
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}

function renderEnvironment({ redis, prometheus, xds }: RateLimitWorkload): IEnvVar[] {
  const { client, server, redis: toRedis } = folders;
  const { address, tls } = redis;
  const { REDIS_URL, ...ofRedis } = redisEnvironment("url" in address ? address.url : "");
  const variables: Readonly<Record<string, string>> = {
    ...xdsEnvironment(xds.address),
    CONFIG_GRPC_XDS_SERVER_USE_TLS: "true",
    CONFIG_GRPC_XDS_CLIENT_TLS_CERT: `${client}/tls.crt`,
    CONFIG_GRPC_XDS_CLIENT_TLS_KEY: `${client}/tls.key`,
    CONFIG_GRPC_XDS_SERVER_TLS_CACERT: `${client}/ca.crt`,
    CONFIG_GRPC_XDS_SERVER_TLS_SAN: xds.serverName,
    GRPC_PORT: String(RATE_LIMIT_PORT),
    GRPC_SERVER_USE_TLS: "true",
    GRPC_SERVER_TLS_CERT: `${server}/tls.crt`,
    GRPC_SERVER_TLS_KEY: `${server}/tls.key`,
    GRPC_CLIENT_TLS_CACERT: `${server}/ca.crt`,
    PORT: String(HEALTH_PORT),
    // Whoever reaches it reads the limits: for the pod alone.
    DEBUG_HOST: "127.0.0.1",
    LOG_LEVEL: "warn",
    LOG_FORMAT: "json",
    USE_STATSD: "false",
    ...(prometheus ? { USE_PROMETHEUS: "true", PROMETHEUS_ADDR: `:${METRICS_PORT}` } : { DISABLE_STATS: "true" }),
    ...ofRedis,
    ...(tls && { REDIS_TLS: "true" }),
    ...(tls?.certificateSecret !== undefined && {
      REDIS_TLS_CLIENT_CERT: `${toRedis}/tls.crt`,
      REDIS_TLS_CLIENT_KEY: `${toRedis}/tls.key`,
    }),
  };
  const url: IEnvVar =
    "url" in address
      ? { name: "REDIS_URL", value: REDIS_URL ?? "" }
      : { name: "REDIS_URL", valueFrom: { secretKeyRef: { name: address.secretName, key: address.key } } };
  return [...Object.entries(variables).map(([name, value]) => ({ name, value })), url];
}

function renderVolumes({ certificates, redis }: RateLimitWorkload): IVolume[] {
  const file = (path: string) => ({ key: path, path });
  const authorities = { configMap: { name: TRUST_CONFIG_MAP, items: [file("ca.crt")] } };
  const pairOf = (name: string) => ({ secret: { name, items: [file("tls.crt"), file("tls.key")] } });
  const projected = (name: string, secretName: string) => ({
    name,
    projected: { sources: [pairOf(secretName), authorities], defaultMode: 0o444 },
  });
  const secretName = redis.tls?.certificateSecret;
  return [
    projected("client", certificates.client),
    projected("server", certificates.server),
    ...(secretName === undefined ? [] : [{ name: "redis", secret: { secretName, defaultMode: 0o444 } }]),
  ];
}
