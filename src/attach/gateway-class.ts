import type { GatewayClass } from "../api/gateway-api.ts";
import type { Problem } from "../base/problems.ts";
import type { Settings } from "./model.ts";

export interface GatewayClassPlan {
  readonly name: string;
  readonly accepted: boolean;
  readonly problems: readonly Problem[];
}

/** A class of ours, or undefined when another controller's. */
export function planGatewayClass(gatewayClass: GatewayClass, settings: Settings): GatewayClassPlan | undefined {
  if (!settings.controllerNames.includes(gatewayClass.spec.controllerName)) return undefined;
  const { name } = gatewayClass.metadata;
  const reference = gatewayClass.spec.parametersRef;
  if (reference === undefined) return { name, accepted: true, problems: [] };
  const problem: Problem = {
    condition: "Accepted",
    reason: "InvalidParameters",
    field: "spec.parametersRef",
    message: `GatewayClass ${name}: spec.parametersRef names ${reference.kind} ${reference.name}, and this version reads no parameters; remove the field.`,
  };
  return { name, accepted: false, problems: [problem] };
}
