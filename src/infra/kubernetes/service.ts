import { isIPv6 } from "node:net";
import type { IService, IServiceSpec } from "kubernetes-models/v1";
import type { KubeObject } from "../../kube/resource-type.ts";
import type { GatewayInfrastructure } from "../../pipeline/infrastructure.ts";
import { type Identity, metadataOf } from "./identity.ts";
import { patchObject } from "./patch.ts";

/** The Service at which clients reach a gateway. */
export function renderService(gateway: GatewayInfrastructure, identity: Identity): KubeObject {
  const { envoyService: settings = {} } = gateway.settings.provider?.kubernetes ?? {};
  const { name, labels, annotations, patch, type = "LoadBalancer" } = settings;
  const spec: IServiceSpec = {
    type,
    selector: { ...identity.selector },
    ports: gateway.served.map(({ name: portName, port, bindPort, protocol }) => ({
      name: portName,
      port,
      targetPort: bindPort,
      protocol,
    })),
    sessionAffinity: "None",
    ...(type !== "ClusterIP" && { externalTrafficPolicy: settings.externalTrafficPolicy ?? "Local" }),
    ...familiesOf(gateway),
    ...addressesOf(gateway, type),
    // A load balancer that is told an address by the EnvoyProxy is asked for that one, whatever Gateways want.
    ...(type === "LoadBalancer" && loadBalancerFields(settings)),
  };
  const service: IService = {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadataOf(gateway, identity, { name, labels, annotations }),
    spec,
  };
  return patchObject(service as KubeObject, patch);
}

type ServiceSettings = NonNullable<
  NonNullable<NonNullable<GatewayInfrastructure["settings"]["provider"]>["kubernetes"]>["envoyService"]
>;

function loadBalancerFields(settings: ServiceSettings): Partial<IServiceSpec> {
  const { allocateLoadBalancerNodePorts, loadBalancerClass, loadBalancerIP, loadBalancerSourceRanges } = settings;
  return {
    ...(allocateLoadBalancerNodePorts !== undefined && { allocateLoadBalancerNodePorts }),
    ...(loadBalancerClass !== undefined && { loadBalancerClass }),
    ...(loadBalancerIP !== undefined && { loadBalancerIP }),
    ...(loadBalancerSourceRanges !== undefined && { loadBalancerSourceRanges }),
  };
}

function familiesOf({ settings }: GatewayInfrastructure): Partial<IServiceSpec> {
  switch (settings.ipFamily) {
    case "IPv4":
    case "IPv6":
      return { ipFamilyPolicy: "SingleStack", ipFamilies: [settings.ipFamily] };
    case "DualStack":
      return { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv4", "IPv6"] };
    case undefined:
      return {};
  }
}

/**
 * Addresses that the Gateway asks for. A load balancer is asked, by the one field that every kind of them knows, and what it gives is
 * the answer; `externalIPs` would have every node take packets for an address that nobody granted, another's too.
 */
function addressesOf({ addresses }: GatewayInfrastructure, type: string): Partial<IServiceSpec> {
  if (addresses.length === 0) return {};
  if (type === "LoadBalancer") return { loadBalancerIP: addresses[0] };
  if (type === "NodePort") return { externalIPs: [...addresses] };
  const [first = ""] = [...addresses].sort((a, b) => Number(isIPv6(a)) - Number(isIPv6(b)));
  return { clusterIP: first, clusterIPs: [...addresses] };
}
