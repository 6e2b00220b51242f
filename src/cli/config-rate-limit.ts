import type { EnvoyGateway } from "../api/envoygateway.ts";
import { parseDuration } from "../translate/duration.ts";

/** The rate limit service that the operator deploys. */
export interface RateLimitConfiguration {
  readonly redis: {
    readonly address: { readonly url: string } | { readonly secretName: string; readonly key: string };
    /** Absent: no TLS. */
    readonly tls?: { readonly certificateSecret?: string };
  };
  readonly failClosed: boolean;
  readonly timeoutMilliseconds?: number;
  readonly prometheus: boolean;
  readonly deployment?: RateLimitDeploymentSettings;
}

type KubernetesProvider = NonNullable<NonNullable<EnvoyGateway["provider"]>["kubernetes"]>;
export type RateLimitDeploymentSettings = NonNullable<KubernetesProvider["rateLimitDeployment"]>;

export function readRateLimit(
  file: EnvoyGateway["rateLimit"],
  deployment: RateLimitDeploymentSettings | undefined,
): RateLimitConfiguration | undefined {
  const redis = file?.backend.redis;
  if (file === undefined || redis === undefined) return undefined;
  const { url = "", urlRef, tls } = redis;
  const timeoutMilliseconds = parseDuration(file.timeout);
  const certificateSecret = tls?.certificateRef?.name;
  return {
    redis: {
      address: urlRef ? { secretName: urlRef.secretKeyRef.name, key: urlRef.secretKeyRef.key } : { url },
      ...(tls && { tls: certificateSecret === undefined ? {} : { certificateSecret } }),
    },
    failClosed: file.failClosed ?? false,
    ...(timeoutMilliseconds !== undefined && { timeoutMilliseconds }),
    ...(deployment && { deployment }),
    prometheus: file.telemetry?.metrics?.prometheus?.disable !== true,
  };
}
