import type { GatewayClass } from "../api/gateway-api.ts";
import { noProblems, type Problem } from "../base/problems.ts";
import { type ProxyLevel, parameterProblems } from "./envoy-proxy.ts";
import type { Settings } from "./model.ts";

export interface GatewayClassPlan {
  readonly name: string;
  /** The one of ours that the class names: statuses of its Gateways and of their routes are written under it. */
  readonly controllerName: string;
  readonly accepted: boolean;
  readonly problems: readonly Problem[];
}

/** A class of ours, or undefined when another controller's. */
export function planGatewayClass(
  gatewayClass: GatewayClass,
  settings: Settings,
  proxy: ProxyLevel | undefined,
): GatewayClassPlan | undefined {
  const { controllerName } = gatewayClass.spec;
  if (!settings.controllerNames.includes(controllerName)) return undefined;
  const problems = proxy === undefined ? noProblems : parameterProblems(proxy, "spec.parametersRef");
  return { name: gatewayClass.metadata.name, controllerName, accepted: problems.length === 0, problems };
}
