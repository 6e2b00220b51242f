import type { XdsTls } from "../envoy/control-plane.ts";
import type { BackendTrafficSettings } from "./backend-traffic.ts";
import type { PolicyFinding } from "./policy-model.ts";

/** The service that counts for all Envoys together, as Envoys reach it. */
export interface RateLimitService {
  readonly address: { readonly host: string; readonly port: number } | { readonly unixPath: string };
  /** True: while nobody answers, requests that it would count are refused rather than served. */
  readonly failClosed: boolean;
  /** Absent: nobody but Envoys reaches it. */
  readonly tls?: RateLimitTls;
  /** How long a request waits for its answer; undefined: Envoy's own limit. */
  readonly timeoutMilliseconds?: number;
}

/** How Envoys and the service know one another. */
export interface RateLimitTls {
  /** DNS name that the service's certificate must carry. */
  readonly serverName: string;
  /** Envoys show the service what they show the control plane. */
  readonly envoy: XdsTls;
}

/** Whose configuration the service fetches over xDS: no Gateway's and no class's, since no name has a space. */
export const RATE_LIMIT_FLEET = "rate limit service";
/** How the service calls itself towards the xDS server, as with Envoy Gateway. */
export const RATE_LIMIT_NODE = "envoy-ratelimit";

type Global = NonNullable<NonNullable<BackendTrafficSettings["rateLimit"]>["global"]>;
export type GlobalRule = Global["rules"][number];

/** The limits of a policy that the service counts. */
export interface GlobalRateLimit {
  /** What the service keeps apart: `<namespace>/<name>` of the policy that has the rules. */
  readonly domain: string;
  readonly rules: readonly GlobalRule[];
  /** The rule of a route that requests are counted for, unless limits are shared. */
  readonly route?: string;
}

/** Undefined: nothing is counted. */
export function planGlobalLimits(
  { rateLimit }: BackendTrafficSettings,
  domain: string,
): { readonly globalRateLimit?: GlobalRateLimit } {
  const rules = rateLimit?.global?.rules ?? [];
  return rules.length === 0 ? {} : { globalRateLimit: { domain, rules } };
}

interface LimitOwner {
  readonly settings: BackendTrafficSettings;
  readonly domain: string;
}

/**
 * Of a policy that is merged over another: a list of rules is replaced as a whole, so its limits are wholly the ones of one of the two, and are
 * counted with them. So the service has to be told of no other domains than policies.
 */
export function mergedDomain(child: LimitOwner, parent: LimitOwner): string {
  return (child.settings.rateLimit?.global === undefined ? parent : child).domain;
}

/** Why a policy with global limits cannot be served by this instance. */
export function findMissingService(
  settings: BackendTrafficSettings,
  service: RateLimitService | undefined,
): readonly PolicyFinding[] {
  if (settings.rateLimit?.global === undefined || service !== undefined) return [];
  return [
    {
      field: "spec.rateLimit.global",
      text: "needs a rate limit service, and Gatehouse runs without one; use rateLimit.local, or give Gatehouse a Redis to count in",
    },
  ];
}
