import type { Gateway, GatewayClass } from "../api/gateway-api.ts";
import { objectKey } from "../base/keys.ts";
import { mergesGateways, type ProxyLevel, resolveClassProxy, resolveGatewayProxy } from "./envoy-proxy.ts";
import { draftGateway, type NamedBy, planGateway, planParameters } from "./gateway.ts";
import { type GatewayClassPlan, planGatewayClass } from "./gateway-class.ts";
import type { GatewayDraft, GatewayPlan, Settings } from "./model.ts";
import type { PortClaim } from "./port-claims.ts";

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
  namedBy?: NamedBy,
): GatewayDraft {
  const object = gateway as Gateway;
  const key = objectKey(object.metadata.namespace, object.metadata.name);
  const fleet = mergesGateways(classProxy, settings) ? ourClass.name : key;
  const level = resolveGatewayProxy(object, classProxy, fleet !== key, settings, () => undefined);
  return draftGateway(object, ourClass, planParameters(object, level, fleet, settings), settings, namedBy);
}

/** The plan of a Gateway from first to last, where there is no EnvoyProxy object at all. */
export function planOfGateway(
  gateway: Pick<Gateway, "metadata" | "spec">,
  settings: Settings,
  claimsAt: (bindPort: number) => Iterable<PortClaim> = () => [],
  classProxy: ProxyLevel = noProxy,
): GatewayPlan {
  return planGateway(draftOfGateway(gateway, settings, classProxy), claimsAt);
}

/** The plan of a class where there is no EnvoyProxy object at all. */
export function planOfClass(gatewayClass: GatewayClass, settings: Settings): GatewayClassPlan | undefined {
  return planGatewayClass(
    gatewayClass,
    settings,
    resolveClassProxy(gatewayClass, settings, () => undefined),
  );
}
