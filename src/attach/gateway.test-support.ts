import type { Gateway, GatewayClass } from "../api/gateway-api.ts";
import { type ProxyLevel, resolveClassProxy, resolveGatewayProxy } from "./envoy-proxy.ts";
import { draftGateway, planGateway, planParameters } from "./gateway.ts";
import { type GatewayClassPlan, planGatewayClass } from "./gateway-class.ts";
import type { GatewayDraft, GatewayPlan, Settings } from "./model.ts";

export const ourClass: GatewayClassPlan = {
  name: "c",
  controllerName: "example.com/ours",
  accepted: true,
  problems: [],
};

const noProxy: ProxyLevel = { spec: {}, namespaces: {}, refused: [], warnings: [] };

/** The draft of a Gateway where there is no EnvoyProxy object at all. */
export function draftOfGateway(
  gateway: Pick<Gateway, "metadata" | "spec">,
  settings: Settings,
  classProxy: ProxyLevel = noProxy,
): GatewayDraft {
  const object = gateway as Gateway;
  const level = resolveGatewayProxy(object, classProxy, settings, () => undefined);
  return draftGateway(object, ourClass, planParameters(object, level, settings), settings);
}

/** The plan of a Gateway from first to last, where there is no EnvoyProxy object at all. */
export function planOfGateway(
  gateway: Pick<Gateway, "metadata" | "spec">,
  settings: Settings,
  portOwner: (bindPort: number) => string | undefined = () => undefined,
  classProxy: ProxyLevel = noProxy,
): GatewayPlan {
  return planGateway(draftOfGateway(gateway, settings, classProxy), portOwner);
}

/** The plan of a class where there is no EnvoyProxy object at all. */
export function planOfClass(gatewayClass: GatewayClass, settings: Settings): GatewayClassPlan | undefined {
  return planGatewayClass(
    gatewayClass,
    settings,
    resolveClassProxy(gatewayClass, settings, () => undefined),
  );
}
