import type { BackendTrafficPolicy } from "../api/backendtrafficpolicy.ts";
import { objectKey } from "../base/keys.ts";
import { warnOfRounding } from "./bandwidth-units.ts";
import { type ConnectionSettings, sortKeys } from "./connection-settings.ts";
import { type MergeType, mergeObjects } from "./object-merge.ts";
import { findSelectorFaults } from "./policy-claims.ts";
import { warnOfDeprecated } from "./policy-fields.ts";
import type { PolicyFinding } from "./policy-model.ts";
import { expandShorthands } from "./policy-shorthands.ts";
import {
  findMissingService,
  type GlobalRateLimit,
  mergedDomain,
  planGlobalLimits,
  type RateLimitService,
} from "./rate-limit.ts";
import { type BodyReader, readBodies } from "./response-bodies.ts";
import type { TracedTraffic } from "./tracing-traffic.ts";
import { judgeTraffic } from "./traffic-judge.ts";

/** The settings of a BackendTrafficPolicy, without where it belongs. */
export type BackendTrafficSettings = Omit<
  BackendTrafficPolicy["spec"],
  "targetRef" | "targetRefs" | "targetSelectors" | "mergeType"
>;

/**
 * What a policy means for a rule of a route. The two parts stand apart so that an edit of one leaves the other as it is: clusters are
 * named by their settings.
 */
export interface BackendTraffic {
  /** For the clusters that the rule leads to. Keys in a fixed order. */
  readonly cluster?: ConnectionSettings;
  /** For the routes that the rule makes. */
  readonly route?: RouteTraffic;
  /** The policy cannot do what it says: requests are answered with 500 rather than served without it. */
  readonly invalid?: true;
}

/** The part of the settings that Envoy has in its routes. */
export interface RouteTraffic
  extends Pick<
    BackendTrafficSettings,
    | "admissionControl"
    | "bandwidthLimit"
    | "compressor"
    | "faultInjection"
    | "httpUpgrade"
    | "requestBuffer"
    | "responseOverride"
  > {
  readonly timeout?: Pick<HttpTimeouts, "requestTimeout" | "maxStreamDuration" | "streamIdleTimeout">;
  readonly retry?: NonNullable<BackendTrafficSettings["retry"]>;
  readonly consistentHash?: NonNullable<NonNullable<BackendTrafficSettings["loadBalancer"]>["consistentHash"]>;
  readonly localRateLimit?: NonNullable<NonNullable<BackendTrafficSettings["rateLimit"]>["local"]>;
  readonly globalRateLimit?: GlobalRateLimit;
  /** Name under which requests are counted; may hold the operators of `statOperators`. */
  readonly statName?: string;
  /** Where the rule is served, with what the EnvoyProxy says of sampling and the policy does not. */
  readonly tracing?: TracedTraffic;
  /** Clients do not see the load reports of backends. */
  readonly hidesLoadReports?: true;
}

type LoadBalancer = NonNullable<BackendTrafficSettings["loadBalancer"]>;
type HttpTimeouts = NonNullable<NonNullable<BackendTrafficSettings["timeout"]>["http"]>;

export interface BackendTrafficPlan {
  /** In the catalogue's fields alone, to be merged with. */
  readonly settings: BackendTrafficSettings;
  /** What the rate limit service knows its limits by. */
  readonly domain: string;
  readonly traffic: BackendTraffic;
  /** Why the policy cannot do what it says. */
  readonly refused: readonly PolicyFinding[];
  readonly warnings: readonly PolicyFinding[];
}

/** @param service undefined: there is nobody who counts for all Envoys together */
export function planBackendTraffic(
  policy: BackendTrafficPolicy,
  read: BodyReader,
  service?: RateLimitService,
): BackendTrafficPlan {
  const { targetRef, targetRefs: _, targetSelectors: __, mergeType: ___, ...written } = policy.spec;
  const { settings: own, faults } = readBodies(written, policy.metadata.namespace, read);
  const { spec, refused, warnings } = expandShorthands<BackendTrafficSettings>("BackendTrafficPolicy", own);
  const { compression, ...settings } = spec;
  const domain = objectKey(policy.metadata.namespace, policy.metadata.name);
  return planSettings(compression === undefined ? settings : { ...settings, compressor: compression }, domain, {
    refused: [
      ...findSelectorFaults("BackendTrafficPolicy", policy),
      ...refused,
      ...faults,
      ...findMissingService(settings, service),
    ],
    warnings: [
      ...(targetRef === undefined ? [] : [warnOfDeprecated("targetRef", "targetRefs")]),
      ...(compression === undefined ? [] : [warnOfDeprecated("compression", "compressor")]),
      ...warnings,
      ...warnOfStreams(policy, settings),
      ...warnOfRounding(settings),
    ],
  });
}

const streamKinds: ReadonlySet<string> = new Set(["TCPRoute", "TLSRoute", "UDPRoute"]);

/** About requests, which nobody sees in connections and datagrams. */
const ofRequests = [
  ...[
    "admissionControl",
    "bandwidthLimit",
    "compressor",
    "faultInjection",
    "http2",
    "httpUpgrade",
    "rateLimit",
    "requestBuffer",
  ],
  ...["responseOverride", "retry", "telemetry", "useClientProtocol"],
] as const;

/** A policy of a Gateway means its fields for whatever they fit; one that names routes of streams means them for these. */
function warnOfStreams({ spec }: BackendTrafficPolicy, settings: BackendTrafficSettings): readonly PolicyFinding[] {
  const references = [...(spec.targetRef ? [spec.targetRef] : []), ...(spec.targetRefs ?? [])];
  const target = references.find(({ kind }) => streamKinds.has(kind));
  if (target === undefined) return [];
  const idle: readonly string[] = [
    ...ofRequests.filter((field) => settings[field as keyof BackendTrafficSettings] !== undefined),
    ...(settings.timeout?.http === undefined ? [] : ["timeout.http"]),
    ...(settings.loadBalancer?.consistentHash === undefined ? [] : ["loadBalancer.consistentHash"]),
  ];
  return idle.map((field) => ({
    field: `spec.${field}`,
    text: `has no effect for ${target.kind} ${target.name}, whose connections nobody looks into; remove it, or attach the policy to routes of requests alone`,
    reason: "NoEffect",
  }));
}

/** What a rule means at a listener that keeps upper and lower case of header names. */
export function keepHeaderCase(traffic: BackendTraffic | undefined): BackendTraffic {
  return { ...traffic, cluster: sortKeys({ ...traffic?.cluster, preserveHeaderCase: true }) as ConnectionSettings };
}

/** The policy of a route over the one of its listener. What it is told of is told of each of them alone, but for what only both together do. */
export function mergeBackendTraffic(
  child: BackendTrafficPlan,
  parent: BackendTrafficPlan,
  mergeType: MergeType,
): BackendTrafficPlan {
  const merged = mergeObjects(parent.settings, child.settings, mergeType) as BackendTrafficSettings;
  const domain = mergedDomain(child, parent);
  return planSettings(merged, domain, { refused: [...child.refused, ...parent.refused], warnings: [] });
}

function planSettings(
  settings: BackendTrafficSettings,
  domain: string,
  found: Pick<BackendTrafficPlan, "refused" | "warnings">,
): BackendTrafficPlan {
  const refused = [...found.refused, ...judgeTraffic(settings)];
  const traffic: BackendTraffic =
    refused.length > 0 ? { invalid: true } : { ...clusterPart(settings), ...routePart(settings, domain) };
  return { settings, domain, traffic, refused, warnings: found.warnings };
}

function clusterPart(settings: BackendTrafficSettings): Pick<BackendTraffic, "cluster"> {
  const { circuitBreaker, connection, dns, healthCheck, http2, loadBalancer, proxyProtocol, tcpKeepalive } = settings;
  const { tcp, http } = settings.timeout ?? {};
  const cluster = said({
    circuitBreaker,
    connection,
    dns,
    healthCheck,
    http2,
    loadBalancer: loadBalancer && balancingPart(loadBalancer),
    proxyProtocol,
    tcpKeepalive,
    timeout: said({
      tcp: tcp && said(tcp),
      http: said({
        connectionIdleTimeout: http?.connectionIdleTimeout,
        maxConnectionDuration: http?.maxConnectionDuration,
      }),
    }),
    useClientProtocol: settings.useClientProtocol || undefined,
    routingType: settings.routingType,
  });
  return cluster === undefined ? {} : { cluster: sortKeys(cluster) as ConnectionSettings };
}

/** Without what makes requests equal, which the routes know. */
function balancingPart({ consistentHash, backendUtilization, ...rest }: LoadBalancer): LoadBalancer {
  const { keepResponseHeaders: _, ...utilization } = backendUtilization ?? {};
  const { type, tableSize } = consistentHash ?? {};
  return {
    ...rest,
    ...(type !== undefined && tableSize !== undefined && { consistentHash: { type: "SourceIP", tableSize } }),
    ...(backendUtilization && { backendUtilization: utilization }),
  };
}

function routePart(settings: BackendTrafficSettings, domain: string): Pick<BackendTraffic, "route"> {
  const { timeout, retry, loadBalancer, bandwidthLimit, compressor, faultInjection } = settings;
  const { admissionControl, httpUpgrade, requestBuffer, responseOverride, rateLimit, telemetry } = settings;
  const { requestTimeout, maxStreamDuration, streamIdleTimeout } = timeout?.http ?? {};
  const { tableSize: _, ...hash } = loadBalancer?.consistentHash ?? {};
  const utilization = loadBalancer?.backendUtilization;
  const route = said({
    timeout: said({ requestTimeout, maxStreamDuration, streamIdleTimeout }),
    retry,
    consistentHash: said(hash),
    admissionControl,
    bandwidthLimit,
    compressor,
    faultInjection,
    httpUpgrade,
    requestBuffer,
    responseOverride,
    localRateLimit: rateLimit?.local,
    ...planGlobalLimits(settings, domain),
    statName: telemetry?.metrics?.routeStatName,
    tracing: telemetry?.tracing && said(telemetry.tracing),
    hidesLoadReports: utilization && !utilization.keepResponseHeaders ? true : undefined,
  });
  return route === undefined ? {} : { route: sortKeys(route) as RouteTraffic };
}

/** Undefined when nothing is said. */
function said<T extends object>(fields: T): T | undefined {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as T);
}
