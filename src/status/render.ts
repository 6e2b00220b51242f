import type { StatusReport } from "../pipeline/status-reports.ts";
import { type DesiredCondition, judge } from "./conditions.ts";
import { buildGatewayStatus, type GatewayStatus } from "./gateway-status.ts";
import { buildRouteStatus, type RouteStatus } from "./route-status.ts";
import { supportedFeatures } from "./supported-features.ts";

export interface GatewayClassStatus {
  readonly conditions: readonly DesiredCondition[];
  readonly supportedFeatures: readonly { readonly name: string }[];
}

export interface BackendStatus {
  readonly conditions: readonly DesiredCondition[];
}

/** The status that an object should have, without times. */
export type ObjectStatus = GatewayClassStatus | GatewayStatus | RouteStatus | BackendStatus;

/** The one place where a report becomes conditions. */
export function renderStatus(report: StatusReport): ObjectStatus {
  switch (report.kind) {
    case "GatewayClass":
      return {
        conditions: [
          judge(
            "Accepted",
            report.plan.problems,
            { reason: "Accepted", message: "The class is served by this controller" },
            report.object.metadata.generation,
          ),
          judge(
            "SupportedVersion",
            [],
            { reason: "SupportedVersion", message: "The installed version of Gateway API is supported" },
            report.object.metadata.generation,
          ),
        ],
        supportedFeatures: supportedFeatures.map((name) => ({ name })),
      };
    case "Gateway":
      return buildGatewayStatus(report);
    case "Backend":
      return {
        conditions: [
          judge(
            "Accepted",
            report.problems,
            { reason: "Accepted", message: "The Backend is accepted" },
            report.object.metadata.generation,
          ),
        ],
      };
    default:
      return buildRouteStatus(report);
  }
}
