import type { BackendTrafficPolicy } from "../api/backendtrafficpolicy.ts";
import { type ConnectionSettings, findValueFault, sortKeys, valuesOf } from "./connection-settings.ts";
import { mergeObjects } from "./object-merge.ts";
import { findSelectorFaults } from "./policy-claims.ts";
import { findUnservedFields } from "./policy-fields.ts";
import type { PolicyFinding } from "./policy-model.ts";
import { expandShorthands } from "./policy-shorthands.ts";

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
export interface RouteTraffic {
  readonly timeout?: Pick<HttpTimeouts, "requestTimeout">;
  readonly retry?: NonNullable<BackendTrafficSettings["retry"]>;
}

type HttpTimeouts = NonNullable<NonNullable<BackendTrafficSettings["timeout"]>["http"]>;

export interface BackendTrafficPlan {
  /** In the catalogue's fields alone, to be merged with. */
  readonly settings: BackendTrafficSettings;
  readonly traffic: BackendTraffic;
  /** Why the policy cannot do what it says. */
  readonly refused: readonly PolicyFinding[];
  readonly warnings: readonly PolicyFinding[];
}

export function planBackendTraffic(policy: BackendTrafficPolicy): BackendTrafficPlan {
  const { targetRef, targetRefs: _, targetSelectors: __, mergeType: ___, ...own } = policy.spec;
  const { spec, refused, warnings } = expandShorthands<BackendTrafficSettings>("BackendTrafficPolicy", own);
  const { compression, ...settings } = spec;
  const deprecated = (field: string, to: string): PolicyFinding => ({
    field: `spec.${field}`,
    text: `is deprecated; write spec.${to} instead`,
    reason: "DeprecatedField",
  });
  return planSettings(compression === undefined ? settings : { ...settings, compressor: compression }, {
    refused: [...findSelectorFaults(policy), ...refused],
    warnings: [
      ...(targetRef === undefined ? [] : [deprecated("targetRef", "targetRefs")]),
      ...(compression === undefined ? [] : [deprecated("compression", "compressor")]),
      ...warnings,
    ],
  });
}

/** The policy of a route over the one of its listener. What it is told of is told of each of them alone. */
export function mergeBackendTraffic(
  child: BackendTrafficPlan,
  parent: BackendTrafficPlan,
  mergeType: "StrategicMerge" | "JSONMerge",
): BackendTraffic {
  const merged = mergeObjects(parent.settings, child.settings, mergeType) as BackendTrafficSettings;
  const { traffic } = planSettings(merged, { refused: [...child.refused, ...parent.refused], warnings: [] });
  return traffic;
}

function planSettings(
  settings: BackendTrafficSettings,
  found: Pick<BackendTrafficPlan, "refused" | "warnings">,
): BackendTrafficPlan {
  const refused = [...found.refused, ...judgeSettings(settings)];
  const traffic: BackendTraffic =
    refused.length > 0 ? { invalid: true } : { ...clusterPart(settings), ...routePart(settings) };
  return { settings, traffic, refused, warnings: found.warnings };
}

/** Each group of fields that is served has its judgement here, so that it holds for merged policies too. */
function judgeSettings(settings: BackendTrafficSettings): readonly PolicyFinding[] {
  const unserved = findUnservedFields("BackendTrafficPolicy", settings).map((field) => ({
    field: `spec.${field}`,
    text: "is not implemented in this version; remove it",
  }));
  const faults = [...valuesOf(settings)].flatMap(([place, value]) => {
    const text = findValueFault(place, value);
    return text === undefined ? [] : [{ field: `spec.${place}`, text }];
  });
  return [...unserved, ...faults];
}

function clusterPart(settings: BackendTrafficSettings): Pick<BackendTraffic, "cluster"> {
  const { circuitBreaker, connection, dns, http2, tcpKeepalive, timeout } = settings;
  const { connectionIdleTimeout, maxConnectionDuration } = timeout?.http ?? {};
  const http = said({ connectionIdleTimeout, maxConnectionDuration });
  const timeouts = said({ tcp: timeout?.tcp && said(timeout.tcp), http });
  const cluster = said({ circuitBreaker, connection, dns, http2, tcpKeepalive, timeout: timeouts });
  return cluster === undefined ? {} : { cluster: sortKeys(cluster) as ConnectionSettings };
}

function routePart({ timeout, retry }: BackendTrafficSettings): Pick<BackendTraffic, "route"> {
  const { requestTimeout } = timeout?.http ?? {};
  const route = said({ timeout: said({ requestTimeout }), retry });
  return route === undefined ? {} : { route: sortKeys(route) as RouteTraffic };
}

/** Undefined when nothing is said. */
function said<T extends object>(fields: T): T | undefined {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as T);
}
