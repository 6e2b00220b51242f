import type { ClientTrafficPolicy } from "../api/clienttrafficpolicy.ts";
import { type PlannedClientTls, planClientTls } from "./client-tls.ts";
import { judgeClientTraffic } from "./client-traffic-judge.ts";
import type { ClientValidationReader } from "./client-validation.ts";
import { findSelectorFaults } from "./policy-claims.ts";
import { refuseUnserved, warnOfDeprecated } from "./policy-fields.ts";
import type { PolicyFinding } from "./policy-model.ts";
import { expandShorthands } from "./policy-shorthands.ts";

/** The settings of a ClientTrafficPolicy in the catalogue's fields alone, without where it belongs. */
export type ClientTrafficSettings = Omit<ClientTrafficPolicy["spec"], "targetRef" | "targetRefs" | "targetSelectors">;

/** The part of the settings that an Envoy Listener has once, for all connections of a port. */
export interface PortTraffic {
  readonly tcpKeepalive?: NonNullable<ClientTrafficSettings["tcpKeepalive"]>;
  readonly proxyProtocol?: NonNullable<ClientTrafficSettings["proxyProtocol"]>;
  readonly connection?: Pick<
    NonNullable<ClientTrafficSettings["connection"]>,
    "bufferLimit" | "socketBufferLimit" | "maxAcceptPerSocketEvent"
  >;
  readonly timeout?: string;
  /** Of the clients' TLS greetings, where there are such. */
  readonly fingerprints?: readonly ("JA3" | "JA4")[];
}

export interface ClientTrafficPlan {
  /** Undefined: the policy cannot do what it says, and its listeners answer every request with 500. */
  readonly settings?: ClientTrafficSettings;
  /** What `spec.tls` comes to; `refused`: it cannot be done, which is the end of listeners that terminate TLS and of no others. */
  readonly clientTls?: PlannedClientTls | "refused";
  readonly refused: readonly PolicyFinding[];
  readonly warnings: readonly PolicyFinding[];
}

export function planClientTraffic(policy: ClientTrafficPolicy, read: ClientValidationReader): ClientTrafficPlan {
  const { targetRef, targetRefs: _, targetSelectors: __, ...own } = policy.spec;
  const { spec, refused, warnings } = expandShorthands<ClientTrafficSettings>("ClientTrafficPolicy", own);
  const tls = spec.tls && planClientTls(spec.tls, policy.metadata.namespace ?? "", read);
  const faults = [
    ...findSelectorFaults("ClientTrafficPolicy", policy),
    ...refused,
    ...refuseUnserved("ClientTrafficPolicy", spec),
    ...judgeClientTraffic(spec),
  ];
  const tlsFaults = tls?.refused ?? [];
  const deprecated = [
    ...(targetRef === undefined ? [] : [warnOfDeprecated("targetRef", "targetRefs")]),
    ...(spec.enableProxyProtocol === undefined ? [] : [warnOfDeprecated("enableProxyProtocol", "proxyProtocol")]),
    ...(spec.headers?.preserveXRequestID === undefined
      ? []
      : [warnOfDeprecated("headers.preserveXRequestID", "headers.requestID")]),
  ];
  return {
    ...(faults.length === 0 && { settings: spec }),
    ...(tls && { clientTls: tlsFaults.length === 0 ? tls.planned : "refused" }),
    refused: [...faults, ...tlsFaults],
    warnings: [...deprecated, ...(tls?.warnings ?? []), ...warnings],
  };
}

/** Undefined when nothing is said. */
export function portPart(settings: ClientTrafficSettings): PortTraffic | undefined {
  const { tcpKeepalive, enableProxyProtocol, proxyProtocol = enableProxyProtocol ? {} : undefined } = settings;
  const { connectionLimit: _, ...connection } = settings.connection ?? {};
  // What an API server fills in where nothing is said.
  const { maxAcceptPerSocketEvent, ...sizes } = connection;
  const spoken = maxAcceptPerSocketEvent === ACCEPTS_PER_EVENT_USUAL ? sizes : connection;
  const timeout = settings.timeout?.tcp?.connectionInspectionTimeout;
  const part: PortTraffic = {
    ...(tcpKeepalive && { tcpKeepalive }),
    ...(proxyProtocol && { proxyProtocol }),
    ...(Object.keys(spoken).length > 0 && { connection: spoken }),
    ...(timeout !== undefined && { timeout }),
  };
  return Object.keys(part).length === 0 ? undefined : part;
}

/** A worker takes one connection, then serves what it has: a burst spreads over the workers. */
export const ACCEPTS_PER_EVENT_USUAL = 1;
