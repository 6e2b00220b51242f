import type { StatusReport } from "../pipeline/status-reports.ts";
import { type DesiredCondition, judge } from "./conditions.ts";
import { buildEnvoyProxyStatus, type EnvoyProxyStatus } from "./envoy-proxy-status.ts";
import { buildGatewayClassStatus, type GatewayClassStatus } from "./gateway-class-status.ts";
import { buildGatewayStatus, type GatewayStatus } from "./gateway-status.ts";
import { buildListenerSetStatus, type ListenerSetStatus } from "./listener-set-status.ts";
import { buildPolicyStatus, type PolicyStatus } from "./policy-status.ts";
import { buildRouteStatus, type RouteStatus } from "./route-status.ts";

export interface BackendStatus {
  readonly conditions: readonly DesiredCondition[];
}

/** The status that an object should have, without times. */
export type ObjectStatus =
  | GatewayClassStatus
  | GatewayStatus
  | ListenerSetStatus
  | RouteStatus
  | BackendStatus
  | EnvoyProxyStatus
  | PolicyStatus;

/** The one place where a report becomes conditions. */
export function renderStatus(report: StatusReport): ObjectStatus {
  switch (report.kind) {
    case "GatewayClass":
      return buildGatewayClassStatus(report);
    case "Gateway":
      return buildGatewayStatus(report);
    case "ListenerSet":
      return buildListenerSetStatus(report);
    case "Backend": {
      const good = { reason: "Accepted", message: "The Backend is accepted" };
      return { conditions: [judge("Accepted", report.problems, good, report.object.metadata.generation)] };
    }
    case "EnvoyProxy":
      return buildEnvoyProxyStatus(report);
    case "BackendTLSPolicy":
    case "BackendTrafficPolicy":
    case "ClientTrafficPolicy":
    case "SecurityPolicy":
      return buildPolicyStatus(report);
    default:
      return buildRouteStatus(report);
  }
}
