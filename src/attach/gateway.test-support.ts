import type { Gateway } from "../api/gateway-api.ts";
import { draftGateway, planGateway } from "./gateway.ts";
import type { GatewayClassPlan } from "./gateway-class.ts";
import type { GatewayPlan, Settings } from "./model.ts";

export const ourClass: GatewayClassPlan = {
  name: "c",
  controllerName: "example.com/ours",
  accepted: true,
  problems: [],
};

/** The plan of a Gateway from first to last. */
export function planOfGateway(
  gateway: Pick<Gateway, "metadata" | "spec">,
  settings: Settings,
  portOwner: (bindPort: number) => string | undefined = () => undefined,
  gatewayClass = ourClass,
): GatewayPlan {
  return planGateway(draftGateway(gateway as Gateway, gatewayClass, settings), settings, portOwner);
}
