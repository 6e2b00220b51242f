import type { RateLimitService } from "../attach/rate-limit.ts";
import type { Logger } from "../base/log.ts";
import type { Certificates } from "../certs/certificates.ts";
import { type ServerService, serverName } from "../certs/identity.ts";
import { RATE_LIMIT_CLIENT_SECRET, RATE_LIMIT_SERVER_SECRET } from "../certs/objects.ts";
import type { ClusterEnvironment } from "../infra/kubernetes/environment.ts";
import { RATE_LIMIT_NAME, RATE_LIMIT_PORT, type RateLimitWorkload } from "../infra/kubernetes/rate-limit.ts";
import { type RateLimitUpkeep, startRateLimitUpkeep } from "../infra/kubernetes/rate-limit-upkeep.ts";
import type { KubeClient } from "../kube/client.ts";
import type { RateLimitConfiguration } from "./config-rate-limit.ts";

/** The Service of the rate limit service. */
export function rateLimitServiceOf(namespace: string): ServerService {
  return { namespace, name: RATE_LIMIT_NAME };
}

/** What Envoys are to know of the service. */
export function describeRateLimit(
  { failClosed, timeoutMilliseconds }: RateLimitConfiguration,
  { namespace, clusterDomain, controlPlane }: ClusterEnvironment,
): RateLimitService {
  const name = serverName(rateLimitServiceOf(namespace));
  return {
    address: { host: `${name}.${clusterDomain}`, port: RATE_LIMIT_PORT },
    failClosed,
    ...(controlPlane.tls && { tls: { serverName: name, envoy: controlPlane.tls } }),
    ...(timeoutMilliseconds !== undefined && { timeoutMilliseconds }),
  };
}

export interface RateLimitDeployment {
  readonly client: KubeClient;
  readonly configuration: RateLimitConfiguration | undefined;
  readonly environment: ClusterEnvironment;
  /** The xDS server's. */
  readonly service: ServerService;
  readonly image: string;
  readonly certificates: () => Pick<Certificates, "figures">;
  readonly log: Logger;
}

/** What the leader does for the service: it runs as the configuration asks, or not at all. */
export function deployRateLimit(options: RateLimitDeployment): RateLimitUpkeep {
  const { client, configuration, environment, service, image, log } = options;
  const { namespace, controlPlane } = environment;
  const { address } = controlPlane;
  const { replicas, patch, container } = configuration?.deployment ?? {};
  const workload: RateLimitWorkload | undefined = configuration && {
    namespace,
    image: container?.image ?? image,
    ...(replicas !== undefined && { replicas }),
    ...(patch && { patch }),
    redis: configuration.redis,
    prometheus: configuration.prometheus,
    xds: {
      address: "host" in address ? `${address.host}:${address.port}` : `unix://${address.unixPath}`,
      serverName: serverName(service),
    },
    certificates: { client: RATE_LIMIT_CLIENT_SECRET, server: RATE_LIMIT_SERVER_SECRET },
  };
  const secrets: readonly string[] = [RATE_LIMIT_CLIENT_SECRET, RATE_LIMIT_SERVER_SECRET];
  return startRateLimitUpkeep({
    client,
    namespace,
    workload,
    certificateExpires() {
      const ends = options
        .certificates()
        .figures()
        .filter(({ name }) => secrets.includes(name));
      return ends.length < secrets.length ? undefined : Math.min(...ends.map((each) => each.expiresAtMilliseconds));
    },
    log,
  });
}
