import type { GatewayClass } from "../api/gateway-api.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import type { Settings } from "./model.ts";

export interface GatewayClassPlan {
  readonly name: string;
  /** The one of ours that the class names: statuses of its Gateways and of their routes are written under it. */
  readonly controllerName: string;
  readonly accepted: boolean;
  readonly problems: readonly Problem[];
}

/** A class of ours, or undefined when another controller's. */
export function planGatewayClass(gatewayClass: GatewayClass, settings: Settings): GatewayClassPlan | undefined {
  const { controllerName, parametersRef } = gatewayClass.spec;
  if (!settings.controllerNames.includes(controllerName)) return undefined;
  const plan = { name: gatewayClass.metadata.name, controllerName };
  if (parametersRef === undefined) return { ...plan, accepted: true, problems: [] };
  const text = `names ${parametersRef.kind} ${parametersRef.name}, and this version reads no parameters; remove the field`;
  return {
    ...plan,
    accepted: false,
    problems: [problemAt("Accepted", "InvalidParameters", "spec.parametersRef", text)],
  };
}
